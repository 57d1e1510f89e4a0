"""The facts of the check `rate`, found in the simplest way: every event is kept, and all are counted anew.

Enters: events of `tests.traffic.calls`, numbers of a list. Leaves: facts by their names. Must not: share a
line with sipguard, or be fast. Memory and time grow with the traffic.

As sipguard has them: an attempt counts when its INVITE comes, what became of it when that is known. Ratios and means
are absent below ten samples.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection
from typing import Final

from tests.traffic.calls import ANSWERED, ATTEMPT, ENDED, GIVEN_UP, Call, Event

MINUTE_S, HOUR_S = 60.0, 3600.0
FLOOR: Final = 10
ONE_RING_S: Final = 5.0
SHORT_S: Final = 6.0
NEAR: Final = 10  # so far apart, two numbers stand in sequence
REMEMBERED: Final = {"caller": 8, "trunk": 16, "signer": 16}  # called numbers that an attempt is compared with


class _Kept:
    """All that happened of one key, in order of time."""

    def __init__(self) -> None:
        self.attempts: list[tuple[float, Call, bool]] = []  # when, which, whether in sequence
        self.finished: list[tuple[float, Call, str]] = []  # when it was known what came of it, and what
        self.ended: list[tuple[float, Call]] = []  # answered calls
        self.talks: dict[int, tuple[float, float]] = {}  # by call: from when to when
        self.called: list[int] = []
        self.open = 0


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole >= FLOOR else None


class Exact:
    """Feed it events in order, ask it about the call whose attempt was fed last."""

    def __init__(self, do_not_call: Collection[str] = ()) -> None:
        self._kept: dict[tuple[str, str], _Kept] = defaultdict(_Kept)
        self._do_not_call = do_not_call

    def feed(self, event: Event) -> None:
        """Takes note of what happens."""
        for key in keys_of(event.call):
            kept = self._kept[key]
            if event.what == ATTEMPT:
                sequential = _in_sequence(kept.called, int(event.call.callee), REMEMBERED.get(key[0], 0))
                kept.attempts.append((event.at, event.call, sequential))
                kept.open += 1
                continue
            if event.what == ANSWERED:
                kept.talks[event.n] = (event.at, math.inf)
            elif event.what == ENDED:
                kept.talks[event.n] = (kept.talks[event.n][0], event.at)
            if event.what != ENDED:
                kept.finished.append((event.at, event.call, event.what))
            else:
                kept.ended.append((event.at, event.call))
            if event.what != ANSWERED:
                kept.open -= 1

    def attempts(self, which: str, key: str, since: float) -> int:
        """How many attempts of a key there were from an instant on."""
        return sum(at >= since for at, _, _ in self._kept[which, key].attempts)

    def facts(self, call: Call, now: float) -> dict[str, float]:
        """What is true of the last minute and the last hour before `now`; what is absent is left out."""
        found: dict[str, float | None] = {}
        for which, key in keys_of(call):
            self._add(found, f"rate.{which}.", which, self._kept[which, key], now)
        return {name: value for name, value in found.items() if value is not None}

    def _add(self, found: dict[str, float | None], prefix: str, which: str, kept: _Kept, now: float) -> None:
        """The facts of one key."""
        made = [(call, near) for at, call, near in kept.attempts if now - HOUR_S < at <= now]
        calls = [call for call, _ in made]
        finished = [(at, call, what) for at, call, what in kept.finished if now - HOUR_S < at <= now]
        ended = [call for at, call in kept.ended if now - HOUR_S < at <= now]
        found[prefix + "attempts_1m"] = sum(1 for at, _, _ in kept.attempts if now - MINUTE_S < at <= now)
        found[prefix + "attempts_1h"] = len(calls)
        found[prefix + "concurrent"] = kept.open
        talked = (min(until, now) - max(since, now - HOUR_S) for since, until in kept.talks.values())
        found[prefix + "minutes_1h"] = sum(max(0.0, seconds) for seconds in talked) / 60.0
        answers = sum(what == ANSWERED for _, _, what in finished)
        found[prefix + "answer_ratio_1h"] = _ratio(answers, len(finished))
        rings = sum(what == GIVEN_UP and at - call.at <= ONE_RING_S for at, call, what in finished)
        found[prefix + "one_ring_ratio_1h"] = _ratio(rings, len(finished))
        found[prefix + "mean_duration_1h"] = _ratio(sum(call.talks_s for call in ended), len(ended))
        found[prefix + "short_ratio_1h"] = _ratio(sum(call.talks_s <= SHORT_S for call in ended), answers)
        if which != "callee":
            found[prefix + "callees_1h"] = len({call.callee for call in calls})
        if which not in ("callee", "prefix"):
            found[prefix + "sequential_ratio_1h"] = _ratio(sum(near for _, near in made), len(made))
            found[prefix + "abroad_ratio_1h"] = _ratio(sum(call.callee[0] != "1" for call in calls), len(calls))
            dnc = sum(call.callee in self._do_not_call for call in calls)
            found[prefix + "dnc_ratio_1h"] = _ratio(dnc, len(calls))
        if which != "caller":
            found[prefix + "callers_1h"] = callers = len({call.caller for call in calls})
            if which not in ("callee", "prefix"):
                found[prefix + "callers_per_call_1h"] = _ratio(callers, len(calls))
                near = sum(call.caller[:7] == call.callee[:7] and call.caller[0] == "1" for call in calls)
                found[prefix + "neighbour_ratio_1h"] = _ratio(near, len(calls))


def _in_sequence(called: list[int], number: int, remembered: int) -> bool:
    """Whether a number lies beside one of the last `remembered` called; the same one once more does not count."""
    last = called[-remembered:]
    if number in last:
        return False
    called.append(number)
    return any(abs(number - each) <= NEAR for each in last)


def keys_of(call: Call) -> list[tuple[str, str]]:
    """What a call is counted for: (which, key)."""
    every = [("caller", call.caller), ("callee", call.callee), ("prefix", call.callee[:7])]
    every += [("trunk", call.trunk), ("signer", call.signer)]
    return [(which, key) for which, key in every if key]
