"""The timer wheel and the timer values of RFC 3261.

Enters: items with a slot `due`, and instants in monotonic seconds. Leaves: the items whose time has come.
Must not: read a clock. An item has one pending timer at most; a timer fires up to TICK_S late, never early.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, Protocol

TICKS_PER_S: Final = 20.0  # tick / 20 * 20 is the tick again, tick * 0.05 / 0.05 is not always
TICK_S: Final = 1 / TICKS_PER_S

TRYING_S: Final = 0.2  # RFC 3261 §17.2.1: the longest that a caller is left without any response
T1: Final = 0.5  # RFC 3261 §17.1.1.1, round-trip estimate
T2: Final = 4.0  # longest interval of retransmissions
T4: Final = 5.0  # longest life of a message in the network
GIVE_UP_S: Final = 64 * T1  # Timers B, F, H, J, L, M
TIMER_D_S: Final = 32.0  # RFC 3261 §17.1.1.2: at least 32 s over UDP
TIMER_C_S: Final = 185.0  # RFC 3261 §16.6 step 11: more than three minutes


class Item(Protocol):
    """What can wait in the wheel. `due` is a tick number, 0 while nothing is pending."""

    due: int

    def expired(self, now: float) -> None:
        """Called when the time has come, with `due` already 0."""


class Wheel:
    """Pending timers by tick. `expiring` is the item whose time has come, as long as it is at work."""

    __slots__ = ("_buckets", "_ticks", "expiring")

    def __init__(self) -> None:
        self.expiring: Item | None = None
        self._buckets: dict[int, dict[Item, None]] = {}
        self._ticks: list[int] = []

    def set(self, item: Item, at: float) -> None:
        """Lets `item` expire at `at`; what it waited for before is forgotten."""
        buckets = self._buckets
        if item.due:
            self.cancel(item)
        item.due = tick = int(at * TICKS_PER_S) + 1
        bucket = buckets.get(tick)
        if bucket is None:
            buckets[tick] = {item: None}
            heappush(self._ticks, tick)
        else:
            bucket[item] = None

    def cancel(self, item: Item) -> None:
        """Forgets what `item` waits for, if anything."""
        if item.due:
            bucket = self._buckets.get(item.due)
            if bucket is not None:
                bucket.pop(item, None)
                if not bucket:
                    bucket.clear()  # a dict keeps the room it once took, and ticks far ahead are many
            item.due = 0

    def expire(self, now: float) -> None:
        """Lets everything expire whose time has come, by tick, and within a tick in the order it was set.

        Where one of them raises, `expiring` is the one; called again, this goes on with the others.
        """
        ticks = self._ticks
        limit = int(now * TICKS_PER_S)
        while ticks and ticks[0] <= limit:
            tick = heappop(ticks)
            bucket = self._buckets[tick]
            try:
                while bucket:  # again for what was set meanwhile for an instant that is over
                    for item in list(bucket):
                        if item in bucket:
                            del bucket[item]
                            item.due = 0
                            self.expiring = item
                            item.expired(now)
            finally:
                if bucket:  # one of them raised: the others expire the next time
                    heappush(ticks, tick)
                else:
                    del self._buckets[tick]
        self.expiring = None

    def next_at(self) -> float | None:
        """Monotonic instant before which nothing expires; None while the wheel is empty."""
        while self._ticks and not self._buckets[self._ticks[0]]:
            del self._buckets[heappop(self._ticks)]
        return self._ticks[0] / TICKS_PER_S if self._ticks else None

    def __len__(self) -> int:
        """How many timers are pending."""
        return sum(map(len, self._buckets.values()))
