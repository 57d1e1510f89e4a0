"""A redirect listener: INVITE in, an answer out, no second leg."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sipguard.b2bua import frames
from sipguard.screening.policy.model import LabelSpec, OneOf, Rule
from sipguard.screening.trunk import Peer, RedirectRules, WriteRules
from tests.pki import Pki, identity_value, passport
from tests.playbook import B_AT, INSIDE, OUTSIDE, START_AT, Play, Playbook, value, values

X5U = "https://certs.example/709J.pem"
PAI = 'P-Asserted-Identity: "Caller" <sip:+12025550101@192.0.2.10>'


ALL = OneOf("identity.result", ("none",))


def asked(status: int = 302, contact: str = "switch.example:5070", **more: Any) -> dict[str, Any]:
    """Fields of a Ruleset whose outside listener gives calls back."""
    listener = replace(OUTSIDE, redirect=RedirectRules(status, contact))
    return {"listeners": {"outside": listener, "inside": INSIDE}, **more}


def answer(book: Playbook, column: list[str], status: str) -> str:
    """The one message that left; it is acknowledged."""
    assert column == [f"a {status}"]
    assert book.a.ack() == []
    assert not book.engine.calls, "nothing is kept beyond the server transaction"
    assert not book.engine.legs
    return book.a.last(status)


def test_302_with_what_was_verified(play: Play) -> None:
    book = play(**asked())
    got = answer(book, book.a.invite(PAI, uri="sip:+12125550123@192.0.2.1;user=phone"), "302 Moved Temporarily")
    assert value(got, "Contact") == ("<sip:+12125550123@switch.example:5070;user=phone>;verstat=No-TN-Validation")
    assert value(got, "P-Asserted-Identity") == '"Caller" <sip:+12025550101;verstat=No-TN-Validation@192.0.2.10>'
    verdict, end = book.frames
    assert isinstance(verdict, frames.VerdictFrame)
    assert isinstance(end, frames.EndFrame)
    assert (verdict.action, verdict.verstat, verdict.route) == ("allow", "No-TN-Validation", "")
    assert (end.disposition, end.final_status, end.final_phrase) == ("redirected", 302, "Moved Temporarily")


def test_number_of_from_is_asserted_where_nobody_else_did(play: Play) -> None:
    book = play(**asked())
    got = answer(book, book.a.invite(), "302 Moved Temporarily")
    assert value(got, "P-Asserted-Identity") == "<sip:+12025550101;verstat=No-TN-Validation@192.0.2.10>"


def test_what_the_sender_says_of_verification_is_not_repeated(play: Play) -> None:
    book = play(**asked(), carrier={"verify": False})
    pai = PAI.replace("+12025550101", "+12025550101;verstat=TN-Validation-Passed")
    got = answer(book, book.a.invite(pai), "302 Moved Temporarily")
    assert value(got, "P-Asserted-Identity") == '"Caller" <sip:+12025550101@192.0.2.10>'
    assert value(got, "Contact") == "<sip:+12125550123@switch.example:5070>"


def test_attestation_under_the_names_that_the_asking_trunk_wants(play: Play) -> None:
    pki = Pki(now=datetime.fromtimestamp(START_AT, UTC))
    leaf = pki.leaf()
    token = passport("12025550101", "12125550123", leaf.key, X5U, iat=int(START_AT), origid="o-1")
    names = ("X-Attest", "X-Origid")
    book = play(**asked(), anchors=(pki.root.pem,), carrier={"attestation_headers": names, "verstat": "suffix_all"})
    assert book.a.invite(f"Identity: {identity_value(token, X5U)}") == [f"fetch {X5U}"]
    got = answer(book, book.fetched(leaf.pem), "302 Moved Temporarily")
    assert value(got, "Contact").endswith(";verstat=TN-Validation-Passed-A")
    assert value(got, "P-Asserted-Identity") == "<sip:+12025550101;verstat=TN-Validation-Passed-A@192.0.2.10>"
    assert value(got, "X-Attest") == "A"
    assert value(got, "X-Origid") == "o-1"


@pytest.mark.parametrize(("status", "phrase"), [(404, "404 Not Found"), (503, "503 Service Unavailable")])
def test_other_answers_that_mean_go_on(play: Play, status: int, phrase: str) -> None:
    book = play(**asked(status))
    got = answer(book, book.a.invite(PAI), phrase)
    assert not values(got, "Contact")
    assert not values(got, "Retry-After")
    assert "verstat=No-TN-Validation" in value(got, "P-Asserted-Identity")
    assert book.ends() == ["redirected"]


def test_peers_of_the_route_in_their_order(play: Play) -> None:
    """Numbers are written as the trunk wants them; peers that are passed over are left out."""
    peers = (Peer(*B_AT), Peer("198.51.100.30", 5071, "tcp"))
    book = play(**asked(contact=""), hop={"peers": peers, "write": WriteRules("plain")})
    got = answer(book, book.a.invite(), "302 Moved Temporarily")
    assert values(got, "Contact") == [
        "<sip:12125550123@198.51.100.20>;q=1.0;verstat=No-TN-Validation",
        "<sip:12125550123@198.51.100.30:5071;transport=tcp>;q=0.9;verstat=No-TN-Validation",
    ]
    assert book.of(frames.VerdictFrame)[0].route == "hop"
    book.a.got.clear()  # the peers are named on purpose


@pytest.mark.parametrize(
    ("contact", "uri", "expected"),
    [
        ("switch.example", "tel:+12125550123", "<sip:+12125550123@switch.example;user=phone>"),
        ("", "tel:+12125550123", "<sip:+12125550123@198.51.100.20;user=phone>;q=1.0"),
        ("switch.example", "urn:service:sos", "<urn:service:sos>"),
        ("", "urn:service:sos", "<urn:service:sos>"),
    ],
)
def test_request_uri_without_a_host(play: Play, contact: str, uri: str, expected: str) -> None:
    book = play(**asked(contact=contact), hop={"peers": (Peer(*B_AT),)}, carrier={"verstat": "off"})
    got = answer(book, book.a.invite(uri=uri), "302 Moved Temporarily")
    assert values(got, "Contact") == [expected]
    book.a.got.clear()  # the peers are named on purpose


def test_no_peer_to_name(play: Play) -> None:
    book = play(**asked(contact=""), hop={"peers": ()})
    answer(book, book.a.invite(), "500 No Peer Reachable")
    assert book.ends() == ["unreachable"]


def test_blocked_as_ever(play: Play) -> None:
    rule = Rule("block", ALL, basis="subscriber")
    book = play(rule, **asked())
    answer(book, book.a.invite(), "607 Unwanted")
    assert book.verdicts() == [("reject", "block")]
    assert book.ends() == []


def test_label(play: Play) -> None:
    label = LabelSpec(prefix="SPAM? ", max=15, headers=(("X-Result", "{identity.result}"),))
    book = play(Rule("mark", ALL, label=label), **asked())
    got = answer(book, book.a.invite(PAI), "302 Moved Temporarily")
    assert value(got, "P-Asserted-Identity").startswith('"SPAM? Caller" <sip:+12025550101;verstat=')
    assert value(got, "X-Result") == "none"


@pytest.mark.parametrize(("status", "phrase"), [(302, "302 Moved Temporarily"), (404, "404 Not Found")])
def test_emergency_call_goes_on_whatever_the_rules_say(play: Play, status: int, phrase: str) -> None:
    rule = Rule("block", ALL, basis="subscriber")
    book = play(rule, **asked(status))
    book.drain()
    answer(book, book.a.invite(callee="911"), phrase)
    assert book.verdicts() == [("allow", "emergency")]


def test_bypass_says_nothing_of_verification(play: Play) -> None:
    book = play(**asked())
    book.mode("bypass")
    got = answer(book, book.a.invite(PAI), "302 Moved Temporarily")
    assert value(got, "Contact") == "<sip:+12125550123@switch.example:5070>"
    assert not values(got, "P-Asserted-Identity")
