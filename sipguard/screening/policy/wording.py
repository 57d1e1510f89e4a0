"""Conditions as a policy writes them, and which part of one does not hold.

Enters: Condition values, facts. Leaves: text in the notation of policies; parts of conditions. Must not: decide: the
same tests say what holds as for calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sipguard.screening.policy import decide
from sipguard.screening.policy.model import AllOf, AnyOf, Compare, Condition, Not, OneOf, Scalar, Time
from sipguard.screening.policy.predicates import TRUE, Asked, Facts, truth_of
from sipguard.screening.policy.times import written_time

OUTCOMES: Final = {
    decide.MATCHED: "matched",
    decide.REPORTED: "would act, only reports",
    decide.NO_MATCH: "no match",
    decide.UNKNOWN: "a check failed",
    decide.NOT_KNOWN_YET: "not known yet",
    decide.ELSEWHERE: "not on this trunk",
    decide.EXPIRED: "expired",
    decide.NOT_ROLLED_OUT: "not for this caller",
    decide.NOT_REACHED: "not reached",
}


def written(condition: Condition) -> str:
    """A condition in braces, as it may stand under `when`."""
    return f"{{{_inside(condition)}}}"


def _inside(condition: Condition) -> str:
    if isinstance(condition, OneOf):
        values = [*map(_scalar, condition.values), *[f'"{each}"' for each in condition.patterns]]
        return f"{condition.fact}: {values[0] if len(values) == 1 else '[' + ', '.join(values) + ']'}"
    if isinstance(condition, Compare):
        return f"{condition.fact}: {{{condition.operator}: {condition.bound:g}}}"
    if isinstance(condition, Time):
        return f"time: {written_time(condition)}"
    if isinstance(condition, Not):
        return f"not: {written(condition.part)}"
    keys = [_inside(part).partition(":")[0] for part in condition.parts]
    if isinstance(condition, AllOf) and len(set(keys)) == len(keys) and keys:
        return ", ".join(_inside(part) for part in condition.parts)
    name = "all" if isinstance(condition, AllOf) else "any"
    return f"{name}: [{', '.join(written(part) for part in condition.parts)}]"


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:g}"


def lacking(condition: Condition, facts: Facts, asked: Asked) -> Iterator[Condition]:
    """The parts for which a condition does not hold: of several those that came to the same as the whole, so that
    nothing is said of what was not asked where another part was false; a `not` is one part."""
    truth = truth_of(condition, {}).truth(facts, asked)
    if truth == TRUE:
        return
    if isinstance(condition, AllOf | AnyOf) and condition.parts:
        for part in condition.parts:
            if truth_of(part, {}).truth(facts, asked) == truth:
                yield from lacking(part, facts, asked)
    else:
        yield condition
