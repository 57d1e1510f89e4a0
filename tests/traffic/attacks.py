"""What attackers do, one function for each shape.

Enters: a seed, when, by which trunk, signed by whom, and how hard. Leaves: calls. Must not: know any bound of a rule.

Figures: of the calls that are answered nine in ten last less than a minute and six in ten are silent or over at once;
who rotates numbers uses each one to three times; Wangiri gives up within 3 to 5 seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.traffic import people
from tests.traffic.calls import ANSWERED, GIVEN_UP, REFUSED, Call

Caller = Callable[[Random, str], str]  # the number shown to a callee


def _paced(chance: Random, at: float, calls: int, per_minute: float) -> Iterator[float]:
    """Instants of so many calls, at so many a minute."""
    for _ in range(calls):
        at += chance.expovariate(per_minute / 60.0)
        yield at


def _recorded(
    name: str, seed: int, at: float, calls: int, per_minute: float, trunk: str, signer: str, caller: Caller
) -> Iterator[Call]:
    """A recorded message for numbers anywhere."""
    chance = Random(f"{name} {seed}")
    for moment in _paced(chance, at, calls, per_minute):
        callee = people.line(chance)
        shown = caller(chance, callee)
        yield Call(name, trunk, shown, callee, signer, moment, *people.by_machine(chance, 0.35, 0.65, 40.0))


def campaign(
    seed: int,
    at: float,
    trunk: str,
    signer: str = "",
    calls: int = 300,
    per_minute: float = 60.0,
    numbers: int = 1,
    caller: str = "",
) -> Iterator[Call]:
    """A recorded message from one number, `caller` if that is said, or from `numbers` of them in turn."""
    own = [caller or people.line(Random(f"campaign {seed} {n}")) for n in range(numbers)]
    return _recorded("campaign", seed, at, calls, per_minute, trunk, signer, lambda chance, callee: chance.choice(own))


def snowshoe(
    seed: int, at: float, trunk: str, signer: str = "", calls: int = 300, per_minute: float = 60.0, uses: float = 1.05
) -> Iterator[Call]:
    """A recorded message, each number shown for `uses` calls in the mean."""
    shown: list[str] = []

    def rotating(chance: Random, callee: str) -> str:
        if not shown or chance.random() < 1.0 / uses:
            shown[:] = [people.line(chance)]
        return shown[0]

    return _recorded("snowshoe", seed, at, calls, per_minute, trunk, signer, rotating)


def neighbour(
    seed: int, at: float, trunk: str, signer: str = "", calls: int = 300, per_minute: float = 60.0, share: float = 0.95
) -> Iterator[Call]:
    """A recorded message, with a number of the callee's own exchange for a `share` of the calls."""

    def near(chance: Random, callee: str) -> str:
        return people.line(chance, callee[:7] if chance.random() < share else "")

    return _recorded("neighbour", seed, at, calls, per_minute, trunk, signer, near)


def sequential(
    seed: int,
    at: float,
    trunk: str,
    signer: str = "",
    calls: int = 240,
    per_minute: float = 60.0,
    numbers: int = 1,
    step: int = 1,
    shuffled: bool = False,
) -> Iterator[Call]:
    """The numbers of an exchange one after the other, or `shuffled`; many of them are nobody's."""
    chance = Random(f"sequential {seed}")
    own = [people.line(chance) for _ in range(numbers)]
    within, first = people.exchange(chance), chance.randrange(2000)
    called = [f"{within}{(first + n * step) % 10_000:04}" for n in range(calls)]
    if shuffled:
        called = [people.line(chance, within) for _ in range(calls)]
    for moment, callee in zip(_paced(chance, at, calls, per_minute), called, strict=True):
        outcome = people.by_machine(chance, 0.25, 0.6, 20.0)
        yield Call("sequential", trunk, chance.choice(own), callee, signer, moment, *outcome)


def wangiri(
    seed: int,
    at: float,
    trunk: str,
    signer: str = "",
    calls: int = 200,
    per_minute: float = 60.0,
    numbers: int = 1,
    rings_s: float = 3.0,
) -> Iterator[Call]:
    """One ring from abroad, so that people call back; a few are quick enough to answer."""
    chance = Random(f"wangiri {seed}")
    own = [people.abroad(chance) for _ in range(numbers)]
    for moment in _paced(chance, at, calls, per_minute):
        kind = chance.random()
        outcome: people.Outcome = GIVEN_UP, chance.gauss(rings_s, 0.4), 0.0
        if kind < 0.06:
            outcome = ANSWERED, chance.uniform(1.0, rings_s), chance.uniform(0.3, 2.0)
        elif kind < 0.16:
            outcome = people.refused(chance)
        yield Call("wangiri", trunk, chance.choice(own), people.line(chance), signer, moment, *outcome)


def tdos(
    seed: int,
    at: float,
    trunk: str,
    signer: str = "",
    calls: int = 300,
    per_minute: float = 240.0,
    lines: int = 8,
    holds_s: float = 60.0,
) -> Iterator[Call]:
    """A flood to one number with `lines` lines, from another number each time; who gets through holds the line."""
    chance = Random(f"tdos {seed}")
    victim = people.line(chance)
    free_at = [at] * lines
    for moment in _paced(chance, at, calls, per_minute):
        n = min(range(lines), key=free_at.__getitem__)
        outcome = people.refused(chance)
        if free_at[n] <= moment:
            outcome = ANSWERED, chance.uniform(1.0, 4.0), chance.expovariate(1.0 / holds_s)
            free_at[n] = moment + outcome[1] + outcome[2]
        yield Call("tdos", trunk, people.line(chance), victim, signer, moment, *outcome)


def _pumped(chance: Random) -> people.Outcome:
    """A dear number nearly always answers, and is talked to for long."""
    outcome: people.Outcome = ANSWERED, chance.uniform(0.5, 3.0), chance.uniform(300.0, 1500.0)
    return outcome if chance.random() >= 0.05 else (REFUSED, 0.5, 0.0)


def pumping(
    seed: int, at: float, trunk: str, caller: str, calls: int = 120, per_minute: float = 6.0, numbers: int = 12
) -> Iterator[Call]:
    """Long calls to a few dear numbers abroad that always answer, from one extension."""
    chance = Random(f"pumping {seed}")
    dear = [people.premium(chance) for _ in range(numbers)]
    for moment in _paced(chance, at, calls, per_minute):
        outcome = _pumped(chance)
        yield Call("pumping", trunk, caller, chance.choice(dear), "", moment, *outcome)


def irsf(
    seed: int,
    at: float,
    trunk: str,
    callers: tuple[str, ...] = (),
    calls: int = 80,
    per_minute: float = 6.0,
    numbers: int = 1000,
) -> Iterator[Call]:
    """Long calls to `numbers` of a dear range, which always answer, from many callers; some numbers are too long."""
    chance = Random(f"irsf {seed}")
    dear = [people.premium(chance) for _ in range(numbers)]
    for moment in _paced(chance, at, calls, per_minute):
        outcome = _pumped(chance)
        caller = chance.choice(callers) if callers else people.line(chance)
        callee = chance.choice(dear) + ("7" if numbers > 3 and chance.random() < 0.15 else "")
        yield Call("irsf", trunk, caller, callee, "", moment, *outcome)


def break_in(seed: int, at: float, trunk: str, caller: str, calls: int = 60, per_minute: float = 3.0) -> Iterator[Call]:
    """Somebody else's extension is found open, and sells calls to other countries, best while its office is closed."""
    chance = Random(f"break-in {seed}")
    for moment in _paced(chance, at, calls, per_minute):
        outcome = (
            people.answered(chance, people.conversation(chance)) if chance.random() < 0.6 else people.refused(chance)
        )
        yield Call("break-in", trunk, caller, people.abroad(chance), "", moment, *outcome)
