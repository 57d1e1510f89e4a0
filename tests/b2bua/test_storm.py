"""Storms: hundreds of calls while the network loses 30 % of all datagrams, and repeats, delays and reorders others."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from tests.playbook import require_no_cycles
from tests.simagent import OVER, UP
from tests.simnet import FAIR, Storm, weathered
from tests.simstream import StreamStorm


@pytest.mark.parametrize("seed", range(1, 9))
def test_every_call_is_up_on_both_legs_or_over_on_both(seed: int) -> None:
    storm = weathered(Storm(seed, calls=200))
    assert storm.engine.layer.retransmissions > 500, "it was a storm"
    assert set(storm.endings) >= {frames.ANSWERED, frames.BUSY, frames.CANCELLED, frames.UNREACHABLE, frames.FAILED}
    del storm
    require_no_cycles()


@pytest.mark.parametrize("transports", [("TCP", "TCP"), ("TCP", "UDP"), ("UDP", "TCP")], ids="-".join)
@pytest.mark.parametrize("seed", [1, 2])
def test_calls_outlive_connections_that_break(seed: int, transports: tuple[str, str]) -> None:
    storm = StreamStorm(seed, 200, transports)
    weathered(storm)
    assert storm.broken > 10


def test_in_good_weather_no_call_ends_for_want_of_an_ack() -> None:
    storm = weathered(Storm(1, calls=100, weather=FAIR))
    up = sum(side.was_up for side in storm.callers)
    assert up > 30
    assert {side.state for side in storm.callers} == {OVER}
    assert storm.endings[frames.ACK_LOST] == 0


def test_some_calls_outlast_the_storm() -> None:
    storm = Storm(3, calls=100)
    storm.blow()
    storm.calm()
    assert 0 < sum(side.state == UP for side in storm.callers) == len(storm.engine.calls)
