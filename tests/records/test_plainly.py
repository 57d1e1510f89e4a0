"""A call in plain English: what became of it, why, and where to complain; nothing that is not the caller's to know."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipguard.b2bua.frames import EndFrame, VerdictFrame
from sipguard.records.judged_by import JudgedBy
from sipguard.records.listed import MISSING, ListedBy
from sipguard.records.plainly import in_plain
from sipguard.records.record import Batch, Record
from sipguard.screening.policy.model import AllOf, AnyOf, LabelSpec, Not, OneOf, Policy, Redress, Rule
from sipguard.screening.trunk import Trunk
from tests.records import samples

KIND = OneOf("trunk.kind", ("interconnect",))
DNO = Rule(
    "dno",
    AllOf((KIND, AnyOf((OneOf("lists.shown", ("dno", "secret")), OneOf("number.shown.class", ("alpha",)))))),
    basis="dno",
)
LABEL = Rule("dno", OneOf("lists.shown", ("dno",)), label=LabelSpec("SPAM? "))
BY = JudgedBy(
    Policy((DNO,), redress=Redress(url="https://provider.example/redress", tel="+12025550100")),
    {"carrier-a": Trunk("carrier-a", "interconnect")},
)
LISTED = ListedBy("shown", "dno", "12025550101", 7, "ann", samples.AT - 86_400, "complaint of +12025550177", 0.0, 0)


def record_of(verdict: VerdictFrame, end: EndFrame | None) -> Record:
    batch = Batch()
    batch.add("0", 1, 64, verdict)
    if end is not None:
        batch.add("0", 1, 65, end)
    record = batch.record("d-1")
    assert record is not None
    return record


def said(verdict: VerdictFrame, end: EndFrame | None = None, by: JudgedBy | None = BY, kept: bool = True) -> str:
    return in_plain(record_of(verdict, end), verdict if kept else None, end, by, (LISTED,), UTC)


REJECTED = samples.rejected(matched=["dno"], phrase="Forbidden")


def test_a_rejected_call_says_why_since_when_and_where_to_complain() -> None:
    assert said(REJECTED) == (
        "Your call to +1 202-555-0102 on 1 January 2026 at 00:00 (UTC) was rejected. The reason: the call comes from"
        " another carrier and the number shown is on the list dno. The ground: a number that never originates calls. It"
        " has been on the list dno since 31 December 2025 at 00:00 (UTC). Your telephone network was answered"
        ' "403 Forbidden". If you think that this is a mistake, turn to https://provider.example/redress or'
        " +12025550100 and give the reference d-1."
    )


def test_what_is_not_the_callers_is_not_told() -> None:
    text = said(samples.rejected(matched=["dno"], asserted="12025550199", source="192.0.2.1:5060"))
    for secret in ("ann", "complaint", "0177", "0199", "192.0.2", "secret", "carrier-a"):
        assert secret not in text


def gone(disposition: str) -> EndFrame:
    return samples.ended(disposition=disposition, answer_at=0.0, final_status=487, bye_by="")


ROWS = {
    "answered": (samples.verdict(), samples.ended(), "was put through. It was answered, and lasted 60 seconds."),
    "cancelled": (samples.verdict(), gone("cancelled"), "was put through. You hung up before it was answered."),
    "busy": (samples.verdict(), gone("busy"), "The called party was busy, or declined it."),
    "blocked further on": (
        samples.verdict(),
        samples.ended(disposition="busy", answer_at=0.0, final_status=603, final_phrase="Network Blocked"),
        "was put through. The network behind us blocked it.",
    ),
    "a number that is not known there": (
        samples.verdict(),
        samples.ended(disposition="failed", answer_at=0.0, final_status=404, final_phrase="Not Found"),
        "was put through. The network behind us does not know the number.",
    ),
    "unreachable": (samples.verdict(), gone("unreachable"), "was let through by us. It could not be put through"),
    "it lasts": (samples.verdict(), None, "How it ended is not known yet."),
    "emergency": (
        samples.verdict(emergency="dialled 911", rule="emergency", callee="911"), samples.ended(),
        "Your call to 911 on 1 January 2026 at 00:00 (UTC) was put through. It counts as an emergency call;",
    ),
    "report mode": (
        samples.rejected(matched=["dno"], mode="report", route="core"), samples.ended(),
        "was put through. Screening was only on trial at that time; otherwise it would have been rejected. The reason:",
    ),
    "a rule that only reports": (
        samples.verdict(reported=["dno"]), samples.ended(), "A rule that is only on trial would have treated it",
    ),
    "limit": (samples.rejected(rule="trunk_limit", basis="", status=480), None, "your carrier had too many calls"),
    "bypass": (samples.verdict(mode="bypass", rule="bypass"), samples.ended(), "No call was screened at that time."),
}  # fmt: skip


@pytest.mark.parametrize(("verdict", "end", "part"), ROWS.values(), ids=ROWS)
def test_each_fate_in_words(verdict: VerdictFrame, end: EndFrame | None, part: str) -> None:
    assert part in said(verdict, end)


def test_a_marked_call_says_why() -> None:
    by = JudgedBy(Policy((LABEL,)), BY.trunks)
    text = said(samples.verdict(action="label", rule="dno", matched=["dno"]), samples.ended(), by)
    assert "was put through, with a mark for the called party. The reason: the number shown is on the list dno." in text


def test_a_list_that_was_missing_is_told_where_a_rule_asked_for_it() -> None:
    listed = ListedBy("shown", "dno", "", 0, "", 0.0, "", 0.0, 0, MISSING)
    verdict = samples.verdict(facts={"trunk.kind": "interconnect", "lists.shown": ("?dno",)})
    record = record_of(verdict, None)
    missing = "Whether it is on the list dno was not known at that time: the list was missing."
    by = JudgedBy(Policy((LABEL,)), BY.trunks)
    other = JudgedBy(Policy((SIGNED,)), BY.trunks)
    assert missing in in_plain(record, verdict, None, by, (listed,), UTC)
    assert missing in in_plain(record, verdict, None, None, (listed,), UTC)
    assert "missing" not in in_plain(record, verdict, None, other, (listed,), UTC)


def test_a_rule_that_is_not_kept_is_not_made_up() -> None:
    other = JudgedBy(Policy((LABEL,)), BY.trunks, as_then=False)
    text = said(REJECTED, None, other)
    assert "The rule that decided it is no longer kept. The ground: a number that never" in text
    assert "The reason" not in text


def test_a_call_whose_journal_is_gone() -> None:
    text = said(REJECTED, None, BY, kept=False)
    assert "was rejected. Its details are no longer kept, or cannot be read." in text
    assert "give the reference d-1" in text


SIGNED = Rule(
    "dno", AllOf((OneOf("identity.result", ("failed", "none")), Not(OneOf("identity.attest", ("A",))))), "identity"
)


@pytest.mark.parametrize(
    ("reason", "status", "more"),
    [
        ("iat_expired", 403, " It was signed at another time."),
        ("x5u_timeout", 436, " The certificate that it was signed with could not be fetched."),
        ("certificate_revoked", 437, " The certificate that it was signed with is not accepted."),
        ("orig_mismatch", 438, " It was signed for another call."),
        ("signature", 438, ""),
    ],
)
def test_what_did_not_hold_of_a_signature(reason: str, status: int, more: str) -> None:
    facts = {"identity.result": "failed", "identity.reason": reason, "identity.status": status}
    found = [("identity", "hit", reason)]
    verdict = samples.rejected(basis="identity", status=status, matched=["dno"], facts=facts, findings=found)
    text = said(verdict, None, JudgedBy(Policy((SIGNED,)), BY.trunks))
    signed = (
        "The reason: the call is signed, but the signature does not hold and the call is not signed with attestation A."
    )
    assert f"{signed}{more} The ground: " in text
