"""How long an answered call lasts when nobody hangs up."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.lifetime import interval_of
from sipguard.sip.parse import parse
from tests.playbook import ANSWER_SDP, SDP, Party, Play, Playbook, value, values

QUIET = {"dead_call_check_s": 0.0, "max_duration_s": 0.0}
ASKING = {"dead_call_check_s": 60.0, "max_duration_s": 0.0}
AGREED = ("Require: timer", "Session-Expires: 300;refresher=uac")


def timed(play: Play, *headers: str) -> Playbook:
    """An answered call whose ends agreed on 300 s, the caller refreshes; nothing else watches it."""
    book = play(carrier=QUIET, hop=QUIET)
    book.a.invite("Supported: timer", "Session-Expires: 300")
    book.b.reply("200 OK", *(headers or AGREED), body=ANSWER_SDP)
    book.a.ack()
    return book


def next_sent(book: Playbook, after_s: float, within_s: float = 1.2) -> list[str]:
    """Nothing leaves for `after_s`, then this; timers of a lifetime fire on whole seconds."""
    assert book.wait(after_s) == []
    end = book.now + within_s
    column: list[str] = []
    while not column and book.now < end:
        column = book.wait(0.05)
    return column


def ended_by_us(book: Playbook) -> None:
    """Both sides get a BYE and answer it."""
    book.a.reply("200 OK", to="BYE")
    book.b.reply("200 OK", to="BYE")


# ------------------------------------------------------------------ session timers


def test_the_ends_agree_across_the_legs(play: Play) -> None:
    """RFC 4028: what is negotiated crosses as it is; the roles are those of the transaction, the same on both legs."""
    book = play()
    a, b = book.a, book.b
    a.invite("Supported: timer", "Session-Expires: 60", "Min-SE: 90")
    assert values(b.last("INVITE"), "Session-Expires") == ["60"]
    assert b.reply("422 Session Interval Too Small", "Min-SE: 1800") == ["b ACK", "a 422 Session Interval Too Small"]
    assert value(a.last("422"), "Min-SE") == "1800"
    a.ack()
    a.invite("Supported: timer", "x: 1800;refresher=uas", "Min-SE: 1800")
    arrived = b.last("INVITE")
    assert "x: 1800;refresher=uas" in arrived
    assert value(arrived, "Min-SE") == "1800"
    b.reply("200 OK", "Require: timer", "Session-Expires: 1800;refresher=uas", body=ANSWER_SDP)
    assert value(a.last("200"), "Session-Expires") == "1800;refresher=uas"
    assert value(a.last("200"), "Require") == "timer"
    a.ack()
    assert [frame.interval_s for frame in book.of(frames.AnswerFrame)] == [1800]
    book.bye()


def test_a_session_that_nobody_refreshes_ends(play: Play) -> None:
    """§10: whoever does not refresh has had its time; then both sides get a BYE with the reason."""
    book = timed(play)
    assert book.wait(299.9) == []
    assert book.wait(0.3) == ["a BYE", "b BYE"]
    assert value(book.b.last("BYE"), "Reason") == 'SIP;cause=408;text="Session Not Refreshed"'
    ended_by_us(book)
    assert book.ends() == ["expired"]


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
@pytest.mark.parametrize("side", ["a", "b"])
def test_a_refresh_prolongs_it(play: Play, method: str, side: str) -> None:
    """Only the 2xx does (§10), and either side may refresh."""
    book = timed(play)
    here, there = (book.a, book.b) if side == "a" else (book.b, book.a)
    book.wait(150.0)
    here.request(method, "Supported: timer", "Session-Expires: 300;refresher=uac", body=SDP)
    there.reply("200 OK", *AGREED, to=method, body=ANSWER_SDP)
    if method == "INVITE":
        here.ack()
    assert book.wait(299.9) == []
    assert len(book.wait(0.3)) == 2
    ended_by_us(book)
    assert book.ends() == ["expired"]


def test_a_refused_refresh_does_not(play: Play) -> None:
    """§10: a 422 leaves the expiration where it was."""
    book = timed(play)
    book.wait(150.0)
    book.a.request("UPDATE", "Session-Expires: 300")
    assert book.b.reply("422 Session Interval Too Small", "Min-SE: 900", to="UPDATE") == [
        "a 422 Session Interval Too Small"
    ]
    assert len(book.wait(150.3)) == 2
    ended_by_us(book)
    assert book.ends() == ["expired"]


def test_another_interval_is_agreed_and_kept(play: Play) -> None:
    book = timed(play)
    book.a.request("UPDATE", "Session-Expires: 600;refresher=uas")
    book.b.reply("200 OK", "Session-Expires: 600;refresher=uas", to="UPDATE")
    assert [frame.interval_s for frame in book.of(frames.TargetFrame)] == [600]
    assert book.wait(599.9) == []
    book.bye()


def test_a_2xx_without_an_interval_turns_it_off(play: Play) -> None:
    """§7.2: then nothing expires, and signs of life are asked for."""
    book = play(carrier=ASKING, hop=ASKING)
    book.a.invite("Supported: timer", "Session-Expires: 90")
    book.b.reply("200 OK", "Session-Expires: 90;refresher=uac", body=ANSWER_SDP)
    book.a.ack()
    assert book.wait(62.0) == [], "where there is a timer nobody is asked"
    book.a.request("UPDATE")
    book.b.reply("200 OK", to="UPDATE")
    assert next_sent(book, 59.9) == ["a OPTIONS", "b OPTIONS"]
    book.bye()


def test_the_bye_of_an_end_comes_first(play: Play) -> None:
    """§10: at min(32 s, interval/3) before; the call ends as any other."""
    book = timed(play)
    book.wait(268.0)
    assert book.b.request("BYE", 'Reason: SIP;cause=408;text="No refresh"') == ["a BYE"]
    book.a.reply("200 OK", to="BYE")
    assert book.ends() == ["answered"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Session-Expires: 1800;refresher=uac", 1800),
        ("x: 90", 90),
        ("Session-Expires: 5", 90),
        ("Session-Expires: 1800 ; refresher=uas", 1800),
        ("Session-Expires: soon", 0),
        ("Session-Expires: -1", 0),
        ("Session-Expires: 99999999999", 0),
        ("X-Other: 1", 0),
    ],
)
def test_an_interval_is_read(header: str, seconds: int) -> None:
    lines = [
        "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "From: <sip:a@x>;tag=1", "To: <sip:b@x>;tag=2",
        "Call-ID: c", "CSeq: 1 INVITE", header, "", "",
    ]  # fmt: skip
    assert interval_of(parse("\r\n".join(lines).encode())) == seconds


# ------------------------------------------------------------------ the longest duration


def test_a_call_that_lasts_too_long_ends(play: Play) -> None:
    book = play(carrier={**QUIET, "max_duration_s": 3600.0}, hop=QUIET)
    book.establish()
    assert book.wait(3599.0) == []
    assert book.wait(1.3) == ["a BYE", "b BYE"]
    assert value(book.a.last("BYE"), "Reason") == 'Q.850;cause=102;text="Longest Duration Reached"'
    ended_by_us(book)
    assert book.ends() == ["overtime"]


def test_the_bound_is_that_of_the_trunk_it_came_by(play: Play) -> None:
    book = play(carrier=QUIET, hop={**QUIET, "max_duration_s": 60.0})
    book.establish()
    assert book.wait(100.0) == []
    book.bye()


def test_an_emergency_call_has_no_bound(play: Play) -> None:
    book = play(carrier={**QUIET, "max_duration_s": 60.0}, hop=QUIET)
    book.a.invite(callee="911")
    book.b.reply("200 OK")
    book.a.ack()
    assert book.wait(3600.0) == []
    book.bye()


def test_the_bound_does_not_move_with_refreshes(play: Play) -> None:
    book = play(carrier={**QUIET, "max_duration_s": 400.0}, hop=QUIET)
    book.a.invite("Supported: timer", "Session-Expires: 300")
    book.b.reply("200 OK", *AGREED, body=ANSWER_SDP)
    book.a.ack()
    book.wait(150.0)
    book.a.request("UPDATE")
    book.b.reply("200 OK", *AGREED, to="UPDATE")
    assert book.wait(250.3) == ["a BYE", "b BYE"]
    ended_by_us(book)
    assert book.ends() == ["overtime"]


# ------------------------------------------------------------------ signs of life


def answered(book: Playbook, a: str = "200 OK", b: str = "200 OK") -> list[str]:
    """Both sides are asked and answer; what leaves because of it."""
    assert next_sent(book, 59.9) == ["a OPTIONS", "b OPTIONS"]
    return [*book.a.reply(a, to="OPTIONS"), *book.b.reply(b, to="OPTIONS")]


@pytest.mark.parametrize("status", ["200 OK", "405 Method Not Allowed", "501 Not Implemented", "500 Server Error"])
def test_any_answer_is_a_sign_of_life(play: Play, status: str) -> None:
    """And none crosses to the other side."""
    book = play(carrier=ASKING, hop=ASKING)
    book.establish()
    assert answered(book, status, status) == []
    assert answered(book, status) == []
    assert book.count("dead_call_checks") == 4
    book.bye()


@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.parametrize("status", ["481 Call/Transaction Does Not Exist", "408 Request Timeout"])
def test_a_side_that_does_not_know_it_ends_the_call(play: Play, side: str, status: str) -> None:
    """RFC 3261 §12.2.1.2; the other side is told by BYE."""
    book = play(carrier=ASKING, hop=ASKING)
    book.establish()
    ends = answered(book, **{side: status})
    assert ends == ["a BYE", "b BYE"]
    assert value(book.a.last("BYE"), "Reason") == 'SIP;cause=481;text="Other Side Is Gone"'
    ended_by_us(book)
    assert book.ends() == ["dead"]


@pytest.mark.parametrize("silent", ["a", "b"])
def test_silence_ends_the_call(play: Play, silent: str) -> None:
    book = play(carrier=ASKING, hop=ASKING)
    book.establish()
    assert next_sent(book, 59.9) == ["a OPTIONS", "b OPTIONS"]
    speaks: Party = book.b if silent == "a" else book.a
    speaks.reply("200 OK", to="OPTIONS")
    assert book.wait(33.0)[-2:] == ["a BYE", "b BYE"]
    ended_by_us(book)
    assert book.ends() == ["dead"]


def test_silence_does_not_end_an_emergency_call(play: Play) -> None:
    """A peer that ignores OPTIONS must not cost a 911 call; one that does not know the call has lost it already."""
    book = play(carrier=ASKING, hop=ASKING)
    book.a.invite(callee="911")
    book.b.reply("200 OK")
    book.a.ack()
    assert next_sent(book, 59.9) == ["a OPTIONS", "b OPTIONS"]
    book.wait(40.0)
    assert book.ends() == []
    book.wait(25.0)
    book.b.reply("481 Call/Transaction Does Not Exist", to="OPTIONS")
    ended_by_us(book)
    assert book.ends() == ["dead"]


def test_a_failure_of_the_network_is_asked_again(play: Play) -> None:
    """It may be ours; a second one in a row is not."""
    book = play(carrier=QUIET, hop={**ASKING, "dead_call_check_s": 600.0})
    book.establish()
    assert next_sent(book, 599.9) == ["b OPTIONS"]
    assert book.refused(book.b) == []
    assert next_sent(book, 31.9) == ["b OPTIONS"]
    book.b.reply("200 OK", to="OPTIONS")
    assert next_sent(book, 599.9) == ["b OPTIONS"]
    assert book.refused(book.b) == []
    assert next_sent(book, 31.9) == ["b OPTIONS"]
    assert book.refused(book.b) == ["a BYE", "b BYE"]
    ended_by_us(book)
    assert book.ends() == ["dead"]


def test_a_side_whose_trunk_does_not_want_it_is_not_asked(play: Play) -> None:
    book = play(carrier=ASKING, hop=QUIET)
    book.establish()
    assert next_sent(book, 59.9) == ["a OPTIONS"]
    book.a.reply("200 OK", to="OPTIONS")
    book.bye()


def test_numbers_stay_in_order_while_requests_cross(play: Play) -> None:
    """RFC 3261 §12.2.2: OPTIONS of ours take part in the CSeq of each leg, and wait while a request is under way."""
    book = play(carrier=ASKING, hop=ASKING)
    a, b = book.a, book.b
    book.establish()
    assert book.wait(59.6) == []
    a.request("INFO")
    assert book.wait(0.7) == ["b INFO"], "its repeat; nobody is asked now"
    b.reply("200 OK", to="INFO")
    assert next_sent(book, 4.0, 2.0) == ["a OPTIONS", "b OPTIONS"]
    a.request("INVITE", body=SDP)
    a.reply("200 OK", to="OPTIONS")
    b.reply("200 OK", to="OPTIONS")
    b.reply("200 OK", to="INVITE", body=ANSWER_SDP)
    a.ack()
    assert b.request("INFO") == ["a INFO"]
    a.reply("200 OK", to="INFO")
    book.bye()
    assert _numbers(b) == sorted(set(_numbers(b)))
    assert _numbers(a) == sorted(set(_numbers(a)))


def _numbers(party: Party) -> list[int]:
    """CSeq numbers of the requests that arrived, without repeats and ACKs."""
    seen: dict[str, int] = {}
    for message in party.got:
        if not message.startswith(("SIP/", "ACK")):
            seen.setdefault(value(message, "Via"), int(value(message, "CSeq").split()[0]))
    return list(seen.values())


def test_an_answer_that_comes_after_the_end_is_ignored(play: Play) -> None:
    book = play(carrier=ASKING, hop=ASKING)
    book.establish()
    assert next_sent(book, 59.9) == ["a OPTIONS", "b OPTIONS"]
    book.bye()
    assert book.b.reply("481 Call/Transaction Does Not Exist", to="OPTIONS") == []
    assert book.wait(33.0).count("a OPTIONS") > 5, "its transaction goes on by itself"
    assert book.ends() == ["answered"]


def test_a_question_that_comes_back_is_a_loop(play: Play) -> None:
    """A neighbour routes our OPTIONS back to us: a 481 of ours would come to us as the answer, and end the call."""
    book = play(carrier=QUIET, hop=ASKING)
    b = book.b
    book.establish()
    assert next_sent(book, 59.9) == ["b OPTIONS"]
    asked = b.last("OPTIONS")
    back = asked.replace("Via: ", "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bKproxy\r\nVia: ", 1)
    assert b.send(back) == ["b 482 Loop Detected"]
    assert b.reply("482 Loop Detected", request=asked) == []
    book.bye()
