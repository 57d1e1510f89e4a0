"""What is usual on a trunk at an hour of the week, learned from its own traffic.

Enters: attempts, each with the hour that it came in and whether it goes abroad. Leaves: how many attempts are usual at
this hour, and what share of them abroad. Must not: read a clock, keep calls, or grow.

Each of the 168 hours of a week, in UTC, has a mean of the same hours of the weeks before, later ones counting more.
What is usual is asked of an hour with the one before and the one after: summer time moves an office by an hour, and
nobody begins on the stroke. An hour far above what was usual is learned as a part of what it was, so that no attack
becomes usual by itself. Hours in which nothing ran are not learned; those without calls are.
"""

from __future__ import annotations

from array import array
from typing import Final

HOURS: Final = 168  # of a week
WEEKS: Final = 2  # of which an hour must have been seen before anything is said of it
LATEST: Final = 0.25  # weight of the latest week, once there were four
MOST: Final = 3.0  # an hour is learned as at most so many times what was usual
LEAST: Final = 10.0  # attempts an hour that are usual on any trunk: less says nothing
LEAST_ABROAD: Final = 5.0  # of these, abroad
LEAST_SHARE: Final = 0.05  # the same as a share
_OCTETS: Final = HOURS * 3 * 8


class Usual:
    """One trunk. Hours are counted from the epoch of Unix time."""

    __slots__ = (
        "_abroad",
        "_abroad_now",
        "_attempts",
        "_attempts_now",
        "_hour",
        "_weeks",
        "_whole",
        "abroad",
        "attempts",
        "share",
    )

    def __init__(self) -> None:
        self._attempts = array("d", bytes(8 * HOURS))  # means by hour of the week
        self._abroad = array("d", bytes(8 * HOURS))
        self._weeks = array("d", bytes(8 * HOURS))  # how many were seen
        self._hour = -1  # the running one, -1 for none
        self._whole = False  # whether that was seen from its beginning on
        self._attempts_now = self._abroad_now = 0
        self.attempts = -1.0  # usual at this hour, -1 as long as that is not known
        self.abroad = 0.0  # of these, abroad
        self.share = 0.0

    def attempted(self, hour: int, abroad: bool) -> bool:
        """Counts an attempt; whether an hour has begun, so that something was learned."""
        begins = hour != self._hour
        if begins:
            self._turn(hour)
        self._attempts_now += 1
        if abroad:
            self._abroad_now += 1
        return begins

    def pause(self) -> None:
        """What comes is not counted from now on; the running hour is not learned."""
        self._hour, self._whole = -1, False

    def _turn(self, hour: int) -> None:
        last = self._hour
        if last >= 0 and 0 < hour - last <= HOURS:
            if self._whole:
                self._learn(last % HOURS, float(self._attempts_now), float(self._abroad_now))
            for quiet in range(last + 1, hour):
                self._learn(quiet % HOURS, 0.0, 0.0)
            self._whole = True
        else:  # the first, or the clock was set: who knows what of this hour was not seen
            self._whole = False
        self._hour = hour
        self._attempts_now = self._abroad_now = 0
        self._look_up(hour % HOURS)

    def _learn(self, at: int, attempts: float, abroad: float) -> None:
        """Takes an hour that is over into the mean of its like."""
        weeks, usual, usual_abroad = self._weeks[at], self._attempts[at], self._abroad[at]
        if weeks:
            attempts = min(attempts, MOST * max(usual, LEAST))
            abroad = min(abroad, MOST * max(usual_abroad, LEAST_ABROAD))
        weight = max(1.0 / (weeks + 1.0), LATEST)
        self._attempts[at] = usual + weight * (attempts - usual)
        self._abroad[at] = usual_abroad + weight * (abroad - usual_abroad)
        self._weeks[at] = weeks + 1.0

    def _look_up(self, at: int) -> None:
        """Says what is usual at an hour of the week. Where it has few calls, the share abroad is that of the week."""
        if self._weeks[at] < WEEKS:
            self.attempts, self.abroad, self.share = -1.0, 0.0, 0.0
            return
        before, after = (at - 1) % HOURS, (at + 1) % HOURS
        means, means_abroad = self._attempts, self._abroad
        self.attempts = max(means[before], means[at], means[after])
        self.abroad = max(means_abroad[before], means_abroad[at], means_abroad[after])
        attempts = means[before] + means[at] + means[after]
        abroad = means_abroad[before] + means_abroad[at] + means_abroad[after]
        if attempts < LEAST:
            attempts, abroad = sum(means), sum(means_abroad)
        self.share = abroad / attempts if attempts > 0.0 else 0.0

    def attempts_over(self, attempts: int) -> float | None:
        """How many times as many as usual some attempts in an hour are; None as long as that is not known."""
        return round(attempts / max(self.attempts, LEAST), 2) if self.attempts >= 0.0 else None

    def abroad_over(self, abroad: int) -> float | None:
        """How many times as many as usual some attempts abroad are; None as long as that is not known."""
        return round(abroad / max(self.abroad, LEAST_ABROAD), 2) if self.attempts >= 0.0 else None

    def share_over(self, share: float) -> float | None:
        """How many times the usual share abroad a share is; None as long as that is not known."""
        return round(share / max(self.share, LEAST_SHARE), 2) if self.attempts >= 0.0 else None

    # ------------------------------------------------------------------ from one process to the next

    def kept(self) -> bytes:
        """What was learned, for `of`."""
        return self._attempts.tobytes() + self._abroad.tobytes() + self._weeks.tobytes()

    @classmethod
    def of(cls, octets: bytes) -> Usual:
        """What another process has learned. Raises ValueError for what is none."""
        if len(octets) != _OCTETS:
            raise ValueError(f"{len(octets)} octets, not {_OCTETS}")
        values = array("d", octets)
        if not all(0.0 <= value < 1e12 for value in values):  # neither is what is no number
            raise ValueError("a count that cannot be")
        found = cls()
        found._attempts = values[:HOURS]
        found._abroad = values[HOURS : 2 * HOURS]
        found._weeks = values[2 * HOURS :]
        return found
