"""Care for journals: prepared segments, deletion, what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipguard.store import journal, upkeep
from sipguard.store.errors import JournalFull
from sipguard.store.journal import MIN_SEGMENT_BYTES, Writer, segment_numbers, segment_path


def segments(directory: Path, count: int) -> None:
    """Makes segments of one frame each."""
    for _ in range(count):
        writer = Writer(directory, MIN_SEGMENT_BYTES)
        writer.append(b"frame")
        writer.close()


def test_the_prepared_segment_is_taken(tmp_path: Path) -> None:
    writer = Writer(tmp_path, MIN_SEGMENT_BYTES)
    assert upkeep.prepare_next(tmp_path, MIN_SEGMENT_BYTES)
    assert not upkeep.prepare_next(tmp_path, MIN_SEGMENT_BYTES)
    inode = (tmp_path / "prepared").stat().st_ino
    for _ in range(4):
        writer.append(b"x" * 20_000)
    assert segment_path(tmp_path, 2).stat().st_ino == inode
    assert not (tmp_path / "prepared").exists()
    writer.close()


def test_a_prepared_segment_left_half_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "preparing").write_bytes(b"half")
    assert upkeep.prepare_next(tmp_path, MIN_SEGMENT_BYTES)
    assert (tmp_path / "prepared").stat().st_size == MIN_SEGMENT_BYTES


def test_no_room_for_a_segment(tmp_path: Path) -> None:
    with pytest.raises(JournalFull):
        upkeep.prepare_next(tmp_path, 1 << 55)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("loaded", "before", "left"),
    [(4, 1e12, [4]), (2, 1e12, [2, 3, 4]), (4, 0.0, [1, 2, 3, 4]), (0, 1e12, [1, 2, 3, 4])],
    ids=["all loaded and old", "not all loaded", "not old", "nothing loaded"],
)
def test_deleting_old_segments(tmp_path: Path, loaded: int, before: float, left: list[int]) -> None:
    segments(tmp_path, 4)
    gone = upkeep.delete_old(tmp_path, loaded, before)
    assert segment_numbers(tmp_path) == left
    assert gone == [number for number in (1, 2, 3, 4) if number not in left]


def test_a_segment_is_as_old_as_the_next_ones_begin(tmp_path: Path) -> None:
    segments(tmp_path, 3)
    begun = upkeep.created_at(segment_path(tmp_path, 3))
    assert upkeep.delete_old(tmp_path, 3, begun) == [1] or upkeep.created_at(segment_path(tmp_path, 2)) == begun
    assert 2 in segment_numbers(tmp_path)


def test_flushing_answers_the_newest_segment(tmp_path: Path) -> None:
    assert upkeep.flush(tmp_path, 0) == 0
    segments(tmp_path, 2)
    assert upkeep.flush(tmp_path, 0) == 2
    assert upkeep.flush(tmp_path, 2) == 2


def test_the_journals_of_a_directory(tmp_path: Path) -> None:
    assert upkeep.writers(tmp_path / "none") == []
    segments(tmp_path / "1", 1)
    segments(tmp_path / "0", 1)
    (tmp_path / "file").write_text("")
    assert upkeep.writers(tmp_path) == ["0", "1"]
    assert journal.segment_numbers(tmp_path / "none") == []
