"""Which facts of a call a rule matched on.

Enters: a verdict frame, the rule as a configuration has it. Leaves: names of facts with their values. Must not: say
anything where the rule, as it stands there, does not match these facts: it was another one then.
"""

from __future__ import annotations

from collections.abc import Iterator

from sipguard.b2bua.frames import VerdictFrame
from sipguard.screening.finding import FAILED as CHECK_FAILED
from sipguard.screening.policy.model import AllOf, AnyOf, Condition, Not, OneOf, Time
from sipguard.screening.policy.model import Compare as Compared
from sipguard.screening.policy.predicates import (
    FAILED,
    FALSE,
    TRUE,
    Asked,
    Facts,
    check_of,
    compared_times,
    facts_of,
    truth_of,
)


def heard_of(verdict: VerdictFrame) -> tuple[Facts, Asked]:
    """The facts that the rules were shown, and which checks had run: the arguments of `decide`."""
    asked: Asked = {name: FAILED if status == CHECK_FAILED else FALSE for name, status, _ in verdict.findings}
    facts: Facts = {
        "trunk.name": verdict.trunk,
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in verdict.facts.items()
            if asked.get(check_of(name)) != FAILED  # no rule was shown what such a check noted
        },
    }
    return facts, asked


def matched_on(when: Condition, verdict: VerdictFrame) -> dict[str, object] | None:
    """The facts that made `when` true, None where it is not true of this call. One that is absent is None."""
    facts, asked = heard_of(verdict)
    if truth_of(when, {}).truth(facts, asked) != TRUE:
        return None
    held: dict[str, object] = {name: facts.get(name) for name in dict.fromkeys(_held(when, facts, asked))}
    return held | compared_times(when, facts)


def _held(when: Condition, facts: Facts, asked: Asked) -> Iterator[str]:
    """The facts of those parts of a true condition that make it so."""
    if isinstance(when, OneOf | Compared | Not | Time):
        yield from sorted(facts_of(when))
        return
    for part in when.parts:
        if not isinstance(when, AnyOf) or truth_of(part, {}).truth(facts, asked) == TRUE:
            yield from _held(part, facts, asked)


def what_held(when: Condition, verdict: VerdictFrame) -> Condition | None:
    """The parts of `when` that made it true of this call, as a condition; None where it is not true of it.

    Of several values that a fact may have, those that it had.
    """
    facts, asked = heard_of(verdict)
    return _narrowed(when, facts, asked) if truth_of(when, {}).truth(facts, asked) == TRUE else None


def _narrowed(when: Condition, facts: Facts, asked: Asked) -> Condition:
    if isinstance(when, OneOf):
        held = facts.get(when.fact)
        values = held if isinstance(held, tuple) else (held,)
        named = tuple([value for value in when.values if value in values])
        return OneOf(when.fact, named) if named else when
    if isinstance(when, Compared | Not | Time):
        return when
    parts = [part for part in when.parts if truth_of(part, {}).truth(facts, asked) == TRUE]
    narrowed = tuple([_narrowed(part, facts, asked) for part in parts])
    return narrowed[0] if len(narrowed) == 1 else AllOf(narrowed)
