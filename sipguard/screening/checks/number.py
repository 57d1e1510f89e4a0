"""Is it a number at all, and of what kind: each number of the call by itself.

Enters: the numbers of an attempt, the area codes in service. Leaves: `number.<which>.class` and `.npa`. Must not:
compare numbers, or look one up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.numbers.canonical import CLASSES, IMPOSSIBLE, Number, classify, npa_of
from sipguard.numbers.plan import Plan
from sipguard.screening.attempt import NUMBERS, CallAttempt
from sipguard.screening.finding import CLEAR, HIT, Context, FactSpec, FactValue, Finding

COST: Final = 1

_ASSIGNABLE: Final = ("ok", "fictional_555")

_CLASS_OF: Final = "class of the number in {} (NANPA rules); absent if there is none"
_NPA_OF: Final = "area code of the number in {}; absent if it is no complete NANP number"

FACTS: Final = tuple(
    FactSpec(f"number.{which}.{fact}", type_, what.format(where), choices=choices)
    for which, where in NUMBERS.items()
    for fact, type_, what, choices in (("class", "choice", _CLASS_OF, CLASSES), ("npa", "text", _NPA_OF, ()))
)


@dataclass(frozen=True)
class Settings:
    """There is nothing to set."""


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding:
    """Hit, with the class as reason, where the shown number or the caller cannot exist."""
    plan = context.plan
    shown = _read(attempt.shown, plan)
    asserted = _read(attempt.asserted, plan)
    caller = shown if attempt.caller is attempt.shown else asserted
    for one in attempt.asserted_also:
        also = _read(one, plan)
        asserted = also if also[0] in IMPOSSIBLE else asserted
    if attempt.asserted_beyond:
        asserted = "invalid_format", ""
    diverting = _read(attempt.diverting, plan)
    callee = _read(attempt.callee, plan)
    facts: dict[str, FactValue] = {}
    _add(facts, "number.shown.class", "number.shown.npa", shown)
    _add(facts, "number.asserted.class", "number.asserted.npa", asserted)
    _add(facts, "number.caller.class", "number.caller.npa", caller)
    _add(facts, "number.diverting.class", "number.diverting.npa", diverting)
    _add(facts, "number.callee.class", "number.callee.npa", callee)
    for found in (shown[0], caller[0]):
        if found in IMPOSSIBLE:
            return Finding(HIT, found, facts)
    return Finding(CLEAR, "", facts)


def _read(number: Number | None, plan: Plan) -> tuple[str, str]:
    """Class and area code of a number, "" where it has none."""
    if number is None:
        return "", ""
    class_, npa = classify(number), npa_of(number)
    if npa and class_ in _ASSIGNABLE and plan.is_unassigned(npa):
        class_ = "unassigned_npa"
    return class_, npa


def _add(facts: dict[str, FactValue], class_: str, npa: str, found: tuple[str, str]) -> None:
    """Adds what was read, under these names."""
    if found[0]:
        facts[class_] = found[0]
    if found[1]:
        facts[npa] = found[1]
