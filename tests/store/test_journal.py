"""The journal gives back what was appended, whatever happens to the process or the end of its file."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.store import journal
from sipguard.store.errors import JournalBusy, JournalDamaged, JournalError, JournalFull
from sipguard.store.journal import LOST, MIN_SEGMENT_BYTES, START, Position, Reader, Writer, segment_path

SMALL = MIN_SEGMENT_BYTES
PAYLOADS = st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=60)


def written(directory: Path, payloads: list[bytes]) -> list[tuple[int, int]]:
    """Appends payloads and ends; their positions."""
    writer = Writer(directory, SMALL)
    places = [writer.append(payload) for payload in payloads]
    writer.close()
    return places


def read(directory: Path, position: Position = START) -> list[bytes]:
    return [payload for _, _, payload in Reader(directory, position).read()]


@settings(max_examples=40, deadline=None)
@given(PAYLOADS)
def test_frames_come_back_in_order_with_their_positions(payloads: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        places = written(directory, payloads)
        assert list(Reader(directory).read()) == [
            (*place, payload) for place, payload in zip(places, payloads, strict=True)
        ]
        assert [journal.read_frame(directory, Position(*place)) for place in places] == payloads
        reader = journal.FrameReader(directory)
        assert [reader.read(Position(*place)) for place in reversed(places)] == payloads[::-1]
        reader.close()


@pytest.mark.parametrize("octets", [1, 8184, 8185, 60_000])
def test_single_frames_of_any_length_are_read(tmp_path: Path, octets: int) -> None:
    payloads = [bytes([n]) * octets for n in range(6)]
    places = written(tmp_path, payloads)
    reader = journal.FrameReader(tmp_path)
    assert [reader.read(Position(*place)) for place in [*places, *places]] == payloads * 2
    reader.close()
    with pytest.raises(JournalDamaged):
        journal.read_frame(tmp_path, Position(places[0][0], places[0][1] + 4))


@settings(max_examples=60, deadline=None)
@given(PAYLOADS, st.floats(0, 1))
def test_a_journal_cut_anywhere_gives_a_prefix(payloads: list[bytes], part: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        places = written(directory, payloads)
        newest = segment_path(directory, places[-1][0])
        cut = int(newest.stat().st_size * part)
        os.truncate(newest, cut)
        whole = sum(
            1
            for (segment, offset), payload in zip(places, payloads, strict=True)
            if segment < places[-1][0] or offset + journal.FRAME_HEAD_BYTES + len(payload) <= cut
        )
        assert read(directory) == payloads[:whole]


@settings(max_examples=60, deadline=None)
@given(PAYLOADS, st.data())
def test_a_changed_octet_never_gives_a_changed_frame(payloads: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        segment, offset = data.draw(st.sampled_from(written(directory, payloads)))
        with segment_path(directory, segment).open("r+b") as file:
            file.seek(offset + data.draw(st.integers(0, 8)))
            octet = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([octet ^ data.draw(st.integers(1, 255))]))
        assert set(read(directory)) <= set(payloads)


@settings(max_examples=25, deadline=None)
@given(PAYLOADS, st.lists(st.integers(1, 9), min_size=1))
def test_reading_goes_on_where_it_stopped(payloads: list[bytes], steps: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        written(directory, payloads)
        position, back = START, []
        for step in [*steps, len(payloads)]:
            reader = Reader(directory, position)
            back += [payload for _, _, payload in reader.read(step)]
            position = reader.position
            reader.close()
        assert back == payloads


def test_a_reader_follows_a_writer(tmp_path: Path) -> None:
    writer, reader = Writer(tmp_path, SMALL), Reader(tmp_path)
    for n in range(200):
        payload = b"%d" % n * 400
        writer.append(payload)
        assert [each for _, _, each in reader.read()] == [payload]
        assert list(reader.read()) == []
    assert writer.position.segment > 1
    assert reader.position == writer.position
    writer.close()


def test_a_reader_that_came_early_finds_the_journal_later(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "0")
    assert list(reader.read()) == []
    written(tmp_path / "0", [b"first"])
    assert [payload for _, _, payload in reader.read()] == [b"first"]


def test_a_restart_begins_a_new_segment(tmp_path: Path) -> None:
    assert written(tmp_path, [b"one"])[0][0] == 1
    assert written(tmp_path, [b"two"])[0][0] == 2
    assert read(tmp_path) == [b"one", b"two"]


def test_a_half_written_frame_is_not_seen(tmp_path: Path) -> None:
    writer = Writer(tmp_path, SMALL)
    writer.append(b"whole")
    segment, offset = writer.position
    with segment_path(tmp_path, segment).open("r+b") as file:
        file.seek(offset + 4)
        file.write(b"\x01\x02\x03\x04payload without its length")
    assert read(tmp_path) == [b"whole"]
    writer.close()


@pytest.mark.parametrize("newer", [False, True], ids=["newest segment", "older segment"])
def test_a_damaged_frame(tmp_path: Path, newer: bool) -> None:
    places = written(tmp_path, [b"first", b"second", b"third"])
    if newer:
        written(tmp_path, [b"fourth"])
    with segment_path(tmp_path, 1).open("r+b") as file:
        file.seek(places[1][1] + journal.FRAME_HEAD_BYTES)
        file.write(b"X")
    reader = Reader(tmp_path)
    back = [payload for _, _, payload in reader.read()]
    if newer:
        assert back == [b"first", b"third", b"fourth"]
        assert reader.damaged == [Position(*places[1])]
    else:
        assert back == [b"first"]
        assert reader.position == places[1]
        assert reader.damaged == []
    with pytest.raises(JournalDamaged):
        journal.read_frame(tmp_path, Position(*places[1]))


def test_a_segment_with_a_damaged_header_is_passed_over(tmp_path: Path) -> None:
    written(tmp_path, [b"one"])
    written(tmp_path, [b"two"])
    with segment_path(tmp_path, 1).open("r+b") as file:
        file.write(b"no header")
    reader = Reader(tmp_path)
    assert [payload for _, _, payload in reader.read()] == [b"two"]
    assert reader.damaged == [Position(1, 0)]


def test_a_missing_segment_is_passed_over(tmp_path: Path) -> None:
    written(tmp_path, [b"one"])
    written(tmp_path, [b"two"])
    written(tmp_path, [b"three"])
    segment_path(tmp_path, 2).unlink()
    assert read(tmp_path, Position(2, 64)) == [b"three"]
    assert read(tmp_path) == [b"one", b"three"]


def test_a_full_disk_loses_frames_and_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path, SMALL)
    payload = b"x" * 30_000

    def full(path: Path, size: int) -> None:
        raise JournalFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "preallocate", full)
        places = [writer.append(payload) for _ in range(5)]
    assert places[2:] == [LOST, LOST, LOST]
    assert writer.frames_lost == 3
    journal.preallocate(tmp_path / "prepared", SMALL)
    assert writer.append(payload) == (2, journal.HEADER_BYTES)
    assert writer.frames_lost == 3
    writer.close()
    assert read(tmp_path) == [payload] * 3


def test_a_start_on_a_full_disk_keeps_nothing_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process begins all the same: calls are worth more than their records."""

    def full(path: Path, size: int) -> None:
        raise JournalFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "preallocate", full)
        writer = Writer(tmp_path, SMALL)
    assert writer.no_room == "no room"
    assert writer.append(b"lost") == LOST
    assert writer.frames_lost == 1
    journal.preallocate(tmp_path / "prepared", SMALL)
    assert writer.append(b"kept") == (1, journal.HEADER_BYTES)
    writer.close()
    assert read(tmp_path) == [b"kept"]


def test_a_writer_that_never_had_room_can_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, size: int) -> None:
        raise JournalFull("no room")

    monkeypatch.setattr(journal, "preallocate", full)
    Writer(tmp_path, SMALL).close()
    Writer(tmp_path, SMALL).close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("call", ["open", "posix_fallocate"])
def test_no_room_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    """A disk without inodes, or that was made read-only after an error, refuses the file itself."""

    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(JournalFull):
            journal.preallocate(tmp_path / "prepared", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_small_frame_still_fits_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path, SMALL)

    def full(path: Path, size: int) -> None:
        raise JournalFull("no room")

    monkeypatch.setattr(journal, "preallocate", full)
    assert writer.append(b"x" * (SMALL - 200)) != LOST
    assert writer.append(b"x" * 500) == LOST
    assert writer.append(b"x" * 50) != LOST
    writer.close()


def test_a_frame_larger_than_a_segment_is_counted_as_lost(tmp_path: Path) -> None:
    writer = Writer(tmp_path, SMALL)
    assert writer.append(b"x" * SMALL) == LOST
    assert writer.frames_lost == 1
    assert writer.append(b"next") == (1, journal.HEADER_BYTES)
    writer.close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    writer = Writer(tmp_path, SMALL)
    with pytest.raises(JournalBusy):
        Writer(tmp_path, SMALL)
    writer.close()
    Writer(tmp_path, SMALL).close()


def test_a_segment_has_a_least_size(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        Writer(tmp_path, 100)


def test_closing_gives_the_unused_room_back(tmp_path: Path) -> None:
    places = written(tmp_path, [b"x" * 5000])
    assert segment_path(tmp_path, places[0][0]).stat().st_size == 8192
    assert read(tmp_path) == [b"x" * 5000]


@pytest.mark.parametrize("octets", [b"", b"short", b"X" * 100], ids=["empty", "shorter than a header", "wrong magic"])
def test_what_is_no_segment_raises(tmp_path: Path, octets: bytes) -> None:
    path = segment_path(tmp_path, 1)
    path.write_bytes(octets)
    with pytest.raises(JournalDamaged):
        journal.map_segment(path)


APPENDS = """
import sys
from pathlib import Path
from sipguard.store.journal import Writer
writer = Writer(Path(sys.argv[1]), 65536)
for n in range(10**9):
    writer.append(b"frame %d " % n + b"x" * (n % 900))
    if n % 50 == 0:
        print(n, flush=True)
"""


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", APPENDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    said += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait()
    process.stdout.close()
    reader = Reader(tmp_path)
    numbers = [int(payload.split()[1]) for _, _, payload in reader.read()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > said[-1]
    assert reader.damaged == []
    shutil.rmtree(tmp_path)
