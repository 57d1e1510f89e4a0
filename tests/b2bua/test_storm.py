"""Storms: hundreds of calls while the network loses 30 % of all datagrams, and repeats, delays and reorders others."""

from __future__ import annotations

import pytest

from sipguard.b2bua import frames
from tests.playbook import require_no_cycles
from tests.simagent import OVER, UP
from tests.simnet import FAIR, Storm


def weathered(storm: Storm) -> Storm:
    """A storm from its beginning to its end."""
    storm.blow()
    storm.calm()
    storm.judge()
    assert storm.given_up() <= len(storm.plans) // 50, "who repeats himself is heard, but for bad luck"
    assert len(storm.rings_of_nobody()) <= len(storm.plans) // 100
    storm.hang_up()
    storm.require_nothing_left()
    return storm


@pytest.mark.parametrize("seed", range(1, 9))
def test_every_call_is_up_on_both_legs_or_over_on_both(seed: int) -> None:
    storm = weathered(Storm(seed, calls=200))
    assert storm.engine.layer.retransmissions > 500, "it was a storm"
    assert set(storm.endings) >= {frames.ANSWERED, frames.BUSY, frames.CANCELLED, frames.UNREACHABLE, frames.FAILED}
    del storm
    require_no_cycles()


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
