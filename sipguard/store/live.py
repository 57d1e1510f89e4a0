"""Which calls of a journal have not ended, and where their frames stand: a mapped file of slots beside the segments.

Enters: frames with their positions, as they are appended. Leaves: after a crash the calls that were up, without
reading the journal from its beginning. Must not: make a system call while a call begins or ends.

A slot is free while its first word is 0; that word is stored last, by one aligned store. The file is made anew at
each start and takes the name of its predecessor only when what that one held has been taken over. `alive_at` says
when the process was there last. Numbers are in the byte order of the machine.
"""

from __future__ import annotations

import mmap
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from sipguard.b2bua.frames import AnswerFrame, EndFrame, Frame, TargetFrame, VerdictFrame
from sipguard.records.record import ends_call, position
from sipguard.store.errors import JournalDamaged, JournalFull
from sipguard.store.journal import Position, preallocate

NAME: Final = "live"
_NEXT: Final = "live.next"
_HEADER: Final = struct.Struct("=8sIId")  # magic, version, slots, alive_at
_MAGIC: Final = b"SIPGLIVE"
_VERSION: Final = 1
_SLOT: Final = struct.Struct("=QQQ40s")  # places of the verdict or answer, of the last target frames of A and B; id
_BYTES: Final = 64  # of the header and of a slot
_WORDS: Final = _BYTES // 8
_ID_BYTES: Final = 40


class Lasting(NamedTuple):
    """A call that has not ended: where its verdict or answer stands, and the last target frames of its legs."""

    decision_id: str
    main: Position
    changes: tuple[Position, ...]


class Live:
    """The file of a running process. A call for which no slot is free is left out.

    Where the disk has no room for it there are no slots: calls are served all the same.
    """

    __slots__ = ("_directory", "_free", "_map", "_slots", "_view", "_words", "left_out", "no_room")

    def __init__(self, directory: Path, slots: int) -> None:
        self._directory = directory
        self.no_room = ""
        try:
            self._map = _made(directory / _NEXT, _BYTES * (1 + slots))
        except (JournalFull, OSError) as error:
            self.no_room = str(error)
            slots = 0
            self._map = mmap.mmap(-1, _BYTES)
        _HEADER.pack_into(self._map, 0, _MAGIC, _VERSION, slots, 0.0)
        self._view = memoryview(self._map)
        self._words = self._view.cast("Q")
        self._free = list(range(slots * _WORDS, 0, -_WORDS))  # index of the first word; low ones are taken first
        self._slots: dict[str, int] = {}
        self.left_out = 0

    def publish(self) -> None:
        """Takes the place of the predecessor's file, or only takes that away: its calls were taken over."""
        if self.no_room:
            with suppress(OSError):
                (self._directory / NAME).unlink(missing_ok=True)
            return
        (self._directory / _NEXT).rename(self._directory / NAME)

    def alive(self, at: float) -> None:
        """The process is there at `at` (Unix seconds)."""
        struct.pack_into("=d", self._map, 16, at)

    def note(self, frame: Frame, segment: int, offset: int) -> None:
        """A frame was appended at this position; (0, 0) where it was lost."""
        if isinstance(frame, EndFrame):
            slot = self._slots.pop(frame.decision_id, 0)
            if slot:
                self._words[slot] = 0
                self._free.append(slot)
        elif not segment:
            return
        elif isinstance(frame, VerdictFrame):
            if not ends_call(frame):
                self._begin(frame.decision_id, segment << 32 | offset)
        elif isinstance(frame, AnswerFrame):
            slot = self._slots.get(frame.decision_id, 0)
            if slot:
                words = self._words
                words[slot + 1] = words[slot + 2] = 0
                words[slot] = segment << 32 | offset
            else:  # a call that was taken up
                self._begin(frame.decision_id, segment << 32 | offset)
        elif isinstance(frame, TargetFrame):
            slot = self._slots.get(frame.decision_id, 0)
            if slot:
                self._words[slot + (1 if frame.leg == "a" else 2)] = segment << 32 | offset

    def _begin(self, decision_id: str, where: int) -> None:
        if not self._free:
            self.left_out += 1
            return
        slot = self._free.pop()
        self._slots[decision_id] = slot
        words, at = self._words, slot * 8
        words[slot + 1] = words[slot + 2] = 0
        self._view[at + 24 : at + _BYTES] = decision_id.encode().ljust(_ID_BYTES, b"\0")
        words[slot] = where

    def __len__(self) -> int:
        """How many calls have not ended."""
        return len(self._slots)

    def close(self) -> None:
        """Unmaps; the file stays, for whoever starts next."""
        self._words.release()
        self._view.release()
        self._map.close()


def _made(path: Path, size: int) -> mmap.mmap:
    """A new file of zeros, mapped. Raises JournalFull, OSError."""
    path.unlink(missing_ok=True)
    preallocate(path, size)
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    finally:
        os.close(fd)


def read(directory: Path) -> tuple[float, list[Lasting]]:
    """When the process of before was there last (Unix seconds), and the calls that it left. Raises JournalDamaged."""
    path = directory / NAME
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        return 0.0, []
    try:
        magic, version, slots, alive_at = _HEADER.unpack_from(octets)
    except struct.error as error:
        raise JournalDamaged(f"{path}: shorter than its header") from error
    if magic != _MAGIC or version != _VERSION or len(octets) < _BYTES * (1 + slots):
        raise JournalDamaged(f"{path}: no file of live calls of version {_VERSION}")
    found = []
    for at in range(_BYTES, _BYTES * (1 + slots), _BYTES):
        if octets[at : at + 8] != bytes(8):
            main, a, b, name = _SLOT.unpack_from(octets, at)
            changes = tuple(Position(*position(each)) for each in (a, b) if each)
            found.append(Lasting(name.rstrip(b"\0").decode("ascii", "replace"), Position(*position(main)), changes))
    return alive_at, found
