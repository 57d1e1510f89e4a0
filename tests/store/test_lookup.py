"""The frames of a call are found by the places of its row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sipguard.b2bua.frames import Frame, encode
from sipguard.records.record import Batch, Record
from sipguard.store.journal import MIN_SEGMENT_BYTES, Writer, segment_path
from sipguard.store.lookup import Kept, frames_of
from tests.records import samples


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A call of three frames in the journal "0", after those of another call."""
    writer, batch = Writer(tmp_path / "0", MIN_SEGMENT_BYTES), Batch()
    frames: tuple[Frame, ...] = (samples.verdict("d-0"), samples.verdict(), samples.answer(), samples.ended())
    for frame in frames:
        batch.add("0", *writer.append(encode(frame)), frame)
    writer.close()
    record = batch.record("d-1")
    assert record is not None
    return record


def test_all_frames(tmp_path: Path, record: Record) -> None:
    kept = frames_of(tmp_path, record)
    assert kept.verdict is not None
    assert kept.verdict.facts == samples.FACTS
    assert kept.answer is not None
    assert kept.answer.legs[1].call_id == "b@192.0.2.5"
    assert kept.end is not None
    assert kept.end.disposition == "answered"


@pytest.mark.parametrize(
    "where",
    [0, 1 << 32 | 64, 1 << 32 | 72],
    ids=["nowhere", "another call's", "no frame"],
)
def test_a_place_that_is_wrong(tmp_path: Path, record: Record, where: int) -> None:
    kept = frames_of(tmp_path, replace(record, verdict_place=where))
    assert kept.verdict is None
    assert kept.end is not None


def test_a_segment_that_was_deleted(tmp_path: Path, record: Record) -> None:
    segment_path(tmp_path / "0", 1).unlink()
    assert frames_of(tmp_path, record) == Kept(None, None, None)
