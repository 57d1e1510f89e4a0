"""Numbers as the integers that stand for them in files.

Enters: canonical TNs. Leaves: integers below 2^63. Must not: know how a file is laid out.
"""

from __future__ import annotations

from typing import Final

from sipguard.numbers.errors import NumberSetError

LONGEST: Final = 18  # digits: `1` and 18 digits fit 63 bits


def is_digits(tn: str) -> bool:
    """Whether a set can hold `tn`: 1 to 18 ASCII digits."""
    return tn.isascii() and tn.isdigit() and len(tn) <= LONGEST


def code_of(tn: str) -> int:
    """The integer of `1` and the digits of `tn`, so that leading zeros count. Raises NumberSetError for no number."""
    if not is_digits(tn):
        raise NumberSetError(repr(tn), f"a set holds canonical numbers of 1 to {LONGEST} digits")
    return int("1" + tn)
