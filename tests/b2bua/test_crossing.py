"""What passes between the legs, and what does not."""

from __future__ import annotations

import pytest

from sipguard.b2bua.crossing import CHANGED, CROSSING, EXPOSED, HOP, OWN
from tests.playbook import ANSWER_SDP, Play, Playbook, body_of, lines, value, values

CROSS = (
    "Subject:   two  spaces and a tab\there",
    "x-unknown: 1",
    "X-Unknown: 2",
    "History-Info: <sip:+12125550123@carrier.example?Reason=SIP%3Bcause%3D302>;index=1",
    "Diversion: <sip:+12125550150@carrier.example>;reason=unconditional;counter=1",
    "Privacy: none",
    "User-Agent: Some Switch/1.0",
    "Session-Expires: 1800;refresher=uac",
    "Accept-Language: da, en-gb;q=0.8",
    "Date: Thu, 09 Oct 2025 08:53:20 GMT",
    "P-Charging-Vector: icid-value=1234bc9876e;orig-ioi=carrier.example",
    "Identity: not.even.read;info=<https://certs.example/x.pem>;alg=ES256;ppt=shaken",
)


def test_headers_cross_in_order_and_byte_for_byte(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite(*CROSS)
    kept = lines(b.last("INVITE"))
    assert [line for line in kept if line in CROSS] == list(CROSS)
    b.reply("200 OK", *CROSS[:3], body=ANSWER_SDP)
    assert [line for line in lines(a.last("200")) if line in CROSS] == list(CROSS[:3])
    a.ack(*CROSS[:3])
    assert [line for line in lines(b.last("ACK")) if line in CROSS] == list(CROSS[:3])
    book.bye()


def test_folded_header_crosses_folded(book: Playbook) -> None:
    """RFC 3261 §7.3.1."""
    book.a.invite("Subject: one\r\n  two")
    assert "\r\nSubject: one\r\n  two\r\n" in book.b.last("INVITE")
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_octets_above_ascii_cross(book: Playbook) -> None:
    """UTF-8 in a header and any octet in a body leave as they came."""
    subject = b"Subject: ".decode("latin-1") + "Grüße".encode().decode("latin-1")
    every = "".join(map(chr, range(256)))
    book.a.invite(subject, body=every)
    assert subject in lines(book.b.last("INVITE"))
    assert body_of(book.b.last("INVITE")) == every
    book.b.reply("486 Busy Here")
    book.a.ack()


@pytest.mark.parametrize(
    "line",
    [
        "Record-Route: <sip:edge.carrier.example;lr>",
        "Route: <sip:192.0.2.1;lr>",
        "Path: <sip:edge.carrier.example;lr>",
        "Timestamp: 54",
    ],
)
def test_what_is_between_neighbours_stays_there(book: Playbook, line: str) -> None:
    book.a.invite(line)
    assert not values(book.b.last("INVITE"), line.partition(":")[0])
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_each_leg_has_its_own(play: Play) -> None:
    """Call-ID, tags, Via, Contact; From and To name us and the peer."""
    book = play(hop={"verstat": "off"})
    book.a.invite()
    received, sent = book.a.sent[0], book.b.last("INVITE")
    for name in ("Call-ID", "From", "To", "Via", "Contact"):
        assert len(values(sent, name)) == 1
        assert value(received, name) != value(sent, name)
    assert value(sent, "From").startswith("<sip:+12025550101@198.51.100.1>;tag=")
    assert value(sent, "To") == "<sip:+12125550123@198.51.100.20>"
    assert value(sent, "Contact") == "<sip:0@198.51.100.1>"
    assert value(sent, "Via").startswith("SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK")
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_compact_forms_cross_as_they_are(book: Playbook) -> None:
    """RFC 3261 §7.3.3."""
    book.a.invite("s: short", "k: timer")
    assert {"s: short", "k: timer"} <= set(lines(book.b.last("INVITE")))
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_content_length_is_added(book: Playbook) -> None:
    """§20.14: a datagram may lack it, a stream would not."""
    book.a.invite()
    message = book.a.sent[0].replace("Content-Length: ", "X-Length: ").replace("z9hG4bK", "z9hG4bKx")
    book.b.reply("486 Busy Here")
    book.a.ack()
    book.a.invited = message
    assert book.a.send(message) == ["b INVITE"]
    assert value(book.b.last("INVITE"), "Content-Length") == str(len(body_of(message)))
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_ambiguous_redirection_keeps_its_contacts(book: Playbook) -> None:
    """§21.4.23."""
    book.a.invite()
    book.b.reply("485 Ambiguous", contact="<sip:carol@example.com>")
    assert value(book.a.last("485"), "Contact") == "<sip:carol@example.com>"
    book.a.ack()


def test_every_exposed_header_crosses() -> None:
    """A header cannot be both exposed and kept back."""
    assert not EXPOSED & {name for name, how in CROSSING.items() if how != CHANGED}
    assert set(CROSSING.values()) == {OWN, HOP, CHANGED}
