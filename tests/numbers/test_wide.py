"""Prefixes, ranges and numbers that end, beside plain numbers: against a list of intervals."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.numbers.code import code_of
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.numberset import Content, NumberSet, build, build_by_trunk
from sipguard.numbers.wide import NEVER, segments

ENDS = st.sampled_from([1, 50, 99, NEVER])
TAILS = st.integers(0, 60)
RANGES = st.lists(st.tuples(TAILS, TAILS, ENDS).map(lambda r: (min(r[:2]), max(r[:2]), r[2])), max_size=8)
NUMBERS = st.lists(TAILS, max_size=8)
ENDING = st.dictionaries(TAILS, ENDS.filter(lambda end: end != NEVER), max_size=8)
PREFIXES = st.dictionaries(st.sampled_from(["1202", "12025550", "1202555000", "44"]), ENDS, max_size=3)


def tn(tail: int) -> str:
    return f"12025550{tail:03d}"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wide") / "list.set"


@settings(max_examples=120, deadline=None)
@given(NUMBERS, RANGES, ENDING, PREFIXES)
def test_the_latest_end_of_what_covers_a_number_counts(
    file: Path,
    numbers: list[int],
    ranges: list[tuple[int, int, int]],
    ending: dict[int, int],
    prefixes: dict[str, int],
) -> None:
    codes = [(code_of(tn(first)), code_of(tn(last)), end) for first, last, end in ranges]
    build(file, map(tn, numbers), prefixes, codes, {tn(tail): end for tail, end in ending.items()})
    mapped = NumberSet.open(file)
    for tail in range(62):
        ends = [NEVER] * (tail in numbers) + [end for each, end in ending.items() if each == tail]
        ends += [end for first, last, end in ranges if first <= tail <= last]
        ends += [end for prefix, end in prefixes.items() if tn(tail).startswith(prefix)]
        assert mapped.until(tn(tail)) == max(ends, default=0)
        assert (tn(tail) in mapped) is bool(ends)
    assert mapped.damaged() == []
    every = [*prefixes.values(), *ending.values(), *(end for _, _, end in ranges)]
    if all(end == NEVER for end in every):
        assert not mapped.ends


@settings(max_examples=100, deadline=None)
@given(RANGES)
def test_segments_are_disjoint_and_in_order(ranges: list[tuple[int, int, int]]) -> None:
    found = segments(ranges)
    assert all(last < first for (_, last, _), (first, _, _) in pairwise(found))
    for at in range(61):
        ends = [end for first, last, end in ranges if first <= at <= last]
        assert [end for first, last, end in found if first <= at <= last] == ([max(ends)] if ends else [])


def test_a_range_of_a_billion_numbers_takes_no_room(tmp_path: Path) -> None:
    build(tmp_path / "a", [], (), [(code_of("441000000000"), code_of("441999999999"), NEVER)])
    assert (tmp_path / "a").stat().st_size < 300
    mapped = NumberSet.open(tmp_path / "a")
    assert len(mapped) == 0 and mapped.covers
    assert [
        each in mapped for each in ("441000000000", "441500000000", "441999999999", "442000000000", "44199999999")
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("text", ["", "alice", "1202555010²", "1" * 30])
def test_what_is_no_number_is_in_no_range(tmp_path: Path, text: str) -> None:
    build(tmp_path / "a", [], (), [(code_of("0"), code_of("9"), NEVER)])
    assert text not in NumberSet.open(tmp_path / "a")


def test_a_file_without_ends_is_the_same_as_ever(tmp_path: Path) -> None:
    build(tmp_path / "a", ["911"], ["1202"])
    build(tmp_path / "b", ["911"], {"1202": NEVER})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_each_trunk_has_a_set_of_its_own(tmp_path: Path) -> None:
    range_of_b = [(code_of("12025550140"), code_of("12025550149"), NEVER)]
    build_by_trunk(
        tmp_path / "a",
        {"b": Content(["12025550100"], {"44": 9}, range_of_b, {}), "a": Content(["12025550101"], {}, [], {"911": 7})},
    )
    own = NumberSet.open_by_trunk(tmp_path / "a")
    assert set(own) == {"a", "b"}
    assert [n in own["b"] for n in ("12025550100", "12025550145", "12025550101", "911")] == [True, True, False, False]
    assert [n in own["a"] for n in ("12025550100", "12025550145", "12025550101", "911")] == [False, False, True, True]
    assert (own["b"].until("442079460000"), own["a"].until("911"), own["a"].until("12025550101")) == (9, 7, NEVER)
    assert own["a"].damaged() == own["b"].damaged() == []
    with pytest.raises(NumberSetError, match="numbers by trunk"):
        NumberSet.open(tmp_path / "a")
