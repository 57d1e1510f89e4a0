"""How many different numbers there were."""

from __future__ import annotations

import pytest

from sipguard.screening.distinct import FEW, Distinct, Sketch, hash_of


def sketched(bits: int, numbers: range) -> int:
    sketch = Sketch(bits)
    for _ in range(2):
        for number in numbers:
            sketch.add(hash_of(str(number)))
    return sketch.count()


@pytest.mark.parametrize("count", range(FEW + 1))
def test_few_are_counted_exactly(count: int) -> None:
    assert sketched(7, range(12025550100, 12025550100 + count)) == count


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize(("bits", "off"), [(7, 3 * 0.092), (10, 3 * 0.0325)])
@pytest.mark.parametrize("count", [17, 50, 100, 300, 1000, 3000, 10_000])
def test_many_are_estimated(bits: int, off: float, count: int, step: int) -> None:
    """Within three standard deviations, for numbers in sequence too."""
    found = sketched(bits, range(12025550100, 12025550100 + count * step, step))
    assert abs(found - count) <= off * count


def test_estimates_are_not_off_to_one_side() -> None:
    found = [sketched(7, range(start, start + 200)) for start in range(12020000000, 12020050000, 1000)]
    assert abs(sum(found) / len(found) - 200) < 200 * 0.06


def test_a_window_of_an_hour() -> None:
    distinct = Distinct(7)
    for number in range(10):
        distinct.add(hash_of(str(number)))
    distinct.turn(in_row=True)
    assert [distinct.count(left, 60) for left in (60, 30, 0)] == [10, 5, 0]
    for number in range(5, 12):
        distinct.add(hash_of(str(number)))
    assert [distinct.count(left, 60) for left in (60, 0)] == [12, 7]
    distinct.turn(in_row=True)
    assert distinct.count(60, 60) == 7
    distinct.turn(in_row=False)
    assert distinct.count(60, 60) == 0
