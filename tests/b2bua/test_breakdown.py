"""Something breaks that nobody expected, anywhere on the way of a call: only that call ends, and 911 goes on.

What is given to an engine from outside is made to break: identifiers, the stopwatch, counts, checks, signers, labels.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.playbook import ANSWER_SDP, Faults, Play, Playbook, shown, value

ORDINARY, EMERGENCY = "+12125550123", "911"
CALLEES = {"ordinary": ORDINARY, "emergency": EMERGENCY}


def live(book: Playbook, callee: str) -> None:
    """A call from its INVITE to its BYE, as far as it comes: two peers, a ring, an answer, an INFO, a re-INVITE."""
    a = book.a
    a.invite(callee=callee)
    settle(book)
    for b in (book.b, book.c):
        if not asks(b):
            continue
        if b is book.b:
            b.reply("503 Service Unavailable")
            settle(book)
            continue
        b.reply("180 Ringing")
        settle(book)
        b.reply("200 OK", body=ANSWER_SDP)
        settle(book)
    if not final(book):
        book.wait(40.0)  # whoever got nothing hears of it by a timer
        settle(book)
    assert final(book), "the caller was left without a final response"
    if not final(book)[8:].startswith("2"):
        a.ack()
        return
    a.ack()
    settle(book)
    for method in ("INFO", "INVITE", "BYE"):
        if a.all("BYE"):
            break
        a.request(method, body=ANSWER_SDP if method == "INVITE" else "")
        for b in (book.b, book.c):
            if b.got and shown(b.got[-1]) == method:
                b.reply("200 OK", to=method)
        settle(book)
        assert answered(book, method), f"{method} was left without a final response"
        if method == "INVITE":
            a.ack()
            settle(book)


def settle(book: Playbook) -> None:
    """Each party answers the CANCEL and the BYE that it has got, and acknowledges a call that it has lost."""
    for party in (book.b, book.c, book.a):
        for message in list(party.got):
            method = shown(message)
            if method in ("CANCEL", "BYE") and message not in party.settled:
                party.settled.append(message)
                party.reply("200 OK", request=message)
                if method == "CANCEL":
                    party.reply("487 Request Terminated")


def asks(party: Any) -> bool:
    """Whether the last INVITE at a peer has no final response yet, and was not cancelled."""
    return bool(party.all("INVITE")) and not party.all("CANCEL") and not party.all("BYE")


def final(book: Playbook) -> str:
    """The final response to the first INVITE, "" for none."""
    for message in book.a.got:
        if message.startswith("SIP/2.0 ") and value(message, "CSeq") == "1 INVITE" and message[8] != "1":
            return message
    return ""


def answered(book: Playbook, method: str) -> bool:
    """Whether the last request of the caller has a final response."""
    cseq = f"{book.a.cseq} {method}"
    return any(m.startswith("SIP/2.0 ") and m[8] != "1" and value(m, "CSeq") == cseq for m in book.a.got)


def everything_asked(callee: str) -> dict[str, int]:
    """What a whole call asks for, and how many times."""
    faults = Faults()
    book = Playbook(faults=faults)
    before = dict(faults.asked)
    live(book, callee)
    book.over()
    assert book.troubles == []
    return {what: n - before.get(what, 0) for what, n in faults.asked.items()}


PLACES = [
    (who, what, n) for who, callee in CALLEES.items() for what, times in sorted(everything_asked(callee).items())
    for n in range(times)
]  # fmt: skip


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for_ever"])
@pytest.mark.parametrize(("who", "what", "n"), PLACES)
def test_wherever_it_breaks_every_request_is_answered_and_every_table_empty(
    play: Play, who: str, what: str, n: int, for_ever: bool
) -> None:
    faults = Faults()
    book = play(faults=faults)
    faults.arm(what, n, for_ever)
    live(book, CALLEES[who])
    assert faults.what != what or for_ever, "it was not asked for"
    assert book.troubles
    faults.arm("")
