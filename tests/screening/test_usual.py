"""What is usual on a trunk at an hour of the week, against a naive model that keeps every hour."""

from __future__ import annotations

from random import Random

import pytest

from sipguard.screening.usual import HOURS, Usual

MONDAY = 2974 * HOURS + 4 * 24  # an hour of Unix time: 00:00 UTC on a Monday
NINE = 9


class Naive:
    """All that happened, by hour. Answers as the documentation says it, and anew for each question."""

    def __init__(self) -> None:
        self.hours: dict[int, tuple[int, int]] = {}

    def mean(self, at: int, which: int, least: float) -> tuple[float, int]:
        """The mean of an hour of the week, and of how many."""
        mean, seen = 0.0, 0
        for hour in sorted(self.hours):
            if hour % HOURS != at % HOURS:
                continue
            value = float(self.hours[hour][which])
            if seen:
                value = min(value, 3.0 * max(mean, least))
            seen += 1
            share = 1.0 / seen if seen <= 4 else 0.25
            mean = mean * (1.0 - share) + value * share
        return mean, seen

    def usual(self, hour: int) -> tuple[float, float, float] | None:
        """Attempts, attempts abroad and their share that are usual at an hour, of which nothing is known yet."""
        around = (hour - 1, hour, hour + 1)
        attempts = [self.mean(each, 0, 10.0)[0] for each in around]
        abroad = [self.mean(each, 1, 5.0)[0] for each in around]
        if self.mean(hour, 0, 10.0)[1] < 2:
            return None
        if sum(attempts) >= 10.0:
            return max(attempts), max(abroad), sum(abroad) / sum(attempts)
        week = [self.mean(each, 0, 10.0)[0] for each in range(HOURS)]
        abroad_in_week = [self.mean(each, 1, 5.0)[0] for each in range(HOURS)]
        return max(attempts), max(abroad), sum(abroad_in_week) / sum(week) if sum(week) else 0.0


def feed(usual: Usual, hour: int, attempts: int, abroad: int = 0) -> None:
    for n in range(attempts):
        usual.attempted(hour, n < abroad)


def office(hour: int) -> tuple[int, int]:
    """An office by day, from Monday to Friday: attempts and those of them abroad."""
    return (40, 4) if 9 <= hour % 24 < 17 and (hour - MONDAY) % HOURS < 120 else (0, 0)


def learned(weeks: int = 3, first: int = MONDAY) -> Usual:
    usual = Usual()
    feed(usual, first - 1, 1)
    for hour in range(first, first + weeks * HOURS):
        feed(usual, hour, *office(hour))
    return usual


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_it_is_what_a_model_says_that_keeps_everything(seed: int) -> None:
    chance, usual, naive = Random(seed), Usual(), Naive()
    first = MONDAY + chance.randrange(HOURS)
    busy = [chance.choice((0, 0, 1, 3, 20, 60)) for _ in range(HOURS)]
    last = first - 1
    feed(usual, last, 1)
    for hour in range(first, first + 6 * HOURS):
        attempts = chance.randrange(busy[hour % HOURS] * chance.choice((1, 1, 1, 6)) + 1)
        abroad = sum(chance.random() < 0.2 for _ in range(attempts))
        feed(usual, hour, attempts, abroad)
        if attempts:
            for quiet in range(last + 1, hour):
                naive.hours.setdefault(quiet, (0, 0))
            wanted = naive.usual(hour) if chance.random() < 0.08 else None
            if wanted is not None:
                assert (usual.attempts, usual.abroad, usual.share) == pytest.approx(wanted)
            naive.hours[hour], last = (attempts, abroad), hour
    assert naive.usual(last) is not None


def test_nothing_is_said_before_two_weeks_were_seen() -> None:
    for weeks, known in ((1, False), (2, True)):
        usual = learned(weeks)
        at = MONDAY + weeks * HOURS + NINE
        feed(usual, at, 1)
        assert (usual.attempts_over(40) is not None) == (usual.share_over(0.1) is not None) == known


def test_what_is_as_ever_is_once_the_usual() -> None:
    usual = learned()
    feed(usual, MONDAY + 3 * HOURS + NINE, 1)
    assert (usual.attempts_over(40), usual.share_over(0.1)) == (1.0, 1.0)
    assert (usual.attempts_over(120), usual.abroad_over(24), usual.share_over(0.6)) == (3.0, 4.8, 6.0)


def test_little_counts_as_much_as_the_least_that_says_something() -> None:
    """By night there are no calls: twelve are not infinitely many, and one abroad is no change of the mix."""
    usual = learned()
    feed(usual, MONDAY + 3 * HOURS + 3, 1)
    assert usual.attempts == 0.0
    assert usual.attempts_over(12) == 1.2
    assert usual.abroad_over(5) == 1.0
    assert usual.share_over(0.1) == 1.0, "of the whole week"
    nobody = Usual()
    feed(nobody, MONDAY - 1, 1)
    feed(nobody, MONDAY + HOURS - 1, 1)
    feed(nobody, MONDAY + 2 * HOURS - 1, 1)
    feed(nobody, MONDAY + 2 * HOURS, 1)
    assert (nobody.attempts_over(5), nobody.share_over(0.05)) == (0.5, 1.0)


@pytest.mark.parametrize("shift", [-1, 1])
def test_summer_time_is_no_surge(shift: int) -> None:
    usual = learned()
    feed(usual, MONDAY + 3 * HOURS + NINE + shift, 1)
    assert usual.attempts_over(40) == 1.0


def test_holidays_weigh_little_and_wear_off() -> None:
    usual = learned(6)
    for hour in range(MONDAY + 6 * HOURS, MONDAY + 8 * HOURS):  # closed for two weeks, but for a call a day
        feed(usual, hour, hour % 24 == 12)
    feed(usual, MONDAY + 8 * HOURS + NINE, 1)
    assert usual.attempts_over(60) == pytest.approx(60 / (40 * 0.75**2), abs=0.01)
    assert usual.share_over(0.1) == 1.0


def test_an_attack_does_not_become_usual() -> None:
    usual = learned()
    night = MONDAY + 3 * HOURS + 3
    feed(usual, night, 500, 500)
    feed(usual, night + HOURS, 1)
    assert (usual.attempts, usual.abroad) == (30 / 4, 15 / 4)
    assert usual.abroad_over(500) == 100.0


def test_the_running_hour_is_learned_only_where_it_was_seen_from_its_beginning() -> None:
    usual = Usual()
    for week in range(4):
        feed(usual, MONDAY + week * HOURS + NINE, 10)
        usual.pause()
    feed(usual, MONDAY + 4 * HOURS + NINE, 1)
    assert usual.attempts_over(10) is None


@pytest.mark.parametrize("jump", [-1, -1000, HOURS + 1, 100_000])
def test_a_clock_that_is_set_teaches_nothing(jump: int) -> None:
    usual = learned()
    feed(usual, MONDAY + 3 * HOURS - 1, 5)
    kept = usual.kept()
    feed(usual, MONDAY + 3 * HOURS - 1 + jump, 5)
    assert usual.kept() == kept


def test_another_process_goes_on_from_it() -> None:
    usual = learned()
    again = Usual.of(usual.kept())
    for each in (usual, again):
        feed(each, MONDAY + 3 * HOURS + NINE, 1)
    assert (again.attempts, again.share) == (usual.attempts, usual.share) == (40.0, 0.1)


@pytest.mark.parametrize(
    "octets", [b"", b"x" * 100, b"\xff" * 4032, learned(1).kept() + b"\0", b"\0" * 4024 + b"\0\0\0\0\0\0\xf0\xbf"]
)
def test_what_is_no_such_thing_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"octets|cannot be"):
        Usual.of(octets)
