"""The door: who may ask what, and what is answered outside of calls."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from tests.playbook import SDP, Play, Playbook, shown, tag_in, value, values

# ------------------------------------------------------------------------------------------ strangers


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER"])
def test_strangers_get_no_answer(book: Playbook, method: str) -> None:
    assert book.stranger.invite() == []
    assert book.stranger.again(book.stranger.sent[0].replace("INVITE", method)) == []
    assert book.count("unknown_source") == 2
    rows = book.engine.refusals.second()
    assert rows is not None and [row[2:5] for row in rows] == [("stranger", "", 2)]
    assert not book.engine.layer.servers


def test_strangers_get_no_481(book: Playbook) -> None:
    stranger = book.stranger
    stranger.invite()
    stranger.remote += ";tag=none"
    assert stranger.request("BYE") == []
    assert stranger.cancel() == []
    assert book.count("unknown_source") == 3


def test_stranger_breaks_in_by_no_guess(book: Playbook) -> None:
    """Tags and Call-ID prove who knows the call; one of them is not enough."""
    book.establish()
    stranger = book.stranger
    stranger.invite()
    stranger.call_id, stranger.remote = book.a.call_id, book.a.remote
    assert stranger.request("BYE") == []
    book.bye()


@pytest.mark.parametrize("octets", ["", "\r\n", "\r\n\r\n", "\0\0\0\0", "  "])
def test_keep_alives(book: Playbook, octets: str) -> None:
    assert book.a.send(octets) == []
    assert book.count("malformed") == 0


@pytest.mark.parametrize("octets", ["nonsense", "INVITE", "\xff\xfe\xfd", "SIP/2.0 200 OK\r\n\r\n"])
def test_nonsense_is_counted(book: Playbook, octets: str) -> None:
    assert book.a.send(octets) == []
    assert book.count("malformed") == 1


def test_broken_request_is_answered_by_its_status(book: Playbook) -> None:
    """RFC 3261 §21.4.1; a stranger's is not."""
    book.a.invite()
    broken = book.a.sent[0].replace("CSeq: 1 INVITE", "CSeq: one INVITE").replace("z9hG4bK", "z9hG4bKx")
    book.a.cancel()
    book.a.ack()
    book.b.reply("486 Busy Here")
    (answer,) = book.a.send(broken)
    assert answer.startswith("a 400 Bad Request")
    assert tag_in(value(book.a.last("400"), "To"))
    assert book.stranger.send(broken) == []


# ------------------------------------------------------------------------------------------ outside of calls


def outside(book: Playbook, method: str, *headers: str) -> list[str]:
    """A request outside of any dialog, by a."""
    a = book.a
    a.target = f"sip:{book.public('outside')}"
    a.call_id, a.local, a.remote, a.cseq = "out-1", f"<sip:a@{a.host}>;tag=o1", "<sip:us@192.0.2.1>", 0
    return a.request(method, *headers)


def test_options(book: Playbook) -> None:
    """§11.2."""
    assert outside(book, "OPTIONS") == ["a 200 OK"]
    answer = book.a.last("200")
    assert "INVITE" in value(answer, "Allow")
    assert value(answer, "Accept") == "application/sdp"
    assert tag_in(value(answer, "To"))


def test_options_while_draining(book: Playbook) -> None:
    book.drain()
    assert outside(book, "OPTIONS") == ["a 503 Draining"]
    assert book.of(frames.NoteFrame)[0].kind == "drain"


@pytest.mark.parametrize("header", ["Require", "Proxy-Require"])
def test_unknown_extension(book: Playbook, header: str) -> None:
    """§8.2.2.3: 420, and what was not understood."""
    assert book.a.invite(f"{header}: 100rel, nothingSIPible, other") == ["a 420 Bad Extension"]
    assert values(book.a.last("420"), "Unsupported") == ["nothingSIPible, other"]
    book.a.ack()


def test_known_extension(book: Playbook) -> None:
    """What concerns the two ends crosses."""
    assert book.a.invite("Require: 100rel") == ["b INVITE"]
    assert value(book.b.last("INVITE"), "Require") == "100rel"
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_unknown_scheme(book: Playbook) -> None:
    """§8.2.2.1."""
    assert book.a.invite(uri="soap.beep://192.0.2.103:3002") == ["a 416 Unsupported URI Scheme"]
    book.a.ack()


def test_too_many_hops(book: Playbook) -> None:
    """§16.3 step 3; an OPTIONS is for us (§11)."""
    assert book.a.invite("Max-Forwards: 0") == ["a 483 Too Many Hops"]
    book.a.ack()
    assert outside(book, "OPTIONS", "Max-Forwards: 0") == ["a 200 OK"]


def test_hops_are_counted(book: Playbook) -> None:
    """§16.6 step 3."""
    book.a.invite("Max-Forwards: 12")
    assert value(book.b.last("INVITE"), "Max-Forwards") == "11"
    book.b.reply("200 OK")
    book.a.ack("Max-Forwards: 9")
    assert value(book.b.last("ACK"), "Max-Forwards") == "8"
    assert book.a.request("INFO", "Max-Forwards: 0") == ["a 483 Too Many Hops"]
    book.bye()


@pytest.mark.parametrize("contact", ["", "Contact: <sip:open", "Contact: *", "Contact: <tel:+12025550101>"])
def test_contact_is_needed(book: Playbook, contact: str) -> None:
    """§8.1.1.8: an INVITE has exactly one SIP URI to answer to."""
    headers = (contact,) if contact else ()
    assert book.a.invite(*headers, leave_out=("contact",)) == ["a 400 Contact Missing Or Malformed"]
    book.a.ack()
    assert not book.frames


# ------------------------------------------------------------------------------------------ dialogs


def test_unknown_dialog(book: Playbook) -> None:
    """§12.2.2."""
    a = book.a
    book.establish()
    book.bye()
    assert a.request("INFO") == ["a 481 Call/Transaction Does Not Exist"]
    assert book.count("outside_dialog") == 1


@pytest.mark.parametrize("what", ["call_id", "tag"])
def test_dialog_needs_all_three(book: Playbook, what: str) -> None:
    """Call-ID and both tags (§12)."""
    a = book.a
    book.establish()
    kept = a.call_id, a.local
    if what == "call_id":
        a.call_id = "another"
    else:
        a.local = a.local.replace(a.tag, "another")
    assert a.request("BYE") == ["a 481 Call/Transaction Does Not Exist"]
    a.call_id, a.local = kept
    book.bye()


def test_cseq_out_of_order(book: Playbook) -> None:
    """§12.2.2: a lower number is refused, a gap is none of our business."""
    book.establish()
    assert book.a.request("INFO", cseq=40) == ["b INFO"]
    book.b.reply("200 OK", to="INFO")
    assert book.a.request("INFO", cseq=39) == ["a 500 Request Out Of Order"]
    book.a.cseq = 40
    book.bye()


def test_request_before_there_is_a_dialog(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite()
    a.remote += f";tag={next(iter(book.engine.legs))}"
    assert a.request("INFO") == ["a 481 Call/Transaction Does Not Exist"]
    a.invited = a.sent[0]
    b.reply("486 Busy Here")
    a.ack()


def test_stray_response(book: Playbook) -> None:
    """§18.1.2: a response that matches nothing is dropped; only a 2xx of ours is ended."""
    b = book.b
    book.a.invite()
    answer = b.last("INVITE")
    b.reply("486 Busy Here")
    book.a.ack()
    foreign = answer.replace("z9hG4bK", "z9hG4bKforeign")
    assert b.reply("200 OK", request=foreign) == []
    assert book.count("stray_responses") == 1


# ------------------------------------------------------------------------------------------ operator


def test_drain_lets_calls_end(play: Play) -> None:
    """New calls are answered 503, emergency calls and calls that stand go on."""
    book = play()
    book.establish()
    book.drain()
    first = book.a
    second = book.party("a2", ("192.0.2.10", 5070), "outside")
    assert second.invite() == ["a2 503 Draining"]
    second.ack()
    assert second.invite(callee="911") == ["b INVITE"]
    assert book.b.reply("486 Busy Here") == ["b ACK", "a2 486 Busy Here"]
    second.ack()
    assert book.count("refused_draining") == 1
    assert first.request("BYE") == ["b BYE"]
    book.b.reply("200 OK", to="BYE")


def test_hang_up_one_call(book: Playbook) -> None:
    a, b = book.a, book.b
    book.establish()
    decision = book.of(frames.VerdictFrame)[0].decision_id
    assert book.hang_up("another") == []
    assert book.hang_up(decision) == ["a BYE", "b BYE"]
    a.reply("200 OK", to="BYE")
    b.reply("200 OK", to="BYE")
    assert book.ends() == ["admin"]


def test_a_hang_up_waits_for_the_ack(book: Playbook) -> None:
    """RFC 3261 §15: the callee's side must not send a BYE before the ACK of its 2xx has come."""
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK")
    assert book.hang_up(book.of(frames.VerdictFrame)[0].decision_id) == []
    assert book.wait(0.6) == ["a 200 OK"]
    assert a.ack() == ["b ACK", "a BYE", "b BYE"]
    a.reply("200 OK", to="BYE")
    b.reply("200 OK", to="BYE")
    assert book.ends() == ["admin"]


def test_a_drain_that_is_over_waits_for_no_ack(book: Playbook) -> None:
    """The process ends: a BYE too early is better than none."""
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK")
    assert book.hang_up() == ["b ACK", "a BYE", "b BYE"]
    a.reply("200 OK", to="BYE")
    b.reply("200 OK", to="BYE")
    assert book.ends() == ["drained"]


def test_hang_up_during_a_reinvite(book: Playbook) -> None:
    a, b = book.a, book.b
    book.establish()
    b.request("INVITE", body=SDP)
    a.reply("200 OK")
    assert book.hang_up() == ["a ACK", "a BYE", "b BYE"]
    a.reply("200 OK", to="BYE")
    b.reply("200 OK", to="BYE")
    assert book.ends() == ["drained"]


def test_hang_up_while_ringing(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    assert book.hang_up() == ["a 480 Temporarily Unavailable", "b CANCEL"]
    a.ack()
    b.reply("200 OK", to="CANCEL", contact=False)
    b.reply("487 Request Terminated")
    assert book.ends() == ["drained"]


def test_hang_up_twice(book: Playbook) -> None:
    book.a.invite()
    book.b.reply("180 Ringing")
    book.hang_up()
    assert book.hang_up() == []
    book.a.ack()
    book.b.reply("487 Request Terminated")


def test_reload_is_recorded(book: Playbook) -> None:
    book.reload(revision="r7")
    note = book.of(frames.NoteFrame)[0]
    assert (note.kind, note.revision) == ("reload", "r7")


def test_reload_keeps_established_calls(book: Playbook) -> None:
    book.establish()
    book.reload()
    book.bye()
    book.a.invite()
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert [frame.revision for frame in book.of(frames.VerdictFrame)] == ["r1", "r2"]


def test_reload_during_failover(book: Playbook) -> None:
    """A call that began under the old Ruleset tries the peers of the old one."""
    book.a.invite()
    book.reload(hop={"peers": ()})
    assert book.b.reply("503 Service Unavailable") == ["b ACK", "c INVITE"]
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_levels_once_a_second(book: Playbook) -> None:
    book.establish()
    assert book.carry(book.engine.second(book.clock)) == []
    assert (book.count("calls_active"), book.count("dialogs")) == (1, 2)
    book.bye()


def test_next_timer(book: Playbook) -> None:
    assert book.engine.next_timer() is None
    book.a.invite()
    due = book.engine.next_timer()
    assert due is not None
    assert 0 < due - book.now <= 0.56
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_send_failure_of_nothing(book: Playbook) -> None:
    """A Send whose transaction is gone meanwhile."""
    assert book.carry(book.engine.send_failed("z9hG4bKnothing", "gone", book.clock)) == []


def test_refused_bye_of_ours(book: Playbook) -> None:
    book.establish()
    book.hang_up()
    assert book.refused(book.b) == []
    book.a.reply("200 OK", to="BYE")


def test_column_shows_requests_and_responses() -> None:
    """What the other tests read."""
    assert shown("SIP/2.0 180 Ringing\r\n") == "180 Ringing"
    assert shown("BYE sip:a SIP/2.0\r\n") == "BYE"
