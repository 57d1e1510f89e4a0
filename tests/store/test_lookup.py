"""The frames of a call are found by the places of its row."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sipguard.b2bua.frames import Frame, encode
from sipguard.records.explain import DELETED, explain
from sipguard.records.record import Batch, Record, place
from sipguard.store.journal import MIN_SEGMENT_BYTES, Writer, segment_path
from sipguard.store.lookup import frames_of
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
    kept = frames_of(tmp_path, record)
    assert kept[:3] == (None, None, None)
    assert kept.lacks[0] == DELETED and "of its end is gone: its journal segment was deleted" in kept.lacks[2]


def _cut(segment: Path) -> None:
    os.truncate(segment, 70)


def _spoil(segment: Path) -> None:
    octets = segment.read_bytes()
    segment.write_bytes(octets[:64] + bytes(255 - each for each in octets[64:]))


def _empty(segment: Path) -> None:
    os.truncate(segment, 0)


def _replace(segment: Path) -> None:
    segment.unlink()
    segment.mkdir()


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (_cut, "the journal is damaged there"), (_spoil, "the journal is damaged there"),
        (_empty, "the journal is damaged there"), (_replace, "Is a directory"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_not_said_to_be_deleted(
    tmp_path: Path, record: Record, harm: Callable[[Path], None], why: str
) -> None:
    harm(segment_path(tmp_path / "0", 1))
    kept = frames_of(tmp_path, record)
    assert kept[:3] == (None, None, None)
    assert [each.partition(" cannot be read: ")[2] for each in kept.lacks] == [why] * 3
    text = "\n".join(explain(record, *kept[:3], lacks=kept.lacks).lines())
    assert f"what was found of it cannot be read: {why}" in text and "verdict allow by rule default" in text


STRANGE: tuple[Frame, ...] = (
    samples.verdict(at=float("nan")),
    samples.verdict(at=1e300),
    samples.verdict(received_mono=1.0, runs=[("lists", float("inf"), 2.0)]),
    samples.verdict("d-2"),
    samples.answer(),
)


@pytest.mark.parametrize("frame", STRANGE, ids=["no time", "no date", "no reading", "another call", "another frame"])
def test_frames_that_no_call_has_left_are_not_believed(tmp_path: Path, record: Record, frame: Frame) -> None:
    writer = Writer(tmp_path / "1", MIN_SEGMENT_BYTES)
    where = place(*writer.append(encode(frame)))
    writer.close()
    kept = frames_of(tmp_path, replace(record, journal="1", verdict_place=where, answer_place=0, end_place=0))
    assert kept.verdict is None
    assert kept.lacks == ("what was found of it cannot be read: the journal holds something else there",)


def test_a_frame_that_is_missing_behind_a_verdict_is_told(tmp_path: Path, record: Record) -> None:
    kept = frames_of(tmp_path, replace(record, end_place=1 << 32 | 72))
    steps = explain(record, *kept[:3], lacks=kept.lacks).steps
    assert [step.text for step in steps if step.kind == "gap"] == [
        "what was kept of its end cannot be read: the journal is damaged there"
    ]
