"""On which of the operator's lists are the numbers of the call.

Enters: the numbers of an attempt, the lists of the Ruleset. Leaves: `lists.<which>`, names of lists.
Must not: know what a list is for; only policy does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import CLEAR, HIT, Context, FactSpec, FactValue, Finding

COST: Final = 2

FACTS: Final = (
    FactSpec("lists.shown", "set", "lists bound to shown that hold the number in From"),
    FactSpec("lists.asserted", "set", "lists bound to asserted that hold a number in P-Asserted-Identity"),
    FactSpec("lists.caller", "set", "lists bound to caller that hold the number that counts as caller"),
    FactSpec("lists.diverting", "set", "lists bound to diverting that hold the top Diversion number"),
    FactSpec("lists.callee", "set", "lists bound to callee that hold the number in the Request-URI"),
    FactSpec("lists.pair", "set", "lists of pairs that hold this caller with this callee"),
    FactSpec("lists.upstream", "set", "lists of trunks that hold the trunk the call came in by"),
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
    for found in facts.values():
        if found:
            return Finding(HIT, "listed", facts)
    return Finding(CLEAR, "", facts)
