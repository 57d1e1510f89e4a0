"""What a stranger says of verification in our place does not cross, in no message and in neither direction."""

from __future__ import annotations

from typing import Any

import pytest

from sipguard.b2bua.unvouched import line_without_claims, lines_unmarked
from sipguard.screening.policy.model import LabelSpec, OneOf, Rule
from tests.b2bua.test_verstat import A, B, marks, over, verified
from tests.playbook import Play, Playbook, value, values

LABELS = Rule(
    "label",
    OneOf("identity.result", ("passed",)),
    label=LabelSpec(headers=(("X-Screened", "{identity.result}"), ("Alert-Info", "<urn:alert:x>"))),
)
OURS = (
    "Attestation-Info: A",
    "attestation-info : A",
    "Origination-ID: 7b1e1c2e-0d3f-4a51-9a3c-0f6a8a4d1c11",
    "P-Attestation-Info: A",
    "P-Origination-Id: x",
    "P-Attestation-Indicator: A",
    "X-Attestation-Info: A",
    "P-Identity-Bypass: yes",
    "X-House: A",  # of attestation_headers
    "X-House-Id: 1",
    "x-screened: passed",  # of a label
)
THEIRS = (
    "X-Unknown: 1",
    "Alert-Info: <urn:alert:y>",
    'Reason: STIR;cause=436;text="Bad Identity Info"',
    "Call-Info: <https://a.example/i.png>;purpose=icon",
)
CLAIM = 'Call-Info: <https://a.example/i.png>;purpose=icon;verified="true";integrity="true"'
UNCLAIMED = "<https://a.example/i.png>;purpose=icon"


def names(message: str) -> set[str]:
    """Names of the headers of a message, lower case."""
    return {line.partition(":")[0].strip().lower() for line in message.split("\r\n\r\n")[0].split("\r\n")[1:]}


def trusting(play: Play, **carrier: Any) -> Playbook:
    """A book in which `hop` is written attestation under names of its own, and a rule labels verified calls."""
    return play(LABELS, carrier=carrier, hop={"attestation_headers": ("X-House", "X-House-Id"), "verstat": "off"})


@pytest.mark.parametrize("header", OURS)
def test_a_mark_from_outside_stays_outside(play: Play, header: str) -> None:
    """INVITE, request in the dialog, answers, from either side."""
    name = header.partition(":")[0].strip().lower()
    book = trusting(play)
    book.a.invite(header)
    assert name not in names(book.b.last("INVITE"))
    book.b.reply("180 Ringing", header)
    assert name not in names(book.a.last("180"))
    book.b.reply("200 OK", header)
    assert name not in names(book.a.last("200"))
    book.a.ack()
    book.a.request("INFO", header)
    assert name not in names(book.b.last("INFO"))
    book.b.reply("200 OK", header, to="INFO")
    assert name not in names(book.a.last("200"))
    book.bye()


@pytest.mark.parametrize("header", THEIRS)
def test_what_is_no_mark_crosses(play: Play, header: str) -> None:
    name, _, said = header.partition(": ")
    invite = over_of(trusting(play), header)
    assert values(invite, name) == [said]


def over_of(book: Playbook, *headers: str) -> str:
    book.a.invite(*headers)
    return over(book)


@pytest.mark.parametrize("header", OURS)
def test_who_may_assert_them_is_believed(play: Play, header: str) -> None:
    name, _, said = header.partition(":")
    invite = over_of(trusting(play, accept_marks=True), header)
    assert values(invite, name.strip()) == [said.strip()]


def test_ours_stand_in_place_of_theirs(play: Play) -> None:
    """A trunk that may assert marks adds none to those that we write."""
    lies = ("X-House: A", "X-Screened: never", "Attestation-Info: A", "Alert-Info: <urn:alert:y>")
    hop = {"attestation_headers": ("X-House", "X-House-Id")}
    book = verified(play, A, [], A, *lies, rules=(LABELS,), carrier={"accept_marks": True}, hop=hop)
    invite = over(book)
    assert (values(invite, "X-House"), values(invite, "X-Screened")) == (["A"], ["passed"])
    assert values(invite, "Attestation-Info") == ["A"]
    assert values(invite, "Alert-Info") == ["<urn:alert:y>", "<urn:alert:x>"]


@pytest.mark.parametrize(
    ("carrier", "said"),
    [
        ({}, "No-TN-Validation"),
        ({"accept_marks": True}, "No-TN-Validation"),
        ({"verify": False}, ""),
        ({"verify": False, "accept_marks": True}, "TN-Validation-Passed"),
    ],
)
def test_verstat_crosses_only_where_ours_is_not_written(play: Play, carrier: dict[str, Any], said: str) -> None:
    claim = f"P-Asserted-Identity: <sip:+{B};verstat=TN-Validation-Passed@c.example>"
    assert marks(value(over_of(play(carrier=carrier), claim), "P-Asserted-Identity")) == said


@pytest.mark.parametrize(("accepts", "said"), [(False, ""), (True, "TN-Validation-Passed")])
def test_verstat_on_the_way_back(play: Play, accepts: bool, said: str) -> None:
    claim = f"P-Asserted-Identity: <sip:+{B};verstat=TN-Validation-Passed@c.example>"
    book = play(hop={"accept_marks": accepts})
    book.a.invite()
    book.b.reply("180 Ringing", claim)
    assert marks(value(book.a.last("180"), "P-Asserted-Identity")) == said
    book.b.reply("302 Moved Temporarily", f"Contact: <sip:+{B};verstat=TN-Validation-Passed@c.example>")
    assert marks(values(book.a.last("302"), "Contact")[-1]) == said
    book.a.ack()


def test_claims_in_call_info(play: Play) -> None:
    book = play()
    book.a.invite(CLAIM)
    assert value(book.b.last("INVITE"), "Call-Info") == UNCLAIMED
    book.b.reply("200 OK", CLAIM)
    assert value(book.a.last("200"), "Call-Info") == UNCLAIMED
    book.a.ack()
    book.b.request("INFO", CLAIM)
    assert value(book.a.last("INFO"), "Call-Info") == UNCLAIMED
    book.a.reply("200 OK", to="INFO")
    book.bye()
    assert value(over_of(play(carrier={"accept_marks": True}), CLAIM), "Call-Info") == CLAIM.partition(": ")[2]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('<data:>;purpose=jcard;Verified = "true"', "<data:>;purpose=jcard"),
        ("<data:>;verified;purpose=jcard ;\tintegrity=true", "<data:>;purpose=jcard "),
        ('<https://a/?x;verified=1>;call-reason="a;verified=true"', '<https://a/?x;verified=1>;call-reason="a;verified=true"'),
        ('<a:b>;verified=true,\r\n <c:d>;x="\\";verified";integrity="true"', '<a:b>,\r\n <c:d>;x="\\";verified"'),
        ("https://a;verified=true;purpose=icon", "https://a;purpose=icon"),
        ("<https://a;verified=true;purpose=icon", "<https://a;purpose=icon"),
        ('<a:b>;x="open;verified=true', '<a:b>;x="open'),
        ("<a:b>;xverified=true", "<a:b>;xverified=true"),
    ],
)  # fmt: skip
def test_line_without_claims(text: str, kept: str) -> None:
    assert line_without_claims(f"Call-Info: {text}") == f"Call-Info: {kept}"
    assert lines_unmarked(f"X: 1\r\nCALL-INFO: {text}\r\nY: 2", claims=True) == f"X: 1\r\nCALL-INFO: {kept}\r\nY: 2"


def test_other_headers_keep_such_words() -> None:
    assert line_without_claims("Subject: a;verified=true") == "Subject: a;verified=true"


def test_in_mode_bypass_all_crosses(play: Play) -> None:
    book = play(mode="bypass")
    invite = over_of(book, "Attestation-Info: A", CLAIM)
    assert values(invite, "Attestation-Info") == ["A"]
    assert "verified" in value(invite, "Call-Info")
