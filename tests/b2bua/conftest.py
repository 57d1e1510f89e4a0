"""Every playbook that a test opens is checked at its end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from sipguard.screening.policy.model import Rule
from tests.playbook import Play, Playbook


@pytest.fixture(scope="session", autouse=True)
def frozen() -> Iterator[None]:
    """Everything that was imported is left out of the searches for cycles, which are many."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def play() -> Iterator[Play]:
    """Opens playbooks: `play(*rules, **fields)`."""
    books: list[Playbook] = []

    def opened(*rules: Rule, **fields: Any) -> Playbook:
        books.append(Playbook(*rules, **fields))
        return books[-1]

    yield opened
    for book in books:
        book.over()


@pytest.fixture
def book(play: Play) -> Playbook:
    """A playbook without rules."""
    return play()
