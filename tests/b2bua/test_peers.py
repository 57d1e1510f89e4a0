"""Which peers a call tries and in which order, and what marks them."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest

from sipguard.b2bua.commands import Identifiers
from sipguard.b2bua.peers import Peers
from sipguard.screening.route import Way
from sipguard.screening.trunk import Peer, Trunk

FIRST, SECOND, THIRD = Peer("198.51.100.20"), Peer("198.51.100.30"), Peer("198.51.100.40")
TRUNK = Trunk("hop", "origination", peers=(FIRST, SECOND), down_for_s=30.0)
OTHER = Trunk("other", "origination", peers=(THIRD,))
WAY = Way([TRUNK])


def below(n: int) -> int:
    """Nothing is drawn in these tests."""
    raise AssertionError(n)


def tried(peers: Peers, way: Way = WAY, now: float = 0.0, *, emergency: bool = False) -> list[Peer]:
    """The peers without their trunks."""
    return [peer for _, peer in peers.to_try(way, now, emergency)]


def changes(peers: Peers) -> list[tuple[str, str]]:
    """Host and reason of what changed."""
    found = [(change.peer, change.why) for change in peers.changes]
    peers.changes = []
    return found


def test_in_order_without_those_that_are_down() -> None:
    peers = Peers(below)
    assert tried(peers) == [FIRST, SECOND]
    peers.failed(FIRST, TRUNK, 0.0)
    assert tried(peers, now=29.9) == [SECOND]
    assert tried(peers, now=29.9, emergency=True) == [SECOND, FIRST]
    assert tried(peers, now=30.0) == [FIRST, SECOND]
    assert (peers.down(29.9), peers.down(30.0)) == (1, 0)
    peers.expire(29.9)
    peers.expire(30.0)
    assert changes(peers) == [("198.51.100.20:5060/udp", "silent"), ("198.51.100.20:5060/udp", "")]


def test_one_is_tried_where_all_are_down() -> None:
    """That whose mark ends first, the first of several; none that asked for silence."""
    peers = Peers(below)
    peers.failed(FIRST, TRUNK, 5.0)
    peers.failed(SECOND, TRUNK, 0.0)
    assert tried(peers, now=6.0) == [SECOND]
    assert tried(peers, now=6.0, emergency=True) == [FIRST, SECOND]
    peers.probed_down(FIRST, TRUNK)
    peers.probed_down(SECOND, TRUNK)
    assert tried(peers, now=99.0) == [FIRST]
    way = Way([OTHER, TRUNK])
    peers.refused(THIRD, OTHER, 60.0, 0.0)
    assert tried(peers, way) == [FIRST]
    assert tried(peers, Way([OTHER])) == []
    assert peers.marked(way, 1.0) == [
        ("198.51.100.40:5060", "retry_after"),
        ("198.51.100.20:5060", "probed"),
        ("198.51.100.30:5060", "probed"),
    ]


def test_answer_brings_a_peer_back() -> None:
    peers = Peers(below)
    peers.failed(FIRST, TRUNK, 0.0)
    peers.answered(FIRST)
    assert tried(peers, now=1.0) == [FIRST, SECOND]


def test_list_of_hops_is_the_callers_own() -> None:
    """Calls take from it as they try."""
    peers = Peers(below)
    peers.to_try(WAY, 0.0, emergency=False).clear()
    assert tried(peers) == [FIRST, SECOND]


def test_trunks_one_after_the_other() -> None:
    peers = Peers(below)
    way = Way([OTHER, TRUNK])
    assert peers.to_try(way, 0.0, emergency=False) == [(OTHER, THIRD), (TRUNK, FIRST), (TRUNK, SECOND)]
    peers.failed(THIRD, OTHER, 0.0)
    assert tried(peers, way) == [FIRST, SECOND]
    assert tried(peers, way, emergency=True) == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    ("asked_s", "limit_s", "until"),
    [(20.0, 60.0, 20.0), (3600.0, 60.0, 60.0), (0.0, 60.0, 0.0), (20.0, 0.0, 0.0)],
    ids=["as asked", "capped", "without Retry-After like a 500", "not honoured"],
)
def test_retry_after(asked_s: float, limit_s: float, until: float) -> None:
    trunk = Trunk("hop", "origination", peers=(FIRST, SECOND), retry_after_limit_s=limit_s)
    peers = Peers(below)
    peers.refused(FIRST, trunk, asked_s, 0.0)
    if until:
        assert tried(peers, Way([trunk]), until - 0.1) == [SECOND]
    assert tried(peers, Way([trunk]), until) == [FIRST, SECOND]


def test_answer_to_a_request_of_before_does_not_end_what_retry_after_asked() -> None:
    peers = Peers(below)
    peers.refused(FIRST, TRUNK, 20.0, 0.0)
    peers.answered(FIRST)
    assert tried(peers, now=19.0) == [SECOND]


def test_priorities_before_the_order_written() -> None:
    ranked = (Peer("198.51.100.1", priority=20), Peer("198.51.100.2"), Peer("198.51.100.3", priority=20))
    way = Way([Trunk("hop", "origination", peers=ranked)])
    assert tried(Peers(below), way) == [ranked[1], ranked[0], ranked[2]]


def test_weights_share_the_first_place() -> None:
    """RFC 2782: 1 to 3, and the one of weight 0 has a small chance; each is tried once by each call."""
    number = iter(range(10**9))
    ids = Identifiers(lambda n: b"".join(sha256(str(next(number)).encode()).digest() for _ in range(n // 32)))
    group = (
        Peer("198.51.100.1", weight=25), Peer("198.51.100.2", weight=75), Peer("198.51.100.3"),
        Peer("198.51.100.9", priority=1),
    )  # fmt: skip
    peers, way = Peers(ids.below), Way([Trunk("hop", "origination", peers=group)])
    first: Counter[Peer] = Counter()
    for _ in range(4000):
        order = tried(peers, way)
        assert len(order) == 4
        assert order[3] is group[3]
        first[order[0]] += 1
    assert 900 < first[group[0]] < 1100
    assert 2900 < first[group[1]] < 3100
    assert 10 < first[group[2]] < 80
