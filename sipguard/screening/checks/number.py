"""Is it a number at all, and of what kind: each number of the call by itself.

Enters: the numbers of an attempt. Leaves: `number.<which>.class` and `.npa`. Must not: compare numbers,
or look one up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.numbers.canonical import CLASSES, Number, classify, npa_of
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import CLEAR, HIT, Context, FactSpec, FactValue, Finding

COST: Final = 1

IMPOSSIBLE: Final = frozenset({"invalid_format", "invalid_npa", "n11"})  # classes no caller can have

_WHICH: Final = {
    "shown": "From",
    "asserted": "P-Asserted-Identity",
    "caller": "the number that counts as caller",
    "diverting": "the top Diversion value",
    "callee": "the Request-URI",
}
_CLASS_OF: Final = "class of the number in {} (NANPA rules); absent if there is none"
_NPA_OF: Final = "area code of the number in {}; absent if it is no complete NANP number"

FACTS: Final = tuple(
    FactSpec(f"number.{which}.{fact}", type_, what.format(where), choices=choices)
    for which, where in _WHICH.items()
    for fact, type_, what, choices in (("class", "choice", _CLASS_OF, CLASSES), ("npa", "text", _NPA_OF, ()))
)


@dataclass(frozen=True)
class Settings:
    """There is nothing to set."""


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding:
    """Hit, with the class as reason, where the shown number or the caller cannot exist."""
    shown = _read(attempt.shown)
    asserted = _read(attempt.asserted)
    caller = shown if attempt.caller is attempt.shown else asserted
    if attempt.asserted_also is not None:
        also = _read(attempt.asserted_also)
        asserted = also if also[0] in IMPOSSIBLE else asserted
    diverting = _read(attempt.diverting)
    callee = _read(attempt.callee)
    facts: dict[str, FactValue] = {
        "number.shown.class": shown[0],
        "number.shown.npa": shown[1],
        "number.asserted.class": asserted[0],
        "number.asserted.npa": asserted[1],
        "number.caller.class": caller[0],
        "number.caller.npa": caller[1],
        "number.diverting.class": diverting[0],
        "number.diverting.npa": diverting[1],
        "number.callee.class": callee[0],
        "number.callee.npa": callee[1],
    }
    for found in (shown[0], caller[0]):
        if found is not None and found in IMPOSSIBLE:
            return Finding(HIT, found, facts)
    return Finding(CLEAR, "", facts)


def _read(number: Number | None) -> tuple[str | None, str | None]:
    """Class and area code of a number, None where it has none."""
    if number is None:
        return None, None
    return classify(number) or None, npa_of(number) or None
