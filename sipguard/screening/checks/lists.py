"""On which of the operator's lists are the numbers of the call, and who brings it.

Enters: the numbers of an attempt, the lists of the Ruleset. Leaves: `lists.<which>`, names of lists; all but
`lists.signer`, which `identity` finds, since it alone knows the signer.
Must not: know what a list is for; only policy does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.numbers.canonical import Number
from sipguard.numbers.textset import folded
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import CLEAR, HIT, Context, FactSpec, FactValue, Finding
from sipguard.screening.lists import Lists
from sipguard.screening.trunk import Trunk

COST: Final = 2

FACTS: Final = (
    FactSpec("lists.shown", "set", "lists bound to shown that hold the number in From"),
    FactSpec("lists.asserted", "set", "lists bound to asserted that hold a number in P-Asserted-Identity"),
    FactSpec("lists.caller", "set", "lists bound to caller that hold the number that counts as caller"),
    FactSpec("lists.diverting", "set", "lists bound to diverting that hold the top Diversion number"),
    FactSpec("lists.callee", "set", "lists bound to callee that hold the number in the Request-URI"),
    FactSpec("lists.pair", "set", "lists of pairs that hold this caller with this callee"),
    FactSpec(
        "lists.upstream",
        "set",
        "lists bound to upstream that hold the trunk the call came in by, its User-Agent or the address it comes from",
    ),
)


_NONE: Final[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Settings:
    """There is nothing to set: lists are declared under `lists:`."""


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding:
    """Hit where any list holds anything, clear otherwise. A number that is not there is on no list."""
    lists = context.lists
    of = lists.of
    at = attempt.received_at
    trunk = attempt.trunk
    attempt.edits = edits = lists.overlay.sequence
    caller_tn, callee_tn = attempt.caller.tn, attempt.callee.tn
    shown = of("shown", attempt.shown.tn, at)
    asserted = of("asserted", attempt.asserted.tn, at) if attempt.asserted is not None else _NONE
    for also in attempt.asserted_also:
        asserted += tuple([name for name in of("asserted", also.tn, at) if name not in asserted])
    caller = of("caller", caller_tn, at)
    diverting = of("diverting", attempt.diverting.tn, at) if attempt.diverting is not None else _NONE
    callee = of("callee", callee_tn, at)
    pair = _NONE
    if lists.pairs:
        names = names_of(trunk) if lists.brands or edits else _NONE
        pair = lists.of_pair(caller_tn, callee_tn, at, names)
    upstream = of("upstream", trunk.name, at)
    if lists.upstream is not None:
        upstream += lists.upstream.of((trunk.name, attempt.user_agent), attempt.source, at)
    facts: dict[str, FactValue] = {
        "lists.shown": shown,
        "lists.asserted": asserted,
        "lists.caller": caller,
        "lists.diverting": diverting,
        "lists.callee": callee,
        "lists.pair": pair,
        "lists.upstream": upstream,
    }
    is_on = shown or asserted or caller or diverting or callee or pair or upstream
    if lists.by_trunk and _ask_by_trunk(lists, attempt, facts):
        return Finding(HIT, "listed", facts)
    return Finding(HIT, "listed", facts) if is_on else Finding(CLEAR, "", facts)


def names_of(trunk: Trunk) -> tuple[str, ...]:
    """Who calls by a trunk, by name: that of the trunk, and the legal one of whoever sends on it."""
    legal = trunk.upstream.legal_name
    return (folded(trunk.name), folded(legal)) if legal else (folded(trunk.name),)


def _ask_by_trunk(lists: Lists, attempt: CallAttempt, facts: dict[str, FactValue]) -> bool:
    """Adds the lists by trunk that hold a number of the call as one of its trunk; whether there is any."""
    trunk, at = attempt.trunk.name, attempt.received_at
    is_on = False
    for which in lists.by_trunk:
        number = _number(attempt, which)
        if number is None:
            continue
        found = lists.of_trunk(which, trunk, number.tn, at)
        if which == "asserted":
            for also in attempt.asserted_also:
                found += tuple([name for name in lists.of_trunk(which, trunk, also.tn, at) if name not in found])
        if found:
            before = facts[f"lists.{which}"]
            assert isinstance(before, tuple)
            facts[f"lists.{which}"] = before + found
            is_on = True
    return is_on


def _number(attempt: CallAttempt, which: str) -> Number | None:
    """The number of a call that a list is bound to."""
    if which == "caller":
        return attempt.caller
    if which == "diverting":
        return attempt.diverting
    if which == "callee":
        return attempt.callee
    return attempt.shown if which == "shown" else attempt.asserted
