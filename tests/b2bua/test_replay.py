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


def copied(book: Playbook) -> list[str]:
    """The last INVITE of a once more, as it was but for its branch; what becomes of it."""
    a = book.a
    a.remote = a.remote.partition(";tag=")[0]
    a.invited = a.asked = a.invited.replace("branch=z9hG4bK", "branch=z9hG4bK-again", 1)
    return a.send(a.asked)


def test_a_copy_of_an_answered_invite_is_one_though_call_id_and_tag_are_those_of_the_call(trusting: Open) -> None:
    book, line = trusting(), signed()
    assert book.a.invite(line) == ["b INVITE"]
    answered(book)
    for _ in range(3):
        assert copied(book) == ["b INVITE"]
        busy(book)
    assert replays(book) == [False, True, True, True]


def test_the_dialog_of_a_try_that_failed_is_one_after_the_answer_too(trusting: Open) -> None:
    book, line = trusting(), signed()
    assert book.a.invite(line) == ["b INVITE"]
    first, from_ = book.a.invited, book.a.remote
    busy(book)
    assert book.a.invite(line) == ["b INVITE"]
    answered(book)
    book.a.invited, book.a.remote = first, from_
    assert copied(book) == ["b INVITE"]
    busy(book)
    assert replays(book) == [False, False, True]


NEXT = "12125550199"
SENT_ON = {
    "To as it was": {"uri": f"sip:+{NEXT}@198.51.100.1"},
    "To rewritten": {"callee": f"+{NEXT}"},
}


def diverted(key: object = LEAF.key, x5u: str = X5U) -> str:
    """An Identity line of who sends the call on to NEXT, with a token of its own."""
    claims = {"attest": None, "origid": None, "div": {"tn": "12125550123"}, "dest": {"tn": [NEXT]}}
    token = pki.passport("12025550101", "", key, x5u, iat=int(START_AT), ppt="div", extra=claims)
    return f"Identity: {pki.identity_value(token, x5u, 'div')}"


@pytest.mark.parametrize("where", SENT_ON.values(), ids=SENT_ON)
def test_a_call_that_is_sent_on_after_its_answer_is_none_and_its_copy_is_one(
    trusting: Open, where: dict[str, str]
) -> None:
    """The outermost div token counts (RFC 8946 §4.2 step 4), whatever becomes of To."""
    book, line, sent_on = trusting(settings=settings(replay_fails=True)), signed(), diverted()
    assert book.a.invite(line) == ["b INVITE"]
    answered(book)
    assert book.a.invite(line, sent_on, **where) == ["b INVITE"]
    answered(book)
    assert book.a.invite(line, sent_on, **where) == ["b INVITE"]
    busy(book)
    assert replays(book) == [False, False, True]
    frame = book.of(frames.VerdictFrame)[-1]
    assert (frame.facts["identity.result"], frame.facts["identity.reason"]) == ("failed", "replayed")


@pytest.mark.parametrize(
    ("certificate", "said"), [("there", ("passed", False)), ("x5u_dns", ("passed", True)), ("late", ("passed", True))]
)
def test_whether_it_was_sent_on_is_waited_for_where_all_depends_on_it(
    trusting: Open, certificate: str, said: tuple[str, bool]
) -> None:
    book, line, other = trusting(), signed(), "https://certs.example/812K.pem"
    leaf = PKI.leaf(spc="812K")
    sent_on = diverted(leaf.key, other)
    assert book.a.invite(line, sent_on, uri=f"sip:+{NEXT}@198.51.100.1") == ["b INVITE"], "nothing depends on it"
    busy(book)
    assert book.a.invite(line) == ["b INVITE"]
    answered(book)
    assert book.a.invite(line, sent_on, uri=f"sip:+{NEXT}@198.51.100.1") == [f"fetch {other}"]
    if certificate == "late":
        assert book.wait(0.35)[-1] == "b INVITE"
    else:
        assert book.fetched(leaf.pem if certificate == "there" else certificate) == ["b INVITE"]
    facts = book.of(frames.VerdictFrame)[-1].facts
    assert (facts["identity.result"], facts["identity.replay"]) == said
    busy(book)


def settings(**changed: object) -> dict[str, object]:
    """Settings of all checks, those of `identity` changed."""
    usual = {name: check.Settings() for name, check in CHECKS.items()}
    return {**usual, "identity": replace(Settings(), **changed)}  # type: ignore[arg-type]
