"""Conditions and answers in plain English, for somebody who has the caller on the phone.

Enters: Condition values, facts, bases. Leaves: clauses without a full stop. Must not: need more than they say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sipguard.screening.finding import FactSpec, FactValue
from sipguard.screening.policy.model import AllOf, AnyOf, Compare, Condition, Not, OneOf, Scalar, Time
from sipguard.screening.policy.times import written_time

NUMBERS: Final = {
    "shown": "the number shown",
    "asserted": "the number that the carrier asserts",
    "caller": "the caller's number",
    "diverting": "the number that forwarded the call",
    "callee": "the called number",
}
_CLASSES: Final = {
    "ok": "an ordinary number",
    "invalid_format": "no complete number",
    "invalid_npa": "of an area code that does not exist",
    "n11": "of an area code such as 911",
    "unassigned_npa": "of an area code that is not in use",
    "fictional_555": "one of the numbers 555-01XX, which nobody has",
    "tollfree": "toll-free",
    "premium_900": "a 900 number",
    "international": "of another country",
    "short": "a short code",
    "anonymous": "withheld",
    "alpha": "a name instead of a number",
}
_RESULTS: Final = {
    "passed": "a trusted provider has signed for the caller's number",
    "failed": "the call is signed, but the signature does not hold",
    "none": "nobody has signed for the caller's number",
    "unsupported": "the call is signed in a way that is not verified here",
}
_KINDS: Final = {
    "interconnect": "from another carrier",
    "origination": "from a customer",
    "telemarketing": "from a telemarketer",
    "gateway": "from abroad",
    "emergency": "from an emergency service",
}
_OPERATORS: Final = {"over": "more than", "under": "less than", "at_least": "at least", "at_most": "at most"}
_WINDOWS: Final = {"1m": "in the last minute", "1h": "in the last hour"}


def in_english(condition: Condition, specs: Mapping[str, FactSpec], no: bool = False) -> str:
    """What a condition asks, or with `no` its contrary, as a clause."""
    if isinstance(condition, Not):
        return in_english(condition.part, specs, not no)
    if isinstance(condition, AllOf | AnyOf):
        parts = [in_english(part, specs, no) for part in condition.parts]
        return joined(parts, "and" if isinstance(condition, AllOf) is not no else "or")
    if isinstance(condition, Compare):
        return _compared(condition, specs, no)
    if isinstance(condition, Time):
        return _timed(condition, no)
    return _one_of(condition, specs, no)


def joined(parts: Sequence[str], word: str) -> str:
    """`a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _one_of(condition: OneOf, specs: Mapping[str, FactSpec], no: bool) -> str:
    fact, words = condition.fact, [*map(_scalar, condition.values), *condition.patterns]
    room, _, which = fact.partition(".")
    which = which.partition(".")[0]
    if fact == "lists.pair":
        return f"this caller with this called number is {_not(no)}on {_lists(words)}"
    if fact == "lists.upstream":
        return f"the carrier that the call came from is {_not(no)}on {_lists(words)}"
    if room == "lists" and which in NUMBERS:
        return f"{NUMBERS[which]} is {_not(no)}on {_lists(words)}"
    if room == "number" and which in NUMBERS and fact.endswith(".class"):
        return f"{NUMBERS[which]} is {_not(no)}{joined([_CLASSES.get(word, word) for word in words], 'or')}"
    if room == "number" and which in NUMBERS and fact.endswith(".npa"):
        return f"{NUMBERS[which]} is {_not(no)}of area code {joined(words, 'or')}"
    if fact == "identity.result" and not no:
        return joined([_RESULTS.get(word, word) for word in words], "or")
    if fact == "identity.result" and words == ["passed"]:
        return "no trusted provider has signed for the caller's number"
    if fact == "identity.attest":
        return f"the call is {_not(no)}signed with attestation {joined(words, 'or')}"
    if fact == "trunk.kind":
        return f"the call comes {_not(no)}{joined([_KINDS.get(word, word) for word in words], 'or')}"
    if fact == "trunk.name":
        return f"the call comes {_not(no)}in by {joined(words, 'or')}"
    if fact == "call.anonymous":
        return f"the caller {'withholds' if condition.values[:1] == (not no,) else 'does not withhold'} the number"
    return f"{_named(fact, specs)} is {_not(no)}{joined(words, 'or')}"


def _compared(condition: Compare, specs: Mapping[str, FactSpec], no: bool) -> str:
    fact = condition.fact
    amount = f"{_not(no)}{_OPERATORS.get(condition.operator, condition.operator)} {condition.bound:g}"
    place, _, window = fact.rpartition("_")
    if place == "rate.caller.attempts" and window in _WINDOWS:
        return f"the caller's number has placed {amount} calls {_WINDOWS[window]}"
    if place == "rate.trunk.attempts" and window in _WINDOWS:
        return f"the carrier that the call came from has sent {amount} calls {_WINDOWS[window]}"
    return f"{_named(fact, specs)} is {amount}"


def _timed(time: Time, no: bool) -> str:
    where = f"in the zone {time.zone}" if time.zone not in NUMBERS else f"where {NUMBERS[time.zone]} is"
    words = written_time(time).strip("{}").partition(", ")[2]
    return f"the local time {where} is {_not(no)}{words.replace('side: ', 'side ').replace(chr(34), '')}"


def _named(fact: str, specs: Mapping[str, FactSpec]) -> str:
    """A fact by what its documentation says of it, up to the first remark in it."""
    spec = specs.get(fact)
    return f'"{spec.what.partition(";")[0].partition(" (")[0]}"' if spec is not None else fact


def _lists(names: list[str]) -> str:
    return f"the list {names[0]}" if len(names) == 1 else f"one of the lists {joined(names, 'or')}"


def _not(no: bool) -> str:
    return "not " if no else ""


def _scalar(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else f"{value:g}"


def seen(value: FactValue | object) -> str:
    """The value of a fact for people."""
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
