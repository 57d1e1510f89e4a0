"""What is wrong with the outcome of an emergency call, which setting did it, and how to mend that.

Enters: an Outcome, the form, the state, the Ruleset. Leaves: a Fault, or None. Must not: run anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sipguard.proof.calls import Entry, Outcome
from sipguard.proof.forms import Form
from sipguard.proof.states import State, first_trunk
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import BYPASS_RULE, DEFAULT_RULE, EMERGENCY_RULE, LIMIT_RULE, REJECT, UNSCREENED_RULE
from sipguard.sip.flow import Address, Flow
from sipguard.sip.uri import user_of

Path = tuple[str | int, ...]

REFUSED: Final = "refused"
NOWHERE: Final = "nowhere"
GIVEN_BACK: Final = "given_back"
STRANGER: Final = "stranger"
ELSEWHERE: Final = "elsewhere"
DIGITS: Final = "digits"
UNANSWERED: Final = "unanswered"
GIVEN_UP: Final = "given_up"
_OWN_RULES: Final = (BYPASS_RULE, DEFAULT_RULE, EMERGENCY_RULE, LIMIT_RULE, UNSCREENED_RULE)
_SEPARATORS: Final = str.maketrans("", "", "-.() ")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happened, as a slug and in words; `path` of the setting that did it; how to mend it."""

    kind: str
    happened: str
    path: Path
    mend: str


def fault_of(
    outcome: Outcome, entry: Entry, form: Form, state: State, ruleset: Ruleset, places: Mapping[Address, Sequence[str]]
) -> Fault | None:
    """What is wrong with what came of a call, None where nothing is. `places`: names of trunks by where peers are."""
    if entry.listener.redirect is not None:
        return _given_back(outcome, entry, form, ruleset)
    if not outcome.invites:
        return _not_sent(outcome, entry, state, ruleset)
    flow, message = outcome.invites[0]
    egress = _trunk_at(flow, ruleset, outcome.trunk_left, places)
    if egress is None:
        what = f"its INVITE went to {flow.remote[0]}:{flow.remote[1]}, where no peer is"
        return Fault(STRANGER, what, ("trunks", entry.trunk.name), "send it to a peer of a trunk")
    if state.name == "normal" and ruleset.emergency_route and egress.name != ruleset.emergency_route:
        return Fault(
            ELSEWHERE,
            f"it left by trunk {egress.name}, not by emergency.route {ruleset.emergency_route}",
            ("emergency", "route"),
            f"write peers to trunk {ruleset.emergency_route}, or another trunk here",
        )
    wrong = _wrong(message.split(" ", 2)[1], entry, form)
    if wrong:
        return Fault(DIGITS, f"the next hop sees {wrong}", *_who_writes(entry, egress, form))
    if state.refusing:
        return _given_up(outcome, entry, form, state)
    if outcome.answer:
        return Fault(REFUSED, f"its INVITE left, and it was answered {outcome.status}", *_who(outcome, entry, ruleset))
    if state.answered and not outcome.later.startswith("200"):
        what = f"the next hop answered 200, and the caller was told {outcome.later or 'nothing'}"
        return Fault(UNANSWERED, what, ("trunks", entry.trunk.name), "this is an error of sipguard: please report it")
    return None


def _given_up(outcome: Outcome, entry: Entry, form: Form, state: State) -> Fault | None:
    """Where every peer refuses, each must have been tried, with the digits that it must see."""
    left = outcome.awaited - {flow.remote for flow, _ in outcome.invites}
    path: Path = ("trunks", entry.trunk.name, "route")
    if left:
        host, port = sorted(left)[0]
        what = (
            f"after {len(outcome.invites)} peers had answered {state.refusing} it was given up; {host}:{port} was left"
        )
        return Fault(GIVEN_UP, what, path, "an emergency call must try every peer that it has a way to")
    for _, message in outcome.invites[1:]:
        wrong = _wrong(message.split(" ", 2)[1], entry, form)
        if wrong:
            return Fault(DIGITS, f"the next peer sees {wrong}", path, "have it written as for the first peer")
    return None


def _trunk_at(flow: Flow, ruleset: Ruleset, named: str, places: Mapping[Address, Sequence[str]]) -> Trunk | None:
    """The trunk that has a peer there, first of all the one that the verdict names; None where no peer is."""
    there = places.get(flow.remote, ())
    name = named if named in there else next(iter(there), "")
    return ruleset.trunks.get(name)


def _wrong(uri: str, entry: Entry, form: Form) -> str:
    """What the next hop sees in a Request-URI, in words, where that is not what it must see; "" where it is."""
    if form.wants == "uri":
        return "" if uri.lower() == form.what.lower() else f"{uri} instead of {form.what}"
    user = user_of(uri).partition(";")[0]
    digits = user.replace("%23", "#").lstrip("+").translate(_SEPARATORS)
    holds = digits == form.what if form.wants == "code" else digits.endswith(form.what)
    return "" if holds else f"{user or uri} instead of {form.what}"


def _who_writes(entry: Entry, egress: Trunk, form: Form) -> tuple[Path, str]:
    """The setting that may have changed the digits."""
    if not egress.write.usual:
        what = (
            f"leave out prefix and form there, or send emergency calls by another trunk (emergency.route); {form.what}"
        )
        return ("trunks", egress.name, "write"), f"{what} must reach it as it is"
    for name in ("strip_prefix", "tech_prefix"):
        if getattr(entry.trunk.read, name):
            mend = f"{form.name} is not taken for {form.what} there: write another prefix, or none"
            return ("trunks", entry.trunk.name, "read", name), mend
    return ("trunks", entry.trunk.name, "read"), f"have {form.what} read as it was dialled"


def _not_sent(outcome: Outcome, entry: Entry, state: State, ruleset: Ruleset) -> Fault:
    """No INVITE left."""
    if not outcome.answer:
        waits = outcome.trouble or "it waits, or has got no answer at all"
        return Fault(NOWHERE, f"no INVITE left: {waits}", ("trunks", entry.trunk.name), "no emergency call may wait")
    path, mend = _who(outcome, entry, ruleset)
    if not path:
        path, mend = _of_state(state, entry, ruleset)
    return Fault(REFUSED, f"it was answered {outcome.status}", path, mend)


def _who(outcome: Outcome, entry: Entry, ruleset: Ruleset) -> tuple[Path, str]:
    """The setting or rule behind a final answer, () where the state alone tells it."""
    status, trunk = outcome.status, entry.trunk.name
    if outcome.rule == LIMIT_RULE:
        return ("trunks", trunk, "limits"), "no emergency call may count against a limit"
    if outcome.rule and outcome.rule not in _OWN_RULES:
        for n, rule in enumerate(ruleset.policy.rules):
            if rule.name == outcome.rule:
                return ("policy", "rules", n), f"rule {rule.name} was asked; emergency calls must pass before all rules"
    if outcome.rule == DEFAULT_RULE and outcome.verdict == "reject":
        return ("policy", "default"), "the rules were asked; emergency calls must pass before all rules"
    if status.startswith(("404", "500")):
        return ("trunks", trunk, "route"), "write a route that leads to a trunk with peers, or emergency.route"
    if status.startswith("416"):
        return ("trunks", trunk), "this way of writing it is not understood"
    return (), ""


def _of_state(state: State, entry: Entry, ruleset: Ruleset) -> tuple[Path, str]:
    """What a refusal in a state is put down to."""
    never = "no emergency call may be refused for it"
    if state.name in ("overload", "shedding"):
        return ("overload",), never
    if state.name == "full":
        return ("overload", "max_calls"), never
    if state.name in ("calls", "cps"):
        return ("trunks", entry.trunk.name, "limits", state.name), never
    if state.name.startswith("check_"):
        return ("screening", "checks", state.name.removeprefix("check_"), "on_failure"), never
    if state.name == "draining":
        return ("drain",), never
    return ("trunks", entry.trunk.name), "an emergency call must reach a peer"


def _given_back(outcome: Outcome, entry: Entry, form: Form, ruleset: Ruleset) -> Fault | None:
    """A redirect listener must let the call go on: a 302 with a Contact that has the right digits, or its `go_on`.

    That whoever asked takes 404 or 503 for a leave to go on is what the listener was written for.
    """
    rules = entry.listener.redirect
    path: Path = ("listeners", entry.listener.name, "redirect")
    if outcome.invites:
        return Fault(
            STRANGER, "a redirect listener sent an INVITE", path, "this is an error of sipguard: please report it"
        )
    if rules is not None and rules.status != 302:
        if outcome.verdict != REJECT and outcome.status.startswith(f"{rules.status} "):
            return None
        said = outcome.status or "nothing"
        what = f"it was answered {said}, by which the asker would not go on as with {rules.status}"
        return Fault(GIVEN_BACK, what, (*path, "go_on"), "emergency calls must pass before all rules")
    if not outcome.answer.startswith("SIP/2.0 302 "):
        said = outcome.status or "nothing"
        mend = "write peers to a trunk of its route, or contact: HOST there"
        return Fault(GIVEN_BACK, f"it was answered {said} instead of 302", (*path, "go_on"), mend)
    contacts = [line for line in outcome.answer.split("\r\n") if line.startswith("Contact: <")]
    if not contacts:
        return Fault(GIVEN_BACK, "it was answered 302 without any Contact", path, "write contact: HOST there")
    for line in contacts:
        wrong = _wrong(line[len("Contact: <") :].partition(">")[0], entry, form)
        if wrong:
            first = first_trunk(ruleset, entry.trunk) or entry.trunk
            return Fault(DIGITS, f"the Contact of the 302 has {wrong}", *_who_writes(entry, first, form))
    return None
