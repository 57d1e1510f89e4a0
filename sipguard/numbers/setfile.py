"""The file under a set of numbers: checksummed header, blocks, checksummed directory.

Enters: blocks of octets with a kind and a key. Leaves: a file that appears whole or not at all, and a
read-only mapping of it. Must not: read blocks to open a file, or know what a number is.

All integers are little-endian. The header (64 octets) stands first, each block at a multiple of 64, the
directory last, so that blocks can be written while later ones are still being made:

    header     magic 8s | version u32 | kind u32 | count u64 | blocks u64 | directory offset u64 |
               file size u64 | directory crc32 u32 | header crc32 u32 (with this field 0) | 8 octets 0
    directory  per block: kind u32 | crc32 of its octets u32 | key u64 | count u64 | offset u64 | length u64
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from sipguard.numbers.errors import NumberSetError

MAGIC: Final = b"SGNUMSET"
VERSION: Final = 1
ALIGNMENT: Final = 64
NUMBERS: Final = 1  # kinds of file
PAIRS: Final = 2
TEXTS: Final = 3
NETWORKS: Final = 4
BY_TRUNK: Final = 5  # numbers, a set for each trunk
_NAMES: Final = {NUMBERS: "numbers", PAIRS: "pairs", TEXTS: "texts", NETWORKS: "networks", BY_TRUNK: "numbers by trunk"}

_HEADER: Final = struct.Struct("<8sIIQQQQII8x")
_ENTRY: Final = struct.Struct("<IIQQQQ")


class Block(NamedTuple):
    """One block: what it holds (`kind`, `key`), how many `members`, its octets."""

    kind: int
    key: int
    members: int
    octets: bytes | bytearray | memoryview


def write(path: Path, kind: int, blocks: Iterable[Block]) -> int:
    """Write a file of `kind` and return how many members its blocks hold.

    It is written beside `path` and renamed over it, so a reader sees the old file or the new one, whole.
    Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(bytes(_HEADER.size))
            offset = _HEADER.size
            total = 0
            entries = []
            for block in blocks:
                length = len(block.octets)
                checksum = crc32(block.octets)
                entries.append(_ENTRY.pack(block.kind, checksum, block.key, block.members, offset, length))
                file.write(block.octets)
                padding = -length % ALIGNMENT
                file.write(bytes(padding))
                offset += length + padding
                total += block.members
            directory = b"".join(entries)
            file.write(directory)
            file.seek(0)
            file.write(_header(kind, total, len(entries), offset, directory))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return total


def _header(kind: int, total: int, blocks: int, offset: int, directory: bytes) -> bytes:
    """The header with its own checksum in it."""
    fields = (MAGIC, VERSION, kind, total, blocks, offset, offset + len(directory), crc32(directory))
    return _HEADER.pack(*fields, crc32(_HEADER.pack(*fields, 0)))


class SetFile:
    """A mapped file: its directory read and checked, its blocks untouched until somebody looks into them.

    The mapping outlives a rename over the path; a file that is shortened in place kills its readers
    (SIGBUS), so files are only ever replaced.
    """

    __slots__ = ("_crcs", "blocks", "count", "path")

    def __init__(self, path: Path, kind: int) -> None:
        """Map `path`. Raises NumberSetError for a file that is not what its header says, OSError."""
        self.path = path
        if sys.byteorder != "little":
            raise NumberSetError(str(path), "set files are read on little-endian machines only")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _HEADER.size:
                raise NumberSetError(f"{path}: octet 0", f"{size} octets, a header alone has {_HEADER.size}")
            view = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED))
        blocks, offset, directory_crc = self._read_header(view, size, kind)
        directory = view[offset:]
        if len(directory) != blocks * _ENTRY.size or crc32(directory) != directory_crc:
            raise NumberSetError(f"{path}: octet {offset}", "the directory does not fit its checksum")
        self.blocks: list[Block] = []
        self._crcs: list[tuple[int, int]] = []
        for kind_, crc, key, count, start, length in _ENTRY.iter_unpack(directory):
            if start + length > offset or start % ALIGNMENT:
                what = f"block {key} of {length} octets lies outside the file"
                raise NumberSetError(f"{path}: octet {start}", what)
            self.blocks.append(Block(kind_, key, count, view[start : start + length]))
            self._crcs.append((start, crc))

    def _read_header(self, view: memoryview, size: int, kind: int) -> tuple[int, int, int]:
        """Blocks, offset and checksum of the directory; every field checked."""
        fields = _HEADER.unpack_from(view)
        magic, version, found_kind, count, blocks, offset, file_size, directory_crc, header_crc = fields
        where = f"{self.path}: octet 0"
        if magic != MAGIC:
            raise NumberSetError(where, f"not a set file (it begins with {magic!r})")
        if header_crc != crc32(_HEADER.pack(*fields[:-1], 0)):
            raise NumberSetError(where, "the header does not fit its checksum")
        if version != VERSION:
            raise NumberSetError(where, f"version {version} of the format, {VERSION} is read here")
        if found_kind != kind:
            raise NumberSetError(where, f"holds {_NAMES.get(found_kind, found_kind)}, not {_NAMES[kind]}")
        if file_size != size:
            where = f"{self.path}: octet {min(size, file_size)}"
            raise NumberSetError(where, f"{size} octets instead of {file_size}")
        self.count: int = count
        return blocks, offset, directory_crc

    def part(self, blocks: Iterable[tuple[int, Block]]) -> SetFile:
        """The same mapping with some of its blocks, each with its place in `blocks`; their keys may be others."""
        part = SetFile.__new__(SetFile)
        part.path = self.path
        own = list(blocks)
        part.blocks = [block for _, block in own]
        part.count = sum(block.members for _, block in own)
        part._crcs = [self._crcs[n] for n, _ in own]
        return part

    def damaged(self) -> Iterator[NumberSetError]:
        """Every block that does not fit its checksum. Reads the whole file; opening does not."""
        for block, (start, crc) in zip(self.blocks, self._crcs, strict=True):
            if crc32(block.octets) != crc:
                what = f"block {block.key} does not fit its checksum"
                yield NumberSetError(f"{self.path}: octet {start}", what)
