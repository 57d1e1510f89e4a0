"""Where each number of the call belongs, and how near caller and callee are: by the numbering plan.

Enters: the numbers of an attempt, the plan. Leaves: `plan.<which>.country`, `.region`, `.line`, `.zones`,
`plan.shared_digits`. Must not: guess what the plan does not tell: such a fact is absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.numbers.canonical import E164, Number
from sipguard.numbers.plan import LINES, Plan
from sipguard.screening.attempt import NUMBERS, CallAttempt
from sipguard.screening.finding import CLEAR, Context, FactSpec, FactValue, Finding

COST: Final = 2

_FACTS: Final = (
    ("country", "text", "country of the number in {} (ISO 3166-1); absent where several share the number range", ()),
    ("region", "text", "US state or Canadian province of the number in {}; absent elsewhere", ()),
    ("line", "choice", "what kind of line the plan has for the number in {}; absent where it does not tell", LINES),
    ("zones", "set", "time zones that the number in {} may be in; absent where it may be anywhere", ()),
)

FACTS: Final = (
    *(
        FactSpec(f"plan.{which}.{fact}", type_, what.format(where), choices=choices)
        for which, where in NUMBERS.items()
        for fact, type_, what, choices in _FACTS
    ),
    FactSpec(
        "plan.shared_digits",
        "number",
        "how many of the ten digits caller and callee have in common from the left, 6 for the same NPA-NXX;"
        " absent unless both are of the North American Numbering Plan",
    ),
)


@dataclass(frozen=True)
class Settings:
    """There is nothing to set: `numbering:` says what the plan is made of."""


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding:
    """Always clear: what a place means, a rule says."""
    plan, caller, callee = context.plan, attempt.caller, attempt.callee
    facts: dict[str, FactValue] = {}
    _add(facts, plan, "plan.shown.", attempt.shown)
    _add(facts, plan, "plan.asserted.", attempt.asserted)
    _add(facts, plan, "plan.caller.", caller)
    _add(facts, plan, "plan.diverting.", attempt.diverting)
    _add(facts, plan, "plan.callee.", callee)
    if _is_nanp(caller) and _is_nanp(callee):
        facts["plan.shared_digits"] = _shared(caller.tn, callee.tn) - 1
    return Finding(CLEAR, "", facts)


def _add(facts: dict[str, FactValue], plan: Plan, prefix: str, number: Number | None) -> None:
    """Adds what the plan tells of a number."""
    if number is None or number.form != E164:
        return
    place = plan.place(number.tn)
    if place.country:
        facts[prefix + "country"] = place.country
    if place.region:
        facts[prefix + "region"] = place.region
    if place.line:
        facts[prefix + "line"] = place.line
    if place.zones:
        facts[prefix + "zones"] = place.zones


def _is_nanp(number: Number) -> bool:
    """Whether a number is a complete one of the North American Numbering Plan."""
    return number.form == E164 and len(number.tn) == 11 and number.tn[0] == "1"


def _shared(one: str, other: str) -> int:
    """How many digits two numbers have in common from the left."""
    n = 0
    while n < len(one) and n < len(other) and one[n] == other[n]:
        n += 1
    return n
