"""Sets that are made on disk: the same file as one that is made in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipguard.numbers.bulk import NANP
from sipguard.numbers.numberset import NumberSet, build
from sipguard.numbers.setfile import NUMBERS, write
from sipguard.store import staging
from sipguard.store.staging import Staging

national = st.from_regex(r"\A1[2-9][0-9]{3}0000[0-9]{2}\Z")
foreign = st.from_regex(r"\A[2-9][0-9]{1,14}\Z")
numbers = st.lists(st.one_of(national, foreign), max_size=40)


def put(stage: Staging, tns: list[str]) -> None:
    for tn in tns:
        if len(tn) == 11 and tn[0] == "1":
            value = int(tn) - NANP
            stage.bits[value >> 3] |= 1 << (value & 7)
        else:
            stage.add(tn)


def made(stage: Staging, path: Path, before: NumberSet | None = None, keep: bool = False) -> NumberSet:
    write(path, NUMBERS, stage.blocks(before, ((), ()), keep, keep))
    return NumberSet.open(path)


@given(numbers, numbers)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_it_is_the_file_that_build_makes(tmp_path: Path, first: list[str], second: list[str]) -> None:
    stage = Staging(tmp_path / "stage")
    put(stage, first)
    stage.flush()
    stage.close()
    stage = Staging(tmp_path / "stage")
    put(stage, second)
    made(stage, tmp_path / "staged.set")
    build(tmp_path / "built.set", first + second)
    assert (tmp_path / "staged.set").read_bytes() == (tmp_path / "built.set").read_bytes()
    stage.clear()


@given(numbers, numbers)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_what_changed_is_counted(tmp_path: Path, old: list[str], new: list[str]) -> None:
    build(tmp_path / "old.set", old)
    stage = Staging(tmp_path / "stage")
    put(stage, new)
    found = made(stage, tmp_path / "new.set", NumberSet.open(tmp_path / "old.set"))
    change = stage.change
    assert set(found) == set(new)
    assert (change.before, change.added, change.removed) == (
        len(set(old)), len(set(new) - set(old)), len(set(old) - set(new)),
    )  # fmt: skip
    stage.clear()


def test_it_begins_from_an_earlier_set(tmp_path: Path) -> None:
    build(tmp_path / "old.set", ["12025550100", "12025550101", "442079460000", *(f"1201{n:07d}" for n in range(300))])
    before = NumberSet.open(tmp_path / "old.set")
    stage = Staging(tmp_path / "stage")
    stage.begin_from(before)
    stage.delete("12025550101")
    put(stage, ["12015550100", "33123456789"])
    found = set(made(stage, tmp_path / "new.set", before, keep=True))
    assert found == {*set(before) - {"12025550101"}, "12015550100", "33123456789"}
    assert (stage.change.added, stage.change.removed) == (2, 1)


def test_area_codes_that_nothing_came_of_stay(tmp_path: Path) -> None:
    build(tmp_path / "old.set", ["12025550100", "12025550101", "12015550100", "442079460000"])
    before = NumberSet.open(tmp_path / "old.set")
    stage = Staging(tmp_path / "stage")
    put(stage, ["12025550102"])
    assert set(made(stage, tmp_path / "new.set", before, keep=True)) == {"12025550102", "12015550100", "442079460000"}
    assert (stage.change.before, stage.change.added, stage.change.removed) == (4, 1, 2)


def test_runs_are_merged_and_repeats_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "RUN", 7)
    stage = Staging(tmp_path / "stage")
    tns = [f"4420794600{n * 37 % 100:02d}" for n in range(300)] + [f"33{n}" for n in range(50)]
    put(stage, tns)
    assert list(made(stage, tmp_path / "new.set")) == sorted(set(tns), key=lambda tn: (tn[:3], int("1" + tn)))
