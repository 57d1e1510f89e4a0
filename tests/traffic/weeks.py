"""Whole weeks of a customer's traffic, as counts by hour: more than can be driven call by call.

Enters: a seed, until when, how busy. Leaves: for each hour its attempts and those of them abroad. Must not: know how
anything is learned from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from random import Random

from tests.traffic.background import busyness

HOURS = 168


def weeks(
    seed: int, until_at: float, per_hour: float, agency: float = 0.0, count: int = 3, closed: tuple[int, ...] = ()
) -> Iterator[tuple[int, int, int]]:
    """(hour of Unix time, attempts, of them abroad) of `count` weeks up to `until_at`, Unix seconds.

    People call all day and night, `per_hour` in the busiest hour, a few of them abroad; `agency` calls abroad in each
    hour of office time in New York, from Monday to Friday, but in none of the weeks `closed`, 0 for the first.
    """
    chance = Random(f"weeks {seed}")
    until = int(until_at // 3600.0)
    for n, hour in enumerate(range(until - count * HOURS, until)):
        people = _about(chance, per_hour * busyness(hour * 3600.0))
        abroad = sum(chance.random() < 0.016 for _ in range(people))
        local = hour - 5
        at_work = 8 <= local % 24 < 18 and (local // 24 + 3) % 7 < 5 and n // HOURS not in closed
        sold = _about(chance, agency) if at_work else 0
        yield hour, people + sold, abroad + sold


def _about(chance: Random, mean: float) -> int:
    """So many as come by chance where so many come in the mean."""
    return max(0, round(chance.gauss(mean, sqrt(mean))))
