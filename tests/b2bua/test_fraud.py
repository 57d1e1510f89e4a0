"""The shipped rules of fraud by calls through the engine: its answers, ends and CANCELs are what they count by."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sipguard.b2bua import frames
from sipguard.screening.finding import Need
from sipguard.screening.policy.model import Rule
from sipguard.settings.load import load
from tests.pki import Pki, identity_value, passport
from tests.playbook import START_AT, Play, Playbook

PKI = Pki(now=datetime.fromtimestamp(START_AT, UTC))
LEAF = PKI.leaf(spc="709J")
X5U = "https://certs.example/709J.pem"
SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rule]:
    """The rules of the shipped policy by their names."""
    directory = tmp_path_factory.mktemp("shipped") / "config"
    shutil.copytree(SHIPPED, directory)
    loaded = load(directory / "sipguard.yaml")
    assert loaded.ruleset is not None
    return {rule.name: rule for rule in loaded.ruleset.policy.rules}


def reported(book: Playbook) -> list[bool]:
    """Of each call so far, whether the rule would have acted on it."""
    return [bool(frame.reported) for frame in book.of(frames.VerdictFrame)]


def callee(n: int) -> str:
    """One of a hundred called numbers, none beside another."""
    return f"+1212555{100 + n * 37 % 100:04}"


def rings(book: Playbook, n: int, seconds: float, caller: str = "+12025550101") -> None:
    """A call that rings so long, then its caller gives up."""
    assert book.a.invite(callee=callee(n), caller=caller) == ["b INVITE"]
    assert book.b.reply("180 Ringing") == ["a 180 Ringing"]
    book.wait(seconds)
    assert book.a.cancel() == ["a 200 OK", "a 487 Request Terminated", "b CANCEL"]
    assert book.b.reply("200 OK", to="CANCEL") == []
    assert book.b.reply("487 Request Terminated") == ["b ACK"]
    assert book.a.ack() == []


def is_busy(book: Playbook) -> None:
    """The callee of the call at hand is."""
    assert book.b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    book.a.ack()


def talks(book: Playbook, n: int, seconds: float) -> None:
    """A call that is answered after ten seconds, and lasts so long."""
    assert book.a.invite(callee=callee(n)) == ["b INVITE"]
    is_answered(book, seconds)


def is_answered(book: Playbook, seconds: float) -> None:
    """The call at hand is, after ten seconds, and lasts so long."""
    assert book.b.reply("180 Ringing") == ["a 180 Ringing"]
    book.wait(10.0)
    assert book.b.reply("200 OK") == ["a 200 OK"]
    assert book.a.ack() == ["b ACK"]
    book.wait(seconds)
    assert book.b.request("BYE") == ["a BYE"]
    assert book.a.reply("200 OK", to="BYE") == ["b 200 OK"]


def test_one_ring_again_and_again(play: Play, shipped: dict[str, Rule]) -> None:
    book = play(shipped["fraud-wangiri"])
    for n in range(35):
        rings(book, n, 2.5)
    assert reported(book) == [False] * 30 + [True] * 5
    assert book.ends() == ["cancelled"] * 35
    rings(book, 0, 2.5, caller="+12025550144")
    assert reported(book)[-1] is False, "somebody else"


def test_who_lets_it_ring_is_no_wangiri(play: Play, shipped: dict[str, Rule]) -> None:
    book = play(shipped["fraud-wangiri"])
    for n in range(35):
        rings(book, n, 20.0)
    assert not any(reported(book))


def test_answers_that_end_at_once_are_a_campaign_and_a_message_heard_is_none(
    play: Play, shipped: dict[str, Rule]
) -> None:
    lawful, unlawful = play(shipped["fraud-campaign"]), play(shipped["fraud-campaign"])
    for n in range(104):
        if n < 30:
            talks(lawful, n, 25.0)
            talks(unlawful, n, 2.0)
            continue
        for book in (lawful, unlawful):
            assert book.a.invite(callee=callee(n)) == ["b INVITE"]
            is_busy(book)
    assert not any(reported(lawful))
    assert reported(unlawful) == [False] * 100 + [True] * 4


def test_a_flood_to_a_number_that_is_busy(play: Play, shipped: dict[str, Rule]) -> None:
    book = play(shipped["fraud-tdos"])
    for n in range(63):
        assert book.a.invite(caller=f"+1202555{100 + n:04}") == ["b INVITE"]
        is_busy(book)
    assert reported(book) == [False] * 60 + [True] * 3
    assert book.a.invite(caller="+12025550101", callee="+12125550177") == ["b INVITE"]
    assert reported(book)[-1] is False, "to somebody else"
    is_busy(book)
    assert book.a.invite(caller="+12025550101", callee="911") == ["b INVITE"]
    assert book.verdicts()[-1] == ("allow", "emergency")
    assert book.b.reply("486 Busy Here")[0] == "b ACK"


def test_neighbours_of_one_signer(play: Play, shipped: dict[str, Rule]) -> None:
    book = play(shipped["fraud-neighbour"], anchors=(PKI.root.pem,))
    for n in range(104):
        caller, called = f"1212555{100 + n % 90:04}", f"1212555{190 + n % 10:04}"
        token = passport(caller, called, LEAF.key, X5U, iat=int(book.clock.unix))
        left = book.a.invite(f"Identity: {identity_value(token, X5U)}", caller=f"+{caller}", callee=f"+{called}")
        assert (left if n else book.fetched(LEAF.pem, Need("certificate", X5U, 0.0))) == ["b INVITE"]
        if n < 12:
            is_answered(book, 2.0)
        else:
            is_busy(book)
    assert reported(book) == [False] * 100 + [True] * 4
    facts = book.of(frames.VerdictFrame)[-1].facts
    assert (facts["rate.signer.neighbour_ratio_1h"], facts["rate.signer.short_ratio_1h"]) == (1.0, 1.0)
    assert book.a.invite(caller="+12125550101", callee="+12125550199") == ["b INVITE"]
    assert reported(book)[-1] is False, "nobody signed it"
    is_busy(book)
