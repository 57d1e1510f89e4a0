"""Time zones of this machine as tables of offsets, for the time windows of a policy.

Enters: names of zones. Leaves: Offsets over the years around now. Must not: be asked on the call path.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from sipguard.screening.policy.model import Offsets
from sipguard.settings.numbering import zone_names

_STEP_S: Final = 14 * 86_400  # no zone changes its offset twice within: the shortest pause is that of a Ramadan
_YEARS_BEFORE: Final = 3  # old calls can be explained and tried again
_YEARS_AFTER: Final = 12  # a Ruleset that is older than that has the last offset for ever


class MachineZones:
    """The zones that this machine knows."""

    def __init__(self) -> None:
        self._year = datetime.now(UTC).year
        self._of_numbers: tuple[tuple[str, Offsets], ...] = ()

    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(sorted(available_timezones()))

    def named(self, name: str) -> Offsets | None:
        """The zone of this name, None where this machine has none."""
        return offsets_of(name, self._year - _YEARS_BEFORE, self._year + _YEARS_AFTER)

    def of_numbers(self) -> tuple[tuple[str, Offsets], ...]:
        """(name, offsets) of all zones of the numbering plan that this machine knows."""
        if not self._of_numbers:
            found = ((name, self.named(name)) for name in zone_names())
            self._of_numbers = tuple((name, offsets) for name, offsets in found if offsets is not None)
        return self._of_numbers


@cache
def offsets_of(name: str, first_year: int, last_year: int) -> Offsets | None:
    """The offsets of a zone from the first year to the end of the last; None where there is no such zone."""
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there, no name, a directory
        return None
    at = int(datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(last_year + 1, 1, 1, tzinfo=UTC).timestamp())
    since: list[int] = []
    seconds = [_offset_s(zone, at)]
    while at < end:
        step = min(at + _STEP_S, end)
        if _offset_s(zone, step) != seconds[-1]:
            since.append(_change(zone, at, step))
            seconds.append(_offset_s(zone, step))
        at = step
    return Offsets(tuple(since), tuple(seconds))


def _offset_s(zone: ZoneInfo, at: int) -> int:
    """Seconds that the zone is ahead of UTC at an instant."""
    ahead = datetime.fromtimestamp(at, zone).utcoffset()
    assert ahead is not None
    return int(ahead.total_seconds())


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second with the offset of `after`, where `before` has another."""
    there = _offset_s(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset_s(zone, middle) == there:
            after = middle
        else:
            before = middle
    return after
