"""A process is killed and started again: answered calls go on, the others get their end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.b2bua import frames
from sipguard.b2bua.crossing import in_dialog
from sipguard.b2bua.leg import Leg
from sipguard.b2bua.place import places_of
from sipguard.b2bua.recovery import CSEQ_GAP, flow_of, restore
from sipguard.screening.policy.model import OneOf, Rule
from sipguard.screening.trunk import Listener
from sipguard.sip.flow import Flow
from tests.b2bua.test_streams import left_by, streams
from tests.playbook import ANSWER_SDP, OUTSIDE, SDP, Party, Play, Playbook, ruleset, value

QUIET = {"dead_call_check_s": 0.0, "max_duration_s": 0.0}


def pair(book: Playbook, side: str) -> tuple[Party, Party]:
    return (book.a, book.b) if side == "a" else (book.b, book.a)


def number(party: Party, method: str) -> int:
    """CSeq of the last request of that method."""
    return int(value(party.last_request(method), "CSeq").split()[0])


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_bye_crosses_after_a_crash(book: Playbook, side: str) -> None:
    """The record says when it was answered in truth."""
    here, there = pair(book, side)
    book.establish()
    answered_at = book.clock.unix
    book.wait(30.0)
    assert book.crash(2.0) == []
    assert (book.count("recovered"), book.count("lost")) == (1, 0)
    book.wait(1.0)
    assert here.request("BYE", "Reason: Q.850;cause=16") == [f"{there.name} BYE"]
    assert there.reply("200 OK", to="BYE") == [f"{here.name} 200 OK"]
    (end,) = book.of(frames.EndFrame)
    assert (end.disposition, end.bye_by, end.reason) == ("answered", side, "Q.850;cause=16")
    assert (end.answer_at, end.at) == (answered_at, answered_at + 33.0)
    assert (end.final_status, end.tries, end.peer) == (200, [("198.51.100.20:5060", 200)], "198.51.100.20:5060")
    assert end.forward_us > 0
    assert end.ring_at == answered_at


@pytest.mark.parametrize("side", ["a", "b"])
def test_requests_cross_after_a_crash(book: Playbook, side: str) -> None:
    here, there = pair(book, side)
    book.establish()
    here.request("INFO")
    there.reply("200 OK", to="INFO")
    before = number(there, "INFO")
    book.crash()
    assert here.request("INVITE", body=SDP) == [f"{there.name} INVITE"]
    assert number(there, "INVITE") > before, "numbers grow (RFC 3261 §12.2.1.1)"
    there.reply("200 OK", body=ANSWER_SDP)
    assert here.ack() == [f"{there.name} ACK"]
    assert here.request("UPDATE") == [f"{there.name} UPDATE"]
    there.reply("200 OK", to="UPDATE")
    assert there.request("INFO") == [f"{here.name} INFO"]
    here.reply("200 OK", to="INFO")
    book.bye()


def test_numbers_grow_from_crash_to_crash(book: Playbook) -> None:
    """Each recovery keeps the call anew, with the numbers of then."""
    book.establish()
    seen = [number(book.b, "INVITE")]
    for _ in range(3):
        book.crash()
        for _ in range(3):
            book.a.request("INFO")
            book.b.reply("200 OK", to="INFO")
            seen.append(number(book.b, "INFO"))
    assert seen == sorted(set(seen))
    assert len(book.of(frames.AnswerFrame)) == 4
    book.bye()


def test_a_target_that_moved_before_the_crash(book: Playbook) -> None:
    """RFC 3261 §12.2: the BYE goes where the far end is now."""
    a, b = book.a, book.b
    book.establish()
    b.contact = "<sip:moved@198.51.100.30:5060>"
    b.request("UPDATE")
    a.reply("200 OK", to="UPDATE")
    book.crash()
    assert a.request("BYE") == ["c BYE"]
    assert book.c.last("BYE").startswith("BYE sip:moved@198.51.100.30:5060 ")
    book.c.reply("200 OK", to="BYE")


def test_connections_are_made_anew(play: Play) -> None:
    """They ended with the process: requests go where each side said that it can be reached."""
    book = streams(play)
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK")
    a.ack()
    book.crash()
    assert a.request("INFO") == ["b INFO"]
    assert left_by(book) == (0, "tcp", "198.51.100.20")
    assert b.reply("200 OK", to="INFO") == ["a 200 OK"]
    listening = book.party("a-listens", ("192.0.2.10", 5060), "outside-tcp")
    assert b.request("BYE") == ["a-listens BYE"]
    assert left_by(book) == (0, "tcp", "192.0.2.10")
    assert listening.reply("200 OK", to="BYE") == ["b 200 OK"]
    assert book.ends() == ["answered"]


def test_a_bye_that_came_before_the_crash_is_answered(book: Playbook) -> None:
    """Its transaction is lost; the repeat belongs to no dialog any more (RFC 3261 §15.1.2), and the sender rests."""
    book.establish()
    assert book.a.request("BYE") == ["b BYE"]
    assert book.crash() == []
    assert book.a.again(book.a.asked) == ["a 481 Call/Transaction Does Not Exist"]
    assert book.ends() == ["answered"]


def test_a_bye_that_waits_in_the_socket(book: Playbook) -> None:
    """Datagrams wait in the kernel while nobody reads."""
    book.establish()
    book.crash(3.0)
    book.bye()
    assert book.ends() == ["answered"]


def test_an_answer_that_was_not_acknowledged_yet(book: Playbook) -> None:
    """The callee repeats its 200, since no ACK came (§13.3.1.4): it gets one, and no BYE."""
    a, b = book.a, book.b
    book.establish(ack=False)
    book.crash()
    assert b.again() == ["b ACK"]
    assert a.ack() == []
    book.bye()


def test_who_does_not_know_the_call_any_more(book: Playbook) -> None:
    """Both sides are asked soon after the start."""
    book.establish()
    book.crash(60.0)
    assert book.wait(6.1)[:2] == ["a OPTIONS", "b OPTIONS"]
    book.b.reply("200 OK", to="OPTIONS")
    assert book.a.reply("481 Call/Transaction Does Not Exist", to="OPTIONS") == ["a BYE", "b BYE"]
    book.a.reply("481 Call/Transaction Does Not Exist", to="BYE")
    book.b.reply("200 OK", to="BYE")
    assert book.ends() == ["dead"]


def test_many_calls_are_not_asked_at_once(book: Playbook) -> None:
    for _ in range(150):
        book.establish()
    book.crash()
    assert book.count("recovered") == 150
    assert book.engine.load_of(book.plain.trunks["carrier"]).calls == 150
    before = 0
    for _ in range(9):
        book.wait(1.0)
        assert book.count("dead_call_checks") - before <= 200, "100 calls a second, two sides each"
        before = book.count("dead_call_checks")
    assert before == 300
    book.hang_up()
    for party in (book.a, book.b):
        for method in ("BYE", "OPTIONS"):
            for request in party.all(method):
                party.reply("200 OK", request=request)


def test_the_longest_duration_goes_on(play: Play) -> None:
    book = play(carrier={**QUIET, "max_duration_s": 100.0}, hop=QUIET)
    book.establish()
    book.wait(50.0)
    book.crash(10.0)
    assert book.wait(39.9) == []
    assert book.wait(1.3)[:2] == ["a BYE", "b BYE"]
    _end(book)
    assert book.ends() == ["overtime"]


def test_the_longest_duration_passed_meanwhile(play: Play) -> None:
    """Both sides are told; the record says when it should have ended."""
    book = play(carrier={**QUIET, "max_duration_s": 100.0}, hop=QUIET)
    book.establish()
    answered_at = book.clock.unix
    assert book.crash(500.0) == ["a BYE", "b BYE"]
    _end(book)
    (end,) = book.of(frames.EndFrame)
    assert (end.disposition, end.at - answered_at) == ("overtime", 100.0)


def test_a_session_timer_begins_anew(play: Play) -> None:
    """When it was refreshed last is not known: nobody is cut off too early."""
    book = play(carrier=QUIET, hop=QUIET)
    book.a.invite("Supported: timer", "Session-Expires: 300")
    book.b.reply("200 OK", "Session-Expires: 300;refresher=uac", body=ANSWER_SDP)
    book.a.ack()
    book.a.request("UPDATE", "Session-Expires: 600")
    book.b.reply("200 OK", "Session-Expires: 600;refresher=uac", to="UPDATE")
    book.wait(100.0)
    book.crash(10.0)
    assert book.wait(599.9) == []
    assert book.wait(1.3)[:2] == ["a BYE", "b BYE"]
    _end(book)
    assert book.ends() == ["expired"]


def _end(book: Playbook) -> None:
    book.a.reply("200 OK", to="BYE")
    book.b.reply("200 OK", to="BYE")


def test_a_call_that_was_not_answered_is_lost(book: Playbook) -> None:
    """Its record ends when the process was alive last; the callee's late 200 is acknowledged and ended."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    book.wait(5.0)
    alive_at = book.clock.unix
    assert book.crash(20.0) == []
    (end,) = book.of(frames.EndFrame)
    assert (end.disposition, end.at, end.answer_at) == ("lost", alive_at, 0.0)
    assert (book.count("recovered"), book.count("lost")) == (0, 1)
    assert b.reply("200 OK") == ["b ACK", "b BYE"]
    b.reply("200 OK", to="BYE")
    assert a.cancel() == ["a 481 Call/Transaction Does Not Exist"]
    assert book.wait(4.1) == ["a 500 Restarted"]
    a.ack()
    assert [note.text for note in book.of(frames.NoteFrame)] == ["0 taken up, 1 lost"]


def test_a_caller_that_waits_is_told(book: Playbook) -> None:
    """It had a 180, so its INVITE does not come again."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    book.crash()
    assert book.wait(3.9) == []
    assert book.wait(0.2) == ["a 500 Restarted"]
    assert a.ack() == []
    assert book.wait(10.0) == [], "it was acknowledged"
    assert book.ends() == ["lost"]


def test_a_caller_that_asks_again_is_a_new_call(book: Playbook) -> None:
    """Its INVITE had no response yet (RFC 3261 §17.1.1.2)."""
    a, b = book.a, book.b
    a.invite()
    book.crash()
    assert a.again() == ["b INVITE"]
    b.reply("200 OK", body=ANSWER_SDP)
    a.ack()
    assert book.wait(5.0) == []
    book.bye()
    assert book.ends() == ["lost", "answered"]


def test_a_call_that_was_refused_is_not_lost(play: Play) -> None:
    """Its verdict was its end."""
    book = play(Rule("unsigned", OneOf("identity.result", ("none",)), basis="identity"))
    book.a.invite()
    assert book.a.got[-1].startswith("SIP/2.0 428 ")
    book.a.ack()
    assert book.crash() == []
    assert book.count("lost") == 0
    assert book.of(frames.NoteFrame) == []


def test_a_listener_that_is_gone(book: Playbook) -> None:
    """The call cannot go on; its record keeps the answer."""
    book.establish()
    answered_at = book.clock.unix
    other = Listener("other", "198.51.100.9", 5060)
    plain = replace(book.plain, listeners={"outside": OUTSIDE, "other": other})
    hop = replace(plain.trunks["hop"], listeners=("other",))
    book.crash(1.0, replace(plain, trunks={**plain.trunks, "hop": hop}))
    (end,) = book.of(frames.EndFrame)
    assert (end.disposition, end.answer_at, end.final_status) == ("lost", answered_at, 200)


def test_a_trunk_that_is_gone(book: Playbook) -> None:
    """Calls that are up end as any other."""
    book.establish()
    trunks = {"renamed": replace(book.plain.trunks["carrier"], name="renamed"), "hop": book.plain.trunks["hop"]}
    book.crash(0.0, replace(ruleset(), trunks=trunks))
    book.bye()
    assert book.ends() == ["answered"]


def test_an_emergency_call_stays_one(play: Play) -> None:
    book = play(carrier={**QUIET, "max_duration_s": 60.0}, hop=QUIET)
    book.a.invite(callee="911")
    book.b.reply("200 OK")
    book.a.ack()
    book.crash()
    assert book.wait(300.0) == []
    assert next(iter(book.engine.calls.values())).emergency
    book.bye()


def test_an_answer_frame_of_before(book: Playbook) -> None:
    """One that does not say its trunk: the call goes on all the same."""
    book.establish()
    n, old = next((n, frame) for n, frame in enumerate(book.frames) if isinstance(frame, frames.AnswerFrame))
    book.frames[n] = frames.AnswerFrame(old.decision_id, old.at, old.peer, old.legs)
    book.crash()
    assert book.count("recovered") == 1
    book.bye()


def test_a_frame_that_cannot_be_read(book: Playbook) -> None:
    book.establish()
    n, old = next((n, frame) for n, frame in enumerate(book.frames) if isinstance(frame, frames.AnswerFrame))
    fields: dict[str, Any] = {name: getattr(old.legs[1], name) for name in frames.LegState.__struct_fields__}
    broken = frames.LegState(**{**fields, "route_set": ["<sip:unclosed"]})
    book.frames[n] = frames.AnswerFrame(old.decision_id, old.at, old.peer, (old.legs[0], broken))
    book.crash()
    assert book.ends() == ["lost"]


# ------------------------------------------------------------------ snapshot and back

_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
_HOST = st.sampled_from(["192.0.2.7", "198.51.100.77", "[2001:db8::7]", "edge.example.com"])
_URI = st.builds(
    lambda user, host, port, more: f"sip:{user}@{host}{port}{more}",
    _WORD, _HOST, st.sampled_from(["", ":5070"]), st.sampled_from(["", ";transport=tcp", ";user=phone"]),
)  # fmt: skip
_ROUTE = st.builds(lambda host, lr: f"<sip:{host}{lr}>", _HOST, st.sampled_from([";lr", ""]))
_PLACES = places_of(
    {name: Listener(name, "198.51.100.1", port, name) for name, port in (("udp", 5060), ("tcp", 5060), ("tls", 5061))},
    "0",
)


@st.composite
def legs(draw: st.DrawFn) -> Leg:
    """A leg as a call may have it."""
    transport = draw(st.sampled_from(["udp", "tcp", "tls"]))
    connection = 7 if transport != "udp" and draw(st.booleans()) else 0
    names = ("edge.example.com",) if transport == "tls" else ()
    way = Flow(connection, transport, transport, ("198.51.100.20", 40_000), names)
    leg = Leg("b", None, _PLACES[transport], way)
    if transport == "udp" and draw(st.booleans()):
        leg.go_by("tcp")
    leg.call_id, leg.local_tag, leg.remote_tag = draw(_WORD), draw(_WORD), draw(_WORD)
    leg.local = f"<{draw(_URI)}>;tag={leg.local_tag}"
    leg.remote = f'"{draw(_WORD)}" <{draw(_URI)}>;tag={leg.remote_tag}'
    leg.cseq = draw(st.integers(1, 2**31 - 1))
    leg.remote_cseq = draw(st.integers(-1, 2**31 - 1))
    leg.routes = draw(st.lists(_ROUTE, max_size=3))
    leg.aim_at(draw(_URI))
    return leg


@given(legs(), st.sampled_from(["BYE", "INVITE", "INFO", "OPTIONS", "UPDATE"]))
def test_a_leg_that_was_kept_composes_the_same_requests(leg: Leg, method: str) -> None:
    answer = frames.AnswerFrame("d", 1.0, "p", (leg.snapshot(), leg.snapshot()))
    back = frames.decode(frames.encode(answer))
    assert isinstance(back, frames.AnswerFrame)
    state = back.legs[1]
    kept = Leg("b", None, _PLACES[state.listener], flow_of(state))
    restore(kept, state, None)
    assert in_dialog(kept, method, 7, "z9hG4bK1", 70, "X: y", b"body") == in_dialog(
        leg, method, 7, "z9hG4bK1", 70, "X: y", b"body"
    )
    way = leg.anew if leg.anew and leg.flow.id else leg.flow
    assert (kept.flow.remote, kept.flow.transport, kept.flow.listener, kept.flow.tls_names) == (
        way.remote, way.transport, way.listener, way.tls_names,
    )  # fmt: skip
    assert kept.flow.id == 0
    assert leg.cseq <= kept.cseq <= max(leg.cseq, 2**31 - 1 - CSEQ_GAP)
    assert kept.remote_cseq == leg.remote_cseq
