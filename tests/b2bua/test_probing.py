"""OPTIONS to peers mark them down and up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipguard.b2bua import frames
from sipguard.screening.trunk import Peer, ProbeRules
from tests.playbook import B_AT, Play, Playbook, value

ONE: dict[str, Any] = {"hop": {"peers": (Peer(*B_AT),), "probe": ProbeRules(30.0, 4.0, 2, 2)}}


def next_probe(book: Playbook) -> list[str]:
    """Lets seconds pass until something is sent."""
    for _ in range(60):
        book.wait(1)
        column = book.second()
        if column:
            return column
    raise AssertionError("nobody was probed")


def states(book: Playbook) -> list[str]:
    """Why each peer of the hop is passed over."""
    return [why for trunk, _, why in book.engine.peer_states(book.clock) if trunk == "hop"]


def lose(book: Playbook, times: int) -> None:
    """So many probes in a row that are not answered."""
    for _ in range(times):
        assert next_probe(book) == ["b OPTIONS"]
        book.wait(5)
        book.second()


def test_nobody_is_asked_unless_it_is_set(play: Play) -> None:
    book = play()
    for _ in range(60):
        book.wait(1)
        assert book.second() == []


def test_the_request(play: Play) -> None:
    book = play(**ONE)
    assert next_probe(book) == ["b OPTIONS"]
    options = book.b.last("OPTIONS")
    assert options.startswith("OPTIONS sip:198.51.100.20 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK")
    assert value(options, "CSeq") == "1 OPTIONS"
    assert value(options, "Contact") == "<sip:0@198.51.100.1>"
    assert book.b.reply("200 OK", to="OPTIONS") == []
    assert book.count("probes") == 1


def test_down_after_failures_in_a_row_and_up_after_answers(play: Play) -> None:
    book = play(**ONE)
    lose(book, 1)
    assert states(book) == [""]
    lose(book, 1)
    assert states(book) == ["probed"]
    next_probe(book)
    book.b.reply("200 OK", to="OPTIONS")
    assert states(book) == ["probed"]
    next_probe(book)
    book.b.reply("200 OK", to="OPTIONS")
    assert states(book) == [""]
    book.second()
    assert [(note.kind, note.text) for note in book.of(frames.NoteFrame)] == [
        ("peer_down", "hop: 198.51.100.20:5060/udp: probed"),
        ("peer_up", "hop: 198.51.100.20:5060/udp"),
    ]
    assert book.count("probes_failed") == 2


@pytest.mark.parametrize(
    ("status", "why"),
    [("405 Method Not Allowed", ""), ("404 Not Found", ""), ("501 Not Implemented", ""), ("403 Forbidden", ""),
     ("503 Service Unavailable", "probed"), ("408 Request Timeout", "probed")],
)  # fmt: skip
def test_any_answer_is_a_sign_of_life_but_503_and_408(play: Play, status: str, why: str) -> None:
    book = play(**ONE)
    for _ in range(2):
        next_probe(book)
        book.b.reply(status, to="OPTIONS")
    assert states(book) == [why]


def test_answered_call_brings_a_peer_back(play: Play) -> None:
    """An emergency call tries a peer that is down; who takes it is up."""
    book = play(**ONE)
    lose(book, 2)
    assert book.a.invite(callee="911") == ["b INVITE"]
    assert book.b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    book.a.ack()
    assert states(book) == [""]


def test_call_is_tried_at_a_peer_that_never_answers_options(play: Play) -> None:
    book = play(**ONE)
    lose(book, 2)
    assert book.a.invite() == ["b INVITE"]
    assert book.b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    book.a.ack()
    assert list(book.of(frames.EndFrame)[-1].marked) == [("198.51.100.20:5060", "probed")]


def test_silent_in_a_call_and_up_again_before_down_for(play: Play) -> None:
    book = play(hop={"peers": (Peer(*B_AT),), "probe": ProbeRules(10.0), "down_for_s": 300.0})
    book.a.invite()
    book.wait(4.5)
    book.a.ack()
    assert states(book) == ["silent"]
    next_probe(book)
    book.b.reply("200 OK", to="OPTIONS")
    assert states(book) == [""]


def test_what_retry_after_asked_stands_though_the_peer_answers_options(play: Play) -> None:
    book = play(hop={"peers": (Peer(*B_AT),), "probe": ProbeRules(10.0)})
    book.a.invite()
    book.b.reply("503 Service Unavailable", "Retry-After: 50")
    book.a.ack()
    next_probe(book)
    book.b.reply("200 OK", to="OPTIONS")
    assert states(book) == ["retry_after"]


def test_reload_keeps_what_is_known_and_forgets_who_is_no_longer_probed(play: Play) -> None:
    book = play(**ONE)
    lose(book, 2)
    book.reload(**ONE)
    assert states(book) == ["probed"]
    book.reload(hop={**ONE["hop"], "probe": ProbeRules()})
    assert states(book) == [""]


def test_first_probes_do_not_leave_together(play: Play) -> None:
    peers = tuple(Peer(f"198.51.100.{n}") for n in range(20, 40))
    book = play(hop={"peers": peers, "probe": ProbeRules(10.0)})
    book.second()
    at_once = []
    for _ in range(10):
        book.wait(1)
        at_once.append(len(book.second()))
    assert sum(at_once) == 20
    assert max(at_once) < 8


def test_peer_of_two_trunks_is_asked_once(play: Play) -> None:
    book = play(**ONE)
    hop = book.plain.trunks["hop"]
    book.reload(**ONE, trunks=(replace(hop, name="again"),))
    next_probe(book)
    assert len(book.b.all("OPTIONS")) == 1
