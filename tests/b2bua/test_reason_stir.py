"""Reason: STIR in responses to a trunk that wants to know which Identity values failed (RFC 9410, RFC 9366)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sipguard.b2bua import frames
from sipguard.screening.policy.model import OneOf, Rule
from tests.pki import Pki, identity_value, passport
from tests.playbook import ANSWER_SDP, START_AT, Play, Playbook, values

X5U = "https://certs.example/709J.pem"
PKI = Pki(now=datetime.fromtimestamp(START_AT, UTC))
LEAF = PKI.leaf()
FAILED = OneOf("identity.result", ("failed",))
REFUSED = Rule("refused", FAILED, basis="identity")


def identity(**knobs: object) -> str:
    """An Identity header for the call of a playbook."""
    given: dict[str, object] = {"iat": int(START_AT), "origid": "o-1", **knobs}
    return f"Identity: {identity_value(passport('12025550101', '12125550123', LEAF.key, X5U, **given), X5U)}"  # type: ignore[arg-type]


def signature(header: str) -> str:
    """The last part of its token."""
    return header.partition(";")[0].rpartition(".")[2]


GOOD, BAD, STALE = identity(), identity(tamper=True), identity(iat=int(START_AT) - 3600)
TOLD = f'STIR;cause=438;text="Invalid Identity Header";ppi="..{signature(BAD)}"'
TOLD_STALE = f'STIR;cause=403;text="Stale Date";ppi="..{signature(STALE)}"'


def opened(play: Play, *rules: Rule, form: str = "compact", **more: object) -> Playbook:
    """A playbook whose caller wants to know, with the certificate at hand."""
    book = play(*rules, anchors=(PKI.root.pem,), carrier={"reason_stir": form}, **more)
    book.a.invite(GOOD)
    book.fetched(LEAF.pem)
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert not values(book.a.last("486"), "Reason"), "nothing failed"
    return book


def reasons(book: Playbook, what: str) -> list[str]:
    """The Reason values of the last such response to the caller."""
    return values(book.a.last(what), "Reason")


def test_the_first_provisional_response_says_it_and_none_after_it(play: Play) -> None:
    """Not the 100, which is hop by hop."""
    book = opened(play)
    book.a.invite(BAD)
    assert book.a.again() == ["a 100 Trying"]
    book.b.reply("100 Trying")
    book.b.reply("180 Ringing")
    book.b.reply("183 Session Progress", body=ANSWER_SDP)
    book.b.reply("200 OK", body=ANSWER_SDP)
    book.a.ack()
    assert reasons(book, "180 Ringing") == [TOLD]
    assert [reasons(book, what) for what in ("100 Trying", "183 Session Progress", "200 OK")] == [[], [], []]
    book.bye()


def test_the_provisional_that_is_repeated_says_it_again(play: Play) -> None:
    book = opened(play)
    book.a.invite(BAD)
    book.b.reply("180 Ringing")
    assert book.a.again(book.a.invited) == ["a 180 Ringing"]
    assert reasons(book, "180 Ringing") == [TOLD]
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert reasons(book, "486") == []


def test_an_answer_without_ringing_says_it_each_time_it_is_repeated(play: Play) -> None:
    book = opened(play)
    book.a.invite(BAD)
    book.b.reply("200 OK", body=ANSWER_SDP)
    book.wait(0.6)
    assert [values(each, "Reason") for each in book.a.all("200 OK")] == [[TOLD], [TOLD]]
    book.a.ack()
    book.bye()


@pytest.mark.parametrize("status", ["486 Busy Here", "302 Moved Temporarily", "603 Network Blocked"])
def test_a_failure_of_the_peer_says_it_behind_what_the_peer_said(play: Play, status: str) -> None:
    """A Reason of the peer stays as it is, before ours."""
    book = opened(play)
    blocked = 'Q.850;cause=21;text="v=analytics1;url=https://blocker.example/fix";location=RLN'
    book.a.invite(BAD)
    book.b.reply(status, f"Reason: {blocked}", contact="<sip:+13125550199@elsewhere.example>")
    book.a.ack()
    assert reasons(book, status[:3]) == [blocked, TOLD]
    assert book.of(frames.EndFrame)[-1].reason == blocked


@pytest.mark.parametrize("sent", [[GOOD, BAD, STALE], [BAD, GOOD, STALE], [BAD, STALE]])
def test_one_value_for_each_header_that_failed_whatever_the_others_say(play: Play, sent: list[str]) -> None:
    book = opened(play)
    book.a.invite(*sent)
    book.b.reply("180 Ringing")
    assert reasons(book, "180 Ringing") == [TOLD, TOLD_STALE]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_the_full_form_names_the_whole_token(play: Play) -> None:
    book = opened(play, form="full")
    book.a.invite(BAD)
    book.b.reply("180 Ringing")
    token = BAD.partition(": ")[2].partition(";")[0]
    assert reasons(book, "180 Ringing") == [f'STIR;cause=438;text="Invalid Identity Header";ppi="{token}"']
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_a_rejection_of_our_own_says_it(play: Play) -> None:
    book = opened(play, REFUSED)
    assert book.a.invite(STALE) == ["a 403 Stale Date"]
    book.a.ack()
    assert reasons(book, "403") == [TOLD_STALE]


def test_the_reason_of_a_603_plus_stands_before_it(play: Play) -> None:
    book = opened(play, Rule("analytics", FAILED, basis="analytics"))
    book.a.invite(BAD)
    book.a.ack()
    blocked, told = reasons(book, "603 Network Blocked")
    assert blocked.startswith('Q.850;cause=21;text="v=analytics1;')
    assert told == TOLD


def test_a_certificate_that_cannot_be_had_is_told_as_436(play: Play) -> None:
    book = opened(play)
    book.a.invite(BAD.replace(X5U, "https://certs.example:444/709J.pem"))
    book.b.reply("180 Ringing")
    (told,) = reasons(book, "180 Ringing")
    assert told.startswith("STIR;cause=438;text=")  # info is not what the token says
    book.b.reply("486 Busy Here")
    book.a.ack()
    other = "https://certs.example/elsewhere.pem"
    elsewhere = passport("12025550101", "12125550123", LEAF.key, other, iat=int(START_AT))
    book.a.invite(f"Identity: {identity_value(elsewhere, other)}")
    book.fetched("x5u_connect")
    book.b.reply("180 Ringing")
    assert reasons(book, "180 Ringing") == [
        f'STIR;cause=436;text="Bad Identity Info";ppi="..{elsewhere.rpartition(".")[2]}"'
    ]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_another_peer_is_tried_before_it_is_said(play: Play) -> None:
    book = opened(play)
    book.a.invite(BAD)
    assert book.b.reply("503 Service Unavailable") == ["b ACK", "c INVITE"]
    book.c.reply("180 Ringing")
    assert reasons(book, "180 Ringing") == [TOLD]
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_a_caller_who_gives_up_early_is_told_and_the_callee_is_not(play: Play) -> None:
    book = opened(play)
    book.a.invite(BAD)
    book.b.reply("100 Trying")
    book.a.cancel()
    assert reasons(book, "487") == [TOLD]
    assert not values(book.b.last("CANCEL"), "Reason")
    book.b.reply("487 Request Terminated")
    book.a.ack()


def test_who_rings_for_too_long_gets_a_cancel_without_it(play: Play) -> None:
    book = opened(play)
    book.a.invite(BAD)
    book.b.reply("100 Trying")
    book.wait(200.0)
    assert reasons(book, "408") == [TOLD]
    assert not values(book.b.last("CANCEL"), "Reason")
    book.b.reply("487 Request Terminated")
    book.a.ack()


def test_nothing_is_said_in_mode_bypass_or_of_an_emergency_call(play: Play) -> None:
    book = opened(play)
    book.mode("bypass")
    book.a.invite(BAD)
    book.b.reply("180 Ringing")
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert reasons(book, "180 Ringing") == []
    book.mode("enforce")
    book.a.invite(BAD, callee="911")
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert reasons(book, "486") == []


def test_nothing_is_said_unless_the_trunk_wants_it(play: Play) -> None:
    book = opened(play, form="")
    book.a.invite(BAD, STALE)
    book.b.reply("180 Ringing")
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert reasons(book, "180 Ringing") + reasons(book, "486") == []
