"""REFER, SUBSCRIBE and NOTIFY within a call, and what is left of them when the call has ended."""

from __future__ import annotations

import pytest

from sipguard.b2bua.subscription import LINGER_S, MOST
from tests.playbook import Party, Playbook, body_of, value

SIDES = ["a", "b"]
ACTIVE = "Subscription-State: active;expires=60"
ENDED = "Subscription-State: terminated;reason=noresource"
TRYING = "SIP/2.0 100 Trying\r\n"


def referred(book: Playbook, side: str = "a", status: str = "202 Accepted", *more: str) -> tuple[Party, Party]:
    """A call in which one side has referred the other: who refers, and who notifies."""
    book.establish()
    here, there = (book.a, book.b) if side == "a" else (book.b, book.a)
    assert here.request("REFER", "Refer-To: <sip:+12125550199@pbx.example>") == [f"{there.name} REFER"]
    assert there.reply(status, *more, to="REFER") == [f"{here.name} {status}"]
    return here, there


def notified(here: Party, there: Party, state: str, event: str = "Event: refer", answer: str = "200 OK") -> None:
    """A NOTIFY and its answer cross."""
    assert there.request("NOTIFY", event, state, body=TRYING) == [f"{here.name} NOTIFY"]
    assert body_of(here.last("NOTIFY")) == TRYING
    assert here.reply(answer, to="NOTIFY") == [f"{there.name} {answer}"]


def hung_up(here: Party, there: Party) -> None:
    """A BYE and its answer cross."""
    assert here.request("BYE") == [f"{there.name} BYE"]
    assert there.reply("200 OK", to="BYE") == [f"{here.name} 200 OK"]


@pytest.mark.parametrize("side", SIDES)
def test_refer_and_its_reports(book: Playbook, side: str) -> None:
    """RFC 3515 §2.4.4: within the dialog, both directions."""
    here, there = referred(book, side)
    notified(here, there, ACTIVE)
    notified(here, there, ENDED)
    hung_up(here, there)
    book.require_empty_legs()


@pytest.mark.parametrize("side", SIDES)
def test_referrer_hangs_up_at_once(book: Playbook, side: str) -> None:
    """RFC 5057 §4: a BYE ends the INVITE's part only; what was subscribed to is reported until it ends."""
    here, there = referred(book, side)
    hung_up(here, there)
    assert book.ends() == ["answered"]
    assert not book.engine.calls
    notified(here, there, ACTIVE)
    for method in ("INFO", "BYE", "INVITE", "UPDATE"):
        assert there.request(method) == [f"{there.name} 481 Call/Transaction Does Not Exist"]
        if method == "INVITE":
            there.ack()
    notified(here, there, ENDED)
    assert there.request("NOTIFY", "Event: refer", ENDED) == [f"{there.name} 481 Call/Transaction Does Not Exist"]
    book.require_empty_legs()


@pytest.mark.parametrize("side", SIDES)
def test_notifier_hangs_up(book: Playbook, side: str) -> None:
    here, there = referred(book, side)
    hung_up(there, here)
    notified(here, there, ENDED)
    book.require_empty_legs()


def test_nobody_ends_it(book: Playbook) -> None:
    """The legs go all the same."""
    here, there = referred(book)
    hung_up(here, there)
    book.wait(LINGER_S - 1.0)
    notified(here, there, ACTIVE)
    book.wait(2.0)
    assert there.request("NOTIFY", "Event: refer", ENDED) == ["b 481 Call/Transaction Does Not Exist"]
    book.require_empty_legs()


def test_hung_up_by_us(book: Playbook) -> None:
    here, there = referred(book)
    assert book.hang_up() == ["a BYE", "b BYE"]
    here.reply("200 OK", to="BYE")
    there.reply("200 OK", to="BYE")
    notified(here, there, ENDED)
    book.require_empty_legs()


def test_bye_overtakes_the_answer_to_the_refer(book: Playbook) -> None:
    """Some phones refer and hang up in one breath."""
    book.establish()
    a, b = book.a, book.b
    a.request("REFER", "Refer-To: <sip:+12125550199@pbx.example>")
    assert a.request("BYE") == ["b BYE"]
    b.reply("200 OK", to="BYE")
    assert b.reply("202 Accepted", to="REFER") == ["a 202 Accepted"]
    notified(a, b, ENDED)
    book.require_empty_legs()


def test_bye_overtakes_the_answer_to_a_notify(book: Playbook) -> None:
    here, there = referred(book)
    there.request("NOTIFY", "Event: refer", ENDED)
    hung_up(here, there)
    assert here.reply("200 OK", to="NOTIFY") == ["b 200 OK"]
    book.require_empty_legs()


def test_notify_overtakes_the_answer_to_the_refer(book: Playbook) -> None:
    """RFC 6665 §4.1.2.4: the subscriber must bear it."""
    book.establish()
    a, b = book.a, book.b
    a.request("REFER", "Refer-To: <sip:+12125550199@pbx.example>")
    notified(a, b, ACTIVE)
    b.reply("202 Accepted", to="REFER")
    notified(a, b, ENDED)
    hung_up(a, b)
    book.require_empty_legs()


@pytest.mark.parametrize(
    ("status", "more"),
    [
        ("603 Decline", ()),
        ("481 Call/Transaction Does Not Exist", ()),
        ("200 OK", ("Refer-Sub: false",)),  # RFC 4488 §4
    ],
)
def test_no_subscription(book: Playbook, status: str, more: tuple[str, ...]) -> None:
    """Where nothing will be reported the legs go with the call."""
    here, there = referred(book, "a", status, *more)
    hung_up(here, there)
    book.require_empty_legs()


def test_refer_that_wants_no_subscription(book: Playbook) -> None:
    """RFC 7614 §4."""
    book.establish()
    book.a.request("REFER", "Refer-To: <sip:+12125550199@pbx.example>", "Require: nosub")
    book.b.reply("200 OK", to="REFER")
    hung_up(book.a, book.b)
    book.require_empty_legs()


def test_refer_and_silence(book: Playbook) -> None:
    book.establish()
    book.a.request("REFER", "Refer-To: <sip:+12125550199@pbx.example>")
    assert book.wait(32.1)[-1] == "a 408 Request Timeout"
    hung_up(book.a, book.b)
    book.require_empty_legs()


def test_second_refer(book: Playbook) -> None:
    """RFC 3515 §2.4.6: the id of an Event is the CSeq number of its REFER, and that differs on each leg."""
    book.establish()
    a, b = book.a, book.b
    numbers = []
    for n in (40, 50):
        a.request("REFER", "Refer-To: <sip:+12125550199@pbx.example>", cseq=n)
        b.reply("202 Accepted", to="REFER")
        numbers.append(value(b.last("REFER"), "CSeq").split()[0])
    assert numbers != ["40", "50"]
    notified(a, b, ACTIVE, f"Event: refer;id={numbers[1]}")
    assert value(a.last("NOTIFY"), "Event") == "refer;id=50"
    a.request("SUBSCRIBE", "Event: refer;id=50", "Expires: 0")
    assert value(b.last("SUBSCRIBE"), "Event") == f"refer;id={numbers[1]}"
    b.reply("200 OK", to="SUBSCRIBE")
    notified(a, b, ENDED, f"Event: refer;id={numbers[1]}")
    hung_up(a, b)
    notified(a, b, ENDED, f"Event: refer;id={numbers[0]}")
    assert value(a.last("NOTIFY"), "Event") == "refer;id=40"
    book.require_empty_legs()


@pytest.mark.parametrize("side", SIDES)
def test_subscribe_within_the_call(book: Playbook, side: str) -> None:
    """RFC 6665 §4.5.2 discourages it, and some do: one mechanism for all packages, compact names too."""
    book.establish()
    here, there = (book.a, book.b) if side == "a" else (book.b, book.a)
    for expires in ("3600", "3600", "0"):
        assert here.request("SUBSCRIBE", "o: dialog;id=x", f"Expires: {expires}") == [f"{there.name} SUBSCRIBE"]
        assert there.reply("200 OK", f"Expires: {expires}", to="SUBSCRIBE") == [f"{here.name} 200 OK"]
        notified(here, there, ENDED if expires == "0" else ACTIVE, "o: dialog;id=x")
    hung_up(here, there)
    book.require_empty_legs()


def test_refused_refresh_leaves_the_subscription(book: Playbook) -> None:
    book.establish()
    a, b = book.a, book.b
    for status in ("200 OK", "423 Interval Too Brief"):
        a.request("SUBSCRIBE", "Event: dialog", "Expires: 60")
        b.reply(status, to="SUBSCRIBE")
    hung_up(a, b)
    notified(a, b, ENDED, "Event: dialog")
    book.require_empty_legs()


@pytest.mark.parametrize("answer", ["481 Subscription Does Not Exist", "200 OK"])
def test_last_report_whatever_its_answer(book: Playbook, answer: str) -> None:
    here, there = referred(book)
    hung_up(here, there)
    notified(here, there, ENDED, answer=answer)
    book.require_empty_legs()


def test_last_report_and_silence(book: Playbook) -> None:
    here, there = referred(book)
    hung_up(here, there)
    there.request("NOTIFY", "Event: refer", ENDED)
    assert book.wait(32.1)[-1] == "b 408 Request Timeout"
    book.require_empty_legs()


def test_not_more_than_so_many(book: Playbook) -> None:
    """What a peer can make us keep is bounded."""
    book.establish()
    a, b = book.a, book.b
    for n in range(MOST + 3):
        a.request("SUBSCRIBE", f"Event: dialog;id={n}")
        b.reply("200 OK", to="SUBSCRIBE")
    assert sum(len(leg.subscriptions or ()) for leg in book.engine.legs.values()) == MOST
    hung_up(a, b)
    book.wait(LINGER_S)


def test_target_of_a_notifier_moves(book: Playbook) -> None:
    """RFC 6665 §4.4.1: SUBSCRIBE and NOTIFY are target refresh requests."""
    here, there = referred(book)
    there.request("NOTIFY", "Event: refer", ENDED, "Contact: <sip:moved@198.51.100.20>")
    here.reply("200 OK", to="NOTIFY")
    assert here.request("INFO") == ["b INFO"]
    assert there.last("INFO").split(" ")[1] == "sip:moved@198.51.100.20"
    there.reply("200 OK", to="INFO")
    hung_up(here, there)
