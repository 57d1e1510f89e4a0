"""What people's calls look like at a provider of middle size: by the hour of the day, redialled, within circles.

Enters: a seed, a trunk, when and how much. Leaves: calls. Must not: hold anything that an attack would.

Figures: 55 of 100 attempts are answered, for 3 minutes in the mean (conversational traffic: 3 min and more, a fifth and
more of the calls above 2 min); people call the same few others mostly, neighbours sometimes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import accumulate
from random import Random
from typing import Final

from tests.traffic import people
from tests.traffic.calls import ANSWERED, Call

SIGNERS: Final = ("701J", "702J", "703J", "704J", "705J", "706J", "")  # "": nobody signed
BY_HOUR: Final = (  # share of the busiest hour, by the local time of the middle of the country
    0.08, 0.05, 0.04, 0.03, 0.04, 0.08, 0.20, 0.45, 0.75, 0.95, 1.00, 0.97,
    0.92, 0.95, 0.98, 1.00, 0.97, 0.93, 0.85, 0.75, 0.60, 0.42, 0.25, 0.14,
)  # fmt: skip


def busyness(at: float) -> float:
    """Share of the busiest hour's traffic, between the hours as well. `at` in Unix seconds."""
    hour = (at / 3600.0 - 6.0) % 24.0
    before = int(hour)
    return BY_HOUR[before] + (hour - before) * (BY_HOUR[(before + 1) % 24] - BY_HOUR[before])


class _Subscriber:
    """Somebody with a number, a provider that signs, and a few others whom they call."""

    __slots__ = ("_circle", "signer", "tn")

    def __init__(self, tn: str, signer: str) -> None:
        self.tn = tn
        self.signer = signer
        self._circle: tuple[str, ...] = ()

    def _near(self, chance: Random) -> str:
        """Where somebody lives whom they call: in the same exchange, the same area code, anywhere."""
        place = chance.random()
        if place < 0.05:
            return self.tn[:7]
        return f"{self.tn[:4]}{people.exchange(chance)[4:]}" if place < 0.5 else people.exchange(chance)

    def called(self, chance: Random) -> str:
        """Whom they call next."""
        if chance.random() < 0.6:
            self._circle = self._circle or tuple(people.line(chance, self._near(chance)) for _ in range(5))
            return chance.choice(self._circle)
        return people.line(chance, self._near(chance)) if chance.random() < 0.96 else people.abroad(chance)


def background(
    seed: int,
    trunk: str,
    at: float,
    for_s: float,
    per_hour: float,
    callers: tuple[str, ...] = (),
    signers: tuple[str, ...] = SIGNERS,
) -> Iterator[Call]:
    """Calls of people by one trunk. `per_hour` attempts in the busiest hour; `callers` are TNs, many if left out."""
    chance = Random(f"background {seed} {trunk}")
    tns = callers or [people.line(chance) for _ in range(max(100, int(per_hour * 3.0)))]
    everybody = [_Subscriber(tn, chance.choice(signers)) for tn in tns]
    weights = list(
        accumulate(min(chance.paretovariate(1.6), 40.0) for _ in everybody)
    )  # some call far more than others
    redials: list[tuple[float, str, str, str]] = []
    now = at
    while True:
        now += chance.expovariate(per_hour / 3600.0)
        while redials and redials[0][0] <= min(now, at + for_s):
            moment, caller, callee, signer = heapq.heappop(redials)
            yield _call(chance, trunk, moment, caller, callee, signer, redials)
        if now >= at + for_s:
            return
        if chance.random() < busyness(now):
            who = chance.choices(everybody, cum_weights=weights)[0]
            yield _call(chance, trunk, now, who.tn, who.called(chance), who.signer, redials)


def _call(
    chance: Random,
    trunk: str,
    at: float,
    caller: str,
    callee: str,
    signer: str,
    redials: list[tuple[float, str, str, str]],
) -> Call:
    """A call; of those that nobody answered, a third are tried once more soon."""
    outcome, rings_s, talks_s = people.as_usual(chance)
    if outcome != ANSWERED and chance.random() < 0.33:
        heapq.heappush(redials, (at + rings_s + chance.uniform(4.0, 90.0), caller, callee, signer))
    return Call("background", trunk, caller, callee, signer, at, outcome, rings_s, talks_s)
