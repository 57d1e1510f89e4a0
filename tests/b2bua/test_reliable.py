"""Reliable provisional responses across the legs (RFC 3262): RSeq crosses, RAck names the INVITE of its own leg."""

from __future__ import annotations

import pytest

from tests.playbook import ANSWER_SDP, SDP, Playbook, body_of, value

RELIABLE = ("183 Session Progress", "Require: 100rel")


def invited(book: Playbook, cseq: int = 1) -> None:
    """The caller can do with reliable provisional responses; its INVITE has this CSeq number."""
    assert book.a.invite("Supported: 100rel", f"CSeq: {cseq} INVITE") == ["b INVITE"]
    book.a.cseq = cseq


def acknowledged(book: Playbook, rseq: int, *headers: str, body: str = "", back: str = "") -> None:
    """The PRACK for `rseq` goes over, and its answer comes back."""
    a, b = book.a, book.b
    number = value(a.invited, "CSeq").split()[0]
    assert a.request("PRACK", f"RAck: {rseq} {number} INVITE", *headers, body=body) == ["b PRACK"]
    assert value(b.last("PRACK"), "RAck") == f"{rseq} {value(b.last('INVITE'), 'CSeq')}"
    assert body_of(b.last("PRACK")) == body
    assert b.reply("200 OK", to="PRACK", body=back) == ["a 200 OK"]
    assert body_of(a.last("200")) == back


@pytest.mark.parametrize("cseq", [1, 4711])
def test_reliable_provisional(book: Playbook, cseq: int) -> None:
    """§3, §4: Require and RSeq cross as they are, PRACK and its answer within the early dialog."""
    a, b = book.a, book.b
    invited(book, cseq)
    assert value(b.last("INVITE"), "Supported") == "100rel"
    assert b.reply(*RELIABLE, "RSeq: 813520", body=ANSWER_SDP) == ["a 183 Session Progress"]
    assert (value(a.last("183"), "Require"), value(a.last("183"), "RSeq")) == ("100rel", "813520")
    acknowledged(book, 813520)
    assert b.reply("200 OK") == ["a 200 OK"]
    assert a.ack() == ["b ACK"]
    book.bye()


def test_it_is_required(book: Playbook) -> None:
    """A Require: 100rel of the caller is for the callee, whose 420 crosses (§4)."""
    a, b = book.a, book.b
    assert a.invite("Require: 100rel") == ["b INVITE"]
    assert value(b.last("INVITE"), "Require") == "100rel"
    assert b.reply("420 Bad Extension", "Unsupported: 100rel") == ["b ACK", "a 420 Bad Extension"]
    assert value(a.last("420"), "Unsupported") == "100rel"
    a.ack()


def test_several_one_after_the_other(book: Playbook) -> None:
    """§3: the next one comes when the one before is acknowledged."""
    invited(book)
    for rseq, status in ((7, "180 Ringing"), (8, "183 Session Progress"), (9, "180 Ringing")):
        assert book.b.reply(status, "Require: 100rel", f"RSeq: {rseq}") == [f"a {status}"]
        acknowledged(book, rseq)
    book.b.reply("200 OK")
    book.a.ack()
    book.bye()


def test_several_at_once_are_acknowledged_in_order(book: Playbook) -> None:
    """§4: the callee may send a second one before the first is acknowledged; both cross in order."""
    a, b = book.a, book.b
    invited(book)
    assert b.reply(*RELIABLE, "RSeq: 1", body=ANSWER_SDP) == ["a 183 Session Progress"]
    assert b.reply("180 Ringing", "Require: 100rel", "RSeq: 2") == ["a 180 Ringing"]
    assert a.request("PRACK", "RAck: 1 1 INVITE") == ["b PRACK"]
    first = b.last("PRACK")
    assert a.request("PRACK", "RAck: 2 1 INVITE") == ["b PRACK"]
    assert b.reply("200 OK", to="PRACK") == ["a 200 OK"]
    assert b.reply("200 OK", request=first) == ["a 200 OK"]
    b.reply("200 OK")
    a.ack()
    book.bye()


def test_offer_and_answer_in_prack(book: Playbook) -> None:
    """§5: of an INVITE without an offer the 183 has it, and the PRACK the answer."""
    a, b = book.a, book.b
    a.invite("Supported: 100rel", body="")
    b.reply(*RELIABLE, "RSeq: 1", body=SDP)
    acknowledged(book, 1, body=ANSWER_SDP)
    b.reply(*RELIABLE, "RSeq: 2")
    acknowledged(book, 2, body=SDP.replace("20000", "20002"), back=ANSWER_SDP.replace("30000", "30002"))
    b.reply("200 OK")
    a.ack()
    book.bye()


def test_repeated_provisional(book: Playbook) -> None:
    """§3: it is the callee's to repeat it until the PRACK; each repeat crosses, and so does the caller's patience."""
    a, b = book.a, book.b
    invited(book)
    for _ in range(3):
        assert b.reply(*RELIABLE, "RSeq: 1", body=ANSWER_SDP) == ["a 183 Session Progress"]
        book.wait(0.5)
    acknowledged(book, 1)
    b.reply("200 OK")
    a.ack()
    book.bye()


def test_lost_prack(book: Playbook) -> None:
    """Each side repeats for itself: the caller's repeat ends here, ours goes to the callee (§17.1.2.2, §17.2.2)."""
    a, b = book.a, book.b
    invited(book)
    b.reply(*RELIABLE, "RSeq: 1")
    assert a.request("PRACK", "RAck: 1 1 INVITE") == ["b PRACK"]
    assert a.again(a.asked) == []
    assert book.wait(0.6) == ["b PRACK"]
    assert b.reply("200 OK", to="PRACK") == ["a 200 OK"]
    assert a.again(a.asked) == ["a 200 OK"]
    b.reply("200 OK")
    a.ack()
    book.bye()


def test_prack_never_answered(book: Playbook) -> None:
    """Timer F; the callee ends its INVITE itself (§3: 5xx)."""
    a, b = book.a, book.b
    invited(book)
    b.reply(*RELIABLE, "RSeq: 1")
    a.request("PRACK", "RAck: 1 1 INVITE")
    assert "a 408 Request Timeout" in book.wait(32.5)
    assert b.reply("500 No PRACK") == ["b ACK", "a 500 No PRACK"]
    a.ack()


def test_cancel_between_provisional_and_prack(book: Playbook) -> None:
    """The PRACK crossed the 487: the callee still wants it, and answers as it likes."""
    a, b = book.a, book.b
    invited(book)
    b.reply(*RELIABLE, "RSeq: 1")
    assert a.cancel() == ["a 200 OK", "a 487 Request Terminated", "b CANCEL"]
    a.ack()
    assert a.request("PRACK", "RAck: 1 1 INVITE") == ["b PRACK"]
    assert b.reply("200 OK", to="PRACK") == ["a 200 OK"]
    assert b.reply("487 Request Terminated") == ["b ACK"]


def test_cancel_between_prack_and_its_answer(book: Playbook) -> None:
    a, b = book.a, book.b
    invited(book)
    b.reply(*RELIABLE, "RSeq: 1")
    a.request("PRACK", "RAck: 1 1 INVITE")
    a.cancel()
    a.ack()
    assert b.reply("487 Request Terminated") == ["b ACK"]
    assert b.reply("481 Call/Transaction Does Not Exist", to="PRACK") == ["a 481 Call/Transaction Does Not Exist"]


def test_answer_before_the_prack(book: Playbook) -> None:
    """§3: a 2xx may overtake the PRACK of a provisional response without an offer or answer."""
    a, b = book.a, book.b
    invited(book, 4711)
    b.reply("180 Ringing", "Require: 100rel", "RSeq: 3")
    assert b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    acknowledged(book, 3)
    assert a.ack() == ["b ACK"]
    book.bye()


@pytest.mark.parametrize(
    ("rack", "status"),
    [("1 2 INVITE", "481 Call/Transaction Does Not Exist"), ("1 INVITE", "400 Bad Request"), ("", "400 Bad Request")],
)
def test_prack_for_nothing(book: Playbook, rack: str, status: str) -> None:
    """§3: 481 where no provisional response of ours waits for it."""
    a, b = book.a, book.b
    invited(book)
    b.reply(*RELIABLE, "RSeq: 1")
    assert a.request("PRACK", f"RAck: {rack}") == [f"a {status}"]
    acknowledged(book, 1)
    b.reply("486 Busy Here")
    a.ack()


def test_prack_before_anything_rang(book: Playbook) -> None:
    """No early dialog stands yet, whatever tag the caller guesses."""
    a, b = book.a, book.b
    invited(book)
    a.turn_to(far="guessed")
    assert a.request("PRACK", "RAck: 1 1 INVITE") == ["a 481 Call/Transaction Does Not Exist"]
    b.reply("486 Busy Here")
    a.ack()


@pytest.mark.parametrize("number", ["\xb2", "9" * 5000, "-1", "1.0", ""])
@pytest.mark.parametrize("which", ["1 {} INVITE", "{} 1 INVITE"])
def test_what_is_no_number_is_refused(book: Playbook, number: str, which: str) -> None:
    """Python takes a superscript for a digit, and refuses to read 5000 of them."""
    a, b = book.a, book.b
    a.invite("Supported: 100rel")
    b.reply("183 Session Progress", "Require: 100rel", "RSeq: 1")
    assert a.request("PRACK", f"RAck: {which.format(number)}") == ["a 400 Bad Request"]
    b.reply("486 Busy Here")
    a.ack()
