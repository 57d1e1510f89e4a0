"""Reason: STIR of a next hop stays away from a trunk that has `reason_stir: off` (RFC 9410); no other Reason does."""

from __future__ import annotations

import pytest

from sipguard.b2bua.untold import lines_untold
from tests.playbook import ANSWER_SDP, Play, Playbook, values

STIR = 'STIR;cause=436;text="Bad Identity Info";ppi="..c-_9"'
Q850 = 'Q.850;cause=21;text="v=analytics1;url=https://a.example/b, STIR;id=1";location=RLN'
SAID = ("Reason: " + STIR, f"reason : stir ;cause=438, {Q850} ,STIR;cause=403", "Reason: STIR,\r\n STIR;cause=437")


def told(book: Playbook, what: str) -> list[str]:
    """The Reason values of the last such message to the caller."""
    return [one.strip() for one in values(book.a.last(what), "Reason")]


def test_it_reaches_no_response_of_the_call(play: Play) -> None:
    """Provisional, answer, within the dialog, BYE; what else is said there crosses."""
    book = play()
    book.a.invite()
    book.b.reply("183 Session Progress", *SAID, body=ANSWER_SDP)
    assert told(book, "183") == [Q850]
    book.b.reply("200 OK", *SAID)
    assert told(book, "200") == [Q850]
    book.a.ack()
    book.a.request("INFO")
    book.b.reply("488 Not Acceptable Here", *SAID, to="INFO")
    assert told(book, "488") == [Q850]
    book.b.request("BYE", *SAID)
    assert told(book, "BYE") == [Q850]
    book.a.reply("200 OK", to="BYE")


@pytest.mark.parametrize("status", ["486 Busy Here", "603 Network Blocked", "302 Moved Temporarily"])
def test_it_reaches_no_failure(play: Play, status: str) -> None:
    book = play()
    book.a.invite()
    book.b.reply(status, *SAID)
    assert told(book, status[:3]) == [Q850]
    book.a.ack()


def test_a_trunk_that_wants_to_be_told_hears_all(play: Play) -> None:
    book = play(carrier={"reason_stir": "compact"})
    book.a.invite()
    book.b.reply("486 Busy Here", *SAID[:2])
    assert len(told(book, "486")) == 2 and told(book, "486")[0] == STIR
    book.a.ack()


def test_an_emergency_call_hears_none_whatever_its_trunk_wants(play: Play) -> None:
    book = play(carrier={"reason_stir": "compact"})
    book.a.invite(callee="911")
    book.b.reply("180 Ringing", *SAID)
    assert told(book, "180") == [Q850]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_in_mode_bypass_it_crosses(play: Play) -> None:
    book = play(mode="bypass")
    book.a.invite()
    book.b.reply("486 Busy Here", SAID[0])
    assert told(book, "486") == [STIR]
    book.a.ack()


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("Reason: STIR;cause=436", ""),
        ("Reason:STIR ;cause=436", ""),
        ('Reason: SIP;cause=200;text="STIR, STIR;x"', 'Reason: SIP;cause=200;text="STIR, STIR;x"'),
        ('Reason: Q.850;text="a, STIR;x', 'Reason: Q.850;text="a'),
        (r'Reason: Q.850;text="a\", STIR;x", STIR', r'Reason: Q.850;text="a\", STIR;x"'),
        ("Reason: SIP ;cause=200,STIR;cause=436,Q.850", "Reason: SIP ;cause=200,Q.850"),
        ("Reason: SIP;cause=200,\r\n STIR;cause=436", "Reason: SIP;cause=200"),
        ("Reason: STIRRED;cause=1", "Reason: STIRRED;cause=1"),
        ("Subject: STIR, STIR", "Subject: STIR, STIR"),
    ],
)
def test_values_are_told_apart(line: str, left: str) -> None:
    around = ["Via: SIP/2.0/UDP a.example", *([left] if left else []), "X: 1"]
    assert lines_untold(f"{around[0]}\r\n{line}\r\n{around[-1]}") == "\r\n".join(around)
