"""What one caller, called number, called prefix, trunk or signer did in the last minute and the last hour.

Enters: attempts, answers and ends, each with its instant in milliseconds of a clock that does not run backwards.
Leaves: counts, ratios and means. Must not: read a clock, or grow with the number of calls.

A window is two buckets, the running one and the one before; the one before counts with the share of it that the
window still covers. That is exact for a steady rate and off by one bucket at the worst.
"""

from __future__ import annotations

from array import array
from typing import Final

from sipguard.screening.distinct import Distinct
from sipguard.screening.usual import Usual

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
SHORT_MS: Final = 6_000  # an answered call that ended within this is short
ONE_RING_MS: Final = 5_000  # so is an attempt that the calling side gave up by then
STEP: Final = 10  # the farthest that a called number lies from an earlier one in sequential dialling
FLOOR: Final = 10  # ratios and means of less say nothing

# what is asked of a key, as bits
COUNTED: Final = 1
LASTING: Final = 2  # what only the end of a call tells
CALLERS: Final = 4
CALLEES: Final = 8
IN_SEQUENCE: Final = 16
LISTED: Final = 32
NEAR: Final = 64
TALKING: Final = 128  # for how long calls talked, also those that have not ended
ABROAD: Final = 256
USUAL: Final = 512  # what is usual at this hour of the week
OF_NUMBERS: Final = CALLERS | CALLEES | IN_SEQUENCE | LISTED | NEAR | ABROAD

# what is counted by hour
LOOKED_AT: Final = 0  # attempts whose numbers were looked at
SEQUENTIAL: Final = 1
ON_LIST: Final = 2
NEIGHBOURS: Final = 3
FINISHED: Final = 4  # answered, or given up, or failed beyond us
ANSWERED: Final = 5
TALKED: Final = 6  # answered, and ended
TALK_MS: Final = 7
SHORT: Final = 8
ONE_RING: Final = 9
TO_ABROAD: Final = 10
_COUNTS: Final = 11


class Shape:
    """One key. Times are milliseconds, minutes and hours since the clock began."""

    __slots__ = (
        "_asked",  # bits for which numbers were looked at
        "_attempts",
        "_attempts_before",
        "_before",  # list of _COUNTS | None: those of the hour before
        "_callees",
        "_callers",
        "_hour",
        "_last",  # called number of the last attempt, 0 for none
        "_last_minute",
        "_now",  # list of _COUNTS | None: those of the running hour
        "_recent",  # called numbers of late, once there are two
        "_recent_at",
        "_talk_at",  # up to when the talk of this hour was added up, in ms
        "_talked_before",
        "_talked_now",  # ms of talk in the running hour, of all calls together
        "_this_minute",
        "concurrent",
        "minute",
        "seen",  # minute of the last attempt
        "talking",  # calls that were answered and have not ended
        "usual",  # of a trunk, where that is asked
    )

    def __init__(self, minute: int) -> None:
        self.minute = self.seen = minute
        self._hour = minute // 60
        self._this_minute = self._last_minute = 0
        self._attempts = self._attempts_before = 0
        self.concurrent = self.talking = 0
        self._talk_at = self._talked_now = self._talked_before = 0
        self.usual: Usual | None = None
        self._now: list[int] | None = None
        self._before: list[int] | None = None
        self._callers: Distinct | None = None
        self._callees: Distinct | None = None
        self._recent: array[int] | None = None
        self._recent_at = self._last = self._asked = 0

    # ------------------------------------------------------------------ what happens

    def attempted(self) -> None:
        """One more attempt in the minute at hand."""
        self._this_minute += 1
        self._attempts += 1

    def turn(self, minute: int) -> None:
        """Another minute is at hand. One that lies back begins anew: that loses counts and nothing else."""
        self._last_minute = self._this_minute if minute == self.minute + 1 else 0
        self.minute, self._this_minute = minute, 0
        hour = minute // 60
        if hour == self._hour:
            return
        in_row = hour == self._hour + 1
        if self.talking or self._talked_now or self._talked_before:
            self._turn_talk(hour)
        self._hour = hour
        self._attempts_before = self._attempts if in_row else 0
        self._attempts = 0
        self._before = self._now if in_row else None
        self._now = None
        if self._callers is not None:
            self._callers.turn(in_row)
        if self._callees is not None:
            self._callees.turn(in_row)

    def look(self, tally: Tally, asked: int, bits: int, depth: int) -> None:
        """Looks at the numbers of the attempt, as far as `asked` says.

        `bits` of a sketch, `depth` how many called numbers are remembered.
        """
        if asked != self._asked:
            self._begin_anew(asked)
        now = self._counts()
        now[LOOKED_AT] += 1
        called = tally.callee_number
        if asked & IN_SEQUENCE and called and called != self._last and self._follows(called, depth):
            now[SEQUENTIAL] += 1
        if asked & LISTED and tally.listed:
            now[ON_LIST] += 1
        if asked & NEAR and tally.near:
            now[NEIGHBOURS] += 1
        if asked & ABROAD and tally.abroad:
            now[TO_ABROAD] += 1
        if asked & CALLERS and tally.caller_hash >= 0:
            callers = self._callers
            if callers is None:
                callers = self._callers = Distinct(bits)
            callers.add(tally.caller_hash)
        if asked & CALLEES and tally.callee_hash >= 0:
            callees = self._callees
            if callees is None:
                callees = self._callees = Distinct(bits)
            callees.add(tally.callee_hash)

    def _begin_anew(self, asked: int) -> None:
        """Other things are asked from now on: shares of attempts that were not looked at would be wrong."""
        self._asked = asked
        self._callers = self._callees = None
        self._recent, self._last = None, 0
        for counts in (self._now, self._before):
            if counts is not None:
                counts[LOOKED_AT] = counts[SEQUENTIAL] = counts[ON_LIST] = counts[NEIGHBOURS] = 0
                counts[TO_ABROAD] = 0

    def _counts(self) -> list[int]:
        now = self._now
        if now is None:
            now = self._now = [0] * _COUNTS
        return now

    def _follows(self, called: int, depth: int) -> bool:
        """Whether a called number lies beside one of the last; it is one of them from now on."""
        last, self._last = self._last, called
        recent = self._recent
        if recent is None:
            if last == 0:
                return False
            recent = self._recent = array("q", bytes(8 * depth))
            recent[0], self._recent_at = last, 1
        if called in recent:
            return False  # the same once more
        found = False
        for other in recent:
            if -STEP <= called - other <= STEP:
                found = True
                break
        recent[self._recent_at] = called
        self._recent_at = (self._recent_at + 1) % depth
        return found

    def answered(self) -> None:
        """An attempt was answered."""
        now = self._counts()
        now[FINISHED] += 1
        now[ANSWERED] += 1

    def failed(self, one_ring: bool) -> None:
        """An attempt ended without an answer."""
        now = self._counts()
        now[FINISHED] += 1
        if one_ring:
            now[ONE_RING] += 1

    def talked(self, for_ms: int) -> None:
        """A call that was answered ended."""
        now = self._counts()
        now[TALKED] += 1
        now[TALK_MS] += for_ms
        if for_ms <= SHORT_MS:
            now[SHORT] += 1

    def talks(self, more: int, at_ms: int) -> None:
        """So many calls `more` talk from now on; `turn` to the instant before."""
        self._add_talk(at_ms)
        self.talking += more

    def _add_talk(self, up_to_ms: int) -> None:
        if self.talking and up_to_ms > self._talk_at:
            self._talked_now += self.talking * (up_to_ms - self._talk_at)
        self._talk_at = up_to_ms

    def _turn_talk(self, hour: int) -> None:
        """Another hour begins. Who talks has talked through all hours since the one at hand."""
        if hour == self._hour + 1:
            self._add_talk(hour * HOUR_MS)
            self._talked_before = self._talked_now
        else:
            self._talked_before = self.talking * HOUR_MS if hour > self._hour else 0
        self._talked_now, self._talk_at = 0, hour * HOUR_MS

    # ------------------------------------------------------------------ what it comes to; `turn` to the instant before

    def attempts_1m(self, at_ms: int) -> int:
        """Attempts in the minute before `at_ms`."""
        left = MINUTE_MS - at_ms % MINUTE_MS
        return self._this_minute + (self._last_minute * left + MINUTE_MS // 2) // MINUTE_MS

    def attempts_1h(self, at_ms: int) -> int:
        """Attempts in the hour before `at_ms`."""
        left = HOUR_MS - at_ms % HOUR_MS
        return self._attempts + (self._attempts_before * left + HOUR_MS // 2) // HOUR_MS

    def total(self, which: int, at_ms: int) -> int:
        """What was counted in the hour before `at_ms`, times HOUR_MS."""
        now, before = self._now, self._before
        found = now[which] * HOUR_MS if now is not None else 0
        if before is not None:
            found += before[which] * (HOUR_MS - at_ms % HOUR_MS)
        return found

    def share(self, part: int, whole: int, at_ms: int) -> float | None:
        """`part` of `whole` to three places, None where there are too few."""
        of = self.total(whole, at_ms)
        if of < FLOOR * HOUR_MS:
            return None
        part_of = min(self.total(part, at_ms), of)  # what began in the hour before may have ended in this one
        return (part_of * 1000 + of // 2) // of / 1000

    def mean_s(self, at_ms: int) -> float | None:
        """Mean duration of calls that were answered and ended, to a tenth of a second; None where there are too few."""
        calls = self.total(TALKED, at_ms)
        if calls < FLOOR * HOUR_MS:
            return None
        return (self.total(TALK_MS, at_ms) + calls * 50) // (calls * 100) / 10

    def minutes(self, at_ms: int) -> float:
        """Minutes of talk in the hour before, of all calls together, to a tenth: each counts from its answer on."""
        talked = self._talked_now + (self._talked_before * (HOUR_MS - at_ms % HOUR_MS) + HOUR_MS // 2) // HOUR_MS
        if self.talking and at_ms > self._talk_at:
            talked += self.talking * (at_ms - self._talk_at)
        return (talked * 10 + MINUTE_MS // 2) // MINUTE_MS / 10

    def callers(self, at_ms: int) -> int:
        """Different callers in the hour before."""
        return 0 if self._callers is None else self._callers.count(HOUR_MS - at_ms % HOUR_MS, HOUR_MS)

    def callees(self, at_ms: int) -> int:
        """Different called numbers in the hour before."""
        return 0 if self._callees is None else self._callees.count(HOUR_MS - at_ms % HOUR_MS, HOUR_MS)

    def callers_per_call(self, at_ms: int) -> float | None:
        """Different callers to attempts, 1.0 where each call has its own; None where there are too few."""
        of = self.total(LOOKED_AT, at_ms)
        if of < FLOOR * HOUR_MS:
            return None
        return min((self.callers(at_ms) * HOUR_MS * 1000 + of // 2) // of, 1000) / 1000


class Tally:
    """What is counted of one call, and for which keys; None for those that it has not, or that nothing asks about."""

    __slots__ = (
        "abroad",
        "again",  # INVITEs that were taken for the same attempt
        "answered_ms",  # -1 before
        "begun_ms",
        "callee",
        "callee_hash",
        "callee_number",
        "callee_tn",
        "caller",
        "caller_hash",
        "dialog",
        "lasting",  # whether its end will be seen
        "listed",
        "near",
        "over",
        "prefix",
        "signer",
        "talking",  # of its keys those whose minutes are asked, while it talks
        "trunk",
        "via",  # of who sent it first, "" where nobody passed it on
    )

    def __init__(self, begun_ms: int, lasting: bool) -> None:
        self.begun_ms = begun_ms
        self.answered_ms = -1
        self.lasting = lasting
        self.over = False
        self.caller: Shape | None = None
        self.callee: Shape | None = None
        self.prefix: Shape | None = None
        self.trunk: Shape | None = None
        self.signer: Shape | None = None
        self.caller_hash = self.callee_hash = -1
        self.callee_number = self.again = 0
        self.callee_tn = self.dialog = self.via = ""
        self.listed = self.near = self.abroad = False
        self.talking: list[Shape] = []

    def shapes(self) -> list[Shape]:
        """Those of its keys."""
        every = (self.caller, self.callee, self.prefix, self.trunk, self.signer)
        return [shape for shape in every if shape is not None]
