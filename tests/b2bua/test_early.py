"""Early dialogs: forks of the next hop, each with its own tag at the caller, and what is asked in them."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.early import MOST
from tests.playbook import ANSWER_SDP, SDP, Play, Playbook, body_of, lines, tag_in, uri_in, value, values

FORKS = ("fork-1", "fork-2")
SIDES = ["a", "b"]


def rung(book: Playbook, status: str = "180 Ringing", *headers: str) -> list[str]:
    """Two forks have rung, each from its own place by its own route; the caller's tags for them."""
    a, b = book.a, book.b
    a.invite()
    for n, fork in enumerate(FORKS, start=1):
        where = f"<sip:{fork}@198.51.100.20:5060>"
        route = f"Record-Route: <sip:198.51.100.20:5060;lr;n={n}>"
        assert b.reply(status, route, *headers, tag=fork, contact=where) == [f"a {status}"]
    return [tag_in(value(message, "To")) for message in a.got]


def two_dialogs(book: Playbook) -> list[str]:
    """As `rung`, by provisional responses that want a PRACK."""
    return rung(book, "183 Session Progress", "Require: 100rel", "RSeq: 1")


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("method", ["PRACK", "UPDATE", "INFO", "OPTIONS", "FROBNICATE"])
def test_request_of_the_caller_finds_its_fork(book: Playbook, method: str, n: int) -> None:
    """§12.2: remote tag, target, route set and CSeq are those of the one early dialog."""
    a, b = book.a, book.b
    tags = two_dialogs(book)
    a.turn_to(far=tags[n])
    assert a.request(method, *(["RAck: 1 1 INVITE"] if method == "PRACK" else [])) == [f"b {method}"]
    asked = b.last(method)
    assert tag_in(value(asked, "To")) == FORKS[n]
    assert asked.split(" ")[1] == f"sip:{FORKS[n]}@198.51.100.20:5060"
    assert values(asked, "Route") == [f"<sip:198.51.100.20:5060;lr;n={n + 1}>"]
    assert value(asked, "CSeq") == f"2 {method}"
    assert b.reply("200 OK", to=method) == ["a 200 OK"]
    assert tag_in(value(a.last("200"), "To")) == tags[n]
    assert b.reply("486 Busy Here", tag=FORKS[n]) == ["b ACK", "a 486 Busy Here"]
    a.ack()


@pytest.mark.parametrize("n", [0, 1])
def test_request_of_a_fork_finds_its_dialog_at_the_caller(book: Playbook, n: int) -> None:
    a, b = book.a, book.b
    tags = two_dialogs(book)
    b.turn_to(own=FORKS[n])
    assert b.request("UPDATE", body=SDP) == ["a UPDATE"]
    assert tag_in(value(a.last("UPDATE"), "From")) == tags[n]
    assert a.reply("200 OK", to="UPDATE", body=ANSWER_SDP) == ["b 200 OK"]
    b.reply("486 Busy Here", tag=FORKS[n])
    a.ack()


def test_each_early_dialog_counts_for_itself(book: Playbook) -> None:
    """§12.2.1.1: the CSeq numbers of one dialog do not move those of the other."""
    a, b = book.a, book.b
    tags = two_dialogs(book)
    for n in (0, 1, 1, 0):
        a.turn_to(far=tags[n])
        a.request("INFO", cseq=2 + n + len(b.all("INFO")))
        b.reply("200 OK", to="INFO")
    assert [(tag_in(value(m, "To")), value(m, "CSeq")) for m in b.all("INFO")] == [
        ("fork-1", "2 INFO"), ("fork-2", "2 INFO"), ("fork-2", "3 INFO"), ("fork-1", "3 INFO"),
    ]  # fmt: skip
    a.turn_to(far=tags[0])
    assert a.request("INFO", cseq=2) == ["a 500 Request Out Of Order"]
    b.reply("486 Busy Here")
    a.ack()


@pytest.mark.parametrize("n", [0, 1])
def test_the_fork_that_answers_takes_the_call(book: Playbook, n: int) -> None:
    """§13.2.2.4: its tag, its route; requests in the other early dialog find nothing any more."""
    a, b = book.a, book.b
    tags = two_dialogs(book)
    where = f"<sip:{FORKS[n]}@198.51.100.20:5060>"
    route = f"Record-Route: <sip:198.51.100.20:5060;lr;n={n + 1}>"
    assert b.reply("200 OK", route, tag=FORKS[n], contact=where, body=ANSWER_SDP) == ["a 200 OK"]
    assert tag_in(value(a.last("200"), "To")) == tags[n]
    assert a.ack() == ["b ACK"]
    assert (tag_in(value(b.last("ACK"), "To")), values(b.last("ACK"), "Route")) == (FORKS[n], [route[14:]])
    a.turn_to(far=tags[1 - n])
    assert a.request("INFO") == ["a 481 Call/Transaction Does Not Exist"]
    a.turn_to(far=tags[n])
    b.turn_to(own=FORKS[1 - n])
    assert b.request("INFO") == ["b 481 Call/Transaction Does Not Exist"]
    b.turn_to(own=FORKS[n])
    assert b.request("INFO") == ["a INFO"]
    a.reply("200 OK", to="INFO")
    legs = book.of(frames.AnswerFrame)[0].legs
    assert (legs[0].local_tag, legs[1].remote_tag) == (tags[n], FORKS[n])
    book.bye()


def test_answer_of_a_fork_that_never_rang(book: Playbook) -> None:
    a, b = book.a, book.b
    tags = rung(book)
    b.reply("200 OK", tag="fork-3", contact="<sip:fork-3@198.51.100.20>")
    assert tag_in(value(a.last("200"), "To")) not in tags
    a.ack()
    assert b.last("ACK").split(" ")[1] == "sip:fork-3@198.51.100.20"
    assert values(b.last("ACK"), "Route") == []
    book.bye()


def test_second_answer_is_acknowledged_and_ended(book: Playbook) -> None:
    """§13.2.2.4: with route set and target of that fork, once; its repeats get the ACK again."""
    a, b = book.a, book.b
    rung(book)
    b.reply("200 OK", tag="fork-1", contact="<sip:fork-1@198.51.100.20>")
    second = ("200 OK", "Record-Route: <sip:198.51.100.20:5060;lr;n=2>")
    where = "<sip:fork-2@198.51.100.20>"
    assert b.reply(*second, tag="fork-2", contact=where) == ["b ACK", "b BYE"]
    for what in ("ACK", "BYE"):
        message = b.last(what)
        assert message.split(" ")[1] == where[1:-1]
        assert values(message, "Route") == ["<sip:198.51.100.20:5060;lr;n=2>"]
        assert tag_in(value(message, "To")) == "fork-2"
    assert b.reply(*second, tag="fork-2", contact=where) == ["b ACK"]
    b.reply("200 OK", to="BYE")
    assert a.ack() == ["b ACK"]
    book.bye()


def test_a_fork_that_was_asked_something_can_still_be_ended(book: Playbook) -> None:
    """§12.2.2: a BYE whose CSeq is not above that of the PRACK would be answered 500, and the fork stay up."""
    a, b = book.a, book.b
    tags = two_dialogs(book)
    a.turn_to(far=tags[1])
    for method in ("PRACK", "UPDATE"):
        assert a.request(method, "RAck: 1 1 INVITE") == [f"b {method}"]
        b.reply("200 OK", to=method)
    a.turn_to(far=tags[0])
    b.reply("200 OK", tag="fork-1", contact="<sip:fork-1@198.51.100.20>")
    assert b.reply("200 OK", tag="fork-2", contact="<sip:fork-2@198.51.100.20>") == ["b ACK", "b BYE"]
    assert value(b.last("ACK"), "CSeq") == "1 ACK"
    asked, ended = (int(value(b.last(method), "CSeq").split(" ")[0]) for method in ("UPDATE", "BYE"))
    assert ended > asked
    b.reply("200 OK", to="BYE")
    assert a.ack() == ["b ACK"]
    book.bye()


def test_what_was_asked_of_the_other_fork_is_still_answered(book: Playbook) -> None:
    """The PRACK of one early dialog is on its way when the other one answers."""
    a, b = book.a, book.b
    tags = two_dialogs(book)
    a.turn_to(far=tags[0])
    a.request("PRACK", "RAck: 1 1 INVITE")
    assert b.reply("200 OK", tag="fork-2") == ["a 200 OK"]
    assert b.reply("481 Call/Transaction Does Not Exist", to="PRACK") == ["a 481 Call/Transaction Does Not Exist"]
    a.turn_to(far=tags[1])
    a.ack()
    book.bye()


def test_failure_shows_the_tag_of_its_fork(book: Playbook) -> None:
    a, b = book.a, book.b
    tags = rung(book)
    assert b.reply("603 Decline", tag="fork-2") == ["b ACK", "a 603 Decline"]
    assert tag_in(value(a.last("603"), "To")) == tags[1]
    a.ack()


def test_cancel_ends_all_early_dialogs(book: Playbook) -> None:
    a, b = book.a, book.b
    tags = rung(book)
    assert a.cancel() == ["a 200 OK", "a 487 Request Terminated", "b CANCEL"]
    a.ack()
    assert b.reply("200 OK", tag="fork-2", contact="<sip:fork-2@198.51.100.20>") == ["b ACK", "b BYE"]
    assert tag_in(value(b.last("BYE"), "To")) == "fork-2"
    assert b.reply("200 OK", tag="fork-1", contact="<sip:fork-1@198.51.100.20>") == ["b ACK", "b BYE"]
    assert tag_in(value(b.last("BYE"), "To")) == "fork-1"
    a.turn_to(far=tags[0])
    assert a.request("INFO") == ["a 481 Call/Transaction Does Not Exist"]
    assert book.ends() == ["cancelled"]


def test_bye_ends_one_early_dialog_of_several(book: Playbook) -> None:
    """§15: the others ring on, and one of them may answer."""
    a, b = book.a, book.b
    tags = rung(book)
    a.turn_to(far=tags[0])
    assert a.request("BYE") == ["b BYE"]
    assert tag_in(value(b.last("BYE"), "To")) == "fork-1"
    assert b.reply("200 OK", to="BYE") == ["a 200 OK"]
    assert b.reply("200 OK", tag="fork-2") == ["a 200 OK"]
    a.turn_to(far=tags[1])
    a.ack()
    book.bye()
    assert book.ends() == ["answered"]


def test_bye_in_all_early_dialogs(book: Playbook) -> None:
    """The next hop has nobody left to ring, and the caller has given up."""
    a, b = book.a, book.b
    for n, tag in enumerate(rung(book)):
        a.turn_to(far=tag)
        a.request("BYE")
        assert tag_in(value(b.last("BYE"), "To")) == FORKS[n]
        b.reply("200 OK", to="BYE")
    assert b.reply("487 Request Terminated", tag="fork-2") == ["b ACK", "a 487 Request Terminated"]
    a.ack()
    assert book.ends() == ["cancelled"]


def test_bye_of_the_only_early_dialog_is_as_good_as_a_cancel(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    assert a.request("BYE") == ["a 200 OK", "a 487 Request Terminated", "b CANCEL"]
    a.ack()
    b.reply("487 Request Terminated")


def test_a_next_hop_that_forks_without_end(book: Playbook) -> None:
    """What it can make us keep is bounded; whoever answers is heard."""
    a, b = book.a, book.b
    a.invite()
    for n in range(MOST + 9):
        b.reply("180 Ringing", tag=f"fork-{n}")
    assert len(a.all("180")) == MOST + 1
    assert len(book.engine.legs) == 2 * MOST + 2
    assert b.reply("200 OK", tag="fork-last") == ["a 200 OK"]
    a.ack()
    assert len(book.engine.legs) == 2
    book.bye()


def test_ringing_without_a_tag(book: Playbook) -> None:
    """RFC 2543 wanted none: no dialog stands yet; the next response may make it."""
    a, b = book.a, book.b
    a.invite()
    tagless = b._response("180 Ringing", b.last("INVITE"), (), "x", "", True).replace(";tag=x", "")
    assert b.send(tagless) == ["a 180 Ringing"]
    assert a.request("INFO") == ["a 481 Call/Transaction Does Not Exist"]
    b.reply("183 Session Progress")
    assert tag_in(value(a.last("183"), "To")) == tag_in(value(a.last("180"), "To")) != ""
    assert a.request("INFO") == ["b INFO"]
    b.reply("200 OK", to="INFO")
    b.reply("200 OK")
    a.ack()
    book.bye()


@pytest.mark.parametrize("first", SIDES)
def test_updates_that_cross_in_one_of_two(book: Playbook, first: str) -> None:
    """RFC 3311 §5.2: glare belongs to one early dialog; what is asked in the other one is not in its way."""
    a, b = book.a, book.b
    tags = two_dialogs(book)
    a.turn_to(far=tags[0])
    b.turn_to(own=FORKS[0])
    here, there = (a, b) if first == "a" else (b, a)
    assert here.request("UPDATE", body=SDP) == [f"{there.name} UPDATE"]
    asked = there.last("UPDATE")
    assert there.request("UPDATE", body=SDP) == [f"{there.name} 491 Request Pending"]
    assert here.request("UPDATE", body=SDP) == [f"{here.name} 500 UPDATE In Progress"]
    a.turn_to(far=tags[1])
    assert a.request("UPDATE", body=SDP) == ["b UPDATE"]
    b.reply("200 OK", to="UPDATE", body=ANSWER_SDP)
    there.reply("200 OK", request=asked, body=ANSWER_SDP)
    b.reply("486 Busy Here", request=b.last_request("INVITE"))
    a.ack()


def test_early_dialog_terminated(book: Playbook) -> None:
    """A 199 crosses with the tag of its fork (RFC 6228 §4)."""
    a, b = book.a, book.b
    tags = rung(book)
    reason = "Reason: SIP;cause=486"
    assert b.reply("199 Early Dialog Terminated", reason, tag="fork-1") == ["a 199 Early Dialog Terminated"]
    assert tag_in(value(a.last("199"), "To")) == tags[0]
    assert reason in lines(a.last("199"))
    b.reply("200 OK", tag="fork-2")
    a.ack()
    book.bye()


def test_a_moved_fork_is_asked_where_it_is(book: Playbook) -> None:
    """RFC 3311 §5.3: an UPDATE moves the target of its early dialog; a repeat of an old 183 does not move it back."""
    a, b = book.a, book.b
    tags = two_dialogs(book)
    b.turn_to(own="fork-2")
    b.request("UPDATE", "Contact: <sip:moved@198.51.100.20>", body=SDP)
    a.reply("200 OK", to="UPDATE", body=ANSWER_SDP)
    b.reply("183 Session Progress", "Require: 100rel", "RSeq: 2", tag="fork-2")
    a.turn_to(far=tags[1])
    a.request("PRACK", "RAck: 2 1 INVITE")
    assert b.last("PRACK").split(" ")[1] == "sip:moved@198.51.100.20"
    b.reply("200 OK", to="PRACK")
    assert book.of(frames.TargetFrame) == []
    b.reply("486 Busy Here")
    a.ack()


# ------------------------------------------------------------------------------------------ INVITE before the answer


def test_second_invite_before_the_answer(book: Playbook) -> None:
    """§14.2: of the caller 500 with Retry-After, of the callee 491."""
    a, b = book.a, book.b
    a.invite()
    first = a.invited
    b.reply("180 Ringing")
    assert a.request("INVITE", body=SDP) == ["a 500 INVITE In Progress"]
    assert 0 <= int(value(a.last("500"), "Retry-After")) <= 10
    a.ack()
    assert b.request("INVITE", body=SDP) == ["b 491 Request Pending"]
    b.ack()
    a.invited = first
    b.reply("200 OK", request=b.all("INVITE")[0])
    a.ack()
    book.bye()


# ------------------------------------------------------------------------------------------ several peers


def test_each_peer_has_its_tag(play: Play) -> None:
    """What the caller was shown of one peer never names a dialog with another: here the 200 to a CANCEL of nothing."""
    book = play(hop={"try_timeout_s": 1.0})
    a, b, c = book.a, book.b, book.c
    a.invite()
    of_b = book.engine.calls[next(iter(book.engine.calls))].a.local_tag
    book.wait(1.1)
    assert c.reply("180 Ringing") == ["a 180 Ringing"]
    assert tag_in(value(a.last("180"), "To")) != of_b
    assert b.reply("183 Session Progress", body=ANSWER_SDP) == ["b CANCEL"]
    b.reply("487 Request Terminated")
    assert c.reply("200 OK") == ["a 200 OK"]
    a.ack()
    assert a.request("BYE") == ["c BYE"]
    c.reply("200 OK", to="BYE")


def test_no_other_peer_after_ringing_and_silence(play: Play) -> None:
    """What the caller has heard of a peer cannot be taken back, however the try ends."""
    book = play(hop={"try_timeout_s": 1.0})
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    assert "b CANCEL" in book.wait(200.0)
    assert book.c.got == []
    a.ack()
    b.reply("487 Request Terminated")


def test_late_answers_of_an_abandoned_peer_that_forks(play: Play) -> None:
    """§13.2.2.4: each is acknowledged and ended along its own route."""
    book = play(hop={"try_timeout_s": 1.0})
    a, b, c = book.a, book.b, book.c
    a.invite()
    book.wait(1.1)
    for n, fork in enumerate(FORKS, start=1):
        where = f"<sip:{fork}@198.51.100.20:5060>"
        route = f"<sip:198.51.100.20:5060;lr;n={n}>"
        assert b.reply("200 OK", f"Record-Route: {route}", tag=fork, contact=where) == ["b ACK", "b BYE"]
        assert (uri_in(where), [route]) == (b.last("BYE").split(" ")[1], values(b.last("BYE"), "Route"))
    assert c.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    assert body_of(a.last("200")) == ANSWER_SDP
    a.ack()
    a.request("BYE")
    c.reply("200 OK", to="BYE")
