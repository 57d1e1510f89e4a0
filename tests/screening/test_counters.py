"""Attempts in sliding windows."""

from __future__ import annotations

import pytest

from sipguard.screening.counters import Attempts, Counters

KEY = "12025550100"


@pytest.mark.parametrize(
    ("counted_at", "asked_at", "minute", "hour"),
    [
        ([], 0.0, 0, 0),
        ([0.0, 1.0, 59.0], 59.0, 3, 3),
        ([0.0] * 60, 60.0, 60, 60),
        ([0.0] * 60, 90.0, 30, 60),
        ([0.0] * 60, 119.0, 1, 60),
        ([0.0] * 60, 120.0, 0, 60),
        ([0.0] * 60 + [60.0], 90.0, 31, 61),
        ([0.0] * 60 + [120.0], 120.0, 1, 61),
        ([0.0] * 60, 3600.0, 0, 60),
        ([0.0] * 60, 5400.0, 0, 30),
        ([0.0] * 60, 7200.0, 0, 0),
        ([0.0] * 60 + [3600.0], 5400.0, 0, 31),
        ([0.0] * 60 + [7200.0], 7200.0, 1, 1),
    ],
)
def test_windows(counted_at: list[float], asked_at: float, minute: int, hour: int) -> None:
    attempts = Attempts()
    for at in counted_at:
        attempts.count(KEY, at)
    assert attempts.attempts_1m(KEY, asked_at) == minute
    assert attempts.attempts_1h(KEY, asked_at) == hour


def test_a_steady_rate_is_estimated_as_it_is() -> None:
    attempts = Attempts()
    for second in range(2 * 3600 + 1234):
        attempts.count(KEY, float(second))
    now = 2.0 * 3600 + 1233
    assert abs(attempts.attempts_1m(KEY, now) - 60) <= 1
    assert abs(attempts.attempts_1h(KEY, now) - 3600) <= 1


def test_keys_do_not_count_for_one_another() -> None:
    attempts = Attempts()
    attempts.count("a", 0.0)
    assert attempts.attempts_1m("b", 0.0) == 0


def test_of_too_many_keys_the_quiet_ones_go() -> None:
    attempts = Attempts(3)
    for key in "abc":
        attempts.count(key, 0.0)
    attempts.count("a", 60.0)
    attempts.count("d", 61.0)
    attempts.count("e", 62.0)
    assert len(attempts) == 3
    assert [attempts.attempts_1h(key, 62.0) for key in "abcde"] == [2, 0, 0, 1, 1]


def test_a_clock_that_steps_back_loses_counts_and_nothing_else() -> None:
    attempts = Attempts()
    attempts.count(KEY, 7200.0)
    assert attempts.attempts_1m(KEY, 0.0) == 0
    attempts.count(KEY, 0.0)
    assert (attempts.attempts_1m(KEY, 0.0), attempts.attempts_1h(KEY, 0.0)) == (1, 1)


def test_one_count_is_for_caller_and_trunk() -> None:
    counters = Counters()
    counters.count("carrier", KEY, 10.0)
    counters.count("carrier", "", 11.0)
    assert counters.now == 11.0
    assert counters.callers.attempts_1m(KEY, 11.0) == 1
    assert counters.trunks.attempts_1m("carrier", 11.0) == 2
    assert len(counters.callers) == 1
