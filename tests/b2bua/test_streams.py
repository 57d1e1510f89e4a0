"""Calls over TCP and TLS: which connection a message leaves by, what happens when it is gone, which transport a
target wants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipguard.screening.trunk import Listener, Peer
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import Flow
from tests.playbook import B_AT, C_AT, INSIDE, OUTSIDE, Play, Playbook, uri_in, value

OUT_TCP = replace(OUTSIDE, name="outside-tcp", transport="tcp")
IN_TCP = replace(INSIDE, name="inside-tcp", transport="tcp")
IN_TLS = replace(INSIDE, name="inside-tls", port=5061, transport="tls")
LISTENERS = {each.name: each for each in (OUTSIDE, INSIDE, OUT_TCP, IN_TCP, IN_TLS)}
AT_B, AT_C = "198.51.100.20", "198.51.100.30"


def streams(play: Play, a: str = "tcp", b: str = "tcp", **more: Any) -> Playbook:
    """A book whose sides speak these transports; the caller's connection has the number 1."""
    hop = {"listeners": ("inside", "inside-tcp", "inside-tls"), **more.pop("hop", {})}
    peers = tuple(Peer(host, port, b, "" if b == "udp" else f"inside-{b}") for host, port in (B_AT, C_AT))
    listeners: dict[str, Listener] = LISTENERS
    book = play(
        carrier={"listeners": ("outside", "outside-tcp")}, hop={"peers": peers, **hop}, listeners=listeners, **more
    )
    if a == "tcp":
        book.a.flow = Flow(1, "tcp", "outside-tcp", ("192.0.2.10", 40_000))
        book.a.address = book.a.flow.remote
    if b != "udp":
        book.b.flow = Flow(2, b, f"inside-{b}", B_AT)
        book.c.flow = Flow(3, b, f"inside-{b}", C_AT)
    book.a.contact = "<sip:a@192.0.2.10:5060;transport=tcp>" if a == "tcp" else book.a.contact
    return book


def left_by(book: Playbook) -> tuple[int, str, str]:
    """(number, transport, host) of the flow that the last message left by."""
    flow = book.sends[-1].flow
    return flow.id, flow.transport, flow.remote[0]


def via(book: Playbook) -> str:
    """Transport and place in the Via of the last message."""
    return value(book.last_octets(), "Via").partition(";")[0]


def test_both_sides_use_the_connections_that_stand(play: Play) -> None:
    book = streams(play)
    a, b = book.a, book.b
    assert a.invite() == ["b INVITE"]
    assert left_by(book) == (0, "tcp", AT_B)
    assert via(book) == "SIP/2.0/TCP 198.51.100.1:5060"
    assert uri_in(value(book.last_octets(), "Contact")).endswith(";transport=tcp")
    assert b.reply("180 Ringing") == ["a 180 Ringing"]
    assert left_by(book) == (1, "tcp", "192.0.2.10")
    assert b.reply("200 OK") == ["a 200 OK"]
    assert a.ack() == ["b ACK"]
    assert left_by(book) == (2, "tcp", AT_B)
    assert b.request("BYE") == ["a BYE"]
    assert left_by(book) == (1, "tcp", "192.0.2.10")
    assert a.reply("200 OK", to="BYE") == ["b 200 OK"]


@pytest.mark.parametrize(("peer", "scheme"), [("udp", "sip"), ("tcp", "sip"), ("tls", "sips")])
def test_sips_is_said_only_where_the_peer_speaks_tls(play: Play, peer: str, scheme: str) -> None:
    """RFC 3261 §26.2.2."""
    book = streams(play, b=peer)
    assert book.a.invite(uri="sips:+12125550123@192.0.2.1") == ["b INVITE"]
    assert book.last_octets().split(" ")[1].startswith(f"{scheme}:+12125550123@198.51.100.20")
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_nothing_is_sent_twice_over_a_stream(play: Play) -> None:
    book = streams(play, hop={"peers": (Peer(*B_AT, "tcp", "inside-tcp"),), "try_timeout_s": 4.0})
    assert book.a.invite() == ["b INVITE"]
    assert book.wait(3.9) == ["a 100 Trying"]
    assert book.b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    assert book.a.ack() == []


def test_a_bye_leaves_by_a_new_connection_where_the_old_one_is_gone(play: Play) -> None:
    """RFC 3261 §18.4 says of a lost connection what an unreachable address says; here another way is known."""
    book = streams(play)
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK")
    a.ack()
    book.parties.append(listening := book.party("a-listens", ("192.0.2.10", 5060), "outside-tcp"))
    assert b.request("BYE") == ["a BYE"]
    assert left_by(book) == (1, "tcp", "192.0.2.10")
    assert book.closed(a.flow) == ["a-listens BYE"]
    assert left_by(book) == (0, "tcp", "192.0.2.10")
    assert listening.reply("200 OK", to="BYE") == ["b 200 OK"]


def test_a_request_outlives_a_few_connections_but_not_all(play: Play) -> None:
    """The leg's connection has been gone for long, and the one that is made may break too before the answer."""
    book = streams(play)
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK", contact="<sip:b@198.51.100.20;transport=tcp>")
    a.ack()
    book.wait(40.0)
    assert a.request("BYE") == ["b BYE"]
    assert book.refused(b) == ["b BYE"], "number 2 is gone"
    anew = book.sends[-1].flow
    assert (anew.id, anew.remote[0]) == (0, AT_B)
    assert [book.closed(anew) for _ in range(3)] == [["b BYE"]] * 3
    assert book.closed(anew) == ["a 408 Request Timeout"]


def test_a_response_leaves_by_a_new_connection_where_the_old_one_is_gone(play: Play) -> None:
    """§18.2.2: to the source address and the port of sent-by."""
    book = streams(play)
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    send = book.sends[-1]
    assert send.send_id
    book.carry(book.engine.send_failed(send.send_id, "connection lost", book.clock))
    again = book.sends[-1]
    assert (again.flow.id, again.flow.remote, again.octets) == (0, ("192.0.2.10", 40_000), send.octets)
    b.reply("486 Busy Here")
    a.ack()


def test_an_invite_by_a_connection_that_was_just_closed_is_sent_once_more(play: Play) -> None:
    """The peer closed it while we wrote; nobody is there only where the new one is refused too."""
    book = streams(play)
    book.a.invite()
    assert book.closed(Flow(2, "tcp", "inside-tcp", B_AT)) == ["b INVITE"]
    assert len({value(message, "Via") for message in book.b.all("INVITE")}) == 1
    assert book.closed(Flow(4, "tcp", "inside-tcp", B_AT), stood=False) == ["c INVITE"]
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_a_peer_that_cannot_be_connected_to_is_passed_over(play: Play) -> None:
    book = streams(play)
    book.a.invite()
    assert book.closed(Flow(4, "tcp", "inside-tcp", B_AT), stood=False) == ["c INVITE"]
    book.c.reply("486 Busy Here")
    book.a.ack()
    assert book.a.invite() == ["c INVITE"]
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_an_acknowledgement_is_sent_again_by_a_new_connection(play: Play) -> None:
    book = streams(play)
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK")
    assert a.ack() == ["b ACK"]
    assert book.closed(b.flow) == ["b ACK"]
    book.bye()


TARGETS = {
    "tcp": ("sip:b@198.51.100.20:5070;transport=tcp", "tcp", "TCP 198.51.100.1:5060", 5070),
    "upper case": ("sip:b@198.51.100.20;TRANSPORT=TCP", "tcp", "TCP 198.51.100.1:5060", 5060),
    "tls": ("sip:b@198.51.100.20;transport=tls", "tls", "TLS 198.51.100.1:5061", 5061),
    "sips": ("sips:b@198.51.100.20", "tls", "TLS 198.51.100.1:5061", 5061),
    "udp": ("sip:b@198.51.100.20:5070;transport=udp", "udp", "UDP 198.51.100.1:5060", 5070),
    "nothing said": ("sip:b@198.51.100.20:5070", "udp", "UDP 198.51.100.1:5060", 5070),
    "one that nobody speaks": ("sip:b@198.51.100.20:5070;transport=sctp", "udp", "UDP 198.51.100.1:5060", 5070),
    "in the headers": ("sip:b@198.51.100.20:5070?x=;transport=tcp", "udp", "UDP 198.51.100.1:5060", 5070),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_reached_by_the_transport_that_it_wants(play: Play, name: str) -> None:
    """RFC 3263 §4.1; the Via says so too."""
    uri, transport, sent_by, port = TARGETS[name]
    book = streams(play, "udp", "udp")
    book.a.invite()
    book.b.reply("200 OK", contact=f"<{uri}>")
    book.a.ack()
    flow = book.sends[-1].flow
    assert (flow.transport, flow.remote) == (transport, (AT_B, port))
    assert via(book) == f"SIP/2.0/{sent_by}"
    book.a.request("BYE")
    book.b.got.append(book.last_octets())
    book.b.reply("200 OK", to="BYE")


def test_the_first_route_says_the_transport_before_the_target(play: Play) -> None:
    book = streams(play, "udp", "udp")
    book.a.invite()
    book.b.reply("200 OK", "Record-Route: <sip:203.0.113.1;lr;transport=tcp>", contact="<sip:b@198.51.100.20>")
    book.a.ack()
    assert left_by(book) == (0, "tcp", "203.0.113.1")
    book.a.request("BYE")
    book.b.got.append(book.last_octets())
    book.b.reply("200 OK", to="BYE")


def test_a_target_stays_on_its_transport_where_no_listener_speaks_the_other(play: Play) -> None:
    book = play()
    book.a.invite()
    book.b.reply("200 OK", contact="<sip:b@198.51.100.20;transport=tcp>")
    assert book.a.ack() == ["b ACK"]
    book.bye()


def test_another_host_is_not_reached_by_the_connection_of_this_one(play: Play) -> None:
    book = streams(play)
    book.a.invite()
    book.b.reply("200 OK", contact="<sip:b@198.51.100.77:5062;transport=tcp>")
    book.a.ack()
    assert (book.sends[-1].flow.id, book.sends[-1].flow.remote) == (0, ("198.51.100.77", 5062))
    book.a.request("BYE")
    book.b.got.append(book.last_octets())
    book.b.reply("200 OK", to="BYE")


def test_a_target_that_nobody_can_connect_to_is_behind_a_router(play: Play) -> None:
    """Its own address is private: requests go by the connection that it was heard over, for want of another."""
    book = streams(play)
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK", contact="<sip:b@10.0.0.7:5060;transport=tcp>")
    a.ack()
    nowhere = book.sends[-1].flow
    assert (nowhere.id, nowhere.remote) == (0, ("10.0.0.7", 5060))
    assert book.closed(nowhere, stood=False) == ["b ACK"]
    assert left_by(book) == (2, "tcp", AT_B)
    assert b.request("BYE") == ["a BYE"]
    assert a.reply("200 OK", to="BYE") == ["b 200 OK"]


def test_the_transport_of_the_way_to_us_does_not_cross(play: Play) -> None:
    book = streams(play, b="udp")
    uri = "sip:+12125550123;phone-context=x@192.0.2.1;user=phone;transport=TCP"
    assert book.a.invite(uri=uri) == ["b INVITE"]
    assert book.last_octets().split(" ")[1] == "sip:+12125550123;phone-context=x@198.51.100.20;user=phone"
    book.b.reply("486 Busy Here")
    book.a.ack()


# ------------------------------------------------------------------ what is too long for a datagram

LONG = "X-Long: " + "x" * 1300


def test_a_long_invite_stays_on_udp_by_default(play: Play) -> None:
    book = streams(play, "udp", "udp")
    book.a.invite(LONG)
    assert left_by(book) == (0, "udp", AT_B)
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_a_long_invite_goes_by_tcp_where_the_trunk_says_so(play: Play) -> None:
    book = streams(play, "udp", "udp", hop={"udp_max": 1300})
    assert book.a.invite() == ["b INVITE"]
    assert left_by(book)[1] == "udp"
    book.b.reply("486 Busy Here")
    book.a.ack()
    book.b.flow = Flow(2, "tcp", "inside-tcp", B_AT)
    assert book.a.invite(LONG) == ["b INVITE"]
    assert (left_by(book), via(book)) == ((0, "tcp", AT_B), "SIP/2.0/TCP 198.51.100.1:5060")
    book.b.reply("200 OK", contact="<sip:b@198.51.100.20:5060;transport=tcp>")
    book.a.ack()
    assert left_by(book) == (2, "tcp", AT_B)
    book.bye()


def test_it_goes_by_udp_where_tcp_is_refused(play: Play) -> None:
    """RFC 3261 §18.1.1: the peer is not down; it does not speak TCP."""
    book = streams(play, "udp", "udp", hop={"udp_max": 1300})
    book.a.invite(LONG)
    assert book.closed(Flow(5, "tcp", "inside-tcp", B_AT), stood=False) == ["b INVITE"]
    assert (left_by(book), via(book)) == ((0, "udp", AT_B), "SIP/2.0/UDP 198.51.100.1:5060")
    assert book.wait(4.1)[-1] == "c INVITE", "it is silent there too: the next one is tried, by TCP first"
    assert left_by(book) == (0, "tcp", AT_C)
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_a_redirected_one_keeps_its_target(play: Play) -> None:
    """By UDP it asks for what it asked for by TCP; the Contacts that are left stay with their peers."""
    book = streams(play, "udp", "udp", hop={"udp_max": 1300, "follows_redirects": True})
    book.b.flow = Flow(2, "tcp", "inside-tcp", B_AT)
    book.a.invite(LONG)
    contacts = "<sip:+12125550177@198.51.100.30>, <sip:+12125550178@198.51.100.20>;q=0.5"
    assert book.b.reply("302 Moved Temporarily", contact=contacts) == ["b ACK", "c INVITE"]
    assert left_by(book) == (0, "tcp", AT_C)
    assert book.closed(Flow(5, "tcp", "inside-tcp", C_AT), stood=False) == ["c INVITE"]
    assert book.c.last("INVITE").startswith("INVITE sip:+12125550177@198.51.100.30 ")
    assert book.c.reply("404 Not Found") == ["c ACK", "b INVITE"]
    assert book.b.last("INVITE").startswith("INVITE sip:+12125550178@198.51.100.20 ")
    book.b.reply("486 Busy Here")
    book.a.ack()


# ------------------------------------------------------------------ who may connect, what cannot be read


def test_an_offer_of_a_connection_is_taken(play: Play) -> None:
    """RFC 5923 §5: the alias stands in the Via, the port in its sent-by."""
    book = streams(play)
    a, b = book.a, book.b
    a.invite()
    aliased = a.sent[-1].replace("INVITE", "OPTIONS").replace(";branch=z9hG4bK", ";alias;branch=z9hG4bKo")
    aliased = aliased.replace(":40000;alias", ":5066;alias")
    assert a.send(aliased) == ["reuse 192.0.2.10:5066", "a 200 OK"]
    b.reply("486 Busy Here")
    a.ack()


@pytest.mark.parametrize(
    ("flow", "how"),
    [
        (Flow(0, "tcp", "outside-tcp", ("192.0.2.10", 1)), "address"),
        (Flow(0, "tcp", "outside-tcp", ("203.0.113.9", 1)), ""),
        (Flow(0, "tcp", "inside-tcp", B_AT), "address"),
        (Flow(0, "tls", "inside-tls", ("203.0.113.9", 1)), ""),
    ],
)
def test_who_may_connect(play: Play, flow: Flow, how: str) -> None:
    assert streams(play).engine.admits(flow) == how


def test_who_may_connect_by_a_name_alone(play: Play) -> None:
    book = streams(play, hop={"tls_names": ("b.example",), "peers": ()})
    flow = Flow(0, "tls", "inside-tls", B_AT)
    assert book.engine.admits(flow) == "certificate"
    assert not book.engine.knows(flow)
    assert book.engine.knows(Flow(7, "tls", "inside-tls", B_AT, ("other.example", "b.example")))
    assert not book.engine.knows(Flow(7, "tls", "inside-tls", B_AT, ("other.example",)))


@pytest.mark.parametrize(
    ("status", "phrase", "answer"),
    [(400, "Bad Request", "a 400 Bad Request - it has no end"), (513, "Message Too Large", "a 513 Message Too Large")],
)
def test_a_request_without_an_end_is_refused(play: Play, status: int, phrase: str, answer: str) -> None:
    book = streams(play)
    book.a.invite()
    head = book.a.sent[-1].partition("\r\n\r\n")[0].replace("INVITE", "OPTIONS").encode()
    why = MalformedMessage("it has no end", status, phrase)
    assert book.carry(book.engine.unframed(book.a.flow, head, why, book.clock)) == [answer]
    assert book.carry(book.engine.unframed(book.a.flow, b"", why, book.clock)) == []
    assert book.carry(book.engine.unframed(book.a.flow, b"garbage", why, book.clock)) == []
    book.b.reply("486 Busy Here")
    book.a.ack()
