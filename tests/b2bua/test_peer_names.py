"""Peers under host names: what DNS said is used, kept while DNS is away, and bounded."""

from __future__ import annotations

from typing import Any

from sipguard.b2bua.commands import Resolved
from sipguard.screening.trunk import NamedPeer, Peer, ProbeRules
from sipguard.sip.locate import Answer, Place, Query
from tests.playbook import B_AT, C_AT, Play, Playbook, value

QUERY = Query("sip.carrier.example", 0, ("udp",), ((4,),))
NAMED = NamedPeer(QUERY, (((4, "inside"),),))
HOP: dict[str, Any] = {"peers": (), "named": (NAMED,)}
B = Place("udp", 5060, (B_AT[0],))
C = Place("udp", 5060, (C_AT[0],))


def says(book: Playbook, *places: Place, ttl_s: float = 300.0, query: Query = QUERY) -> None:
    """DNS answers."""
    assert book.control(Resolved(query, Answer(places, ttl_s))) == []


def states(book: Playbook) -> list[tuple[str, str]]:
    """Peers of the hop, and why they are passed over."""
    return [(peer, why) for trunk, peer, why in book.engine.peer_states(book.clock) if trunk == "hop"]


def busy(book: Playbook, column: str) -> None:
    """One call, which goes to whom `column` says, and is busy there."""
    assert book.a.invite() == [f"{column} INVITE"]
    party = book.b if column == "b" else book.c
    assert party.reply("486 Busy Here") == [f"{column} ACK", "a 486 Busy Here"]
    book.a.ack()


def test_no_call_waits_for_dns(play: Play) -> None:
    book = play(hop=HOP)
    assert book.a.invite() == ["a 500 No Peer Reachable"]
    book.a.ack()
    assert states(book) == [("sip.carrier.example", "unresolved")]
    book.second()
    assert book.count("names_unresolved") == 1


def test_name_stands_in_uris_and_the_address_is_sent_to(play: Play) -> None:
    """RFC 3263 §4: the URI is not rewritten."""
    book = play(hop=HOP)
    says(book, B)
    busy(book, "b")
    invite = book.b.last("INVITE")
    assert invite.startswith("INVITE sip:+12125550123@sip.carrier.example SIP/2.0")
    assert value(invite, "To") == "<sip:+12125550123@sip.carrier.example>"
    assert states(book) == [("198.51.100.20:5060/udp@inside", "")]


def test_answer_takes_the_place_of_the_one_before(play: Play) -> None:
    book = play(hop=HOP)
    says(book, B)
    busy(book, "b")
    says(book, C)
    busy(book, "c")


def test_addresses_of_one_record_in_their_order_then_the_next_record(play: Play) -> None:
    book = play(hop=HOP)
    says(book, Place("udp", 5060, (C_AT[0],), 20), Place("udp", 5060, (B_AT[0], "198.51.100.40"), 10))
    assert book.a.invite() == ["b INVITE"]
    assert book.b.reply("503 Service Unavailable") == ["b ACK", "198.51.100.40:5060 INVITE"]
    assert book.wait(4.1)[-1] == "c INVITE"
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_literal_and_name_as_they_are_written(play: Play) -> None:
    named = NamedPeer(QUERY, (((4, "inside"),),), rank=0)
    book = play(hop={"peers": (Peer(*B_AT, rank=1),), "named": (named,)})
    busy(book, "b")
    says(book, C)
    busy(book, "c")


def test_stale_answer_is_used_while_dns_is_away_but_not_for_ever(play: Play) -> None:
    book = play(hop=HOP, stale_s=3600.0)
    says(book, B, ttl_s=300.0)
    book.wait(301)
    book.control(Resolved(QUERY, None, 0.0, "dns_timeout"))
    book.second()
    assert (book.count("names_stale"), book.count("resolutions_failed")) == (1, 1)
    busy(book, "b")
    book.wait(3600)
    book.second()
    assert states(book) == [("sip.carrier.example", "unresolved")]
    assert (book.count("names_stale"), book.count("names_unresolved")) == (0, 1)


def test_answer_of_before_the_worker_was_started_again_has_its_age(play: Play) -> None:
    book = play(hop=HOP, stale_s=100.0)
    book.control(Resolved(QUERY, Answer((B,), 300.0), 390.0))
    busy(book, "b")
    book.second()
    assert book.count("names_stale") == 1
    book.wait(10)
    book.second()
    assert book.count("names_unresolved") == 1


def test_our_own_address_is_refused(play: Play) -> None:
    """A name that leads to us would have calls go in circles."""
    book = play(hop=HOP)
    says(book, Place("udp", 5060, ("198.51.100.1", B_AT[0])))
    busy(book, "b")
    book.second()
    assert book.count("addresses_refused") == 1
    says(book, Place("udp", 5060, ("192.0.2.1",)))
    assert book.a.invite() == ["a 500 No Peer Reachable"]
    book.a.ack()


def test_marks_stay_with_the_address(play: Play) -> None:
    book = play(hop={**HOP, "down_for_s": 600.0})
    says(book, B, C)
    book.a.invite()
    assert book.wait(4.1)[-1] == "c INVITE"
    book.c.reply("486 Busy Here")
    book.a.ack()
    says(book, C, B)
    assert [why for _, why in states(book)] == ["", "silent"]
    busy(book, "c")


def test_reload_keeps_what_is_known(play: Play) -> None:
    book = play(hop=HOP)
    says(book, B)
    book.reload(hop=HOP)
    busy(book, "b")
    book.reload()
    book.reload(hop=HOP)
    assert states(book) == [("sip.carrier.example", "unresolved")]


def test_call_goes_on_with_the_peers_of_its_beginning(play: Play) -> None:
    book = play(hop=HOP)
    says(book, B, C)
    assert book.a.invite() == ["b INVITE"]
    says(book, Place("udp", 5060, ("198.51.100.40",)))
    assert book.b.reply("503 Service Unavailable") == ["b ACK", "c INVITE"]
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_emergency_call_has_the_other_trunks(play: Play) -> None:
    hop = {"peers": (Peer(*C_AT),)}
    book = play(hop=hop)
    away = book.plain.trunks["hop"]
    named = type(away)("named", "interconnect", listeners=("inside",), named=(NAMED,))
    book.reload(hop=hop, trunks=(named,), emergency_route="named")
    assert book.a.invite(callee="911") == ["c INVITE"]
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_resolved_peers_are_probed(play: Play) -> None:
    book = play(hop={**HOP, "probe": ProbeRules(10.0)})
    says(book, B)
    column: list[str] = []
    for _ in range(11):
        book.wait(1)
        column += book.second()
    assert column == ["b OPTIONS"]
    assert book.b.last("OPTIONS").startswith("OPTIONS sip:sip.carrier.example SIP/2.0")
    book.b.reply("200 OK", to="OPTIONS")


def test_host_name_in_a_contact_leaves_requests_where_they_went(play: Play) -> None:
    """No request waits for DNS: in a dialog they go to the peer that answered."""
    book = play(hop=HOP)
    says(book, B)
    assert book.a.invite() == ["b INVITE"]
    assert book.b.reply("200 OK", contact="<sip:b@far.carrier.example>") == ["a 200 OK"]
    assert book.a.ack() == ["b ACK"]
    assert book.b.last("ACK").startswith("ACK sip:b@far.carrier.example SIP/2.0")
    assert book.a.request("BYE") == ["b BYE"]
    assert book.b.reply("200 OK", to="BYE") == ["a 200 OK"]


def test_weights_of_records(play: Play) -> None:
    book = play(hop=HOP)
    says(book, Place("udp", 5060, (B_AT[0],), 1, 90), Place("udp", 5060, (C_AT[0],), 1, 10))
    first = []
    for _ in range(200):
        (column,) = book.a.invite()
        party = book.b if column == "b INVITE" else book.c
        party.reply("486 Busy Here")
        book.a.ack()
        first.append(column[0])
    assert 160 < first.count("b") < 199
