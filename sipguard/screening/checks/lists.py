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


@dataclass(frozen=True)
class Settings:
    """There is nothing to set: lists are declared under `lists:`."""


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding:
    """Hit where any list holds anything, clear otherwise. A number that is not there is on no list."""
    lists = context.lists
    of = lists.of
    at = attempt.received_at
    attempt.edits = lists.overlay.sequence
    caller, callee = attempt.caller.tn, attempt.callee.tn
    asserted, diverting = attempt.asserted, attempt.diverting
    facts: dict[str, FactValue] = {
        "lists.shown": of("shown", attempt.shown.tn, at),
        "lists.asserted": () if asserted is None else of("asserted", asserted.tn, at),
        "lists.caller": of("caller", caller, at),
        "lists.diverting": () if diverting is None else of("diverting", diverting.tn, at),
        "lists.callee": of("callee", callee, at),
        "lists.pair": lists.of_pair(caller, callee, at),
        "lists.upstream": of("upstream", attempt.trunk.name, at),
    }
    if attempt.asserted_also:
        listed = of("asserted", asserted.tn if asserted is not None else "", at)
        for also in attempt.asserted_also:
            listed += tuple([name for name in of("asserted", also.tn, at) if name not in listed])
        facts["lists.asserted"] = listed
    if lists.brands or attempt.edits:
        facts["lists.pair"] = lists.of_pair(caller, callee, at, names_of(attempt.trunk))
    if lists.upstream is not None:
        facts["lists.upstream"] = of("upstream", attempt.trunk.name, at) + lists.upstream.of(
            (attempt.trunk.name, attempt.user_agent), attempt.source, at
        )
    if lists.by_trunk:
        _ask_by_trunk(lists, attempt, facts)
    for found in facts.values():
        if found:
            return Finding(HIT, "listed", facts)
    return Finding(CLEAR, "", facts)


def names_of(trunk: Trunk) -> tuple[str, ...]:
    """Who calls by a trunk, by name: that of the trunk, and the legal one of whoever sends on it."""
    legal = trunk.upstream.legal_name
    return (folded(trunk.name), folded(legal)) if legal else (folded(trunk.name),)


def _ask_by_trunk(lists: Lists, attempt: CallAttempt, facts: dict[str, FactValue]) -> None:
    """Adds the lists by trunk that hold a number of the call as one of its trunk."""
    trunk, at = attempt.trunk.name, attempt.received_at
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


def _number(attempt: CallAttempt, which: str) -> Number | None:
    """The number of a call that a list is bound to."""
    if which == "caller":
        return attempt.caller
    if which == "diverting":
        return attempt.diverting
    if which == "callee":
        return attempt.callee
    return attempt.shown if which == "shown" else attempt.asserted
