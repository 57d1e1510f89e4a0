"""How often somebody tried: attempts per caller and per trunk in the last minute and the last hour.

Enters: one count for each attempt. Leaves: estimates for a sliding window. Must not: read a clock, or
grow without bound.

A window is two buckets, the running one and the one before; the one before counts with the share of it
that the window still covers. That is exact for a steady rate and off by one bucket at the worst.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
CALLERS: Final = 100_000  # keys kept; about 250 octets each

_MINUTE, _THIS_MINUTE, _LAST_MINUTE, _HOUR, _THIS_HOUR, _LAST_HOUR = range(6)


class Attempts:
    """Attempts by key. Of more than `limit` keys, those go that were quiet for longest (to the minute)."""

    __slots__ = ("_keys", "_limit")

    def __init__(self, limit: int = CALLERS) -> None:
        self._keys: OrderedDict[str, list[int]] = OrderedDict()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._keys)

    def count(self, key: str, now: float) -> None:
        """Count one attempt of `key` at `now` (seconds of a clock that does not run backwards)."""
        minute = int(now // MINUTE_S)
        buckets = self._keys.get(key)
        if buckets is None:
            if len(self._keys) >= self._limit:
                self._keys.popitem(last=False)
            self._keys[key] = [minute, 1, 0, minute // 60, 1, 0]
        elif buckets[_MINUTE] == minute:  # and so the hour is the same
            buckets[_THIS_MINUTE] += 1
            buckets[_THIS_HOUR] += 1
        else:
            self._turn(key, buckets, minute)

    def _turn(self, key: str, buckets: list[int], minute: int) -> None:
        """Count the first attempt of another minute."""
        buckets[_LAST_MINUTE] = buckets[_THIS_MINUTE] if buckets[_MINUTE] == minute - 1 else 0
        buckets[_MINUTE], buckets[_THIS_MINUTE] = minute, 1
        hour = minute // 60
        if buckets[_HOUR] == hour:
            buckets[_THIS_HOUR] += 1
        else:
            buckets[_LAST_HOUR] = buckets[_THIS_HOUR] if buckets[_HOUR] == hour - 1 else 0
            buckets[_HOUR], buckets[_THIS_HOUR] = hour, 1
        self._keys.move_to_end(key)

    def attempts_1m(self, key: str, now: float) -> int:
        """Attempts of `key` in the minute before `now`."""
        buckets = self._keys.get(key)
        if buckets is None:
            return 0
        return _estimate(buckets[_MINUTE], buckets[_THIS_MINUTE], buckets[_LAST_MINUTE], now / MINUTE_S)

    def attempts_1h(self, key: str, now: float) -> int:
        """Attempts of `key` in the hour before `now`."""
        buckets = self._keys.get(key)
        if buckets is None:
            return 0
        return _estimate(buckets[_HOUR], buckets[_THIS_HOUR], buckets[_LAST_HOUR], now / HOUR_S)


def _estimate(bucket: int, running: int, before: int, at: float) -> int:
    """Attempts in the window that ends `at` (in buckets): all of the running bucket, a share of the other."""
    age = int(at) - bucket
    if age == 0:
        return running + int(before * (1.0 - at % 1.0) + 0.5) if before else running
    return int(running * (1.0 - at % 1.0) + 0.5) if age == 1 else 0


class Counters:
    """What the engine counts, once for each attempt and before its checks; what the checks read.

    `now` is the instant of the latest count, on the clock of whoever counts: checks read at that instant.
    """

    __slots__ = ("callers", "now", "trunks")

    def __init__(self, callers: int = CALLERS) -> None:
        self.callers = Attempts(callers)
        self.trunks = Attempts()
        self.now = 0.0

    def count(self, trunk_name: str, caller_tn: str, now: float) -> None:
        """Count one attempt; a caller without a number ("") counts for its trunk only."""
        self.now = now
        self.trunks.count(trunk_name, now)
        if caller_tn:
            self.callers.count(caller_tn, now)
