"""Sets of numbers and of pairs of numbers, in files that all processes map and share.

Enters: canonical TNs. Leaves: files that are the same for the same members, whatever their order, and
answers to `tn in set`. Must not: read a file to open it, hold a set in memory, or change a file in place.

A NANP number lies in the block of its area code: a bitmap of 10^7 bits where there are many, sorted u32
where there are few, and between the two sorted u32 behind an index of 1001 u32, the positions at which
the exchanges 000 to 999 begin. Any other number lies in the sorted u64 block of its first three digits.
Other numbers and the members of a pair are kept as the integer of `1` and their digits, so that leading
zeros count.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.setfile import NUMBERS, PAIRS, Block, SetFile, write

BITMAP: Final = 1  # kinds of block; key: the area code
SORTED_NANP: Final = 2  # key: the area code
INDEXED_NANP: Final = 6  # key: the area code
SORTED_WORLD: Final = 3  # key: `1` and the first three digits
PREFIXES: Final = 4  # text, a prefix to a line
HASHED_PAIRS: Final = 5  # open addressing, linear probing, slots of two u64, (0, 0) is free

BITMAP_OCTETS: Final = 1_250_000  # 10^7 numbers of an area code
FEW: Final = 256  # up to here an area code needs no index
MANY: Final = 100_000  # above this an area code is a bitmap
LONGEST: Final = 18  # digits: `1` and 18 digits fit 64 bits
SHORTEST_E164: Final = 8  # a prefix speaks of complete numbers: +44* does not cover the local 445-5010
_INDEX: Final = 1001  # u32 before the members of an indexed block
_INDEXES: Final = {SORTED_NANP: 0, INDEXED_NANP: _INDEX}
_PENDING: Final = 4 * MANY  # unsorted numbers of an area code before they become a bitmap

_A: Final = 0x9E3779B97F4A7C15  # odd, the golden ratio of 2^64: multiplicative hashing
_B: Final = 0xC2B2AE3D27D4EB4F
_64: Final = 0xFFFF_FFFF_FFFF_FFFF

_OCTETS_SET: Final = re.compile(rb"[^\0]+")
_BITS_SET: Final = tuple(tuple(bit for bit in range(8) if octet >> bit & 1) for octet in range(256))


def is_digits(tn: str) -> bool:
    """Whether a set can hold `tn`: 1 to 18 ASCII digits."""
    return tn.isascii() and tn.isdigit() and len(tn) <= LONGEST


def _code(tn: str) -> int:
    """The number that stands for `tn` in files. Raises NumberSetError where a set cannot hold it."""
    if not is_digits(tn):
        raise NumberSetError(repr(tn), f"a set holds canonical numbers of 1 to {LONGEST} digits")
    return int("1" + tn)


# --- building ---------------------------------------------------------------------------------------


def build(path: Path, numbers: Iterable[str], prefixes: Iterable[str] = ()) -> int:
    """Write the set of `numbers` and of all numbers that begin with a prefix; how many numbers it holds.

    Input in any order, doubles count once; `prefixes` are asked for after the last number. Memory is at
    most 1.6 MB for each area code and 8 octets for each number from elsewhere. Raises NumberSetError
    for what is no canonical number; OSError. The file at `path` is replaced only when all is written.
    """
    areas: dict[str, array[int] | bytearray] = {}
    world: dict[str, array[int]] = {}
    for tn in numbers:
        code = _code(tn)
        if len(tn) == 11 and tn[0] == "1":
            area = areas.get(tn[1:4])
            if area is None:
                area = areas[tn[1:4]] = array("I")
            value = code % 10_000_000
            if isinstance(area, bytearray):
                area[value >> 3] |= 1 << (value & 7)
                continue
            area.append(value)
            if len(area) >= _PENDING:
                areas[tn[1:4]] = _bitmap(area)
        else:
            world.setdefault(tn[:3], array("Q")).append(code)
    return write(path, NUMBERS, _number_blocks(areas, world, prefixes))


def _number_blocks(
    areas: dict[str, array[int] | bytearray], world: dict[str, array[int]], prefixes: Iterable[str]
) -> Iterator[Block]:
    """The blocks in the order of their keys; what was written is let go."""
    for npa in sorted(areas):
        yield _area_block(int(npa), areas.pop(npa))
    for first in sorted(world):
        members = array("Q", sorted(set(world.pop(first))))
        yield Block(SORTED_WORLD, int("1" + first), len(members), members.tobytes())
    lines = sorted({prefix for prefix in prefixes if _code(prefix)})
    if lines:
        yield Block(PREFIXES, 0, 0, "\n".join(lines).encode("ascii"))


def _area_block(npa: int, area: array[int] | bytearray) -> Block:
    """The block of one area code; its kind follows from the number of its members alone."""
    if isinstance(area, bytearray):
        return area_block(npa, area)
    members = array("I", sorted(set(area)))
    return Block(BITMAP, npa, len(members), _bitmap(members)) if len(members) > MANY else _members_block(npa, members)


def area_block(npa: int, bits: bytearray | memoryview) -> Block:
    """The block of an area code whose numbers are given as a bitmap of BITMAP_OCTETS."""
    count = int.from_bytes(bits, "little").bit_count()
    return Block(BITMAP, npa, count, bits) if count > MANY else _members_block(npa, array("I", _set_bits(bits)))


def _members_block(npa: int, members: array[int]) -> Block:
    """The block of an area code with few members, which are sorted."""
    count = len(members)
    if count <= FEW:
        return Block(SORTED_NANP, npa, count, members.tobytes())
    index = array("I", (_INDEX + bisect_left(members, exchange * 10_000) for exchange in range(_INDEX)))
    return Block(INDEXED_NANP, npa, count, index.tobytes() + members.tobytes())


def _bitmap(values: Iterable[int]) -> bytearray:
    """The bitmap with these bits set."""
    bits = bytearray(BITMAP_OCTETS)
    for value in values:
        bits[value >> 3] |= 1 << (value & 7)
    return bits


def _set_bits(bits: bytes | bytearray | memoryview) -> Iterator[int]:
    """The numbers of the bits that are set, in order."""
    for run in _OCTETS_SET.finditer(bits):
        for at, octet in enumerate(run[0], run.start()):
            for bit in _BITS_SET[octet]:
                yield at * 8 + bit


def build_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> int:
    """Write the set of `pairs` (caller, callee); how many it holds. Order and doubles do not matter.

    At most half of the slots are used: 32 to 64 octets a pair. Raises NumberSetError, OSError.
    """
    members = sorted({(_code(a), _code(b)) for a, b in pairs})
    bits = max(4, (2 * len(members)).bit_length())
    slots = array("Q", bytes(16 << bits))
    mask = (1 << bits) - 1
    for a, b in members:
        slot = ((a * _A + b * _B) & _64) >> (64 - bits)
        while slots[2 * slot]:
            slot = (slot + 1) & mask
        slots[2 * slot], slots[2 * slot + 1] = a, b
    return write(path, PAIRS, [Block(HASHED_PAIRS, bits, len(members), slots.tobytes())])


# --- asking -----------------------------------------------------------------------------------------


class NumberSet:
    """A mapped set of numbers and prefixes. `len` counts the numbers, not what prefixes cover."""

    __slots__ = ("_areas", "_file", "_prefixes", "_world", "prefixes")

    def __init__(self, file: SetFile) -> None:
        """Of an open file; `open` is the way in. Raises NumberSetError for blocks that cannot be."""
        self._file = file
        self._areas: dict[str, tuple[int, memoryview]] = {}  # area code -> kind of its block, members
        self._world: dict[str, memoryview] = {}  # first three digits -> members
        self.prefixes: tuple[str, ...] = ()
        for kind, key, count, octets in file.blocks:
            view = memoryview(octets)
            if kind == BITMAP and len(view) == BITMAP_OCTETS:
                self._areas[f"{key:03d}"] = (kind, view)
            elif kind in _INDEXES and len(view) == 4 * (count + _INDEXES[kind]):
                self._areas[f"{key:03d}"] = (kind, view.cast("I"))
            elif kind == SORTED_WORLD and len(view) == 8 * count:
                self._world[str(key)[1:]] = view.cast("Q")
            elif kind == PREFIXES:
                self.prefixes = tuple(view.tobytes().decode("ascii", "replace").split("\n"))
            else:
                raise NumberSetError(str(file.path), f"block {key}: {len(view)} octets of kind {kind}")
        by_length = groupby(sorted(self.prefixes, key=len), key=len)
        self._prefixes = tuple((length, frozenset(group)) for length, group in by_length)

    @classmethod
    def open(cls, path: Path) -> NumberSet:
        """Map the file at `path`. Raises NumberSetError with file and place, OSError."""
        return cls(SetFile(path, NUMBERS))

    def __len__(self) -> int:
        return self._file.count

    def __contains__(self, tn: str) -> bool:
        if len(tn) == 11 and tn[0] == "1" and tn.isdecimal():
            area = self._areas.get(tn[1:4])
            if area is not None:
                kind, view = area
                value = int(tn[4:])
                if kind == BITMAP:
                    if view[value >> 3] >> (value & 7) & 1:
                        return True
                else:
                    low, high = 0, len(view)
                    if kind == INDEXED_NANP:
                        exchange = value // 10_000
                        low, high = view[exchange], view[exchange + 1]
                    at = bisect_left(view, value, low, high)
                    if at < high and view[at] == value:
                        return True
        elif self._world:
            world = self._world.get(tn[:3])
            if world is not None and is_digits(tn):
                value = int("1" + tn)
                at = bisect_left(world, value)
                if at < len(world) and world[at] == value:
                    return True
        if len(tn) >= SHORTEST_E164:
            for length, prefixes in self._prefixes:
                if tn[:length] in prefixes:
                    return True
        return False

    @property
    def area_codes(self) -> tuple[str, ...]:
        """Area codes that have a block."""
        return tuple(self._areas)

    def bitmap(self, npa: str) -> bytearray | memoryview:
        """The numbers of an area code as a bitmap of BITMAP_OCTETS."""
        found = self._areas.get(npa)
        if found is None:
            return bytearray(BITMAP_OCTETS)
        kind, view = found
        return view if kind == BITMAP else _bitmap(view if kind == SORTED_NANP else view[_INDEX:])

    def elsewhere(self) -> Iterator[int]:
        """The integers of `1` and their digits of all numbers outside the NANP, by their first three digits."""
        for world in self._world.values():
            yield from world

    def __iter__(self) -> Iterator[str]:
        """Every number, area codes first, in order."""
        for npa, (kind, view) in self._areas.items():
            if kind == BITMAP:
                values: Iterable[int] = _set_bits(view)
            else:
                values = view if kind == SORTED_NANP else view[_INDEX:]
            for value in values:
                yield f"1{npa}{value:07d}"
        for world in self._world.values():
            for value in world:
                yield str(value)[1:]

    def damaged(self) -> list[NumberSetError]:
        """Every block that does not fit its checksum; reads the whole file."""
        return list(self._file.damaged())


class PairSet:
    """A mapped set of (caller, callee)."""

    __slots__ = ("_file", "_mask", "_shift", "_slots")

    def __init__(self, file: SetFile) -> None:
        """Of an open file; `open` is the way in. Raises NumberSetError for a table that cannot be."""
        self._file = file
        blocks = file.blocks
        if len(blocks) != 1 or blocks[0].kind != HASHED_PAIRS or not 4 <= blocks[0].key <= 48:
            raise NumberSetError(str(file.path), "a set of pairs has one table")
        bits = blocks[0].key
        view = memoryview(blocks[0].octets)
        if len(view) != 16 << bits or 2 * blocks[0].members > 1 << bits:
            raise NumberSetError(str(file.path), f"{len(view)} octets for a table of {1 << bits} slots")
        self._slots = view.cast("Q")
        self._mask = (1 << bits) - 1
        self._shift = 64 - bits

    @classmethod
    def open(cls, path: Path) -> PairSet:
        """Map the file at `path`. Raises NumberSetError with file and place, OSError."""
        return cls(SetFile(path, PAIRS))

    def __len__(self) -> int:
        return self._file.count

    def __contains__(self, pair: tuple[str, str]) -> bool:
        caller, callee = pair
        if not (caller.isdecimal() and callee.isdecimal() and len(caller) + len(callee) <= 2 * LONGEST):
            return False
        a, b = int("1" + caller), int("1" + callee)
        slots = self._slots
        first = slot = ((a * _A + b * _B) & _64) >> self._shift
        while found := slots[2 * slot]:
            if found == a and slots[2 * slot + 1] == b:
                return True
            slot = (slot + 1) & self._mask
            if slot == first:  # a damaged table without a free slot
                return False
        return False

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Every pair, in the order of the table."""
        slots = self._slots
        for at in range(0, len(slots), 2):
            if slots[at]:
                yield str(slots[at])[1:], str(slots[at + 1])[1:]

    def damaged(self) -> list[NumberSetError]:
        """The table, if it does not fit its checksum; reads the whole file."""
        return list(self._file.damaged())
