"""The dialog of one leg: targets, route sets, next hops."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from sipguard.screening.trunk import Listener, Peer
from tests.playbook import Play, Playbook, uri_in, value, values

LOOSE = ("<sip:203.0.113.1;lr>", "<sip:203.0.113.2:5070;lr>")
STRICT = ("<sip:203.0.113.1>", "<sip:203.0.113.2:5070>")


def record_routes(routes: tuple[str, ...]) -> list[str]:
    return [f"Record-Route: {route}" for route in routes]


def routed_to(column: list[str]) -> str:
    """Where the one message went, as its address."""
    (only,) = column
    return only.partition(" ")[0]


def test_loose_routes_of_the_called_side(book: Playbook) -> None:
    """RFC 3261 §12.1.2, §12.2.1.1: the UAC's route set is Record-Route in reverse order."""
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK", *record_routes(LOOSE))
    assert routed_to(a.ack()) == "203.0.113.2:5070"
    ack = book.last_octets()
    assert values(ack, "Route") == [LOOSE[1], LOOSE[0]]
    assert ack.split(" ")[1] == uri_in(b.contact)
    assert routed_to(a.request("BYE")) == "203.0.113.2:5070"
    b.got.append(book.last_octets())
    b.reply("200 OK", to="BYE")


def test_loose_routes_of_the_calling_side(book: Playbook) -> None:
    """§12.1.1: the UAS's route set is Record-Route in order; responses carry it back."""
    a, b = book.a, book.b
    a.invite(*record_routes(LOOSE))
    b.reply("200 OK")
    assert values(a.last("200"), "Record-Route") == list(LOOSE)
    a.ack()
    assert routed_to(b.request("BYE")) == "203.0.113.1:5060"
    bye = book.last_octets()
    assert values(bye, "Route") == list(LOOSE)
    assert bye.split(" ")[1] == uri_in(a.contact)
    a.got.append(bye)
    a.reply("200 OK", to="BYE")


@pytest.mark.parametrize("side", ["a", "b"])
def test_strict_routes(book: Playbook, side: str) -> None:
    """§12.2.1.1: the first route is the Request-URI, the target goes to the end of Route."""
    a, b = book.a, book.b
    a.invite(*(record_routes(STRICT) if side == "a" else []))
    b.reply("200 OK", *(record_routes(STRICT) if side == "b" else []))
    if side == "a":
        a.ack()
    else:
        assert routed_to(a.ack()) == "203.0.113.2:5070"
    here, there = (a, b) if side == "a" else (b, a)
    first, second = STRICT if side == "a" else STRICT[::-1]
    there.request("BYE")
    bye = book.last_octets()
    assert bye.split(" ")[1] == uri_in(first)
    assert values(bye, "Route") == [second, here.contact]
    here.got.append(bye)
    here.reply("200 OK", to="BYE")


def test_several_routes_on_one_line(book: Playbook) -> None:
    """§7.3.1."""
    a, b = book.a, book.b
    a.invite(f"Record-Route: {', '.join(LOOSE)}")
    b.reply("200 OK")
    a.ack()
    b.request("BYE")
    assert values(book.last_octets(), "Route") == list(LOOSE)
    a.got.append(book.last_octets())
    a.reply("200 OK", to="BYE")


def test_routes_of_the_fork_that_answered(book: Playbook) -> None:
    """The route set of an early dialog is not that of another fork (§12.1.2)."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing", *record_routes(LOOSE), tag="fork-1")
    b.reply("200 OK", tag="fork-2")
    assert a.ack() == ["b ACK"]
    assert not values(b.last("ACK"), "Route")
    book.bye()


def test_route_set_stays_when_the_target_moves(book: Playbook) -> None:
    """§12.2.1.2."""
    a, b = book.a, book.b
    a.invite(*record_routes(LOOSE))
    b.reply("200 OK")
    a.ack()
    a.request("UPDATE", "Contact: <sip:moved@192.0.2.77>")
    b.reply("200 OK", to="UPDATE")
    assert routed_to(b.request("BYE")) == "203.0.113.1:5060"
    bye = book.last_octets()
    assert (bye.split(" ")[1], values(bye, "Route")) == ("sip:moved@192.0.2.77", list(LOOSE))
    a.got.append(bye)
    a.reply("200 OK", to="BYE")


def test_requests_go_to_the_contact(book: Playbook) -> None:
    """§12.2.1.1: to the address in the target, not where the INVITE came from."""
    a, b = book.a, book.b
    elsewhere = book.party("elsewhere", ("192.0.2.44", 5066), "outside")
    a.invite("Contact: <sip:a@192.0.2.44:5066>")
    b.reply("200 OK")
    a.ack()
    assert b.request("BYE") == ["elsewhere BYE"]
    elsewhere.reply("200 OK", to="BYE")


def test_contact_by_name(book: Playbook) -> None:
    """A name is not resolved on the call path: requests go where the call came from."""
    a, b = book.a, book.b
    a.invite("Contact: <sip:a@sbc.carrier.example>")
    b.reply("200 OK")
    a.ack()
    assert b.request("BYE") == ["a BYE"]
    assert a.last("BYE").split(" ")[1] == "sip:a@sbc.carrier.example"
    a.reply("200 OK", to="BYE")


@pytest.mark.parametrize(
    "contact",
    ['"A, B" <sip:a@192.0.2.10:5060>;q=1', "sip:a@192.0.2.10:5060", "<sip:a@192.0.2.10:5060>, <sip:x@192.0.2.9>"],
)
def test_contact_in_other_layouts(book: Playbook, contact: str) -> None:
    a, b = book.a, book.b
    a.invite(f"Contact: {contact}")
    b.reply("200 OK")
    a.ack()
    assert b.request("BYE") == ["a BYE"]
    assert a.last("BYE").split(" ")[1] == "sip:a@192.0.2.10:5060"
    a.reply("200 OK", to="BYE")


def test_ipv6_on_both_sides(play: Play) -> None:
    """RFC 5118: brackets in URIs and Via, none in addresses."""
    listeners = {
        "outside": Listener("outside", "2001:db8:a::1", 5060),
        "inside": Listener("inside", "2001:db8:b::1", 5062),
    }
    book = play(
        listeners=listeners,
        carrier={"sources": (ip_network("2001:db8:a::/64"),)},
        hop={"peers": (Peer("2001:db8:b::20", 5070),)},
    )
    a = book.party("a6", ("2001:db8:a::10", 5060), "outside")
    b = book.party("b6", ("2001:db8:b::20", 5070), "inside")
    assert a.invite() == ["b6 INVITE"]
    invite = b.last("INVITE")
    assert invite.split(" ")[1] == "sip:+12125550123@[2001:db8:b::20]:5070"
    assert value(invite, "Contact") == "<sip:0@[2001:db8:b::1]:5062>"
    assert value(invite, "Via").startswith("SIP/2.0/UDP [2001:db8:b::1]:5062;")
    b.reply("200 OK")
    assert a.ack() == ["b6 ACK"]
    assert b.request("BYE") == ["a6 BYE"]
    a.reply("200 OK", to="BYE")


def test_caller_of_before_rfc_3261(book: Playbook) -> None:
    """No tags and no Contact (RFC 2543): the answer still finds its way."""
    a, b = book.a, book.b
    a.invite()
    old = a.sent[0].replace(f";tag={a.tag}", "").replace(f"Contact: {a.contact}\r\n", "")
    old = old.replace("z9hG4bK", "z9hG4bKold")
    a.cancel()
    a.ack()
    b.reply("486 Busy Here")
    a.invited = old
    assert a.send(old) == ["b INVITE"]
    b.reply("486 Busy Here")
    a.ack()


NOWHERE = ("127.0.0.1", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1]", "0.0.0.0")
NOBODYS = ("224.0.0.1", "255.255.255.255", "1.2.3.999", "1..2", "\xb2", "203.0.113.5:65536", "203.0.113.5:0")


@pytest.mark.parametrize("place", [*NOWHERE, *NOBODYS, "[2001:db8::5]"])
@pytest.mark.parametrize("by", ["Contact", "Record-Route"])
def test_nobody_has_messages_sent_to_our_own_machine(book: Playbook, place: str, by: str) -> None:
    """Such a Contact or route is passed over, and the neighbour gets the requests. Nor is one left for the socket to
    look up or to raise for, such as one of the other IP version."""
    a, b = book.a, book.b
    line = f"Contact: <sip:x@{place}>" if by == "Contact" else f"Record-Route: <sip:{place};lr>"
    a.invite(line)
    b.reply("200 OK", line, contact=by != "Contact")
    assert a.ack() == ["b ACK"]
    assert a.request("BYE") == ["b BYE"]
    assert b.reply("200 OK", to="BYE") == ["a 200 OK"]


def test_a_neighbour_on_this_machine_may_name_another_place_there(play: Play) -> None:
    here = Peer("127.0.0.1", 5070)
    book = play(hop={"peers": (here,), "sources": (ip_network("127.0.0.1"),)})
    b = book.party("here", ("127.0.0.1", 5070), "inside")
    book.a.invite()
    b.reply("200 OK", "Contact: <sip:x@127.0.0.2:5080>", contact=False)
    assert routed_to(book.a.ack()) == "127.0.0.2:5080"
    assert routed_to(book.a.request("BYE")) == "127.0.0.2:5080"
    b.got.append(book.last_octets())
    b.reply("200 OK", to="BYE")
