"""The Date header (RFC 3261 §20.17).

Enters: its value. Leaves: the instant. Must not: raise for what stands there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def instant_of(value: str) -> float:
    """Unix seconds of `Sat, 13 Nov 2010 23:29:00 GMT`, 0.0 for anything else."""
    words = value.replace(",", " ").split()
    if len(words) != 6 or words[5].upper() != "GMT" or words[2].lower() not in _MONTHS:
        return 0.0
    clock = words[4].split(":")
    digits = [words[1], words[3], *clock]
    if len(clock) != 3 or not all(each.isascii() and each.isdigit() and len(each) < 5 for each in digits):
        return 0.0
    day, year, hour, minute, second = map(int, digits)
    try:
        return datetime(year, _MONTHS.index(words[2].lower()) + 1, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
