"""What lawful callers do that looks like an attack from afar.

Enters: a seed, when, by which trunk, signed by whom. Leaves: calls. Must not: know any bound of a rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.traffic import people
from tests.traffic.calls import ANSWERED, Call
from tests.traffic.people import Outcome


def school_alert(
    seed: int,
    at: float,
    trunk: str,
    signer: str = "",
    caller: str = "",
    calls: int = 1200,
    per_minute: float = 300.0,
    in_order: bool = False,
) -> Iterator[Call]:
    """Snow: all parents of three exchanges hear a message of half a minute within minutes. `in_order` of their numbers.

    Nearly everybody answers, or their voice mail does; some hang up at once, as the other parent was called before.
    """
    chance = Random(f"school alert {seed}")
    caller = caller or people.line(chance)
    exchanges = [people.exchange(chance) for _ in range(3)]
    parents = [people.line(chance, chance.choice(exchanges)) for _ in range(calls)]
    if in_order:
        parents.sort()
    for callee in parents:
        at += chance.expovariate(per_minute / 60.0)
        yield Call("school alert", trunk, caller, callee, signer, at, *people.by_machine(chance, 0.92, 0.12, 30.0))


def pharmacy(
    seed: int, at: float, trunk: str, signer: str = "", caller: str = "", calls: int = 400, per_minute: float = 20.0
) -> Iterator[Call]:
    """Reminders that a prescription is ready: one number, a message of twenty seconds, to customers of the town."""
    chance = Random(f"pharmacy {seed}")
    caller = caller or people.line(chance)
    near = [people.exchange(chance) for _ in range(8)]
    for _ in range(calls):
        at += chance.expovariate(per_minute / 60.0)
        callee = people.line(chance, chance.choice(near))
        yield Call("pharmacy", trunk, caller, callee, signer, at, *people.by_machine(chance, 0.85, 0.18, 18.0))


def call_centre(
    seed: int, at: float, trunk: str, signer: str = "", caller: str = "", calls: int = 900, per_minute: float = 60.0
) -> Iterator[Call]:
    """People who call customers all day from one number: four in ten are reached, some hang up, the others talk."""
    chance = Random(f"call centre {seed}")
    caller = caller or people.line(chance)
    for _ in range(calls):
        at += chance.expovariate(per_minute / 60.0)
        kind = chance.random()
        outcome = people.nobody_answers(chance) if kind < 0.8 else people.refused(chance)
        if kind < 0.4:
            outcome = _with_an_agent(chance)
        yield Call("call centre", trunk, caller, people.line(chance), signer, at, *outcome)


def _with_an_agent(chance: Random) -> Outcome:
    """Somebody answers an agent: one in seven hangs up, a fifth are machines."""
    kind = chance.random()
    if kind < 0.15:
        return people.answered(chance, chance.uniform(1.0, 6.0))
    if kind < 0.35:
        return people.answered(chance, chance.uniform(8.0, 30.0))
    return people.answered(chance, 15.0 + chance.lognormvariate(5.0, 0.8))


def help_line(
    seed: int, at: float, trunk: str, signer: str = "", calls: int = 1200, per_minute: float = 100.0
) -> Iterator[Call]:
    """Everybody calls one number, on the first of the month: a voice menu answers, then an agent."""
    chance = Random(f"help line {seed}")
    callee = people.line(chance)
    for _ in range(calls):
        at += chance.expovariate(per_minute / 60.0)
        outcome: Outcome = people.refused(chance)
        if chance.random() < 0.93:
            talks_s = chance.uniform(2.0, 6.0) if chance.random() < 0.06 else 20.0 + chance.lognormvariate(5.0, 0.9)
            outcome = ANSWERED, chance.uniform(0.5, 4.0), talks_s
        yield Call("help line", trunk, people.line(chance), callee, signer, at, *outcome)


def village(
    seed: int, at: float, trunk: str, signer: str = "", calls: int = 600, per_minute: float = 20.0
) -> Iterator[Call]:
    """A rural exchange: most calls stay within it."""
    chance = Random(f"village {seed}")
    own = people.exchange(chance)
    for _ in range(calls):
        at += chance.expovariate(per_minute / 60.0)
        callee = people.line(chance, own if chance.random() < 0.7 else "")
        yield Call("village", trunk, people.line(chance, own), callee, signer, at, *people.as_usual(chance))


def office_abroad(
    seed: int, at: float, trunk: str, caller: str, calls: int = 150, per_minute: float = 4.0
) -> Iterator[Call]:
    """A company with an office and customers in another country; all its extensions show the same number."""
    chance = Random(f"office abroad {seed}")
    for _ in range(calls):
        at += chance.expovariate(per_minute / 60.0)
        yield Call("office abroad", trunk, caller, people.abroad(chance), "", at, *people.as_usual(chance))


def travel_agency(
    seed: int, at: float, trunk: str, callers: tuple[str, ...], calls: int = 100, per_minute: float = 3.0
) -> Iterator[Call]:
    """People who call hotels in a few cities of another country all day; most have somebody at the desk."""
    chance = Random(f"travel agency {seed}")
    for _ in range(calls):
        at += chance.expovariate(per_minute / 60.0)
        outcome = people.nobody_answers(chance)
        if chance.random() < 0.78:
            outcome = people.answered(chance, people.conversation(chance) + 60.0, 6.0)
        yield Call("travel agency", trunk, chance.choice(callers), people.hotel(chance), "", at, *outcome)


def conference(seed: int, at: float, trunk: str, callers: tuple[str, ...], calls: int = 40) -> Iterator[Call]:
    """Within minutes many call a bridge abroad, which has two numbers and answers at once; then they talk for long."""
    chance = Random(f"conference {seed}")
    bridge = [people.bridge(chance) for _ in range(2)]
    for _ in range(calls):
        at += chance.expovariate(1.0 / 8.0)
        outcome: Outcome = ANSWERED, chance.uniform(0.5, 2.0), chance.uniform(900.0, 3000.0)
        yield Call("conference", trunk, chance.choice(callers), chance.choice(bridge), "", at, *outcome)


def night_shift(seed: int, at: float, trunk: str, callers: tuple[str, ...], calls: int = 40) -> Iterator[Call]:
    """People at a desk by night, who call home: another country, a few times each."""
    chance = Random(f"night shift {seed}")
    homes = {caller: [people.abroad(chance) for _ in range(2)] for caller in callers}
    for _ in range(calls):
        at += chance.expovariate(1.0 / 60.0)
        caller = chance.choice(callers)
        yield Call("night shift", trunk, caller, chance.choice(homes[caller]), "", at, *people.as_usual(chance))


def one_block(
    seed: int, at: float, trunk: str, signer: str = "", calls: int = 300, per_minute: float = 20.0, lines: int = 150
) -> Iterator[Call]:
    """People call a company whose numbers are one block, so that most lie beside one another."""
    chance = Random(f"one block {seed}")
    block = people.exchange(chance) + "4"
    for _ in range(calls):
        at += chance.expovariate(per_minute / 60.0)
        callee = f"{block}{chance.randrange(lines):03}"
        yield Call("one block", trunk, people.line(chance), callee, signer, at, *people.as_usual(chance))
