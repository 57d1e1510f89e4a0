"""Rows of peers: once each, with their names, in words."""

from __future__ import annotations

from sipguard.screening.trunk import NamedPeer, Peer, Trunk
from sipguard.service.peer_states import in_words, rows
from sipguard.sip.locate import Answer, Place, Query

NAME = Query("sip.example", 0, ("udp",), ((4, 6),))
OTHER = Query("other.example", 5060, ("udp",), ((4, 6),))
LISTENERS = (((4, "inside"), (6, "inside6")),)
TRUNK = Trunk(
    "hop", "interconnect", peers=(Peer("192.0.2.1", 5070, priority=2, weight=30),),
    named=(NamedPeer(NAME, LISTENERS, priority=1, weight=5), NamedPeer(OTHER, LISTENERS)),
)  # fmt: skip
PLACES = (Place("udp", 5060, ("192.0.2.7", "2001:db8::7")), Place("udp", 5060, ("192.0.2.7",), 10))


def test_a_peer_stands_there_once_with_what_leads_to_it() -> None:
    states = [
        ("hop", "192.0.2.1:5070/udp", ""), ("hop", "192.0.2.7:5060/udp@inside", "silent"),
        ("hop", "192.0.2.7:5060/udp@inside", "silent"), ("hop", "[2001:db8::7]:5060/udp@inside6", "probed"),
    ]  # fmt: skip
    resolved = {NAME: Answer(PLACES, 60.0), OTHER: Answer(PLACES[:1], 60.0)}
    found = rows(states, {"hop": TRUNK}, resolved)
    assert [(row["peer"], row["state"], row["names"], row["priority"], row["weight"]) for row in found] == [
        ("192.0.2.1:5070/udp", "up", [], 2, 30),
        ("192.0.2.7:5060/udp@inside", "silent in a call", ["sip.example", "other.example:5060"], 1, 5),
        ("[2001:db8::7]:5060/udp@inside6", "no answer to OPTIONS", ["sip.example", "other.example:5060"], 1, 5),
    ]
    assert [row["passed_over"] for row in found] == ["", "silent", "probed"]


def test_a_name_that_leads_nowhere_and_a_peer_of_before() -> None:
    states = [("hop", "other.example:5060", "unresolved"), ("gone", "192.0.2.9:5060/udp", "retry_after")]
    unresolved, gone = rows(states, {"hop": TRUNK}, {})
    assert (unresolved["state"], unresolved["names"], unresolved["priority"]) == ("name does not resolve", [], 0)
    assert (gone["state"], gone["priority"], gone["names"]) == ("Retry-After", None, [])


def test_a_reason_without_words_is_shown_as_it_is() -> None:
    assert in_words("odd") == "odd"
