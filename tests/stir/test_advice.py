"""Each reason has something to do about it."""

from __future__ import annotations

import pytest

from sipguard.stir.advice import _ADVICE, advice_of
from sipguard.stir.reasons import REASONS


@pytest.mark.parametrize("reason", [*REASONS, ""])
def test_there_is_advice_for_each_reason(reason: str) -> None:
    assert advice_of(reason).endswith(".")


def test_no_advice_is_for_a_reason_that_there_is_not() -> None:
    assert set(_ADVICE) <= {*REASONS, ""}
