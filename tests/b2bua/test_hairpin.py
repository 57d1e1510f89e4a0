"""One SBC on both sides, and routers that translate: trunks are known by listener, peers are told other addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

import pytest

from sipguard.screening.trunk import Listener, Peer, Trunk
from tests.playbook import INSIDE, OUTSIDE, Playbook, value

SBC = "192.0.2.10"
LISTENERS = {
    "outside": replace(OUTSIDE, advertised_host="203.0.113.1", advertised_port=5062),
    "inside": replace(INSIDE, port=5070, advertised_host="203.0.113.2"),
}


@pytest.fixture
def book() -> Iterator[Playbook]:
    """The same SBC sends to both listeners, and is the next hop behind both; its address is no secret then."""
    listeners: dict[str, Listener] = LISTENERS
    sources, peers = (ip_network(SBC),), (Peer(SBC, 5080),)
    book = Playbook(
        carrier={"sources": sources, "peers": (Peer(SBC, 5060),)},
        hop={"sources": sources, "peers": peers},
        listeners=listeners,
    )
    book.b.address, book.b.host = (SBC, 5080), SBC
    book.b.flow = type(book.b.flow)(0, "udp", "inside", (SBC, 5080))
    book.b.contact = f"<sip:b@{SBC}:5080>"
    book.parties.remove(book.c)
    yield book
    book.wait(32.5)
    book.require_empty()


def test_the_listener_says_which_way_a_call_goes(book: Playbook) -> None:
    a, b = book.a, book.b
    assert a.invite() == ["b INVITE"]
    invite = b.last("INVITE")
    assert value(invite, "Via").startswith("SIP/2.0/UDP 203.0.113.2:5070;branch=")
    assert value(invite, "Contact") == "<sip:0@203.0.113.2:5070>"
    assert b.reply("200 OK") == ["a 200 OK"]
    assert value(a.last("200"), "Contact") == "<sip:0@203.0.113.1:5062>"
    assert a.ack() == ["b ACK"]
    book.bye()


def test_a_call_from_its_other_side_goes_the_other_way(book: Playbook) -> None:
    assert book.b.invite() == ["a INVITE"]
    assert value(book.a.last("INVITE"), "Via").startswith("SIP/2.0/UDP 203.0.113.1:5062;branch=")
    assert book.a.reply("486 Busy Here") == ["a ACK", "b 486 Busy Here"]
    assert book.b.ack() == []


def test_each_trunk_has_the_calls_of_its_side(book: Playbook) -> None:
    trunks = [
        trunk.name for party in (book.a, book.b) if isinstance(trunk := book.engine.sources.trunk_of(party.flow), Trunk)
    ]
    assert trunks == ["carrier", "hop"]
