"""Something breaks that nobody expected, anywhere on the way of a call: only that call ends, and 911 goes on.

What is given to an engine from outside is made to break: identifiers, the stopwatch, counts, checks, signers, labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sipguard.b2bua.commands import Mode, Record, Reload, Resolved, Trouble
from sipguard.b2bua.frames import AnswerFrame, EndFrame, decode, encode
from sipguard.b2bua.recovery import Remains
from sipguard.screening.guard import Settings as GuardSettings
from sipguard.screening.ruleset import Overload
from sipguard.screening.trunk import SignRules
from sipguard.sip.locate import Query
from tests.playbook import ANSWER_SDP, Broken, Faults, Play, Playbook, shown, value

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


# ---------------------------------------------------------------------- what goes out, by where it breaks


class Odd:
    """A setting of no use to anybody: whoever looks at it breaks."""

    def __eq__(self, other: object) -> bool:
        raise Broken("setting")

    def __bool__(self) -> bool:
        raise Broken("setting")

    __hash__ = None  # type: ignore[assignment]


class OddSigner:
    """A signer whose key breaks."""

    not_after_at = 2e9

    def valid_at(self, unix_at: float) -> bool:
        raise Broken("key")


Act = Callable[[Playbook], list[str]]


class Row:
    """A fault: what is made to break, and the acts behind which it does. Columns of an ordinary and a 911 call."""

    def __init__(
        self, ordinary: list[str], of_911: list[str], *acts: Act, arm: tuple[str, int] = ("", 0), **fields: Any
    ) -> None:
        self.columns = {"ordinary": ordinary, "emergency": of_911}
        self.acts = acts
        self.arm = arm
        self.fields = fields


def rings(book: Playbook) -> list[str]:
    return book.b.reply("180 Ringing")


def answers(book: Playbook) -> list[str]:
    return book.b.reply("200 OK", body=ANSWER_SDP)


def fails(book: Playbook) -> list[str]:
    return book.b.reply("503 Service Unavailable")


def acknowledges(book: Playbook) -> list[str]:
    return book.a.ack()


def informs(book: Playbook) -> list[str]:
    return book.a.request("INFO")


def hangs_up(book: Playbook) -> list[str]:
    return book.a.request("BYE")


def is_hung_up(book: Playbook) -> list[str]:
    return book.hang_up()


ON, REFUSED = ["b INVITE"], ["a 500 Server Internal Error"]
OK = ["a 200 OK"]
SIGNS = {"sign": SignRules("own", (), "B", "0b1e6f2c-0001-4000-8000-000000000001")}
ROWS = {
    "the wish to run all checks": Row(ON, ON, complete_percent=Odd()),
    "the guard": Row(ON, ON, emergency=GuardSettings(psap_callers=None)),  # type: ignore[arg-type]
    "the numbers": Row(REFUSED, ON, carrier={"read": None}),
    "a mark": Row(ON, ON, carrier={"verify": True}, hop={"verstat": Odd()}),
    "a signer": Row(ON, ON, carrier=SIGNS, hop={"add_identity": True}, signers={"own": OddSigner()}),
    "the stopwatch, for the verdict's frame": Row(ON, ON, arm=("stopwatch", 0)),
    "the count of verdicts": Row(ON, ON, arm=("allowed", 0)),
    "the id of the call": Row(REFUSED, ON, arm=("identifier", 0)),
    "a tag of the call": Row(REFUSED, ON, arm=("identifier", 1)),
    "the Call-ID of the B leg": Row(REFUSED, ["c INVITE"], arm=("identifier", 2)),
    "the branch of the INVITE": Row(REFUSED, ["c INVITE"], arm=("identifier", 5)),
    "another peer": Row(["b ACK", *REFUSED], ["b ACK", "c INVITE"], fails, arm=("failovers", 0)),
    "the answer's count": Row([*REFUSED, "b ACK", "b BYE"], OK, rings, answers, arm=("answered", 0)),
    "a request in the dialogs": Row(
        [*REFUSED, "a BYE", "b BYE"], REFUSED,
        answers, acknowledges, informs, arm=("identifier", 0),
    ),
    "the ACK": Row(["b ACK", "a BYE", "b BYE"], [], answers, acknowledges, arm=("identifier", 0)),
    "the BYE": Row(["b BYE", "a 200 OK"], ["b BYE", "a 200 OK"], answers, acknowledges, hangs_up, arm=("ended", 0)),
    "an operator's wish": Row(
        ["a BYE", "b BYE"], ["a BYE", "b BYE"], answers, acknowledges, is_hung_up, arm=("ended", 0)
    ),
}  # fmt: skip


UNMET = {("the wish to run all checks", "emergency"), ("the guard", "emergency")}  # 911 does not come by there


@pytest.mark.parametrize("who", CALLEES)
@pytest.mark.parametrize("where", ROWS)
def test_what_goes_out(play: Play, where: str, who: str) -> None:
    row = ROWS[where]
    faults = Faults()
    book = play(faults=faults, **row.fields)
    *before, last = (lambda book: book.a.invite(callee=CALLEES[who]), *row.acts)
    for act in before:
        act(book)
    faults.arm(*row.arm)
    assert last(book) == row.columns[who]
    assert bool(book.troubles) is ((where, who) not in UNMET)
    faults.arm("")
    finish(book)


def finish(book: Playbook) -> None:
    """Whatever is left of the call is ended by its ends."""
    for party in (book.b, book.c):
        if asks(party) and not final(book):
            party.reply("486 Busy Here")
    if final(book):
        book.a.ack()
    if final(book)[8:9] == "2" and not book.a.all("BYE"):
        if book.a.asked.startswith("BYE"):
            book.b.reply("200 OK", to="BYE")
        else:
            book.a.request("BYE")
    settle(book)


def test_what_breaks_while_a_call_is_taken_up_loses_that_call_only(play: Play) -> None:
    """Its frame says nowhere where an address should be."""
    book = play(faults=Faults())
    book.establish()
    frame = next(each for each in book.frames if isinstance(each, AnswerFrame))
    lost = decode(encode(frame))
    assert isinstance(lost, AnswerFrame)
    lost.decision_id = "lost"
    lost.legs[1].address = "nowhere"
    remains = [Remains("lost", lost), Remains(frame.decision_id, frame)]
    book.engine = Playbook(faults=Faults()).engine
    commands = book.engine.recover(remains, book.clock.unix, book.clock)
    ends = [c.frame for c in commands if isinstance(c, Record) and isinstance(c.frame, EndFrame)]
    assert [(end.decision_id, end.disposition) for end in ends] == [("lost", "lost")]
    assert [c.what.partition(":")[0] for c in commands if isinstance(c, Trouble)] == ["ValueError"]
    assert list(book.engine.calls) == [frame.decision_id]
    book.bye()


class Unreadable(dict[str, Any]):
    """Listeners of a Ruleset at which its taking up breaks."""

    def items(self) -> Any:
        raise OSError("gone")


def test_a_ruleset_that_breaks_on_being_taken_up_is_not_taken_up(book: Playbook) -> None:
    before = book.engine.ruleset
    broken = replace(before, revision="r2", overload=Overload(refuse_after_s=0.0), listeners=Unreadable())
    commands = book.engine.control(Reload(broken), book.clock)
    assert [type(each) for each in commands] == [Trouble]
    assert book.engine.ruleset is before and book.engine.overload is before.overload
    book.establish()
    book.bye()


def test_one_wish_that_breaks_is_told_of_and_the_next_is_done(play: Play) -> None:
    faults = Faults()
    book = play(faults=faults)
    faults.arm("resolutions_failed")
    commands = book.engine.control(Resolved(Query("hop.example", 0, ("udp",), ((4,),)), None), book.clock)
    assert [type(each) for each in commands] == [Trouble]
    book.control(Mode("bypass"))
    assert book.engine.modes == {"": "bypass"}
