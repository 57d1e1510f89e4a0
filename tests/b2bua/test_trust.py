"""What others may not do to a call: strangers, and customers of another trunk, who know or guess some of its names."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from sipguard.screening.trunk import Trunk
from tests.playbook import Play, Playbook, value

RIVAL_AT = ("203.0.113.77", 5060)
RIVAL = Trunk("rival", "interconnect", (ip_network(RIVAL_AT[0]),), ("outside",), "hop")


def rung(play: Play) -> Playbook:
    """A call that rings, beside a customer of another trunk who is admitted too."""
    book = play(trunks=(RIVAL,))
    book.party("rival", RIVAL_AT, "outside")
    assert book.a.invite() == ["b INVITE"]
    assert book.b.reply("180 Ringing") == ["a 180 Ringing"]
    return book


def answered(book: Playbook) -> None:
    """The call was not harmed."""
    assert book.b.reply("200 OK") == ["a 200 OK"]
    assert book.a.ack() == ["b ACK"]
    book.bye()
    assert book.ends() == ["answered"]


@pytest.mark.parametrize("who", ["stranger", "rival"])
def test_nobody_else_cancels_a_call(play: Play, who: str) -> None:
    """With the caller's Via and branch, which some callers count up."""
    book = rung(play)
    thief = next(party for party in book.parties if party.name == who)
    column = thief.send(book.a.companion("CANCEL"))
    if who == "stranger":
        assert column == []
    else:  # to the port that its Via names, at the host it came from
        assert [line.partition(" ")[2] for line in column] == ["481 Call/Transaction Does Not Exist"]
        assert book.sends[-1].flow.remote[0] == RIVAL_AT[0]
    answered(book)


def test_another_host_of_the_same_trunk_may_cancel(play: Play) -> None:
    """An SBC in a pair."""
    book = play(carrier={"sources": (ip_network("192.0.2.0/28"),)})
    book.a.invite()
    book.b.reply("180 Ringing")
    second = book.party("a2", ("192.0.2.11", 5060), "outside")
    assert second.send(book.a.companion("CANCEL")) == ["a2 200 OK", "a 487 Request Terminated", "b CANCEL"]
    book.a.ack()
    book.b.reply("200 OK", to="CANCEL")
    book.b.reply("487 Request Terminated")


@pytest.mark.parametrize("who", ["stranger", "rival"])
@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO", "REFER"])
@pytest.mark.parametrize("known", ["to", "from"])
def test_one_tag_of_a_dialog_is_not_enough(play: Play, who: str, method: str, known: str) -> None:
    book = rung(play)
    thief = next(party for party in book.parties if party.name == who)
    a = book.a
    thief.call_id, thief.cseq, thief.target = a.call_id, 10, a.target
    thief.local, thief.remote = a.local, a.remote
    thief.turn_to(own="guessed") if known == "to" else thief.turn_to(far="guessed")
    column = thief.request(method)
    assert column == ([] if who == "stranger" else ["rival 481 Call/Transaction Does Not Exist"])
    if method == "INVITE" and who == "rival":
        thief.ack()
    answered(book)


@pytest.mark.parametrize("status", ["200 OK", "486 Busy Here", "302 Moved Temporarily"])
@pytest.mark.parametrize("who", ["stranger", "rival", "b"])
def test_a_response_needs_the_branch(play: Play, who: str, status: str) -> None:
    """All else of it may be right."""
    book = rung(play)
    invite = book.b.last_request("INVITE")
    branch = value(invite, "Via").partition(";branch=")[2].partition(";")[0]
    forged = invite.replace(branch, f"{branch[:-4]}0000")
    liar = next(party for party in book.parties if party.name == who)
    liar.tag = "forged"
    column = liar.reply(status, request=forged, tag="forged", contact=False)
    assert not any(line.startswith("a ") for line in column)
    assert column == []
    liar.sent.clear()  # what it forged holds names of both sides
    answered(book)


def test_an_invite_that_is_repeated_by_another_tells_it_nothing(play: Play) -> None:
    book = rung(play)
    assert book.stranger.send(book.a.invited) == ["a 180 Ringing"]
    answered(book)
