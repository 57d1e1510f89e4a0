"""Which peers are tried, and what a trunk may carry."""

from __future__ import annotations

from sipguard.b2bua.routing import Peers, TrunkLoad
from sipguard.screening.trunk import Limits, Peer, Trunk

FIRST, SECOND = Peer("198.51.100.20"), Peer("198.51.100.30")
TRUNK = Trunk("hop", "origination", peers=(FIRST, SECOND), down_for_s=30.0)


def test_in_order_without_those_that_are_down() -> None:
    peers = Peers()
    assert peers.to_try(TRUNK, 0.0, emergency=False) == [FIRST, SECOND]
    peers.failed(FIRST, TRUNK, 0.0)
    assert peers.to_try(TRUNK, 29.9, emergency=False) == [SECOND]
    assert peers.to_try(TRUNK, 29.9, emergency=True) == [SECOND, FIRST]
    assert peers.to_try(TRUNK, 30.0, emergency=False) == [FIRST, SECOND]
    assert (peers.down(29.9), peers.down(30.0)) == (1, 0)


def test_answer_brings_a_peer_back() -> None:
    peers = Peers()
    peers.failed(FIRST, TRUNK, 0.0)
    peers.answered(FIRST)
    assert peers.to_try(TRUNK, 1.0, emergency=False) == [FIRST, SECOND]


def test_list_of_peers_is_the_callers_own() -> None:
    """Calls take from it as they try."""
    peers = Peers()
    peers.to_try(TRUNK, 0.0, emergency=False).clear()
    assert peers.to_try(TRUNK, 0.0, emergency=False) == [FIRST, SECOND]


def test_rate_grows_back() -> None:
    load, limits = TrunkLoad(), Limits(cps=10)
    assert [load.admit(limits, 0.0) for _ in range(11)] == [""] * 10 + ["cps"]
    assert [load.admit(limits, 0.25) for _ in range(3)] == ["", "", "cps"]
    assert [load.admit(limits, 60.0) for _ in range(11)] == [""] * 10 + ["cps"]


def test_rate_below_one_a_second() -> None:
    load, limits = TrunkLoad(), Limits(cps=0.5)
    assert [load.admit(limits, at) for at in (0.0, 1.0, 2.0)] == ["", "cps", ""]


def test_no_limits() -> None:
    load = TrunkLoad()
    load.calls = 10**6
    assert load.admit(Limits(), 0.0) == ""


def test_number_of_calls() -> None:
    load = TrunkLoad()
    load.calls = 3
    assert (load.admit(Limits(calls=4), 0.0), load.admit(Limits(calls=3), 0.0)) == ("", "calls")
