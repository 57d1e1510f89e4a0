"""A file of integers that one process counts in and another reads: no system call, no lock.

Enters: names. Leaves: cells of 64 bits, and one short text. Must not: know what is counted.

    64 octets   magic, version, CRC-32 of the names, number of cells
    64 octets   a text (UTF-8, ended by zeros): the revision of the Ruleset
    8 each      cells, in the order of the names
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import MutableSequence, Sequence
from pathlib import Path
from typing import Final, cast
from zlib import crc32

from sipguard.service.errors import ServiceError

_HEADER: Final = struct.Struct("=8sIII")
_MAGIC: Final = b"SIPGSLOT"
_VERSION: Final = 1
_TEXT_AT: Final = 64
_CELLS_AT: Final = 128
_CELL_BYTES: Final = 8


class SlotsUnlike(ServiceError):
    """The file has other cells than were asked for: another release wrote it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: not the cells of this release")


class Slots:
    """Counters and levels of one process, by name. `cells[index[name]] += 1` counts."""

    __slots__ = ("_map", "_view", "cells", "index", "names")

    def __init__(self, segment: mmap.mmap, names: Sequence[str]) -> None:
        self._map = segment
        self._view = memoryview(segment)[_CELLS_AT:].cast("Q")
        self.names = tuple(names)
        self.index = {name: n for n, name in enumerate(names)}
        self.cells = cast("MutableSequence[int]", self._view)

    @classmethod
    def create(cls, path: Path, names: Sequence[str]) -> Slots:
        """A new file of zeros at `path`. Who has the old one open goes on seeing that."""
        size = _CELLS_AT + _CELL_BYTES * len(names)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with temporary.open("w+b") as file:
            file.truncate(size)
            segment = mmap.mmap(file.fileno(), size)
        _HEADER.pack_into(segment, 0, _MAGIC, _VERSION, _fingerprint(names), len(names))
        temporary.replace(path)
        return cls(segment, names)

    @classmethod
    def open(cls, path: Path, names: Sequence[str]) -> Slots:
        """The file at `path`, for reading. Raises FileNotFoundError; SlotsUnlike where it has other names."""
        with path.open("rb") as file:
            octets = file.read(_HEADER.size)
            if octets != _HEADER.pack(_MAGIC, _VERSION, _fingerprint(names), len(names)):
                raise SlotsUnlike(path)
            return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), names)

    @property
    def text(self) -> str:
        """The text of the file."""
        return self._map[_TEXT_AT:_CELLS_AT].rstrip(b"\0").decode("utf-8", "replace")

    def set_text(self, text: str) -> None:
        """Replaces the text; what is longer than 63 octets is cut."""
        room = _CELLS_AT - _TEXT_AT
        self._map[_TEXT_AT:_CELLS_AT] = text.encode()[: room - 1].ljust(room, b"\0")

    def set(self, name: str, value: int) -> None:
        """Sets a level."""
        self._view[self.index[name]] = value

    def add(self, name: str, value: int = 1) -> None:
        """Counts."""
        self._view[self.index[name]] += value

    def __getitem__(self, name: str) -> int:
        return self._view[self.index[name]]

    def close(self) -> None:
        """Unmaps; the cells must not be used any more."""
        self._view.release()
        self._map.close()


def _fingerprint(names: Sequence[str]) -> int:
    return crc32("\n".join(names).encode())
