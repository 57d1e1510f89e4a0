"""What windows of local time are together, against every quarter of an hour of some weeks."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.screening.policy.model import Time
from sipguard.screening.policy.moments import MOST, moments
from sipguard.screening.policy.predicates import FAILED, FALSE, TRUE
from sipguard.screening.policy.times import SECONDS_OF_DAY, holds_at

TODAY = 20_783
STEP_S = 6 * 3600
EDGES = st.sampled_from(range(0, SECONDS_OF_DAY, STEP_S))


@st.composite
def times(draw: st.DrawFn, zone: str) -> Time:
    begin, end = draw(EDGES), draw(EDGES)
    begin, end = (begin, end) if begin != end else (0, SECONDS_OF_DAY)
    days = draw(st.frozensets(st.integers(0, 6), max_size=3))
    dates = draw(st.frozensets(st.integers(TODAY - 3, TODAY + 3), max_size=2))
    return Time(zone, begin != 0 and draw(st.booleans()), begin, end, days, dates)


def everywhere(found: list[Time]) -> set[tuple[int, ...]]:
    return {
        tuple(TRUE if holds_at(time, day, second) else FALSE for time in found)
        for day in range(TODAY - 1, TODAY + 21)
        for second in range(0, SECONDS_OF_DAY, STEP_S)
    }


@given(st.lists(times("utc"), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_every_moment_of_one_zone_is_there_and_no_other(found: list[Time]) -> None:
    told = moments(found, TODAY, failures=False)
    assert told is not None and {each.truths for each in told} == everywhere(found)
    for each in told:
        assert each.truths == tuple(TRUE if holds_at(time, each.day, each.second) else FALSE for time in found)
    failing = moments(found, TODAY, failures=True)
    assert failing is not None and len(failing) == len(told) + 1


@given(st.lists(times("callee"), min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_a_number_may_be_in_several_zones_or_in_none_that_is_known(found: list[Time]) -> None:
    told = moments(found, TODAY, failures=False)
    single = everywhere(found)
    for one, other in itertools.product(single, repeat=2):
        both = tuple(a if a == b else FAILED for a, b in zip(one, other, strict=True))
        assert told is None or both in {each.truths for each in told}
    assert told is None or (FAILED,) * len(found) in {each.truths for each in told}
    assert told is None or len(told) <= MOST


def test_too_many_are_not_told_apart() -> None:
    hours = [Time("callee", False, 3600 * n, 3600 * n + 5400) for n in range(16)]
    assert moments(hours, TODAY, failures=False) is None
