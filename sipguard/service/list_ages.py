"""How old lists are, and which of them are older than they may be.

Enters: ListSpecs, their files. Leaves: ages; rows and lines for people. Must not: read what stands on a list.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sipguard.screening.listspec import ListSpec

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Dated:
    """A list that has an age; it is stale when it is older than `max_age_s`, 0.0 for never.

    `dated_at`: of an imported list, when its data is of, Unix seconds; else its `file` says it.
    """

    name: str
    file: str
    max_age_s: float
    dated_at: float = 0.0

    def age_s(self, now_at: float) -> float | None:
        """Seconds since its data was written, None where the file is gone."""
        if self.dated_at:
            return max(0.0, now_at - self.dated_at)
        try:
            return max(0.0, now_at - Path(self.file).stat().st_mtime)
        except OSError:
            return None

    def stale(self, now_at: float) -> bool:
        """Whether it is too old, or how old cannot be told."""
        age_s = self.age_s(now_at)
        return bool(self.max_age_s) and (age_s is None or age_s > self.max_age_s)


def dated(specs: Iterable[ListSpec]) -> tuple[Dated, ...]:
    """The lists that have an age: those in the configuration itself have none."""
    return tuple(
        Dated(spec.name, spec.file or spec.path, spec.max_age_s, 0.0 if spec.file else spec.dated_at)
        for spec in specs
        if spec.file or spec.path
    )


def rows(lists: Iterable[Dated]) -> list[dict[str, Any]]:
    """As JSON has them."""
    now_at = time.time()
    return [
        {
            "list": each.name,
            "age_s": each.age_s(now_at),
            "max_age_s": each.max_age_s or None,
            "stale": each.stale(now_at),
        }
        for each in lists
    ]


def stale_lines(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line for each list that is stale."""
    for each in found:
        if each["stale"]:
            age = "its file is gone" if each["age_s"] is None else f"{each['age_s'] / DAY_S:.0f} days old"
            yield f"{each['list']} is STALE: {age}, at most {each['max_age_s'] / DAY_S:g} days are allowed"
