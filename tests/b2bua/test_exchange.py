"""Requests within the dialogs: any method crosses, INVITE and BYE with their rules."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.exchange import ACTIONS, DONE, EVENTS, EXCHANGE, STATES, WAITING
from tests.playbook import ANSWER_SDP, SDP, Party, Playbook, body_of, lines, value, values
from tests.tables import require_complete_table

SIDES = ["a", "b"]


def sides(book: Playbook, first: str) -> tuple[Party, Party]:
    """The side that asks and the one that answers."""
    return (book.a, book.b) if first == "a" else (book.b, book.a)


def test_table() -> None:
    """Every state answers every event, with a known action, and can be reached."""
    require_complete_table(EXCHANGE, STATES, EVENTS, ACTIONS, start=WAITING, ends={DONE})


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("method", ["INFO", "UPDATE", "MESSAGE", "NOTIFY", "REFER", "OPTIONS", "PRACK", "FROBNICATE"])
def test_any_method_crosses(book: Playbook, method: str, side: str) -> None:
    """RFC 3261 §12.2; with body and unknown headers, and its response the same way back."""
    book.establish()
    here, there = sides(book, side)
    assert here.request(method, "X-Unknown:  kept, as it is ", body="text") == [f"{there.name} {method}"]
    assert "X-Unknown:  kept, as it is " in lines(there.last(method))
    assert body_of(there.last(method)) == "text"
    assert there.reply("299 Fine With Me", "X-Back: 1", "Refer-Sub: false", to=method, body="b") == [
        f"{here.name} 299 Fine With Me"
    ]
    assert (value(here.last("299"), "X-Back"), body_of(here.last("299"))) == ("1", "b")
    book.bye()


@pytest.mark.parametrize(("method", "has_contact"), [("UPDATE", True), ("INFO", False), ("MESSAGE", False)])
def test_contact_only_where_the_method_has_one(book: Playbook, method: str, has_contact: bool) -> None:
    """RFC 3261 table 2, RFC 3311 §4, RFC 3428 §4."""
    book.establish()
    book.a.request(method)
    assert bool(values(book.b.last(method), "Contact")) == has_contact
    book.b.reply("200 OK", to=method)
    book.bye()
    assert not values(book.b.last("BYE"), "Contact")


def test_silence_within_the_dialog(book: Playbook) -> None:
    """Timer F: 408 for the sender; the dialog stands (RFC 5057 §5.1)."""
    book.establish()
    book.a.request("INFO")
    assert book.wait(32.1)[-1] == "a 408 Request Timeout"
    book.bye()


def test_retransmitted_request_crosses_once(book: Playbook) -> None:
    """§17.2.2."""
    a, b = book.a, book.b
    book.establish()
    a.request("INFO")
    assert a.again(a.asked) == []
    b.reply("200 OK", to="INFO")
    assert a.again(a.asked) == ["a 200 OK"]
    assert len(b.all("INFO")) == 1
    book.bye()


# ------------------------------------------------------------------------------------------ re-INVITE


@pytest.mark.parametrize("side", SIDES)
def test_reinvite(book: Playbook, side: str) -> None:
    """§14, both directions: offer, answer and ACK cross, 100 does not."""
    book.establish()
    here, there = sides(book, side)
    assert here.request("INVITE", body=SDP) == [f"{there.name} INVITE"]
    assert there.reply("100 Trying") == []
    assert there.reply("200 OK", body=ANSWER_SDP) == [f"{here.name} 200 OK"]
    assert body_of(here.last("200")) == ANSWER_SDP
    assert here.ack() == [f"{there.name} ACK"]
    assert value(there.last("ACK"), "CSeq").split()[0] == value(there.last("INVITE"), "CSeq").split()[0]
    assert there.reply("200 OK", body=ANSWER_SDP) == [f"{there.name} ACK"]
    book.bye()
    assert book.ends() == ["answered"]


@pytest.mark.parametrize("side", SIDES)
def test_refused_reinvite_leaves_the_call(book: Playbook, side: str) -> None:
    """§14.1."""
    book.establish()
    here, there = sides(book, side)
    here.request("INVITE", body=SDP)
    assert there.reply("488 Not Acceptable Here") == [f"{there.name} ACK", f"{here.name} 488 Not Acceptable Here"]
    assert here.ack() == []
    book.bye()


def test_glare(book: Playbook) -> None:
    """Both sides ask at once: 491 for the one whose INVITE came second (§14.2)."""
    a, b = book.a, book.b
    book.establish()
    assert a.request("INVITE", body=SDP) == ["b INVITE"]
    assert b.request("INVITE", body=SDP) == ["b 491 Request Pending"]
    b.ack()
    to_answer = b.last_request("INVITE")
    assert b.reply("491 Request Pending", request=to_answer) == ["b ACK", "a 491 Request Pending"]
    a.ack()
    book.bye()


def test_reinvite_before_the_ack_of_the_first(book: Playbook) -> None:
    book.establish(ack=False)
    assert book.b.request("INVITE", body=SDP) == ["b 491 Request Pending"]
    book.b.ack()
    book.a.invited = book.a.sent[0]
    assert book.a.ack() == ["b ACK"]
    book.bye()


def test_second_invite_while_one_is_pending(book: Playbook) -> None:
    """§14.2: 500 with a Retry-After between 0 and 10 seconds."""
    a, b = book.a, book.b
    book.establish()
    a.request("INVITE", body=SDP)
    first = a.invited
    assert a.request("INVITE", body=SDP) == ["a 500 INVITE In Progress"]
    assert 0 <= int(value(a.last("500"), "Retry-After")) <= 10
    a.ack()
    b.reply("200 OK", body=ANSWER_SDP)
    a.invited = first
    assert a.ack() == ["b ACK"]
    book.bye()


def test_cancelled_reinvite(book: Playbook) -> None:
    """§9.1; the session goes on as it was (§14.1)."""
    a, b = book.a, book.b
    book.establish()
    a.request("INVITE", body=SDP)
    b.reply("180 Ringing")
    assert a.cancel() == ["a 200 OK", "b CANCEL"]
    b.reply("200 OK", to="CANCEL", contact=False)
    assert b.reply("487 Request Terminated") == ["b ACK", "a 487 Request Terminated"]
    a.ack()
    book.bye()
    assert book.ends() == ["answered"]


def test_cancelled_reinvite_before_any_response(book: Playbook) -> None:
    a, b = book.a, book.b
    book.establish()
    a.request("INVITE", body=SDP)
    assert a.cancel() == ["a 200 OK"]
    assert b.reply("100 Trying") == ["b CANCEL"]
    b.reply("200 OK", to="CANCEL", contact=False)
    assert b.reply("487 Request Terminated") == ["b ACK", "a 487 Request Terminated"]
    a.ack()
    book.bye()


def test_cancelled_reinvite_that_was_accepted(book: Playbook) -> None:
    """The 200 crossed the CANCEL: the session has changed there, so both sides must know (§9.1)."""
    a, b = book.a, book.b
    book.establish()
    a.request("INVITE", body=SDP)
    b.reply("180 Ringing")
    a.cancel()
    assert b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    b.reply("481 Call/Transaction Does Not Exist", to="CANCEL", contact=False)
    assert a.ack() == ["b ACK"]
    book.bye()


@pytest.mark.parametrize("ringing", [True, False])
def test_cancelled_reinvite_and_silence(book: Playbook, ringing: bool) -> None:
    a, b = book.a, book.b
    book.establish()
    a.request("INVITE", body=SDP)
    if ringing:
        b.reply("180 Ringing")
    a.cancel()
    if ringing:
        b.reply("200 OK", to="CANCEL", contact=False)
    assert book.wait(32.2)[-1] == "a 487 Request Terminated"
    a.ack()
    book.bye()


def test_reinvite_and_silence(book: Playbook) -> None:
    book.establish()
    book.a.request("INVITE", body=SDP)
    assert book.wait(32.1)[-1] == "a 408 Request Timeout"
    book.a.ack()
    book.bye()


def test_reinvite_that_rings_for_too_long(book: Playbook) -> None:
    """Timer C cancels it (§16.8)."""
    a, b = book.a, book.b
    book.establish()
    a.request("INVITE", body=SDP)
    b.reply("180 Ringing")
    assert "b CANCEL" in book.wait(186.0)
    b.reply("200 OK", to="CANCEL", contact=False)
    assert b.reply("487 Request Terminated") == ["b ACK", "a 487 Request Terminated"]
    a.ack()
    book.bye()


def test_reliable_provisional_of_a_reinvite(book: Playbook) -> None:
    """The CSeq number in RAck is that of the INVITE on the same leg (RFC 3262 §7.2)."""
    a, b = book.a, book.b
    book.establish()
    assert b.request("INVITE", "Supported: 100rel", body=SDP) == ["a INVITE"]
    a.reply("183 Session Progress", "Require: 100rel", "RSeq: 5", body=ANSWER_SDP)
    number = value(b.invited, "CSeq").split()[0]
    assert b.request("PRACK", f"RAck: 5 {number} INVITE") == ["a PRACK"]
    assert value(a.last("PRACK"), "RAck") == f"5 {value(a.last('INVITE'), 'CSeq')}"
    a.reply("200 OK", to="PRACK")
    a.reply("200 OK")
    assert b.ack() == ["a ACK"]
    book.bye()


# ------------------------------------------------------------------------------------------ target refresh


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("side", SIDES)
def test_target_refresh(book: Playbook, method: str, side: str) -> None:
    """§12.2.1.2, §12.2.2, RFC 3311 §5: later requests go to the new Contact, by request and by response."""
    book.establish()
    here, there = sides(book, side)
    moved, answered_from = f"sip:moved@{here.host}:5060", f"sip:also@{there.host}:5060"
    here.request(method, f"Contact: <{moved}>", body=SDP)
    there.reply("200 OK", to=method, body=ANSWER_SDP, contact=f"<{answered_from}>")
    if method == "INVITE":
        here.ack()
        assert there.last("ACK").split(" ")[1] == answered_from
    there.request("INFO")
    assert here.last("INFO").split(" ")[1] == moved
    here.reply("200 OK", to="INFO")
    assert [(f.leg, f.remote_target) for f in book.of(frames.TargetFrame)] == [
        (here.name, moved),
        (there.name, answered_from),
    ]
    book.bye()


def test_same_target_writes_no_frame(book: Playbook) -> None:
    book.establish()
    book.a.request("UPDATE", body=SDP)
    book.b.reply("200 OK", to="UPDATE", body=ANSWER_SDP)
    assert book.of(frames.TargetFrame) == []
    book.bye()


# ------------------------------------------------------------------------------------------ BYE


def test_bye_against_bye(book: Playbook) -> None:
    """The dialog is gone for the second BYE (§15.1.2); the answer 481 to the first means the same as 200."""
    a, b = book.a, book.b
    book.establish()
    assert a.request("BYE") == ["b BYE"]
    assert b.request("BYE") == ["b 481 Call/Transaction Does Not Exist"]
    assert b.reply("481 Call/Transaction Does Not Exist", to="BYE") == ["a 200 OK"]
    assert book.ends() == ["answered"]


@pytest.mark.parametrize("status", ["200 OK", "408 Request Timeout", "481 Call/Transaction Does Not Exist"])
def test_answers_to_a_bye(book: Playbook, status: str) -> None:
    """§15.1.1: 408 and 481 say that there is nothing left to end."""
    book.establish()
    book.a.request("BYE")
    assert book.b.reply(status, to="BYE") == ["a 200 OK"]


def test_bye_and_silence(book: Playbook) -> None:
    book.establish()
    book.a.request("BYE")
    assert book.wait(32.1)[-1] == "a 408 Request Timeout"


def test_retransmitted_bye(book: Playbook) -> None:
    a, b = book.a, book.b
    book.establish()
    a.request("BYE")
    assert a.again() == []
    b.reply("200 OK", to="BYE")
    assert a.again(a.asked) == ["a 200 OK"]
    assert len(b.all("BYE")) == 1


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("late", ["200 OK", "487 Request Terminated"])
def test_bye_during_a_reinvite(book: Playbook, side: str, late: str) -> None:
    """§15.1.2: pending requests are answered 487. A 2xx that comes all the same is acknowledged."""
    book.establish()
    here, there = sides(book, side)
    here.request("INVITE", body=SDP)
    there.reply("180 Ringing")
    assert there.request("BYE") == [f"{here.name} BYE", f"{here.name} 487 Request Terminated"]
    here.ack()
    here.reply("200 OK", to="BYE")
    assert there.reply(late) == [f"{there.name} ACK"]
    assert there.reply(late) == [f"{there.name} ACK"]


def test_bye_while_an_info_is_out(book: Playbook) -> None:
    a, b = book.a, book.b
    book.establish()
    a.request("INFO")
    assert a.request("BYE") == ["b BYE", "a 481 Call/Transaction Does Not Exist"]
    b.reply("200 OK", to="INFO")
    assert b.reply("200 OK", to="BYE") == ["a 200 OK"]


# ------------------------------------------------------------------------------------------ UPDATE


@pytest.mark.parametrize("side", SIDES)
def test_update_while_one_is_pending(book: Playbook, side: str) -> None:
    """RFC 3311 §5.2: 500 with a Retry-After between 0 and 10 seconds."""
    book.establish()
    here, there = sides(book, side)
    here.request("UPDATE", body=SDP)
    assert here.request("UPDATE") == [f"{here.name} 500 UPDATE In Progress"]
    assert 0 <= int(value(here.last("500"), "Retry-After")) <= 10
    there.reply("200 OK", to="UPDATE", body=ANSWER_SDP)
    assert here.request("UPDATE") == [f"{there.name} UPDATE"]
    there.reply("200 OK", to="UPDATE")
    book.bye()


@pytest.mark.parametrize("first", ["UPDATE", "INVITE"])
@pytest.mark.parametrize("second", ["UPDATE", "INVITE"])
def test_offers_that_cross(book: Playbook, first: str, second: str) -> None:
    """RFC 3311 §5.2, RFC 3261 §14.2: 491 for the second offer. An UPDATE against an INVITE is for the ends to judge:
    they know whether its offer was answered in a provisional response."""
    a, b = book.a, book.b
    book.establish()
    a.request(first, body=SDP)
    if (first, second) == ("INVITE", "UPDATE"):
        assert b.request(second, body=SDP) == ["a UPDATE"]
        assert a.reply("491 Request Pending", to="UPDATE") == ["b 491 Request Pending"]
    else:
        assert b.request(second, body=SDP) == ["b 491 Request Pending"]
        if second == "INVITE":
            b.ack()
    b.reply("200 OK", request=b.last_request(first), body=ANSWER_SDP)
    if first == "INVITE":
        assert a.ack() == ["b ACK"]
    book.bye()


def test_updates_without_an_offer_cross_each_other(book: Playbook) -> None:
    """Nothing is negotiated, so nothing collides (RFC 3311 §5.2)."""
    a, b = book.a, book.b
    book.establish()
    assert a.request("UPDATE") == ["b UPDATE"]
    assert b.request("UPDATE") == ["a UPDATE"]
    b.reply("200 OK", to="UPDATE")
    a.reply("200 OK", to="UPDATE")
    book.bye()


def test_reinvite_after_an_offer_of_ones_own(book: Playbook) -> None:
    """RFC 3311 §5.2 as for a second UPDATE: the offer before it is not answered yet."""
    a, b = book.a, book.b
    book.establish()
    a.request("UPDATE", body=SDP)
    assert a.request("INVITE", body=SDP) == ["a 500 INVITE In Progress"]
    a.ack()
    b.reply("200 OK", to="UPDATE", body=ANSWER_SDP)
    book.bye()


def test_refused_update(book: Playbook) -> None:
    """What the other side says of it crosses, with its Retry-After."""
    book.establish()
    book.a.request("UPDATE", body=SDP)
    assert book.b.reply("500 Busy", "Retry-After: 4", to="UPDATE") == ["a 500 Busy"]
    assert value(book.a.last("500"), "Retry-After") == "4"
    book.bye()


# ------------------------------------------------------------------------------------------ T.38, order


@pytest.mark.parametrize("side", SIDES)
def test_switch_to_fax(book: Playbook, side: str) -> None:
    """A T.38 offer and its answer cross octet for octet (RFC 3264, ITU-T T.38 Annex D)."""
    book.establish()
    here, there = sides(book, side)
    fax = SDP.replace("m=audio 20000 RTP/AVP 0", "m=audio 0 RTP/AVP 0\r\nm=image 20004 udptl t38\r\na=T38FaxVersion:0")
    back = fax.replace("20004", "30004")
    assert here.request("INVITE", body=fax) == [f"{there.name} INVITE"]
    assert body_of(there.last("INVITE")) == fax
    assert there.reply("200 OK", body=back) == [f"{here.name} 200 OK"]
    assert body_of(here.last("200")) == back
    assert here.ack() == [f"{there.name} ACK"]
    book.bye()


@pytest.mark.parametrize("method", ["INFO", "INVITE", "BYE"])
def test_older_cseq(book: Playbook, method: str) -> None:
    """§12.2.2: out of order, 500; the call goes on."""
    a, b = book.a, book.b
    book.establish()
    a.request("INFO", cseq=7)
    b.reply("200 OK", to="INFO")
    assert a.request(method, cseq=6) == ["a 500 Request Out Of Order"]
    if method == "INVITE":
        a.ack()
    a.cseq = 7
    book.bye()
