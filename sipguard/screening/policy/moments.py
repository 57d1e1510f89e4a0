"""Which windows of local time hold together: the moments that the times of a policy tell apart.

Enters: the Time values of one zone. Leaves: for each way in which they can turn out together, what each of them is.
Must not: miss one. Zones are not told apart by their clocks: each may show any local time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sipguard.screening.policy.model import Time
from sipguard.screening.policy.predicates import FAILED, FALSE, TRUE
from sipguard.screening.policy.times import OF_NUMBERS, SECONDS_OF_DAY, holds_at

MOST: Final = 500  # moments of one zone, before its times are taken one by one
_FAR: Final = 8  # days behind the last date that is named: a week without one


class Moment(NamedTuple):
    """What each time is then: FALSE, TRUE, or FAILED where it is not known or differs between zones of a number.

    `day` and `second` are a local time at which it is so in one zone; -1 where none shows all of it.
    """

    truths: tuple[int, ...]
    day: int = -1
    second: int = -1


def moments(times: Sequence[Time], from_day: int, failures: bool) -> list[Moment] | None:
    """Those of the times of one zone, from a day on (UTC, days since 1970-01-01); None where there are too many.

    `failures`: the check that tells the time may have failed.
    """
    found: dict[tuple[int, ...], Moment] = {}
    for day in _days(times, from_day - 1):  # somewhere it is still the day before
        for second in sorted({0, *(edge % SECONDS_OF_DAY for time in times for edge in (time.begin_s, time.end_s))}):
            truths = tuple([TRUE if holds_at(time, day, second) else FALSE for time in times])
            found.setdefault(truths, Moment(truths, day, second))
    if times[0].zone in OF_NUMBERS:
        for truths in _in_several_zones(list(found)):
            found.setdefault(truths, Moment(truths))
    unknown = tuple([FAILED for _ in times])
    if failures or times[0].zone in OF_NUMBERS:
        found.setdefault(unknown, Moment(unknown))
    return list(found.values()) if len(found) <= MOST else None


def any_of() -> list[Moment]:
    """Every way in which a single time can turn out, whatever it says."""
    return [Moment((truth,)) for truth in (FALSE, TRUE, FAILED)]


def _days(times: Sequence[Time], first: int) -> Iterator[int]:
    """One day of each kind that the times tell apart, none before `first`."""
    named = sorted({day + after for time in times for day in time.dates for after in (0, 1) if day + after >= first})
    far = max([first, *named]) + _FAR
    kinds: set[tuple[object, ...]] = set()
    for day in (*named, *range(far, far + 7)):
        kind = (day % 7, *((day in time.dates, day - 1 in time.dates) for time in times))
        if kind not in kinds:
            kinds.add(kind)
            yield day


def _in_several_zones(single: list[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """What the times are where a number may be in several zones: FAILED where these do not agree."""
    found, open_ones = set(single), list(single)
    while open_ones and len(found) <= MOST:
        one = open_ones.pop()
        for other in single:
            both = tuple([a if a == b else FAILED for a, b in zip(one, other, strict=True)])
            if both not in found:
                found.add(both)
                open_ones.append(both)
                yield both
