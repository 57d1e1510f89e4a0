"""Is it a number at all, and of what kind: each number of the call by itself.

Enters: the numbers of an attempt. Leaves: `number.<which>.class` and `.npa`. Must not: compare numbers,
or look one up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.numbers.canonical import CLASSES, IMPOSSIBLE, Number, classify, npa_of
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import CLEAR, HIT, Context, FactSpec, FactValue, Finding

COST: Final = 1

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
    for one in attempt.asserted_also:
        also = _read(one)
        asserted = also if also[0] in IMPOSSIBLE else asserted
    if attempt.asserted_beyond:
        asserted = "invalid_format", ""
    diverting = _read(attempt.diverting)
    callee = _read(attempt.callee)
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


def _read(number: Number | None) -> tuple[str, str]:
    """Class and area code of a number, "" where it has none."""
    return ("", "") if number is None else (classify(number), npa_of(number))


def _add(facts: dict[str, FactValue], class_: str, npa: str, found: tuple[str, str]) -> None:
    """Adds what was read, under these names."""
    if found[0]:
        facts[class_] = found[0]
    if found[1]:
        facts[npa] = found[1]
