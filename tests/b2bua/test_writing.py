"""Request-URI, From and To as trunks want them: tables."""

from __future__ import annotations

import pytest

from sipguard.b2bua.writing import request_uri, to_uri
from sipguard.numbers.rules import NumberRules
from sipguard.screening.guard import Settings
from sipguard.screening.trunk import WriteRules
from tests.playbook import Play, Playbook, uri_in, value

PEER = "198.51.100.20"
TGRP = WriteRules(trunk_group="tg-1", trunk_context="carrier.example")


@pytest.mark.parametrize(
    ("rules", "received", "sent"),
    [
        (WriteRules(), "sip:+12125550123@us", f"sip:+12125550123@{PEER}"),
        (WriteRules(), "SIP:+12125550123@us:5070;user=phone", f"SIP:+12125550123@{PEER};user=phone"),
        (WriteRules(), "sip:+12125550123;npdi;rn=+12125550100;cic=+16789@us",
         f"sip:+12125550123;npdi;rn=+12125550100;cic=+16789@{PEER}"),
        (WriteRules(), "sip:+12125550123;tgrp=a;trunk-context=b@us", f"sip:+12125550123;tgrp=a;trunk-context=b@{PEER}"),
        (WriteRules(), "sip:us", f"sip:{PEER}"),
        (WriteRules(), "urn:service:sos", "urn:service:sos"),
        (WriteRules(), "tel:+12125550123", f"sip:+12125550123@{PEER};user=phone"),
        (WriteRules(), "TEL:+1-212-555-0123;RN=+12125550100;npdi",
         f"sip:+1-212-555-0123;npdi;rn=+12125550100@{PEER};user=phone"),
        (WriteRules(), "tel:5550123;tsp=a.b;phone-context=+1212;postd=p22;isub=14",
         f"sip:5550123;isub=14;postd=p22;phone-context=+1212;tsp=a.b@{PEER};user=phone"),
        (WriteRules(), "tel:*72#;phone-context=example.com", f"sip:*72%23;phone-context=example.com@{PEER};user=phone"),
        (WriteRules(tel="keep"), "tel:+12125550123;npdi", "tel:+12125550123;npdi"),
        (WriteRules("national", "9", tel="keep"), "tel:+12125550123;npdi", "tel:92125550123;npdi"),
        (WriteRules("national"), "tel:+12125550123;npdi", f"sip:2125550123;npdi@{PEER};user=phone"),
        (WriteRules("e164"), "sip:2125550123:secret@us", f"sip:+12125550123:secret@{PEER}"),
        (WriteRules("national"), "sip:+12125550123@+12125550123.example", f"sip:2125550123@{PEER}"),
        (WriteRules(prefix="#9"), "sip:+12125550123@us", f"sip:#9+12125550123@{PEER}"),
        (WriteRules(prefix="9"), "sip:us", f"sip:{PEER}"),
        (WriteRules(uri_host="carrier.example"), "sip:+12125550123@us;x=1", "sip:+12125550123@carrier.example;x=1"),
        (WriteRules(user_phone=True), "sip:+12125550123@us", f"sip:+12125550123@{PEER};user=phone"),
        (WriteRules(user_phone=True), "sip:+12125550123@us;USER=phone", f"sip:+12125550123@{PEER};USER=phone"),
        (WriteRules(user_phone=True), "sip:alice@us", f"sip:alice@{PEER}"),
        (WriteRules(user_phone=True), "sip:us", f"sip:{PEER}"),
        (TGRP, "sip:+12125550123@us", f"sip:+12125550123;tgrp=tg-1;trunk-context=carrier.example@{PEER}"),
        (TGRP, "sip:+12125550123;tgrp=a;rn=1;trunk-context=b@us",
         f"sip:+12125550123;rn=1;tgrp=tg-1;trunk-context=carrier.example@{PEER}"),
        (TGRP, "sip:us", f"sip:{PEER}"),
        (TGRP, "urn:service:sos", "urn:service:sos"),
    ],
)  # fmt: skip
def test_request_uri(rules: WriteRules, received: str, sent: str) -> None:
    """RFC 3261 §19.1.6 for tel:, RFC 4904 §5 for trunk groups; all user parameters stay."""
    assert request_uri(received, rules, PEER) == sent


@pytest.mark.parametrize(
    ("rules", "received", "sent"),
    [
        (WriteRules(), "sip:+12125550123@us", f"sip:+12125550123@{PEER}"),
        (WriteRules(), "tel:+12125550123", "tel:+12125550123"),
        (WriteRules(), "urn:service:sos", "urn:service:sos"),
        (WriteRules("national", "9"), "sip:+12125550123@us", f"sip:2125550123@{PEER}"),
        (WriteRules(to_host="carrier.example"), "sip:+12125550123@us", "sip:+12125550123@carrier.example"),
        (WriteRules(uri_host="carrier.example"), "sip:+12125550123@us", f"sip:+12125550123@{PEER}"),
        (WriteRules(user_phone=True), "sip:+12125550123@us", f"sip:+12125550123@{PEER};user=phone"),
        (TGRP, "sip:+12125550123@us", f"sip:+12125550123@{PEER}"),
    ],
)
def test_to(rules: WriteRules, received: str, sent: str) -> None:
    assert to_uri(received, rules, PEER) == sent


@pytest.mark.parametrize(
    ("shown_as", "host"),
    [
        ("<sip:+12025550101@192.0.2.10>", "provider.example"),
        ("<sips:+12025550101@192.0.2.10;x=1>", "provider.example"),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', "anonymous.invalid"),
    ],
)
def test_from_host(play: Play, shown_as: str, host: str) -> None:
    """RFC 3323 §4.1.1.3 for the anonymous one; the user part is never touched."""
    book = play(hop={"write": WriteRules(from_host="provider.example"), "verstat": "off"})
    book.a.invite(shown_as=shown_as)
    sent = uri_in(value(book.b.last("INVITE"), "From"))
    assert sent.partition("@")[0] == uri_in(shown_as).partition("@")[0]
    assert sent.partition("@")[2].partition(";")[0] == host
    book.b.reply("486 Busy Here")
    book.a.ack()


@pytest.mark.parametrize(
    ("tel", "uri"), [("sip", "sip:+12125550123@198.51.100.20;user=phone"), ("keep", "tel:+12125550123")]
)
def test_a_tel_uri_routes(play: Play, tel: str, uri: str) -> None:
    """The call goes on, within the dialog too."""
    book = play(hop={"write": WriteRules(tel=tel)})
    a, b = book.a, book.b
    assert a.invite(uri="tel:+12125550123", to="<tel:+12125550123>") == ["b INVITE"]
    assert b.last("INVITE").split(" ")[1] == uri
    assert value(b.last("INVITE"), "To") == "<tel:+12125550123>"
    b.reply("200 OK")
    assert a.ack() == ["b ACK"]
    book.bye()


def test_a_cancel_names_what_was_asked(play: Play) -> None:
    """RFC 3261 §9.1: the Request-URI of the INVITE."""
    book = play(hop={"write": TGRP})
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    a.cancel()
    assert b.last("CANCEL").split(" ")[1] == b.last("INVITE").split(" ")[1]
    b.reply("200 OK", to="CANCEL")
    b.reply("487 Request Terminated")
    a.ack()


def test_usual_rules_are_known_as_such() -> None:
    """So that most calls pay for the host only."""
    assert WriteRules().usual
    assert WriteRules(from_host="x.example").usual
    assert not any(
        rules.usual
        for rules in (
            WriteRules("e164"),
            WriteRules(prefix="1"),
            WriteRules(tel="keep"),
            TGRP,
            WriteRules(user_phone=True),
        )
    )


def test_a_book_writes_nothing(book: Playbook) -> None:
    book.a.invite()
    assert uri_in(value(book.b.last("INVITE"), "From")).partition("@")[2] == "198.51.100.1"
    book.b.reply("486 Busy Here")
    book.a.ack()


@pytest.mark.parametrize(
    ("rules", "received", "sent"),
    [
        (WriteRules(), "sip:9911@us", f"sip:911@{PEER}"),
        (WriteRules(), "sip:9-1-1@us", f"sip:9-1-1@{PEER}"),
        (WriteRules(), "sip:7700911;phone-context=+1@us", f"sip:911;phone-context=+1@{PEER}"),
        (WriteRules(), "tel:9911", f"sip:911@{PEER};user=phone"),
        (WriteRules(prefix="88"), "sip:9911@us", f"sip:911@{PEER}"),
        (WriteRules("e164", "88"), "sip:7777777911@us", f"sip:911@{PEER}"),
        (WriteRules(tel="keep"), "tel:9911", "tel:911"),
        (WriteRules(), "urn:service:sos", "urn:service:sos"),
    ],
)
def test_a_code_dialled_for_help_leaves_alone(rules: WriteRules, received: str, sent: str) -> None:
    assert request_uri(received, rules, PEER, "911") == sent


@pytest.mark.parametrize(
    ("callee", "sent"), [("9911", "911"), ("911", "911"), ("110", "110"), ("92125550123", "8892125550123")]
)
def test_a_prefix_stays_here_where_a_code_was_dialled_for_help(play: Play, callee: str, sent: str) -> None:
    """The digit for an outside line, and the prefix of the next hop; the number of anybody else leaves as usual."""
    guard = Settings(frozenset({"110"}))
    carrier = {"read": NumberRules(strip_prefix="9")}
    book = play(emergency=guard, carrier=carrier, hop={"write": WriteRules(prefix="88")})
    book.a.invite(callee=callee)
    assert book.b.last("INVITE").startswith(f"INVITE sip:{sent}@{PEER} ")
    book.b.reply("486 Busy Here")
    book.a.ack()
