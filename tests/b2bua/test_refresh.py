"""Session timers that a trunk of ours asks for, as a proxy may (RFC 4028 §8)."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from sipguard.screening.trunk import RefreshTimer
from tests.playbook import ANSWER_SDP, SDP, Play, Playbook, value, values

QUIET = {"dead_call_check_s": 0.0, "max_duration_s": 0.0}
ABLE = "Supported: timer"
TOO_SMALL = "422 Session Interval Too Small"


@pytest.fixture
def book(play: Play) -> Playbook:
    """Calls of the carrier ask for 1800 s; less than 120 s is not taken."""
    return play(carrier={**QUIET, "session_timer": RefreshTimer(1800, 120)}, hop=QUIET)


def arrived(book: Playbook) -> tuple[list[str], list[str]]:
    """Session-Expires and Min-SE of the last INVITE at the callee."""
    invite = book.b.last("INVITE")
    return values(invite, "Session-Expires"), values(invite, "Min-SE")


@pytest.mark.parametrize(
    ("headers", "expires", "least"),
    [
        ((), ["1800"], ["120"]),
        ((ABLE,), ["1800"], []),
        (("Supported: 100rel, Timer",), ["1800"], []),
        ((ABLE, "Session-Expires: 600"), ["600"], []),
        ((ABLE, "Session-Expires: 600;refresher=uas"), ["600;refresher=uas"], []),
        ((ABLE, "Session-Expires: 3600"), ["3600"], []),
        ((ABLE, "Min-SE: 2400"), ["2400"], ["2400"]),
        (("Min-SE: 2400",), ["2400"], ["2400"]),
        (("Min-SE: 90",), ["1800"], ["120"]),
        (("Session-Expires: 100",), ["120"], ["120"]),
        (("Session-Expires: 100;x=y", "Min-SE: 90"), ["120;x=y"], ["120"]),
        ((ABLE, "Session-Expires: 150", "Min-SE: 200"), ["200"], ["200"]),
    ],
    ids=[
        "nothing asked", "able", "able among others", "asked", "refresher is the ends' matter", "longer than ours",
        "least of an able one", "least", "least is raised", "too short for us", "parameters stay", "below its least",
    ],
)  # fmt: skip
def test_what_is_asked_for(book: Playbook, headers: tuple[str, ...], expires: list[str], least: list[str]) -> None:
    """§8.1. A Min-SE of a sender that is able is not touched, and nobody is said to be able who does not say it."""
    book.a.invite(*headers)
    assert arrived(book) == (expires, least)
    assert values(book.b.last("INVITE"), "Supported") == [h[11:] for h in headers if h.startswith("Supported")]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_the_compact_form_keeps_its_name(book: Playbook) -> None:
    book.a.invite("x: 100;refresher=uac", "k: 100rel")
    assert "\r\nx: 120;refresher=uac\r\n" in book.b.last("INVITE")
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_an_interval_that_is_too_short_is_answered_422(book: Playbook) -> None:
    """§8.1, §6: with the shortest that is taken; then the caller asks again."""
    a, b = book.a, book.b
    assert a.invite(ABLE, "Session-Expires: 100") == [f"a {TOO_SMALL}"]
    assert value(a.last("422"), "Min-SE") == "120"
    a.ack()
    assert a.invite(ABLE, "Session-Expires: 120", "Min-SE: 120") == ["b INVITE"]
    b.reply("200 OK", "Require: timer", "Session-Expires: 120;refresher=uac")
    a.ack()
    assert [frame.interval_s for frame in book.of(frames.AnswerFrame)] == [120]
    book.bye()


@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_refresh_that_is_too_short_is_answered_422(book: Playbook, side: str, method: str) -> None:
    """Requests of both sides are treated the same, initial or not."""
    book.establish()
    here = book.a if side == "a" else book.b
    assert here.request(method, ABLE, "Session-Expires: 100", body=SDP) == [f"{side} {TOO_SMALL}"]
    if method == "INVITE":
        here.ack()
    book.bye()


def test_a_callee_that_agrees(book: Playbook) -> None:
    """§8.2: its answer crosses as it is."""
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK", "Require: timer", "Session-Expires: 900;refresher=uas")
    assert values(a.last("200"), "Session-Expires") == ["900;refresher=uas"]
    assert values(a.last("200"), "Require") == ["timer"]
    a.ack()
    assert book.wait(899.0) == []
    assert book.wait(1.3)[:2] == ["a BYE", "b BYE"]
    a.reply("200 OK", to="BYE")
    b.reply("200 OK", to="BYE")
    assert book.ends() == ["expired"]


def test_a_callee_that_does_not_know_timers(book: Playbook) -> None:
    """§8.2: the caller, who is able, learns from us that it refreshes."""
    a, b = book.a, book.b
    a.invite(ABLE)
    b.reply("200 OK", "Require: 100rel", body=ANSWER_SDP)
    assert values(a.last("200"), "Session-Expires") == ["1800;refresher=uac"]
    assert sorted(values(a.last("200"), "Require")) == ["100rel", "timer"]
    a.ack()
    assert [frame.interval_s for frame in book.of(frames.AnswerFrame)] == [1800]
    book.wait(900.0)
    a.request("UPDATE", ABLE, "Session-Expires: 1800;refresher=uac")
    b.reply("200 OK", to="UPDATE")
    assert values(a.last("200"), "Session-Expires") == ["1800;refresher=uac"]
    assert book.wait(1799.0) == [], "it was refreshed"
    book.bye()


def test_neither_side_knows_timers(book: Playbook) -> None:
    """§8.2: there is no session timer then."""
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK")
    assert values(a.last("200"), "Session-Expires") == values(a.last("200"), "Require") == []
    a.ack()
    assert book.wait(7200.0) == []
    book.bye()


def test_a_refresh_of_the_called_side(book: Playbook) -> None:
    a, b = book.a, book.b
    book.establish()
    b.request("INVITE", ABLE, body=SDP)
    assert values(a.last("INVITE"), "Session-Expires") == ["1800"]
    a.reply("200 OK", body=ANSWER_SDP)
    assert values(b.last("200"), "Session-Expires") == ["1800;refresher=uac"]
    b.ack()
    book.bye()


def test_other_requests_ask_for_nothing(book: Playbook) -> None:
    """§4: Session-Expires belongs to INVITE and UPDATE."""
    book.establish()
    for method in ("INFO", "OPTIONS", "MESSAGE"):
        book.a.request(method, ABLE)
        assert values(book.b.last(method), "Session-Expires") == []
        book.b.reply("200 OK", to=method)
    book.bye()


def test_an_emergency_call_is_left_alone(book: Playbook) -> None:
    """Nothing may refuse it."""
    assert book.a.invite(ABLE, "Session-Expires: 100", callee="911") == ["b INVITE"]
    assert arrived(book) == (["100"], [])
    book.b.reply("200 OK")
    assert values(book.a.last("200"), "Session-Expires") == []
    book.a.ack()
    assert book.a.request("UPDATE", ABLE, "Session-Expires: 100") == ["b UPDATE"]
    book.b.reply("200 OK", to="UPDATE")
    book.bye()


def test_bypass_changes_nothing(book: Playbook) -> None:
    book.mode("bypass")
    book.a.invite(ABLE)
    assert arrived(book) == ([], [])
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_without_the_setting_it_is_left_to_the_ends(play: Play) -> None:
    book = play()
    book.a.invite(ABLE, "Session-Expires: 10")
    assert arrived(book) == (["10"], [])
    book.b.reply("200 OK")
    assert values(book.a.last("200"), "Session-Expires") == []
    book.a.ack()
    book.bye()
