"""The timer wheel."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.sip.timers import TICK_S, TICKS_PER_S, Wheel


class Alarm:
    """Notes when it expires; `then` is done after that."""

    __slots__ = ("at", "due", "log", "name", "then")

    def __init__(self, name: str, log: list[tuple[str, float]]) -> None:
        self.name = name
        self.log = log
        self.due = 0
        self.at = 0.0
        self.then: object = None

    def expired(self, now: float) -> None:
        assert self.due == 0
        self.log.append((self.name, now))
        if callable(self.then):
            self.then(now)


@pytest.fixture
def wheel() -> Wheel:
    return Wheel()


@pytest.fixture
def log() -> list[tuple[str, float]]:
    return []


def names(log: list[tuple[str, float]]) -> str:
    return "".join(name for name, _ in log)


def test_in_the_order_of_time_whatever_the_order_of_setting(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    for name, at in [("c", 3.0), ("a", 1.0), ("d", 4.0), ("b", 2.0)]:
        wheel.set(Alarm(name, log), at)
    wheel.expire(10.0)
    assert names(log) == "abcd"


def test_in_the_order_of_setting_within_a_tick(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    for name in "abcd":
        wheel.set(Alarm(name, log), 1.01)
    wheel.expire(1.1)
    assert names(log) == "abcd"


def test_a_tick_that_all_have_left_gives_its_room_back(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    """Calls that end early leave their timers of 15 minutes behind, thousands a tick."""
    alarms = [Alarm("a", log) for _ in range(1000)]
    for alarm in alarms:
        wheel.set(alarm, 900.0)
    for alarm in alarms:
        wheel.cancel(alarm)
    assert [sys.getsizeof(bucket) for bucket in wheel._buckets.values()] == [sys.getsizeof({})]
    wheel.set(alarms[0], 900.0)
    wheel.expire(901.0)
    assert names(log) == "a"


@pytest.mark.parametrize("at", [0.0, 0.01, 0.05, 0.5, 1.0, 2.149999, 2.15, 32.0, 8.1, 8.6, 100_000.05, 3e6 + 0.7])
def test_never_early_and_at_most_a_tick_late(wheel: Wheel, log: list[tuple[str, float]], at: float) -> None:
    wheel.set(Alarm("a", log), at)
    wheel.expire(at - 1e-6)
    assert not log
    wheel.expire(at + TICK_S + 1e-6)
    assert names(log) == "a"


def test_what_next_at_says_is_enough_at_every_tick(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    """A driver that sleeps until `next_at` and no longer must not find that nothing is due."""
    for tick in (*range(1, 5000), *range(86_400 * 20, 86_400 * 20 + 5000), 2_000_000_019):
        alarm = Alarm("a", log)
        wheel.set(alarm, (tick - 0.5) / TICKS_PER_S)
        at = wheel.next_at()
        assert at is not None
        wheel.expire(at)
        assert not alarm.due, tick


def test_cancelled_ones_do_not_expire(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    first, second = Alarm("a", log), Alarm("b", log)
    wheel.set(first, 1.0)
    wheel.set(second, 1.0)
    wheel.cancel(first)
    wheel.cancel(first)
    wheel.expire(2.0)
    assert names(log) == "b"


def test_set_again_is_set_anew(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    alarm = Alarm("a", log)
    wheel.set(alarm, 1.0)
    wheel.set(alarm, 5.0)
    wheel.expire(4.9)
    assert not log
    assert len(wheel) == 1
    wheel.set(alarm, 4.95)
    wheel.expire(5.0)
    wheel.expire(9.0)
    assert names(log) == "a"


def test_an_alarm_may_set_itself_again(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    alarm = Alarm("a", log)
    alarm.then = lambda now: wheel.set(alarm, now + 0.5)
    wheel.set(alarm, 0.5)
    for step in range(1, 61):
        wheel.expire(step * TICK_S)
    assert [round(now, 2) for _, now in log] == [0.55, 1.1, 1.65, 2.2, 2.75]


def test_an_alarm_may_cancel_and_set_others_of_its_tick(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    a, b, c = (Alarm(name, log) for name in "abc")
    a.then = lambda now: (wheel.cancel(b), wheel.set(c, 0.0))
    for each in (a, b, c):
        wheel.set(each, 1.0)
    wheel.expire(2.0)
    assert names(log) == "ac"
    assert wheel.next_at() is None


def test_the_others_survive_one_that_raises(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    a, b = Alarm("a", log), Alarm("b", log)

    def fail(now: float) -> None:
        raise ZeroDivisionError

    a.then = fail
    wheel.set(a, 1.0)
    wheel.set(b, 1.0)
    with pytest.raises(ZeroDivisionError):
        wheel.expire(2.0)
    wheel.expire(2.0)
    assert names(log) == "ab"


def test_next_at(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    assert wheel.next_at() is None
    early, late = Alarm("a", log), Alarm("b", log)
    wheel.set(late, 7.0)
    wheel.set(early, 3.0)
    assert wheel.next_at() == pytest.approx(3.05)
    wheel.cancel(early)
    assert wheel.next_at() == pytest.approx(7.05)
    wheel.cancel(late)
    assert wheel.next_at() is None


def test_nothing_is_kept_of_what_was_cancelled(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    for n in range(1000):
        alarm = Alarm("a", log)
        wheel.set(alarm, n * 0.01)
        wheel.cancel(alarm)
    assert len(wheel) == 0
    assert wheel.next_at() is None
    assert not wheel._buckets
    assert not wheel._ticks


def test_nothing_is_kept_of_what_expired(wheel: Wheel, log: list[tuple[str, float]]) -> None:
    for n in range(1000):
        wheel.set(Alarm("a", log), n * 0.01)
    wheel.expire(11.0)
    assert len(log) == 1000
    assert (len(wheel), wheel._buckets, wheel._ticks) == (0, {}, [])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["set", "cancel", "pass"]), st.floats(0, 3)), max_size=60))
def test_any_play_of_sets_and_cancels(steps: list[tuple[int, str, float]]) -> None:
    log: list[tuple[str, float]] = []
    wheel = Wheel()
    alarms = [Alarm(str(n), log) for n in range(6)]
    wanted: dict[str, float] = {}
    now = 0.0
    for which, what, span in steps:
        alarm = alarms[which]
        if what == "set":
            wheel.set(alarm, now + span)
            wanted[alarm.name] = now + span
        elif what == "cancel":
            wheel.cancel(alarm)
            wanted.pop(alarm.name, None)
        else:
            now += span
            log.clear()
            wheel.expire(now)
            fired = {name for name, _ in log}
            assert fired <= {name for name, at in wanted.items() if at <= now}
            assert fired >= {name for name, at in wanted.items() if at <= now - TICK_S - 1e-9}
            assert len(log) == len(fired)
            for name in fired:
                del wanted[name]
        assert len(wheel) == len(wanted)
