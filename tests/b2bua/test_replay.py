"""A token on a second dialog: what is a replay and what comes a second time by no fault of its caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from sipguard.b2bua import frames
from sipguard.screening.checks import CHECKS
from sipguard.screening.checks.identity import Settings
from sipguard.screening.policy.model import OneOf, Rule
from sipguard.screening.trunk import Peer, Trunk
from tests import pki
from tests.playbook import ANSWER_SDP, START_AT, Play, Playbook

PKI = pki.Pki(now=datetime.fromtimestamp(START_AT, UTC))
LEAF = PKI.leaf()
X5U = "https://certs.example/709J.pem"
Open = Callable[..., Playbook]


def signed() -> str:
    """An Identity line with a token of its own."""
    token = pki.passport("12025550101", "12125550123", LEAF.key, X5U, iat=int(START_AT))
    return f"Identity: {pki.identity_value(token, X5U)}"


@pytest.fixture
def trusting(play: Play) -> Open:
    """Opens playbooks that trust the signer and know its certificate."""

    def opened(*rules: Rule, **fields: object) -> Playbook:
        book = play(*rules, anchors=(PKI.root.pem,), **fields)
        assert book.a.invite(signed()) == [f"fetch {X5U}"]
        assert book.fetched(LEAF.pem) == ["b INVITE"]
        busy(book)
        return book

    return opened


def busy(book: Playbook) -> None:
    """b has no time for the call."""
    assert book.b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    book.a.ack()


def answered(book: Playbook) -> None:
    """b answers the call that is out, and hangs up again."""
    assert book.b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    assert book.a.ack() == ["b ACK"]
    book.bye()


def replays(book: Playbook) -> list[object]:
    """What each call was told, but for the first, which fetched the certificate."""
    return [frame.facts.get("identity.replay") for frame in book.of(frames.VerdictFrame)][1:]


def test_a_token_of_an_answered_call_on_another_dialog_is_a_replay_and_only_a_fact(trusting: Open) -> None:
    book, line = trusting(), signed()
    assert book.a.invite(line) == ["b INVITE"]
    answered(book)
    assert book.a.invite(line) == ["b INVITE"]
    busy(book)
    assert replays(book) == [False, True]
    assert book.of(frames.VerdictFrame)[-1].identity == "passed"


def test_it_is_one_while_the_first_call_is_still_up_and_from_another_trunk_too(trusting: Open) -> None:
    other = Trunk("other", "interconnect", (ip_network("192.0.2.77"),), ("outside",), "hop")
    book, line = trusting(trunks=[other]), signed()
    assert book.a.invite(line) == ["b INVITE"]
    assert book.b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    assert book.a.ack() == ["b ACK"]
    thief = book.party("thief", ("192.0.2.77", 5060), "outside")
    assert thief.invite(line) == ["b INVITE"]
    assert book.b.reply("486 Busy Here") == ["b ACK", "thief 486 Busy Here"]
    thief.ack()
    assert replays(book) == [False, True]
    assert book.a.request("BYE") == ["b BYE"]
    assert book.b.reply("200 OK", to="BYE") == ["a 200 OK"]


def test_trying_again_after_a_failure_is_none(trusting: Open) -> None:
    book, line = trusting(), signed()
    for _ in range(3):
        assert book.a.invite(line) == ["b INVITE"]
        busy(book)
    assert replays(book) == [False, False, False]


def test_failing_over_to_another_trunk_while_the_first_try_is_silent_is_none(trusting: Open) -> None:
    """The upstream gives the first way up and takes the second at once; its CANCEL comes behind (RFC 3261 §16.7)."""
    other = Trunk("other", "interconnect", (ip_network("192.0.2.77"),), ("outside",), "hop")
    book, line = trusting(trunks=[other]), signed()
    assert book.a.invite(line) == ["b INVITE"]
    first = book.b.last("INVITE")
    assert book.b.reply("180 Ringing") == ["a 180 Ringing"]
    second = book.party("a2", ("192.0.2.77", 5060), "outside")
    assert second.invite(line) == ["b INVITE"]
    assert book.a.cancel() == ["a 200 OK", "a 487 Request Terminated", "b CANCEL"]
    book.a.ack()
    book.b.reply("200 OK", to="CANCEL")
    book.b.reply("487 Request Terminated", request=first)
    assert book.b.reply("486 Busy Here", request=book.b.last("INVITE")) == ["b ACK", "a2 486 Busy Here"]
    second.ack()
    assert replays(book) == [False, False]


def test_a_fork_with_its_own_branch_is_none(trusting: Open) -> None:
    """Call-ID and From-tag are those of the first; it goes on as a call of its own."""
    book, line = trusting(), signed()
    assert book.a.invite(line) == ["b INVITE"]
    first, one = book.a.invited, book.b.last("INVITE")
    fork = first.replace("z9hG4bK", "z9hG4bKx", 1)
    assert book.a.send(fork) == ["b INVITE"]
    assert book.b.reply("486 Busy Here", request=book.b.last("INVITE")) == ["b ACK", "a 486 Busy Here"]
    book.a.invited = fork
    assert book.a.ack() == []
    assert book.b.reply("486 Busy Here", request=one) == ["b ACK", "a 486 Busy Here"]
    book.a.invited = first
    assert book.a.ack() == []
    assert replays(book) == [False, False]


def test_a_call_that_passes_here_twice_by_way_of_another_b2bua_is_none(trusting: Open) -> None:
    """A switch behind b gives it another Call-ID and sends it back to us before anybody has answered."""
    home_at = ("192.0.2.80", 5060)
    home_trunk = Trunk("home", "interconnect", (ip_network(home_at[0]),), ("outside",), "hop", (Peer(*home_at),))
    book, line = trusting(hop={"route": "home"}, trunks=[home_trunk]), signed()
    home = book.party("home", home_at, "outside")
    switch = book.party("switch", ("198.51.100.40", 5060), "inside")
    assert book.a.invite(line) == ["b INVITE"]
    first = book.b.last("INVITE")
    assert switch.invite(line) == ["home INVITE"]
    assert home.reply("200 OK", body=ANSWER_SDP) == ["switch 200 OK"]
    assert switch.ack() == ["home ACK"]
    assert book.b.reply("200 OK", body=ANSWER_SDP, request=first) == ["a 200 OK"]
    assert book.a.ack() == ["b ACK"]
    assert replays(book) == [False, False]
    thief = book.party("thief", ("192.0.2.10", 5070), "outside")
    assert thief.invite(line) == ["b INVITE"]
    assert replays(book) == [False, False, True]
    assert book.b.reply("486 Busy Here", request=book.b.last("INVITE")) == ["b ACK", "thief 486 Busy Here"]
    thief.ack()
    assert home.request("BYE") == ["switch BYE"]
    assert switch.reply("200 OK", to="BYE") == ["home 200 OK"]
    assert book.a.request("BYE") == ["b BYE"]
    assert book.b.reply("200 OK", to="BYE") == ["a 200 OK"]


def test_an_invite_that_is_judged_twice_is_none(play: Play) -> None:
    """It waits for its certificate, and a reload comes between."""
    book, line = play(anchors=(PKI.root.pem,)), signed()
    assert book.a.invite(line) == [f"fetch {X5U}"]
    assert book.a.again() == ["a 100 Trying"]
    book.reload(anchors=(PKI.root.pem,))
    assert book.fetched(LEAF.pem) == ["b INVITE"]
    answered(book)
    assert [frame.facts["identity.replay"] for frame in book.of(frames.VerdictFrame)] == [False]


def test_what_was_seen_outlasts_a_reload(trusting: Open) -> None:
    book, line = trusting(), signed()
    book.a.invite(line)
    answered(book)
    book.reload(anchors=(PKI.root.pem,))
    assert book.a.invite(line) == ["b INVITE"]
    busy(book)
    assert replays(book) == [False, True]


def test_it_fails_verification_where_that_is_set(trusting: Open) -> None:
    rule = Rule("failed", OneOf("identity.reason", ("replayed",)), basis="identity")
    book = trusting(rule, settings=settings(replay_fails=True))
    line = signed()
    book.a.invite(line)
    answered(book)
    assert book.a.invite(line) == ["a 438 Invalid Identity Header"]
    book.a.ack()
    facts = book.of(frames.VerdictFrame)[-1].facts
    assert (facts["identity.result"], facts["identity.reason"], facts["identity.replay"]) == (
        "failed",
        "replayed",
        True,
    )
    assert facts["identity.signature_ok"] is True


def test_a_policy_can_ask_for_it(trusting: Open) -> None:
    book, line = trusting(Rule("replay", OneOf("identity.replay", (True,)), basis="contract")), signed()
    book.a.invite(line)
    answered(book)
    assert book.a.invite(line) == ["a 403 Forbidden"]
    book.a.ack()


def settings(**changed: object) -> dict[str, object]:
    """Settings of all checks, those of `identity` changed."""
    usual = {name: check.Settings() for name, check in CHECKS.items()}
    return {**usual, "identity": replace(Settings(), **changed)}  # type: ignore[arg-type]
