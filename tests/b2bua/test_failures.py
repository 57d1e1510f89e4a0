"""Failures of several peers: the best one crosses, what a 503 becomes, and that nothing of the others shows."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.failures import LAST_503, rank
from sipguard.screening.trunk import Peer
from sipguard.settings.model import TrunkShape
from tests.playbook import B_AT, Play, Playbook, body_of, value, values

REASON = 'Q.850;cause=21;text="v=analytics1;url=https://blocker.example/fix;id=ID";location=RLN'


@pytest.mark.parametrize(
    ("first", "second", "crosses"),
    [
        ("503 Service Unavailable", "404 Not Found", "404 Not Found"),
        ("503 Service Unavailable", "407 Proxy Authentication Required", "407 Proxy Authentication Required"),
        ("503 Service Unavailable", "501 Not Implemented", "501 Not Implemented"),
        ("500 Broken", "503 Service Unavailable", "500 Broken"),
        ("504 Server Time-out", "503 Service Unavailable", "504 Server Time-out"),
        ("502 Bad Gateway", "500 Broken", "500 Broken"),
        ("408 Request Timeout", "500 Broken", "408 Request Timeout"),
        ("408 Request Timeout", "486 Busy Here", "486 Busy Here"),
        ("408 Request Timeout", "503 Service Unavailable", "408 Request Timeout"),
        ("500 Broken", "603 Decline", "603 Decline"),
        ("500 Broken", "302 Moved Temporarily", "302 Moved Temporarily"),
        ("503 Service Unavailable", "503 Service Unavailable", "500 Server Internal Error"),
    ],
)
def test_the_best_of_two_failures_crosses(book: Playbook, first: str, second: str, crosses: str) -> None:
    """RFC 3261 §16.7 step 6: 6xx, else the lowest class; a lone 503 becomes 500."""
    a, b, c = book.a, book.b, book.c
    assert a.invite() == ["b INVITE"]
    assert b.reply(first) == ["b ACK", "c INVITE"]
    assert c.reply(second) == ["c ACK", f"a {crosses}"]
    a.ack()
    end = book.of(frames.EndFrame)[0]
    assert [status for _, status in end.tries] == [int(first[:3]), int(second[:3])]
    assert end.peer in ("198.51.100.20:5060", "198.51.100.30:5060")
    if crosses in (first, second) and first != second:
        assert end.peer == ("198.51.100.20:5060" if crosses == first else "198.51.100.30:5060")


def test_order_of_all_statuses() -> None:
    """Every 6xx before every 3xx before 4xx before 5xx; 401, 407, 415, 420 and 484 first of theirs, 503 last of all."""
    ordered = sorted(range(300, 700), key=rank)
    assert [status // 100 for status in ordered] == [6] * 100 + [3] * 100 + [4] * 100 + [5] * 100
    assert set(ordered[200:205]) == {401, 407, 415, 420, 484}
    assert (ordered[299], ordered[-1]) == (408, 503)


@pytest.mark.parametrize("first", ["500 Broken", "504 Server Time-out"])
def test_a_failure_is_better_than_silence(book: Playbook, first: str) -> None:
    a, b = book.a, book.b
    a.invite()
    assert b.reply(first, 'Warning: 399 peer.example "no trunk free"') == ["b ACK", "c INVITE"]
    column = book.wait(4.1)
    assert column[-1] == f"a {first}"
    assert value(a.last(first[:3]), "Warning") == '399 peer.example "no trunk free"'
    a.ack()
    assert book.ends() == ["failed"]


def test_a_503_is_no_better_than_silence(book: Playbook) -> None:
    book.a.invite()
    book.b.reply("503 Service Unavailable", "Retry-After: 30")
    assert book.wait(4.1)[-1] == "a 500 Server Internal Error"
    assert values(book.a.last("500"), "Retry-After") == []
    book.a.ack()


@pytest.mark.parametrize(("status", "phrase"), LAST_503.items())
def test_the_last_503_is_what_the_trunk_says(play: Play, status: int, phrase: str) -> None:
    """503 itself crosses as it came: with its phrase, Retry-After and body."""
    book = play(carrier={"last_503": status}, hop={"peers": (Peer(*B_AT),)})
    a, b = book.a, book.b
    a.invite()
    crosses = "503 Congestion" if status == 503 else f"{status} {phrase}"
    assert b.reply("503 Congestion", "Retry-After: 7", body="x") == ["b ACK", f"a {crosses}"]
    assert values(a.last(crosses), "Retry-After") == (["7"] if status == 503 else [])
    assert body_of(a.last(crosses)) == ("x" if status == 503 else "")
    a.ack()
    assert book.ends() == ["failed"]


def test_the_setting_takes_these_statuses() -> None:
    assert set(TrunkShape.model_json_schema()["properties"]["last_503"]["enum"]) == set(LAST_503)


@pytest.mark.parametrize("status", ["600 Busy Everywhere", "603 Network Blocked", "604 Nowhere", "607 Unwanted"])
def test_a_6xx_ends_the_search(book: Playbook, status: str) -> None:
    """RFC 3261 §16.7 step 5: nobody else is asked; phrase and Reason cross byte for byte (47 CFR 64.1200(k)(9))."""
    a, b = book.a, book.b
    a.invite()
    assert b.reply(status, f"Reason: {REASON}") == ["b ACK", f"a {status}"]
    assert value(a.last(status), "Reason") == REASON
    assert book.c.got == []
    a.ack()
    assert book.of(frames.EndFrame)[0].reason == REASON
