"""The initial INVITE on its way: from the first peer to an answer, a failure or a CANCEL."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.setup_table import ACTIONS, ENDED, EVENTS, SCREENING, SETUP, STATES
from sipguard.screening.trunk import Peer
from tests.playbook import ANSWER_SDP, B_AT, SDP, Play, Playbook, body_of, lines, tag_in, uri_in, value, values
from tests.tables import require_complete_table


def test_table() -> None:
    """Every state answers every event, with a known action, and can be reached (RFC 3261 §13, §16.7, §9)."""
    require_complete_table(SETUP, STATES, EVENTS, ACTIONS, start=SCREENING, ends={ENDED})


# ------------------------------------------------------------------------------------------ answered


def test_plain_call(book: Playbook) -> None:
    """RFC 3261 §4, §13."""
    a, b = book.a, book.b
    assert a.invite() == ["b INVITE"]
    assert b.reply("100 Trying") == []
    assert b.reply("180 Ringing") == ["a 180 Ringing"]
    assert b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    assert a.ack() == ["b ACK"]
    assert a.request("BYE") == ["b BYE"]
    assert b.reply("200 OK", to="BYE") == ["a 200 OK"]
    assert (body_of(b.last("INVITE")), body_of(a.last("200"))) == (SDP, "")
    assert body_of(a.all("200")[0]) == ANSWER_SDP
    assert book.ends() == ["answered"]
    assert (book.count("answered"), book.count("ended")) == (1, 1)


def test_called_side_hangs_up(book: Playbook) -> None:
    book.establish()
    assert book.b.request("BYE", "Reason: Q.850;cause=16") == ["a BYE"]
    assert value(book.a.last("BYE"), "Reason") == "Q.850;cause=16"
    assert book.a.reply("200 OK", to="BYE") == ["b 200 OK"]
    end = book.of(frames.EndFrame)[0]
    assert (end.disposition, end.bye_by, end.reason) == ("answered", "b", "Q.850;cause=16")


def test_early_media(book: Playbook) -> None:
    """A 183 crosses with its body (RFC 3261 §13.2.2.1, RFC 3960)."""
    a, b = book.a, book.b
    a.invite()
    assert b.reply("183 Session Progress", body=ANSWER_SDP) == ["a 183 Session Progress"]
    assert body_of(a.last("183")) == ANSWER_SDP
    assert b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    assert tag_in(value(a.last("200"), "To")) == tag_in(value(a.last("183"), "To"))
    a.ack()
    book.bye()


def test_trying_goes_out_once(book: Playbook) -> None:
    """Ours, where the callee has said nothing for nearly 200 ms (§17.2.1); the next hop's ends here (§16.7 step 5)."""
    a, b = book.a, book.b
    a.invite()
    assert b.reply("100 Trying") == []
    assert book.wait(0.14) == []
    assert book.wait(0.061) == ["a 100 Trying"]
    assert b.reply("100 Trying") == []
    assert book.wait(5.0) == []
    assert b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    a.ack()


@pytest.mark.parametrize("response", ["180 Ringing", "200 OK", "486 Busy Here"])
def test_no_trying_where_another_response_came_first(book: Playbook, response: str) -> None:
    """§17.2.1: 100 is for want of anything else."""
    a, b = book.a, book.b
    a.invite()
    b.reply(response)
    if response[0] != "1":
        a.ack()
    assert book.wait(0.4) == []
    if response[0] == "1":
        b.reply("486 Busy Here")
        a.ack()
    elif response[0] == "2":
        book.bye()


def test_trying_of_a_reinvite(book: Playbook) -> None:
    """It may take as long as the first one."""
    book.establish()
    assert book.a.request("INVITE", body="v=0") == ["b INVITE"]
    assert book.wait(0.2) == ["a 100 Trying"]
    assert book.b.reply("200 OK") == ["a 200 OK"]
    book.a.ack()
    book.bye()


def test_refused_at_once_without_trying(play: Play) -> None:
    """No 100 where the final answer leaves in the same turn (§17.2.1)."""
    book = play(hop={"peers": ()})
    assert book.a.invite() == ["a 500 No Peer Reachable"]
    book.a.ack()
    assert book.ends() == ["unreachable"]


def test_answer_without_ringing(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite()
    assert b.reply("200 OK") == ["a 200 OK"]
    assert a.ack() == ["b ACK"]
    book.bye()


def test_retransmitted_invite_is_not_screened_twice(book: Playbook) -> None:
    """In each state: the last response again (§17.2.1), nothing once it was answered (RFC 6026 §7.1)."""
    a, b = book.a, book.b
    a.invite()
    invite = a.sent[-1]
    assert a.again(invite) == ["a 100 Trying"]
    b.reply("180 Ringing")
    assert a.again(invite) == ["a 180 Ringing"]
    b.reply("200 OK")
    assert a.again(invite) == []
    a.ack()
    assert a.again(invite) == []
    book.bye()
    assert a.again(invite) == []
    assert (book.count("invites"), len(b.all("INVITE"))) == (1, 1)


def test_retransmitted_invite_of_a_refused_call(book: Playbook) -> None:
    """COMPLETED repeats the failure, CONFIRMED says nothing (§17.2.1)."""
    a, b = book.a, book.b
    a.invite()
    invite = a.sent[-1]
    b.reply("486 Busy Here")
    assert a.again(invite) == ["a 486 Busy Here"]
    a.ack()
    assert a.again(invite) == []
    assert book.count("invites") == 1


def test_failure_is_repeated_until_its_ack(book: Playbook) -> None:
    """Timer G doubles up to T2, Timer H ends it (§17.2.1)."""
    book.a.invite()
    book.b.reply("486 Busy Here")
    assert book.wait(0.6) == ["a 486 Busy Here"]
    assert book.wait(1.1) == ["a 486 Busy Here"]
    assert book.a.ack() == []
    assert book.wait(20.0) == []


# ------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("status", "disposition"),
    [
        ("404 Not Found", "failed"),
        ("408 Request Timeout", "no_answer"),
        ("480 Temporarily Unavailable", "no_answer"),
        ("486 Busy Here", "busy"),
        ("487 Request Terminated", "no_answer"),
        ("488 Not Acceptable Here", "failed"),
        ("600 Busy Everywhere", "busy"),
        ("603 Decline", "busy"),
        ("607 Unwanted", "failed"),
    ],
)
def test_failure_crosses(play: Play, status: str, disposition: str) -> None:
    """Status and phrase as they came (§16.7)."""
    book = play(hop={"peers": play().plain.trunks["hop"].peers[:1]})
    book.a.invite()
    book.b.reply("180 Ringing")
    assert book.b.reply(status) == ["b ACK", f"a {status}"]
    assert tag_in(value(book.a.last(status), "To")) == tag_in(value(book.a.last("180"), "To"))
    book.a.ack()
    assert book.ends() == [disposition]


def test_blocked_downstream_crosses_intact(book: Playbook) -> None:
    """A 603+ must arrive as it left the one who blocked: status, phrase, Reason octet for octet (ATIS-1000099)."""
    reason = 'Reason:  Q.850;cause=21;text="v=analytics1;url=https://blocker.example/fix;id=0f";location=RLN'
    a, b = book.a, book.b
    a.invite()
    assert b.reply("603 Network Blocked", reason) == ["b ACK", "a 603 Network Blocked"]
    assert reason in lines(a.last("603"))
    a.ack()
    end = book.of(frames.EndFrame)[0]
    assert (end.final_status, end.final_phrase, end.reason) == (603, "Network Blocked", reason[9:])


def test_redirection_crosses_with_its_contacts(book: Playbook) -> None:
    """The Contact of a 3xx is what it says, not where it comes from (§8.1.3.4, §21.3)."""
    a, b = book.a, book.b
    a.invite()
    elsewhere = "<sip:+12125550199@elsewhere.example>;q=0.7"
    assert b.reply("302 Moved Temporarily", contact=elsewhere) == ["b ACK", "a 302 Moved Temporarily"]
    assert values(a.last("302"), "Contact") == [elsewhere]
    a.ack()
    assert book.ends() == ["redirected"]


def test_overload_of_the_last_peer_is_not_ours(book: Playbook) -> None:
    """A 503 is not passed on, or we would be taken for overloaded (§16.7 step 6)."""
    a, b, c = book.a, book.b, book.c
    a.invite()
    assert b.reply("503 Service Unavailable", "Retry-After: 9") == ["b ACK", "c INVITE"]
    assert c.reply("503 Service Unavailable", "Retry-After: 9") == ["c ACK", "a 500 Server Internal Error"]
    assert value(a.last("500"), "Retry-After") == ""
    a.ack()
    assert book.ends() == ["failed"]


# ------------------------------------------------------------------------------------------ failover


def answered_by_c(book: Playbook) -> None:
    """The rest of a call that the second peer has taken."""
    a, c = book.a, book.c
    assert c.reply("200 OK") == ["a 200 OK"]
    assert a.ack() == ["c ACK"]
    assert a.request("BYE") == ["c BYE"]
    c.reply("200 OK", to="BYE")


@pytest.mark.parametrize("status", ["408 Request Timeout", "500 Server Internal Error", "503 Service Unavailable"])
def test_failover_on_an_answer(book: Playbook, status: str) -> None:
    book.a.invite()
    assert book.b.reply("100 Trying") == []
    assert book.b.reply(status) == ["b ACK", "c INVITE"]
    first, second = book.b.last("INVITE"), book.c.last("INVITE")
    assert value(first, "Call-ID") != value(second, "Call-ID")
    assert tag_in(value(first, "From")) != tag_in(value(second, "From"))
    assert body_of(first) == body_of(second) == SDP
    answered_by_c(book)
    tries = book.of(frames.EndFrame)[0].tries
    assert [tuple(each) for each in tries] == [("198.51.100.20:5060", int(status[:3])), ("198.51.100.30:5060", 200)]


def test_failover_on_silence(play: Play) -> None:
    """The INVITE is repeated (Timer A), then try_timeout ends the try."""
    book = play(hop={"try_timeout_s": 2.0})
    book.a.invite()
    assert book.wait(1.9) == ["a 100 Trying", "b INVITE", "b INVITE"]
    assert book.wait(0.2) == ["c INVITE"]
    answered_by_c(book)
    assert book.count("failovers") == 1


def test_failover_when_the_network_refuses(book: Playbook) -> None:
    """§17.1.4, RFC 3263 §4.3."""
    book.a.invite()
    assert book.refused(book.b) == ["c INVITE"]
    answered_by_c(book)


def test_all_peers_silent(play: Play) -> None:
    book = play(hop={"try_timeout_s": 2.0})
    book.a.invite()
    assert book.wait(4.2)[-1] == "a 500 No Peer Reachable"
    book.a.ack()
    assert book.ends() == ["unreachable"]


def test_no_failover_after_ringing(book: Playbook) -> None:
    """What the caller has heard of a peer cannot be taken back."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    assert b.reply("500 Server Internal Error") == ["b ACK", "a 500 Server Internal Error"]
    a.ack()


def test_no_failover_on_refusal(book: Playbook) -> None:
    book.a.invite()
    assert book.b.reply("404 Not Found") == ["b ACK", "a 404 Not Found"]
    book.a.ack()


def test_down_peers_are_passed_over(play: Play) -> None:
    book = play(hop={"try_timeout_s": 1.0, "down_for_s": 30.0})
    book.a.invite()
    assert book.wait(1.1) == ["a 100 Trying", "b INVITE", "c INVITE"]
    answered_by_c(book)
    assert book.a.invite() == ["c INVITE"]
    answered_by_c(book)
    book.wait(30.0)
    assert book.a.invite() == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_all_peers_down(play: Play) -> None:
    """A usual call is tried at the peer whose mark ends first, an emergency call at all."""
    book = play(hop={"try_timeout_s": 1.0})
    a = book.a
    a.invite()
    book.wait(2.2)
    a.ack()
    assert a.invite() == ["b INVITE"]
    assert book.wait(1.2)[-1] == "a 500 No Peer Reachable"
    a.ack()
    marked = [("198.51.100.20:5060", "silent"), ("198.51.100.30:5060", "silent")]
    assert [list(end.marked) for end in book.of(frames.EndFrame)] == [[], marked]
    assert a.invite(callee="911") == ["b INVITE"]
    assert book.b.reply("200 OK") == ["a 200 OK"]
    a.ack()
    book.bye()
    assert book.ends() == ["unreachable", "unreachable", "answered"]


def test_the_one_that_answers_though_all_were_down_is_up_again(play: Play) -> None:
    book = play(hop={"try_timeout_s": 1.0})
    book.a.invite()
    book.wait(2.2)
    book.a.ack()
    book.a.invite()
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert [why for _, _, why in book.engine.peer_states(book.clock)] == ["", "silent"]


def test_all_peers_asked_for_silence(play: Play) -> None:
    """What Retry-After asks for is kept (§21.5.4), but by emergency calls."""
    book = play(hop={"peers": (Peer(*B_AT),)})
    book.a.invite()
    book.b.reply("503 Service Unavailable", "Retry-After: 50")
    book.a.ack()
    assert book.a.invite() == ["a 500 No Peer Reachable"]
    book.a.ack()
    assert list(book.of(frames.EndFrame)[-1].marked) == [("198.51.100.20:5060", "retry_after")]
    assert book.a.invite(callee="911") == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_answer_of_an_abandoned_try(play: Play) -> None:
    """A 2xx that nobody waits for is acknowledged and ended (§13.2.2.4)."""
    book = play(hop={"try_timeout_s": 1.0})
    a, b, c = book.a, book.b, book.c
    a.invite()
    book.wait(1.1)
    assert b.reply("200 OK") == ["b ACK", "b BYE"]
    assert (uri_in(b.contact), "b BYE") == (b.last("ACK").split(" ")[1], "b BYE")
    assert tag_in(value(b.last("BYE"), "To")) == b.tag
    assert b.reply("200 OK", to="BYE") == []
    answered_by_c(book)
    assert len(c.all("INVITE")) == 1


def test_ringing_of_an_abandoned_try(play: Play) -> None:
    """Nobody waits for it any more: it is cancelled, once (§9.1)."""
    book = play(hop={"try_timeout_s": 1.0})
    b = book.b
    book.a.invite()
    book.wait(1.1)
    assert b.reply("180 Ringing") == ["b CANCEL"]
    assert b.reply("180 Ringing") == []
    assert b.reply("200 OK", to="CANCEL") == []
    assert b.reply("487 Request Terminated") == ["b ACK"]
    answered_by_c(book)


def test_ringing_of_an_abandoned_try_that_was_lost(play: Play) -> None:
    """The INVITE goes on until Timer B, else a peer whose 180 was lost would ring on (§17.1.1.2)."""
    book = play(hop={"try_timeout_s": 1.0})
    book.a.invite()
    book.wait(1.1)
    answered_by_c(book)
    assert set(book.wait(40.0)) == {"b INVITE"}
    assert len(book.b.all("INVITE")) == 6


def test_an_abandoned_try_fails(play: Play) -> None:
    book = play(hop={"try_timeout_s": 1.0})
    book.a.invite()
    book.wait(1.1)
    assert book.b.reply("486 Busy Here") == ["b ACK"]
    answered_by_c(book)


def test_an_abandoned_try_is_answered_although_it_was_cancelled(play: Play) -> None:
    book = play(hop={"try_timeout_s": 1.0})
    book.a.invite()
    book.wait(1.1)
    assert book.b.reply("180 Ringing") == ["b CANCEL"]
    assert book.b.reply("200 OK") == ["b ACK", "b BYE"]
    assert book.b.reply("200 OK", to="BYE") == []
    answered_by_c(book)


# ------------------------------------------------------------------------------------------ forks


def test_each_early_dialog_has_its_tag(book: Playbook) -> None:
    """§12.1, §13.2.2.4: the caller tells forks apart by our tags, never by theirs."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing", tag="fork-1")
    b.reply("183 Session Progress", tag="fork-2", body=ANSWER_SDP)
    b.reply("180 Ringing", tag="fork-1")
    tags = [tag_in(value(m, "To")) for m in a.got]
    assert tags[0] == tags[2] != tags[1]
    assert b.reply("200 OK", tag="fork-2") == ["a 200 OK"]
    assert tag_in(value(a.last("200"), "To")) == tags[1]
    assert a.ack() == ["b ACK"]
    assert tag_in(value(b.last("ACK"), "To")) == "fork-2"
    book.bye()


def test_second_answer_of_a_fork(book: Playbook) -> None:
    """Only the first 2xx crosses; the other dialog is acknowledged and ended (§13.2.2.4)."""
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK", tag="fork-1")
    a.ack()
    assert b.reply("200 OK", tag="fork-2") == ["b ACK", "b BYE"]
    assert tag_in(value(b.last("BYE"), "To")) == "fork-2"
    assert b.reply("200 OK", to="BYE") == []
    assert a.request("BYE") == ["b BYE"]
    assert tag_in(value(b.last("BYE"), "To")) == "fork-1"
    b.reply("200 OK", to="BYE")


# ------------------------------------------------------------------------------------------ CANCEL


def test_cancel_before_any_answer(book: Playbook) -> None:
    """The CANCEL waits for a provisional response (§9.1)."""
    a, b = book.a, book.b
    a.invite()
    assert a.cancel("Reason: SIP;cause=487") == ["a 200 OK", "a 487 Request Terminated"]
    a.ack()
    assert b.reply("100 Trying") == ["b CANCEL"]
    assert value(b.last("CANCEL"), "Reason") == "SIP;cause=487"
    assert b.reply("200 OK", to="CANCEL", contact=False) == []
    assert b.reply("487 Request Terminated") == ["b ACK"]
    assert book.ends() == ["cancelled"]


def test_cancel_and_the_peer_never_answers(play: Play) -> None:
    """Without a provisional response there is nothing to cancel; it is asked for one until Timer B (§17.1.1.2)."""
    book = play(hop={"try_timeout_s": 2.0})
    book.a.invite()
    book.a.cancel()
    book.a.ack()
    assert book.wait(5.0) == ["b INVITE", "b INVITE", "b INVITE"]
    assert book.ends() == ["cancelled"]
    assert book.wait(28.0) == ["b INVITE", "b INVITE", "b INVITE"]
    assert book.engine.calls == {}


def test_cancel_while_ringing(book: Playbook) -> None:
    """§9.1: the CANCEL has Request-URI, branch, To, From and CSeq number of the INVITE."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    reason = 'Reason: SIP;cause=200;text="Call completed elsewhere"'
    assert a.cancel(reason) == ["a 200 OK", "a 487 Request Terminated", "b CANCEL"]
    invite, cancel = b.last("INVITE"), b.last("CANCEL")
    assert cancel.split(" ")[1] == invite.split(" ")[1]
    assert [value(cancel, n) for n in ("Via", "To", "From", "Call-ID")] == [
        value(invite, n) for n in ("Via", "To", "From", "Call-ID")
    ]
    assert reason in lines(cancel)
    assert tag_in(value(a.last("200"), "To")) == tag_in(value(a.last("487"), "To")) != ""  # §9.2
    a.ack()
    assert b.reply("200 OK", to="CANCEL", contact=False) == []
    assert b.reply("487 Request Terminated") == ["b ACK"]
    end = book.of(frames.EndFrame)[0]
    assert (end.disposition, end.final_status, end.reason) == ("cancelled", 487, reason[8:])


def test_cancel_twice(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    a.cancel()
    assert a.again() == ["a 200 OK"]
    a.ack()
    b.reply("487 Request Terminated")
    assert len(b.all("CANCEL")) == 1


def test_cancel_against_an_answer(book: Playbook) -> None:
    """The 200 crossed our CANCEL: it is acknowledged and the dialog ended (§15, §9.1)."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    a.cancel()
    a.ack()
    assert b.reply("200 OK") == ["b ACK", "b BYE"]
    assert b.reply("200 OK") == ["b ACK"]  # the ACK was lost
    assert b.reply("481 Call/Transaction Does Not Exist", to="CANCEL", contact=False) == []
    assert b.reply("200 OK", to="BYE") == []
    assert book.ends() == ["cancelled"]
    assert len(b.all("BYE")) == 1


def test_answer_after_a_cancel_that_was_not_sent_yet(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite()
    a.cancel()
    a.ack()
    assert b.reply("200 OK") == ["b ACK", "b BYE"]
    b.reply("200 OK", to="BYE")


def test_cancel_and_the_peer_stays_silent(book: Playbook) -> None:
    """64*T1 after the CANCEL the INVITE is given up (§9.1)."""
    book.a.invite()
    book.b.reply("180 Ringing")
    book.a.cancel()
    book.a.ack()
    book.b.reply("200 OK", to="CANCEL", contact=False)
    book.wait(33.0)
    book.require_empty()


def test_cancel_after_the_answer(book: Playbook) -> None:
    """It has no effect any more, and is answered 200 (§9.2)."""
    a, b = book.a, book.b
    a.invite()
    b.reply("200 OK")
    assert a.cancel() == ["a 200 OK"]
    assert tag_in(value(a.last("200"), "To"))
    assert a.ack() == ["b ACK"]
    book.bye()


def test_cancel_after_a_failure(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite()
    b.reply("486 Busy Here")
    assert a.cancel() == ["a 200 OK"]
    assert tag_in(value(a.last("200"), "To"))
    a.ack()
    assert book.ends() == ["busy"]


def test_cancel_of_nothing(book: Playbook) -> None:
    """§9.2."""
    a = book.a
    a.invite()
    other = a.companion("CANCEL").replace("branch=z9hG4bK", "branch=z9hG4bK-x")
    assert a.send(other) == ["a 481 Call/Transaction Does Not Exist"]
    book.b.reply("486 Busy Here")
    a.ack()


def test_cancel_during_failover(book: Playbook) -> None:
    a, b, c = book.a, book.b, book.c
    a.invite()
    b.reply("503 Service Unavailable")
    assert a.cancel() == ["a 200 OK", "a 487 Request Terminated"]
    a.ack()
    assert c.reply("180 Ringing") == ["c CANCEL"]
    c.reply("200 OK", to="CANCEL", contact=False)
    assert c.reply("487 Request Terminated") == ["c ACK"]


def test_failure_after_cancel_goes_to_no_other_peer(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite()
    a.cancel()
    a.ack()
    assert b.reply("503 Service Unavailable") == ["b ACK"]
    assert not book.c.got


def test_bye_in_an_early_dialog(book: Playbook) -> None:
    """The caller may end an early dialog by BYE (§15); the INVITE is answered 487 (§15.1.2)."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    assert a.request("BYE") == ["a 200 OK", "a 487 Request Terminated", "b CANCEL"]
    a.ack()
    b.reply("200 OK", to="CANCEL", contact=False)
    assert b.reply("487 Request Terminated") == ["b ACK"]
    assert book.ends() == ["cancelled"]


def test_called_side_must_not_bye_early(book: Playbook) -> None:
    """§15."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    assert b.request("BYE") == ["b 481 Call/Transaction Does Not Exist"]
    b.reply("486 Busy Here")
    a.ack()


# ------------------------------------------------------------------------------------------ it rings for too long


def test_timer_c(book: Playbook) -> None:
    """Three minutes without anything new end the call (§16.6 step 11, §16.8)."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing")
    assert book.wait(184.0) == []
    assert book.wait(2.0)[:2] == ["a 408 Request Timeout", "b CANCEL"]
    a.ack()
    b.reply("200 OK", to="CANCEL", contact=False)
    assert b.reply("487 Request Terminated") == ["b ACK"]
    assert book.ends() == ["no_answer"]
    assert book.of(frames.EndFrame)[0].final_status == 408


def test_ringing_again_starts_timer_c_again(book: Playbook) -> None:
    """§16.7 step 2; a 100 does not."""
    book.a.invite()
    book.b.reply("180 Ringing")
    book.wait(100.0)
    book.b.reply("180 Ringing")
    assert book.wait(184.0) == []
    book.b.reply("100 Trying")
    assert book.wait(2.0)[0] == "a 408 Request Timeout"
    book.a.ack()
    book.b.reply("487 Request Terminated")


def test_timer_c_and_silence(book: Playbook) -> None:
    book.a.invite()
    book.b.reply("180 Ringing")
    book.wait(186.0)
    book.a.ack()
    book.wait(33.0)
    book.require_empty()
    assert book.ends() == ["no_answer"]


# ------------------------------------------------------------------------------------------ reliable provisionals


def test_prack_and_early_update(book: Playbook) -> None:
    """RFC 3262 §4, RFC 3311: requests in the early dialog, and the INVITE's own CSeq in its ACK afterwards."""
    a, b = book.a, book.b
    a.invite("Supported: 100rel")
    assert b.reply("183 Session Progress", "Require: 100rel", "RSeq: 17", body=ANSWER_SDP) == ["a 183 Session Progress"]
    assert values(a.last("183"), "RSeq") == ["17"]
    assert a.request("PRACK", "RAck: 17 1 INVITE") == ["b PRACK"]
    rack, cseq = value(b.last("PRACK"), "RAck"), value(b.last("INVITE"), "CSeq")
    assert rack == f"17 {cseq}"
    assert b.reply("200 OK", to="PRACK", contact=False) == ["a 200 OK"]
    assert a.request("UPDATE", body=SDP) == ["b UPDATE"]
    assert b.reply("200 OK", to="UPDATE", body=ANSWER_SDP) == ["a 200 OK"]
    assert b.reply("200 OK") == ["a 200 OK"]
    assert a.ack() == ["b ACK"]
    assert value(b.last("ACK"), "CSeq") == f"{cseq.split(' ')[0]} ACK"
    book.bye()


def test_failure_while_a_prack_is_out(book: Playbook) -> None:
    a, b = book.a, book.b
    a.invite("Supported: 100rel")
    b.reply("183 Session Progress", "Require: 100rel", "RSeq: 17")
    a.request("PRACK", "RAck: 17 1 INVITE")
    assert b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    a.ack()
    assert b.reply("481 Call/Transaction Does Not Exist", to="PRACK") == ["a 481 Call/Transaction Does Not Exist"]
