"""What a worker that crashed left: the frames of calls without an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipguard.b2bua import frames
from sipguard.service.remains import left_in
from sipguard.store import live
from sipguard.store.journal import Writer, segment_path
from sipguard.store.live import Live
from tests.records import samples


def crashed(directory: Path, *written: frames.Frame) -> None:
    """A journal with these frames, by a process that was killed."""
    writer = Writer(directory, 1 << 16)
    kept = Live(directory, 16)
    kept.publish()
    kept.alive(samples.AT)
    for frame in written:
        kept.note(frame, *writer.append(frames.encode(frame)))
    kept.close()
    writer.close()


def test_calls_without_an_end_are_left(tmp_path: Path) -> None:
    change = frames.TargetFrame("d-1", samples.AT, "b", "sip:x@192.0.2.9", 600)
    crashed(
        tmp_path,
        samples.verdict("d-1"), samples.verdict("d-2"), samples.verdict("d-3"), samples.rejected("d-4"),
        samples.answer("d-1"), samples.answer("d-2"), change, samples.ended("d-2"),
    )  # fmt: skip
    left = left_in(tmp_path)
    assert (left.alive_at, left.trouble) == (samples.AT, "")
    assert [each.decision_id for each in left.remains] == ["d-3", "d-1"], "in the order of the journal"
    third, first = left.remains
    assert isinstance(first.frame, frames.AnswerFrame)
    assert frames.encode(first.frame) == frames.encode(samples.answer("d-1"))
    assert first.changes == [change]
    assert isinstance(third.frame, frames.VerdictFrame)


def test_a_segment_that_is_gone(tmp_path: Path) -> None:
    """The call has no frame then, but its end can still be recorded."""
    crashed(tmp_path, samples.verdict("d-1"), samples.answer("d-1"))
    segment_path(tmp_path, 1).unlink()
    left = left_in(tmp_path)
    assert [(each.decision_id, each.frame) for each in left.remains] == [("d-1", None)]
    assert "d-1" in left.trouble


@pytest.mark.parametrize("octets", [b"", bytes(64), b"SIPGLIVE" + bytes(56)])
def test_a_file_of_live_calls_that_is_damaged(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / live.NAME).write_bytes(octets)
    left = left_in(tmp_path)
    assert left.remains == []
    assert left.trouble


def test_nothing_is_left_of_a_first_start(tmp_path: Path) -> None:
    assert left_in(tmp_path / "none") == ([], 0.0, "")
