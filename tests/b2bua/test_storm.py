"""Storms: hundreds of calls while the network loses 30 % of all datagrams, and repeats, delays and reorders others."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from tests.playbook import require_no_cycles
from tests.simagent import OVER, UP
from tests.simnet import FAIR, Storm, Weather, weathered
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


WEATHERS = {
    "much_is_overtaken": Weather(loss=0.1, twice=0.5, stray=0.5, stray_s=4.0),
    "half_is_lost": Weather(loss=0.5, twice=0.0),
    "all_comes_twice_and_late": Weather(loss=0.0, twice=1.0, stray=0.9, stray_s=4.9),
    "far_away": Weather(least_s=0.3, most_s=0.6, twice=0.3),
}


@pytest.mark.parametrize("name", WEATHERS)
def test_no_weather_parts_the_legs(name: str) -> None:
    storm = Storm(7, calls=200, weather=WEATHERS[name])
    storm.blow()
    storm.calm()
    storm.judge()
    storm.hang_up()
    storm.require_nothing_left()


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
