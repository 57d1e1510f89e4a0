"""A set of numbers while it is made, on disk: it may be of any size, and outlives the process that makes it.

Enters: bits of NANP numbers, other numbers, an earlier set to begin from. Leaves: the blocks of a set file. Must not:
hold in memory what grows with the list.

The bits lie in a sparse mapped file, 10^10 of them, of which the disk holds what is set; other numbers are sorted in
runs, which are merged at the end. Doing a part again, in its order, changes nothing, so an import can go on from a
place that lies behind what is already here. Names begin with a dot: a backup leaves such files out.
"""

from __future__ import annotations

import errno
import heapq
import mmap
import os
import shutil
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from sipguard.numbers.bulk import NANP
from sipguard.numbers.numberset import BITMAP_OCTETS, SORTED_WORLD, NumberSet, area_block
from sipguard.numbers.setfile import Block
from sipguard.numbers.wide import NEVER, Range, wide_blocks

RUN: Final = 500_000  # numbers from elsewhere that are held before they are written: 4 MB, and 20 MB while sorted
BITS: Final = ".bits"
PAGE: Final = 4096  # octets that the disk gives for the first bit in them
SHORTEST: Final = 11  # octets of a line with a number of ten digits
_WORLD: Final = ".world"


@dataclass(slots=True)
class Change:
    """What a new set is against the one before: numbers that are new, and those of before that are gone."""

    before: int = 0
    added: int = 0
    removed: int = 0


class Staging:
    """One set that is being made in a directory of its own, which is made where it is not there."""

    __slots__ = ("_descriptor", "_directory", "_runs", "_world", "bits", "change")

    def __init__(self, directory: Path) -> None:
        """Goes on with what is there. Raises OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._descriptor = os.open(directory / BITS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        os.ftruncate(self._descriptor, NANP // 8)
        self.bits = mmap.mmap(self._descriptor, NANP // 8)
        self._world = array("Q")
        self._runs = sum(1 for _ in directory.glob(".run-*"))
        self.change = Change()

    def require_room(self, octets: int) -> None:
        """Raises OSError where a list of so many octets might fill the disk; each number may take a page for itself.

        The process that writes to a mapped file on a disk that is full is ended by the system, without a word.
        """
        disk = os.statvfs(self._directory)
        if disk.f_bavail * disk.f_frsize < (octets // SHORTEST + 1) * PAGE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._directory))

    def add(self, tn: str) -> None:
        """A number that is not of the NANP."""
        self._world.append(int("1" + tn))
        if len(self._world) >= RUN:
            self.flush()

    def delete(self, tn: str) -> None:
        """Takes a NANP number off."""
        value = int(tn) - NANP
        self.bits[value >> 3] &= ~(1 << (value & 7))

    def flush(self) -> None:
        """What outlives the end of this process: all that was added so far."""
        if self._world:
            members = array("Q", sorted(set(self._world), key=_place))
            written = self._directory / ".unfinished"
            with written.open("wb") as file:
                members.tofile(file)
            written.replace(self._directory / f".run-{self._runs:06d}")
            self._runs += 1
            self._world = array("Q")

    def begin_from(self, before: NumberSet) -> None:
        """All NANP numbers of an earlier set; those from elsewhere come in with `blocks`."""
        self.require_room(len(before.area_codes) * BITMAP_OCTETS // PAGE * SHORTEST)
        for npa in before.area_codes:
            start = int(npa) * BITMAP_OCTETS
            self.bits[start : start + BITMAP_OCTETS] = bytes(before.bitmap(npa))

    def blocks(
        self,
        before: NumberSet | None,
        wide: tuple[Iterable[str], Iterable[Range]],
        keep_areas: bool,
        keep_world: bool,
    ) -> Iterator[Block]:
        """The blocks of the set, with prefixes and ranges. Of `before` stay area codes that nothing came of, and other
        numbers, where asked.

        Sets `change` on its way, which is complete behind the last block.
        """
        self.flush()
        self.bits.flush()
        view = memoryview(self.bits)
        for npa in range(1000):
            yield from self._area(view, npa, before, keep_areas)
        yield from self._elsewhere(before, keep_world)
        prefixes, ranges = wide
        yield from wide_blocks(dict.fromkeys(prefixes, NEVER), ranges, {})

    def _area(self, view: memoryview, npa: int, before: NumberSet | None, keep: bool) -> Iterator[Block]:
        """The block of an area code, if it has numbers."""
        start = npa * BITMAP_OCTETS
        name = f"{npa:03d}"
        is_new = self._is_written(start, start + BITMAP_OCTETS)
        had = before is not None and name in before.area_codes
        if not is_new and not had:
            return
        was = before.bitmap(name) if before is not None and had else b""
        bits = view[start : start + BITMAP_OCTETS]
        old, new = int.from_bytes(was, "little"), int.from_bytes(bits, "little") if is_new else 0
        if not new and keep:
            new, bits = old, memoryview(was)
        common = (old & new).bit_count()
        self.change.before += old.bit_count()
        self.change.removed += old.bit_count() - common
        self.change.added += new.bit_count() - common
        if new:
            yield area_block(npa, bits)

    def _is_written(self, start: int, end: int) -> bool:
        """Whether the disk holds anything of a part of the bits; a hole is not read, since that would fill memory."""
        try:
            return os.lseek(self._descriptor, start, os.SEEK_DATA) < end
        except OSError:  # nothing behind it
            return False

    def _elsewhere(self, before: NumberSet | None, keep: bool) -> Iterator[Block]:
        """The blocks of numbers from elsewhere, merged from all runs by way of a file."""
        runs: list[Iterable[int]] = [_numbers_in(path) for path in sorted(self._directory.glob(".run-*"))]
        if before is not None:
            self.change.before += (had := sum(1 for _ in before.elsewhere()))
            self.change.removed += had
            if keep:
                runs.append(before.elsewhere())
        groups: list[tuple[str, int]] = []
        path = self._directory / _WORLD
        with path.open("wb") as file:
            merged = (code for code, _ in groupby(heapq.merge(*runs, key=_place)))
            for first, members in groupby(merged, _first):
                count, part = 0, array("Q")
                for code in members:
                    is_old = before is not None and str(code)[1:] in before
                    self.change.removed -= is_old
                    self.change.added += not is_old
                    part.append(code)
                    if len(part) >= RUN:
                        count += len(part)
                        part.tofile(file)
                        part = array("Q")
                part.tofile(file)
                groups.append((first, count + len(part)))
        if not groups:
            return
        view = memoryview(_mapped(path))
        at = 0
        for first, count in groups:
            yield Block(SORTED_WORLD, int("1" + first), count, view[at : at + 8 * count])
            at += 8 * count

    def close(self) -> None:
        """Lets go of the files; they stay."""
        os.close(self._descriptor)

    def clear(self) -> None:
        """Throws everything away. Nothing may be done with it afterwards."""
        self.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def _first(code: int) -> str:
    return str(code)[1:4]


def _place(code: int) -> tuple[str, int]:
    """Where the integer of a number stands in a set file: by first digits, then by value."""
    return str(code)[1:4], code


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)


def _numbers_in(path: Path) -> Iterator[int]:
    """The members of a run."""
    with memoryview(_mapped(path)).cast("Q") as view:
        yield from view
