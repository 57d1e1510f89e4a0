"""The journal of one process: frames with a checksum, appended to preallocated, shared, mapped segments.

Enters: octets of frames. Leaves: their positions; from a Reader the frames, in the order of writing.
Must not: know what stands in a frame, or make a system call while one is appended (but for a new segment).

    <directory>/lock               held by the writer
    <directory>/prepared           an empty segment for the next turn, made by `upkeep`
    <directory>/00000001.seg ...   a header of 64 octets, then frames

A frame begins at a multiple of 8: length (u32), CRC-32 of the payload (u32), payload. The length is stored
last, by one aligned store: a reader sees a whole frame or the 0 that ends a segment. Numbers are in the byte
order of the machine. A killed process loses nothing, since the pages belong to the kernel.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from sipguard.store.errors import JournalBusy, JournalDamaged, JournalError, JournalFull

DEFAULT_SEGMENT_BYTES: Final = 64 << 20
MIN_SEGMENT_BYTES: Final = 64 << 10
HEADER_BYTES: Final = 64
FRAME_HEAD_BYTES: Final = 8
RETRY_EVERY: Final = 1024  # lost frames between two attempts to make a segment on a full disk
OPEN_SEGMENTS: Final = 4  # of one journal; a call that lasts has its frames in several
USUAL_FRAME_BYTES: Final = 8192  # read at once; most frames are shorter

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # the last: of a disk that has failed
_HEADER: Final = struct.Struct("=8sIIQd")  # magic, version, page of zeros, segment number, created_at
_MAGIC: Final = b"SIPGJRNL"
_VERSION: Final = 1


class Position(NamedTuple):
    """A place in a journal: segment number (from 1) and offset in its file."""

    segment: int
    offset: int


START: Final = Position(0, 0)  # before the first frame of the oldest segment
LOST: Final = Position(0, 0)  # what `append` answers for a frame that could not be kept


def segment_path(directory: Path, number: int) -> Path:
    """The file of segment `number`."""
    return directory / f"{number:08d}.seg"


def segment_numbers(directory: Path) -> list[int]:
    """The numbers of the segments that exist, ascending. A missing directory has none."""
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(name[:-4]) for name in names if name.endswith(".seg") and name[:-4].isdigit())


def read_header(octets: bytes | mmap.mmap) -> tuple[int, float]:
    """Segment number and creation (Unix seconds). Raises JournalDamaged."""
    try:
        magic, version, _, number, created_at = _HEADER.unpack_from(octets)
    except struct.error as error:
        raise JournalDamaged("segment shorter than its header") from error
    if magic != _MAGIC or version != _VERSION:
        raise JournalDamaged(f"not a journal segment of version {_VERSION}: {magic!r}, version {version}")
    return number, created_at


def preallocate(path: Path, size: int) -> None:
    """Makes `path`, `size` octets of zeros with their blocks. Raises JournalFull and leaves no file then."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(fd, 0, size)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise JournalFull(f"{path}: {error.strerror}") from error
        raise


def lock(directory: Path) -> int:
    """Takes the writer's lock of a journal directory; the descriptor holds it. Raises JournalBusy."""
    try:
        fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        fd = os.open(directory / "lock", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise JournalBusy(f"{directory}: another process writes this journal") from error
    return fd


class Writer:
    """The writing end. Begins a new segment; one per directory at a time.

    `bytes_written` and `frames_lost` only grow. Raises JournalBusy when made. Where there is no room for a segment
    then, frames are lost until there is: calls are served all the same. `no_room` says why, "" where there is room.
    """

    __slots__ = (
        "_directory", "_lock", "_map", "_number", "_offset", "_retry_in", "_segment_bytes", "_size", "_view",
        "_words", "bytes_written", "frames_lost", "no_room",
    )  # fmt: skip

    def __init__(self, directory: Path, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> None:
        if segment_bytes < MIN_SEGMENT_BYTES:
            raise JournalError(f"a segment needs at least {MIN_SEGMENT_BYTES} octets, not {segment_bytes}")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._segment_bytes = segment_bytes & ~7
        self._lock = lock(directory)
        self._retry_in = 0
        self.bytes_written = 0
        self.frames_lost = 0
        self._number = max(segment_numbers(directory), default=0)
        self._offset = self._size = 0
        self._map: mmap.mmap | None = None
        self._view = self._words = memoryview(b"")
        self.no_room = ""
        try:
            self._begin_segment()
        except JournalFull as error:
            self.no_room = str(error)
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def position(self) -> Position:
        """Where the next frame will stand."""
        return Position(self._number, self._offset)

    def append(self, payload: bytes) -> tuple[int, int]:
        """Keeps one frame and answers (segment, offset); LOST, and counted, where the disk has no room."""
        length = len(payload)
        offset = self._offset
        end = offset + FRAME_HEAD_BYTES + length
        if end > self._size or not length:
            return self._append_elsewhere(payload)
        self._view[offset + FRAME_HEAD_BYTES : end] = payload
        words = self._words
        word = offset >> 2
        words[word + 1] = crc32(payload)
        words[word] = length
        self._offset = (end + 7) & ~7
        self.bytes_written += length
        return self._number, offset

    def _append_elsewhere(self, payload: bytes) -> tuple[int, int]:
        """`append` where the segment is used up: turns to the next one if there is room for it."""
        if not payload or len(payload) > self._segment_bytes - HEADER_BYTES - FRAME_HEAD_BYTES:
            self.frames_lost += 1
            return LOST
        try:
            self._begin_segment()
        except (JournalFull, OSError):
            self.frames_lost += 1
            return LOST
        return self.append(payload)

    def _begin_segment(self) -> None:
        """Takes the prepared segment, or makes one. Raises JournalFull; the state is unchanged then."""
        source = self._directory / "prepared"
        number = self._number + 1
        if not source.exists():
            if self._retry_in > 0:
                self._retry_in -= 1
                raise JournalFull("the disk was full a moment ago")
            self._retry_in = RETRY_EVERY
            source = self._directory / "own"
            source.unlink(missing_ok=True)
            preallocate(source, self._segment_bytes)
        self._retry_in = 0
        fd = os.open(source, os.O_RDWR | os.O_CLOEXEC)
        try:
            segment = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        finally:
            os.close(fd)
        _HEADER.pack_into(segment, 0, _MAGIC, _VERSION, 0, number, time.time())
        source.rename(segment_path(self._directory, number))
        self._release_map()
        self._map = segment
        self._view = memoryview(segment)
        self._words = self._view.cast("I")
        self._size = len(segment) & ~7
        self._number = number
        self._offset = HEADER_BYTES

    def _release_map(self) -> None:
        if self._map is not None:
            self._words.release()
            self._view.release()
            self._map.close()

    def close(self) -> None:
        """Ends writing: unmaps, cuts the segment to what is used, gives the lock back."""
        used = self._offset + FRAME_HEAD_BYTES
        pages = -(-used // mmap.PAGESIZE) * mmap.PAGESIZE
        self._release_map()
        if pages < self._size:
            os.truncate(segment_path(self._directory, self._number), pages)
        os.close(self._lock)


class Reader:
    """The reading end: takes frames up in order and knows where it stands.

    `position` is where the next frame will be read: keep it and give it to the next Reader. A damaged one is
    passed over, and its position appended to `damaged`, once a later segment exists; in the newest segment it
    ends the reading, as an unfinished one does.
    """

    __slots__ = ("_directory", "_map", "_number", "_offset", "_words", "damaged")

    def __init__(self, directory: Path, position: Position = START) -> None:
        self._directory = directory
        self._number, self._offset = position
        self._map: mmap.mmap | None = None
        self._words: memoryview | None = None
        self.damaged: list[Position] = []

    @property
    def position(self) -> Position:
        """Where the next frame will be read."""
        return Position(self._number, self._offset)

    def seek(self, position: Position) -> None:
        """Goes to a position that was read from `position` before."""
        if position.segment != self._number:
            self.close()
        self._number, self._offset = position

    def read(self, limit: int = 1 << 62) -> Iterator[tuple[int, int, bytes]]:
        """At most `limit` frames from here on as (segment, offset, payload), until the last complete one."""
        while limit > 0:
            if self._map is not None or self._open():
                limit -= yield from self._frames(limit)
            if limit > 0 and not self._next_segment():
                return

    def _frames(self, limit: int) -> Generator[tuple[int, int, bytes], None, int]:
        """The frames that follow in the mapped segment, and how many; the position is behind the last one."""
        assert self._map is not None and self._words is not None
        segment, words, number, offset = self._map, self._words, self._number, self._offset
        size = len(segment)
        given = 0
        while given < limit and offset + FRAME_HEAD_BYTES <= size:
            begin = offset + FRAME_HEAD_BYTES
            end = begin + words[offset >> 2]
            if begin == end or end > size:
                break
            payload = segment[begin:end]
            if crc32(payload) != words[(offset >> 2) + 1]:
                break
            at, offset = offset, (end + 7) & ~7
            self._offset = offset
            yield number, at, payload
            given += 1
        return given

    def _next_segment(self) -> bool:
        """Leaves a segment that is finished; False where there is nothing more to read yet."""
        later = [number for number in segment_numbers(self._directory) if number > self._number]
        if not later:
            return False
        if self._map is not None:
            if self._frame_came() or self._skip_damaged():
                return True
        elif segment_path(self._directory, self._number).exists():
            self.damaged.append(Position(self._number, 0))
        self.close()
        self._number, self._offset = later[0], HEADER_BYTES
        return True

    def _frame_came(self) -> bool:
        """Whether a frame was completed here since the last look, just before the writer turned away."""
        offset = self._offset
        for _ in self._frames(1):
            self._offset = offset
            return True
        return False

    def _skip_damaged(self) -> bool:
        """Notes a damaged frame; True where another frame may follow behind it."""
        assert self._map is not None and self._words is not None
        offset = self._offset
        if offset + FRAME_HEAD_BYTES > len(self._map) & ~3 or not self._words[offset >> 2]:
            return False
        self.damaged.append(Position(self._number, offset))
        self._offset = (offset + FRAME_HEAD_BYTES + self._words[offset >> 2] + 7) & ~7
        return self._offset < len(self._map)

    def _open(self) -> bool:
        """Maps the segment of the position; False where it is not there (any more) or no segment."""
        try:
            segment = map_segment(segment_path(self._directory, self._number))
        except (FileNotFoundError, JournalDamaged):
            return False
        self._map = segment
        self._words = memoryview(segment)[: len(segment) & ~3].cast("I")
        self._offset = max(self._offset, HEADER_BYTES)
        return True

    def close(self) -> None:
        """Unmaps. The position stays, reading may go on."""
        if self._map is not None and self._words is not None:
            self._words.release()
            self._map.close()
        self._map = self._words = None


def map_segment(path: Path) -> mmap.mmap:
    """A segment, mapped for reading. Raises FileNotFoundError, JournalDamaged."""
    with path.open("rb") as file:
        try:
            segment = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise JournalDamaged(f"{path}: empty") from error
    read_header(segment)
    return segment


def read_frame(directory: Path, position: Position) -> bytes:
    """The payload of one frame. Raises JournalDamaged where none stands there, OSError where its segment is no longer
    kept or cannot be read."""
    fd = _opened(directory, position.segment)
    try:
        return _payload_at(fd, position)
    finally:
        os.close(fd)


class FrameReader:
    """Single frames of one journal in any order, for who reads many: the segments read last stay open."""

    __slots__ = ("_directory", "_open")

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: dict[int, int] = {}  # segment -> its descriptor, the oldest first

    def read(self, position: Position) -> bytes:
        """As `read_frame`."""
        fd = self._open.get(position.segment)
        if fd is None:
            fd = _opened(self._directory, position.segment)
            self._open[position.segment] = fd
            if len(self._open) > OPEN_SEGMENTS:
                os.close(self._open.pop(next(iter(self._open))))
        return _payload_at(fd, position)

    def close(self) -> None:
        """Closes them."""
        while self._open:
            os.close(self._open.popitem()[1])


def _opened(directory: Path, segment: int) -> int:
    """A descriptor of a segment. Raises OSError, JournalDamaged."""
    fd = os.open(segment_path(directory, segment), os.O_RDONLY | os.O_CLOEXEC)
    try:
        read_header(os.pread(fd, HEADER_BYTES, 0))
    except BaseException:
        os.close(fd)
        raise
    return fd


def _payload_at(fd: int, position: Position) -> bytes:
    """The payload of the frame there. Raises JournalDamaged."""
    octets = os.pread(fd, USUAL_FRAME_BYTES, position.offset)
    if len(octets) >= FRAME_HEAD_BYTES:
        length, checksum = struct.unpack_from("=II", octets)
        end = FRAME_HEAD_BYTES + length
        if len(octets) < end <= os.fstat(fd).st_size - position.offset:
            octets = os.pread(fd, end, position.offset)
        payload = octets[FRAME_HEAD_BYTES:end]
        if length and len(payload) == length and crc32(payload) == checksum:
            return payload
    raise JournalDamaged(f"no frame at {position.segment}:{position.offset}")
