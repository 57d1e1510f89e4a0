"""3xx of peers: passed on, or followed to configured peers, in the order of q, three at most, never in circles."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from sipguard.screening.trunk import Peer, Trunk, WriteRules
from tests.playbook import B_AT, C_AT, Play, Playbook, uri_in, value, values

B_ONLY = (Peer(*B_AT),)
OTHER = Trunk("other", "interconnect", (), ("inside",), "", (Peer("198.51.100.40", 5070), Peer("198.51.100.41", 5060)))
MOVED = "302 Moved Temporarily"
C = "sip:+12125550177@198.51.100.30"


def following(play: Play, **hop: object) -> Playbook:
    """A book whose trunk `hop` may redirect to its peers b and c."""
    return play(hop={"follows_redirects": True, **hop}, trunks=(OTHER,))


def refused_by(book: Playbook, name: str, status: str = "486 Busy Here") -> None:
    """The call's end."""
    party = {"b": book.b, "c": book.c}[name]
    assert party.reply(status) == [f"{name} ACK", f"a {status}"]
    book.a.ack()


def test_a_redirection_to_a_peer_is_followed(play: Play) -> None:
    """RFC 3261 §8.1.3.4: its Request-URI, To and From as they were; a new leg, and nothing for the caller."""
    book = following(play)
    a, b, c = book.a, book.b, book.c
    a.invite()
    first = b.last("INVITE")
    assert b.reply(MOVED, contact=f"<{C};user=phone>") == ["b ACK", "c INVITE"]
    again = c.last("INVITE")
    assert again.split(" ")[1] == "sip:+12125550177@198.51.100.30;user=phone"
    assert uri_in(value(again, "To")) == "sip:+12125550123@198.51.100.30"
    assert uri_in(value(again, "From")) == uri_in(value(first, "From"))
    assert value(again, "Call-ID") != value(first, "Call-ID")
    assert c.reply("180 Ringing") == ["a 180 Ringing"]
    assert c.reply("200 OK") == ["a 200 OK"]
    assert a.ack() == ["c ACK"]
    assert a.request("BYE") == ["c BYE"]
    c.reply("200 OK", to="BYE")
    (end,) = book.of(frames.EndFrame)
    assert [status for _, status in end.tries] == [302, 200]


def test_numbers_of_the_contact_are_written_as_the_trunk_wants(play: Play) -> None:
    book = following(play, write=WriteRules("national", "9"))
    book.a.invite()
    book.b.reply(MOVED, contact=f"<{C}>")
    assert book.c.last("INVITE").split(" ")[1] == "sip:92125550177@198.51.100.30"
    refused_by(book, "c")


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:+12125550177@203.0.113.9>",
        "<sip:+12125550177@198.51.100.30:5070>",
        "<sip:+12125550177@198.51.100.30;transport=tcp>",
        "<sips:+12125550177@198.51.100.30>",
        "<sip:+12125550177@198.51.100.30;maddr=203.0.113.9>",
        "<sip:+12125550177@198.51.100.30;method=SUBSCRIBE>",
        "<sip:+12125550177@198.51.100.30?Replaces=x>",
        "<tel:+12125550177>",
        "<sip:+12125550123@198.51.100.20>",
        "<sip:+12125550177@198.51.100.40:5070>",
        "*",
        "<sip:",
        "",
    ],
    ids=["elsewhere", "port", "transport", "sips", "maddr", "method", "headers", "tel", "itself", "trunk", "star",
         "broken", "none"],
)  # fmt: skip
def test_what_is_not_followed_crosses(play: Play, contact: str) -> None:
    """Who answers 3xx may choose among our peers only."""
    book = following(play)
    book.a.invite()
    assert book.b.reply(MOVED, contact=contact or False) == ["b ACK", f"a {MOVED}"]
    assert values(book.a.last(MOVED), "Contact") == ([contact] if contact else [])
    book.a.ack()
    assert book.ends() == ["redirected"]


@pytest.mark.parametrize("status", ["305 Use Proxy", "380 Alternative Service"])
def test_what_another_3xx_asks_is_for_the_caller(play: Play, status: str) -> None:
    book = following(play)
    book.a.invite()
    assert book.b.reply(status, contact=f"<{C}>") == ["b ACK", f"a {status}"]
    book.a.ack()


def test_nothing_is_followed_unless_the_trunk_says_so(book: Playbook) -> None:
    book.a.invite()
    assert book.b.reply(MOVED, contact=f"<{C}>") == ["b ACK", f"a {MOVED}"]
    book.a.ack()


def test_the_order_of_q(play: Play) -> None:
    """RFC 3261 §20.10; a Contact that fails is followed by the next one, whatever it says but 6xx."""
    book = following(play, redirect_trunks=("other", "gone"), peers=B_ONLY)
    a, b = book.a, book.b
    d = book.party("d", ("198.51.100.40", 5070), "inside")
    e = book.party("e", ("198.51.100.41", 5060), "inside")
    a.invite()
    contacts = "<sip:1@198.51.100.41>;q=0.2, <sip:2@198.51.100.40:5070>;q=0.5;expires=60, <sip:3@203.0.113.9>"
    assert b.reply(MOVED, contact=contacts) == ["b ACK", "d INVITE"]
    assert d.last("INVITE").startswith("INVITE sip:2@198.51.100.40:5070 ")
    assert d.reply("404 Not Found") == ["d ACK", "e INVITE"]
    assert e.last("INVITE").startswith("INVITE sip:1@198.51.100.41 ")
    assert e.reply("480 Temporarily Unavailable") == ["e ACK", "a 480 Temporarily Unavailable"]
    a.ack()


def test_a_6xx_ends_it(play: Play) -> None:
    book = following(play)
    book.a.invite()
    book.b.reply(MOVED, contact=f"<{C}>, <sip:+12125550178@198.51.100.30>")
    refused_by(book, "c", "603 Decline")


def test_three_at_most(play: Play) -> None:
    book = following(play)
    a, b, c = book.a, book.b, book.c
    a.invite()
    assert b.reply(MOVED, contact="<sip:1@198.51.100.30>") == ["b ACK", "c INVITE"]
    assert c.reply(MOVED, contact="<sip:2@198.51.100.20>") == ["c ACK", "b INVITE"]
    assert b.reply(MOVED, contact="<sip:3@198.51.100.30>") == ["b ACK", "c INVITE"]
    assert c.reply(MOVED, contact="<sip:4@198.51.100.20>") == ["c ACK", f"a {MOVED}"]
    a.ack()


def test_no_circles(play: Play) -> None:
    """What was tried is not tried again."""
    book = following(play)
    a, b, c = book.a, book.b, book.c
    a.invite()
    assert b.reply(MOVED, contact=f"<{C}>") == ["b ACK", "c INVITE"]
    assert c.reply(MOVED, contact="<sip:+12125550123@198.51.100.20>") == ["c ACK", f"a {MOVED}"]
    a.ack()


def test_not_after_it_rang(play: Play) -> None:
    """The caller has heard this one: a redirection is for him then."""
    book = following(play)
    book.a.invite()
    book.b.reply("180 Ringing")
    assert book.b.reply(MOVED, contact=f"<{C}>") == ["b ACK", f"a {MOVED}"]
    book.a.ack()


def test_the_next_peer_gets_what_the_caller_asked(play: Play) -> None:
    """A redirection that fails by 503: the peers that are left are tried with the caller's Request-URI."""
    d = ("198.51.100.40", 5060)
    book = following(play, peers=(Peer(*B_AT), Peer(*d), Peer(*C_AT)))
    last = book.party("d", d, "inside")
    book.a.invite()
    assert book.b.reply(MOVED, contact=f"<{C}>") == ["b ACK", "c INVITE"]
    assert book.c.reply("503 Service Unavailable") == ["c ACK", "d INVITE"]
    assert last.last("INVITE").startswith("INVITE sip:+12125550123@198.51.100.40 ")
    assert last.reply("486 Busy Here") == ["d ACK", "a 486 Busy Here"]
    book.a.ack()


def test_a_cancel_follows(play: Play) -> None:
    book = following(play)
    book.a.invite()
    book.b.reply(MOVED, contact=f"<{C}>")
    book.c.reply("180 Ringing")
    assert book.a.cancel() == ["a 200 OK", "a 487 Request Terminated", "c CANCEL"]
    book.a.ack()
    book.c.reply("200 OK", to="CANCEL")
    book.c.reply("487 Request Terminated")
