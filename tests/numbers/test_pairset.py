"""Pairs with names and with ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.numbers.pairset import PairSet, build_pairs
from sipguard.numbers.wide import NEVER

CALLERS = st.sampled_from(["12025550100", "12025550101", "911", "example pharmacy", "example bank"])
CALLEES = st.sampled_from(["12125550123", "12125550124", "911"])
PAIRS = st.lists(st.tuples(CALLERS, CALLEES, st.sampled_from([1, 50, NEVER])), max_size=12)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairs") / "list.set"


@settings(max_examples=80, deadline=None)
@given(PAIRS, CALLERS, CALLEES)
def test_the_latest_end_of_a_pair_counts(
    file: Path, pairs: list[tuple[str, str, int]], caller: str, callee: str
) -> None:
    build_pairs(file, pairs)
    mapped = PairSet.open(file)
    for asked in [(caller, callee), *((a, b) for a, b, _ in pairs)]:
        end = max((end for a, b, end in pairs if (a, b) == asked), default=0)
        assert mapped.until(asked) == end
        assert (asked in mapped) is bool(end)
    assert set(mapped) == {(a, b) for a, b, _ in pairs}
    assert mapped.ends == any(max(e for a, b, e in pairs if (a, b) == p) != NEVER for p in mapped)


def test_a_name_is_found_however_it_is_written(tmp_path: Path) -> None:
    build_pairs(tmp_path / "a", [("Example PHARMACY", "911")])
    mapped = PairSet.open(tmp_path / "a")
    assert ("example pharmacy", "911") in mapped
    assert ("example pharmacy ", "911") in mapped
    assert ("example", "911") not in mapped
    assert list(mapped) == [("example pharmacy", "911")]


def test_a_table_without_names_and_ends_is_one_block(tmp_path: Path) -> None:
    build_pairs(tmp_path / "a", [("911", "112")])
    mapped = PairSet.open(tmp_path / "a")
    assert not mapped.brands and not mapped.ends
    assert ("alice", "112") not in mapped
