"""The SIP that went out: as it was recorded, and of frames of before as it follows from the rules."""

from __future__ import annotations

import pytest

from sipguard.b2bua.frames import VerdictFrame, Written
from sipguard.records.judged_by import JudgedBy
from sipguard.records.rules import judged_again
from sipguard.records.sent import sent
from sipguard.screening.policy.model import LabelSpec, OneOf, Policy, Redress, Rule
from sipguard.screening.trunk import Trunk
from tests.records import samples

DNO = OneOf("lists.shown", ("dno",))
REASON = 'Reason: Q.850;cause=21;text="v=analytics1;url=https://provider.example;id=d-1";location=LN'
PLUS = Rule("dno", DNO, basis="analytics")
LABEL = Rule("dno", DNO, label=LabelSpec("SPAM? ", headers=(("Alert-Info", "<urn:x>"),)))
OURS = "; host and tag of From are ours:"
BY = "as they follow from the rules, since the record does not hold them"


def told(verdict: VerdictFrame, rule: Rule = PLUS, was_sent: bool = True) -> list[tuple[str, tuple[str, ...]]]:
    policy = Policy((rule,), redress=Redress(url="https://provider.example"))
    again = judged_again(verdict, JudgedBy(policy, {"carrier-a": Trunk("carrier-a", "interconnect")}))
    return [(step.text, step.lines) for step in sent(verdict, again, was_sent)]


def refused(**changes: object) -> VerdictFrame:
    return samples.rejected(**({"basis": "analytics", "status": 603, "matched": ["dno"]} | changes))  # type: ignore[arg-type]


def labelled(**changes: object) -> VerdictFrame:
    return samples.verdict(**({"action": "label", "rule": "dno", "matched": ["dno"]} | changes))  # type: ignore[arg-type]


ROWS = {
    "a rejection, recorded": (
        refused(received_mono=1.0, phrase="Network Blocked", wrote=[REASON], told="Reason: STIR;cause=436"), PLUS,
        [("answered SIP/2.0 603 Network Blocked", (REASON, "Reason: STIR;cause=436"))],
    ),
    "a rejection of before": (refused(), PLUS, [(f"answered SIP/2.0 603 Network Blocked; {BY}", (REASON,))]),
    "a rejection of before, by other rules": (
        refused(), LABEL, [("answered SIP/2.0 603; its header lines were not recorded", ())],
    ),
    "a label, recorded": (
        labelled(received_mono=1.0, wrote=['From: "SPAM? " <sip:x@h>;tag=1;a=1', "Alert-Info: <urn:x>"]), LABEL,
        [(f"written into the INVITE that left{OURS}", ('From: "SPAM? " <sip:x@...>;a=1', "Alert-Info: <urn:x>"))],
    ),
    "a label of before": (
        labelled(), LABEL,
        [(f'written into the INVITE that left, the name begins with "SPAM? "; {BY}', ("Alert-Info: <urn:x>",))],
    ),
    "a label in UTF-8": (
        labelled(received_mono=1.0, wrote=['From: "R\u00c3\u00bcckruf? " <sip:x@h>']), LABEL,
        [(f"written into the INVITE that left{OURS}", ('From: "R\u00fcckruf? " <sip:x@...>',))],
    ),
    "a label on what is no address": (
        labelled(received_mono=1.0, wrote=["From: tel:+12025550101", "From: a <sip:", "From: "]), LABEL,
        [(f"written into the INVITE that left{OURS}", ("From: <tel:+12025550101>", "From: a <sip:", "From: "))],
    ),
    "a call without a mark": (samples.verdict(received_mono=1.0), LABEL, []),
    "privacy and what is told back": (
        samples.verdict(received_mono=1.0, removed=["p-asserted-identity"], told="Reason: STIR;cause=436"), LABEL,
        [
            ("kept from crossing, for Privacy or by the trunk: p-asserted-identity", ()),
            ("the first response to the caller carries:", ("Reason: STIR;cause=436",)),
        ],
    ),
    "a call that is given back": (
        samples.verdict(received_mono=1.0, route="", wrote=["Contact: <sip:x>"]), LABEL,
        [("written into the answer that gives it back:", ("Contact: <sip:x>",))],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("verdict", "rule", "steps"), ROWS.values(), ids=ROWS)
def test_what_went_out(verdict: VerdictFrame, rule: Rule, steps: list[tuple[str, tuple[str, ...]]]) -> None:
    assert told(verdict, rule) == steps


def test_of_a_call_that_was_not_forwarded_nothing_went_out() -> None:
    assert told(labelled(received_mono=1.0, wrote=["Alert-Info: <urn:x>"]), LABEL, was_sent=False) == []


def test_what_left_by_each_further_trunk() -> None:
    further = (
        Written("east", 1, "No-TN-Validation", ["Alert-Info: <urn:y>"], ["p-asserted-identity"]),
        Written("west", 3),
    )
    steps = sent(labelled(received_mono=1.0, wrote=["Alert-Info: <urn:x>"]), None, True, further)
    assert [(step.kind, step.text, step.lines) for step in steps] == [
        ("sent", "written into the INVITE that left by trunk core:", ("Alert-Info: <urn:x>",)),
        ("route", "after 1 try of peers it left by trunk east, marked verstat=No-TN-Validation", ()),
        ("sent", "written into the INVITE that left by trunk east:", ("Alert-Info: <urn:y>",)),
        ("sent", "kept from crossing by trunk east, for Privacy or by the trunk: p-asserted-identity", ()),
        ("route", "after 3 tries of peers it left by trunk west", ()),
        ("sent", "nothing else was written into the INVITE that left by trunk west", ()),
    ]
