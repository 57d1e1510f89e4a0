"""Calls on their way to trunks and peers: by called number, over trunks, round peers that are passed over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipguard.b2bua import frames
from sipguard.screening.trunk import Peer, Route, Trunk, WriteRules
from tests.playbook import C_AT, Play, value

EAST = Trunk("east", "interconnect", listeners=("inside",), peers=(Peer(*C_AT),), write=WriteRules("plain"))
ROUTED: dict[str, Any] = {
    "carrier": {"route": "", "routes": (Route(("hop", "east"), ("1212",)), Route(("east",), ("1310",)))},
    "hop": {"peers": (Peer("198.51.100.20"),)},
    "trunks": (EAST,),
}


def test_called_prefix_chooses_the_trunk(play: Play) -> None:
    book = play(**ROUTED)
    assert book.a.invite(callee="+13105550123") == ["c INVITE"]
    assert book.c.reply("486 Busy Here") == ["c ACK", "a 486 Busy Here"]
    book.a.ack()
    assert book.of(frames.VerdictFrame)[0].route == "east"


def test_number_without_a_route(play: Play) -> None:
    book = play(**ROUTED)
    assert book.a.invite(callee="+442079460123") == ["a 404 No Route To Number"]
    book.a.ack()
    assert book.ends() == ["unreachable"]


@pytest.mark.parametrize("status", ["503 Service Unavailable", "500 Server Internal Error"])
def test_next_trunk_where_the_peers_of_one_fail(play: Play, status: str) -> None:
    """Each trunk gets the number as it wants it written."""
    book = play(**ROUTED)
    assert book.a.invite(uri="sip:2125550123@192.0.2.1") == ["b INVITE"]
    assert book.b.last("INVITE").startswith("INVITE sip:2125550123@198.51.100.20 ")
    assert book.b.reply(status) == ["b ACK", "c INVITE"]
    assert book.c.last("INVITE").startswith("INVITE sip:12125550123@198.51.100.30 ")
    assert book.c.reply("486 Busy Here") == ["c ACK", "a 486 Busy Here"]
    book.a.ack()
    assert book.of(frames.VerdictFrame)[0].route == "hop"
    assert book.of(frames.EndFrame)[0].route == "east"
    assert book.of(frames.EndFrame)[0].tries == [("198.51.100.20:5060", int(status[:3])), ("198.51.100.30:5060", 486)]


def test_verstat_as_the_next_trunk_spells_it(play: Play) -> None:
    book = play(**{**ROUTED, "trunks": (replace(EAST, verstat="off"),)})
    assert book.a.invite("P-Asserted-Identity: <sip:+12025550101@192.0.2.10>") == ["b INVITE"]
    assert "verstat=No-TN-Validation" in value(book.b.last("INVITE"), "P-Asserted-Identity")
    book.b.reply("503 Service Unavailable")
    assert "verstat" not in book.c.last("INVITE")
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_retry_after_keeps_calls_away(play: Play) -> None:
    """RFC 3261 §21.5.4."""
    book = play()
    assert book.a.invite() == ["b INVITE"]
    assert book.b.reply("503 Service Unavailable", "Retry-After: 20 (maintenance);duration=60") == [
        "b ACK",
        "c INVITE",
    ]
    book.c.reply("486 Busy Here")
    book.a.ack()
    book.wait(19)
    assert book.a.invite() == ["c INVITE"]
    book.c.reply("486 Busy Here")
    book.a.ack()
    book.wait(1)
    assert book.a.invite() == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_503_without_retry_after_keeps_nobody_away(play: Play) -> None:
    book = play()
    for _ in range(2):
        assert book.a.invite() == ["b INVITE"]
        assert book.b.reply("503 Service Unavailable") == ["b ACK", "c INVITE"]
        book.c.reply("486 Busy Here")
        book.a.ack()


def test_emergency_call_tries_every_trunk(play: Play) -> None:
    """Also those that its number has no route to."""
    book = play(**ROUTED)
    assert book.a.invite(callee="911") == ["b INVITE"]
    assert book.b.reply("503 Service Unavailable", "Retry-After: 20") == ["b ACK", "c INVITE"]
    assert book.c.reply("503 Service Unavailable", "Retry-After: 20") == ["c ACK", "a 500 Server Internal Error"]
    book.a.ack()
    assert book.a.invite(callee="911") == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "480 Temporarily Unavailable", "488 No"])
def test_emergency_call_is_not_ended_by_one_carrier(play: Play, status: str) -> None:
    book = play(**ROUTED)
    assert book.a.invite(callee="911") == ["b INVITE"]
    assert book.b.reply(status) == ["b ACK", "c INVITE"]
    assert book.c.reply("486 Busy Here")[0] == "c ACK"
    book.a.ack()


def test_other_calls_are(play: Play) -> None:
    book = play(**ROUTED)
    assert book.a.invite() == ["b INVITE"]
    assert book.b.reply("404 Not Found") == ["b ACK", "a 404 Not Found"]
    book.a.ack()


def test_emergency_route_first_then_all_others(play: Play) -> None:
    book = play(**ROUTED, emergency_route="east")
    assert book.a.invite(callee="911") == ["c INVITE"]
    assert book.c.reply("503 Service Unavailable") == ["c ACK", "b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_changes_are_noted(play: Play) -> None:
    book = play(hop={"peers": (Peer("198.51.100.20"),)})
    assert book.a.invite() == ["b INVITE"]
    book.b.reply("503 Service Unavailable", "Retry-After: 20")
    book.a.ack()
    book.second()
    book.wait(20)
    book.second()
    assert [(note.kind, note.text) for note in book.of(frames.NoteFrame)] == [
        ("peer_down", "hop: 198.51.100.20:5060/udp: retry_after"),
        ("peer_up", "hop: 198.51.100.20:5060/udp"),
    ]
