"""Sets of numbers, in files that all processes map and share.

Enters: canonical TNs. Leaves: files that are the same for the same members, whatever their order, and
answers to `tn in set`. Must not: read a file to open it, hold a set in memory, or change a file in place.

A NANP number lies in the block of its area code: a bitmap of 10^7 bits where there are many, sorted u32
where there are few, and between the two sorted u32 behind an index of 1001 u32, the positions at which
the exchanges 000 to 999 begin. Any other number lies in the sorted u64 block of its first three digits,
as the integer of `1` and its digits, so that leading zeros count. Prefixes, ranges and numbers that go off
the set some day stand in blocks of their own (`wide`).

A file by trunk holds a set for each: the upper half of a block's key counts the names in its block of names.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from sipguard.numbers.code import code_of, is_digits
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.setfile import BY_TRUNK, NUMBERS, Block, SetFile, write
from sipguard.numbers.wide import ENDING, NEVER, PREFIX_ENDS, PREFIXES, RANGES, SHORTEST_E164, Range, Wide, wide_blocks

BITMAP: Final = 1  # kinds of block; key: the area code
SORTED_NANP: Final = 2  # key: the area code
INDEXED_NANP: Final = 6  # key: the area code
SORTED_WORLD: Final = 3  # key: `1` and the first three digits
TRUNKS: Final = 10  # text, a trunk to a line

BITMAP_OCTETS: Final = 1_250_000  # 10^7 numbers of an area code
FEW: Final = 256  # up to here an area code needs no index
MANY: Final = 100_000  # above this an area code is a bitmap
_INDEX: Final = 1001  # u32 before the members of an indexed block
_INDEXES: Final = {SORTED_NANP: 0, INDEXED_NANP: _INDEX}
_PENDING: Final = 4 * MANY  # unsorted numbers of an area code before they become a bitmap
_TRUNK_BITS: Final = 32  # of a key below the number of its trunk
_WIDE: Final = (PREFIXES, PREFIX_ENDS, RANGES, ENDING)

_EMPTY: Final = bytes(400)
_OCTETS_SET: Final = re.compile(rb"[^\0]+")
_BITS_SET: Final = tuple(tuple(bit for bit in range(8) if octet >> bit & 1) for octet in range(256))


# --- building ---------------------------------------------------------------------------------------


def build(
    path: Path,
    numbers: Iterable[str],
    prefixes: Iterable[str] | Mapping[str, int] = (),
    ranges: Iterable[Range] = (),
    ending: Mapping[str, int] = MappingProxyType({}),
) -> int:
    """Write the set of `numbers` and of all numbers that a prefix or a range covers; how many numbers it holds.

    `prefixes` may have ends; `ending` are further numbers with theirs. Input in any order, doubles count once;
    all else is asked for after the last number. Memory is at most 1.6 MB for each area code and 8 octets for each
    number from elsewhere. Raises NumberSetError for what is no canonical number; OSError. The file at `path` is
    replaced only when all is written.
    """
    return write(path, NUMBERS, _blocks(numbers, prefixes, ranges, ending))


def build_by_trunk(path: Path, sets: Mapping[str, Content]) -> int:
    """Write a set for each trunk; how many numbers they hold together. Raises NumberSetError, OSError."""
    return write(path, BY_TRUNK, _blocks_by_trunk(sets))


class Content(NamedTuple):
    """What stands on a list of numbers, as `build` takes it."""

    numbers: Iterable[str]
    prefixes: dict[str, int]
    ranges: list[Range]
    ending: dict[str, int]


def _blocks_by_trunk(sets: Mapping[str, Content]) -> Iterator[Block]:
    names = sorted(sets)
    for n, name in enumerate(names):
        for block in _blocks(*sets[name]):
            yield block._replace(key=n << _TRUNK_BITS | block.key)
    yield Block(TRUNKS, 0, 0, "\n".join(names).encode())


def _blocks(
    numbers: Iterable[str],
    prefixes: Iterable[str] | Mapping[str, int],
    ranges: Iterable[Range],
    ending: Mapping[str, int],
) -> Iterator[Block]:
    """The blocks in the order of their keys; what was written is let go."""
    areas, world = _gathered(numbers)
    for npa in sorted(areas):
        yield _area_block(int(npa), areas.pop(npa))
    for first in sorted(world):
        members = array("Q", sorted(set(world.pop(first))))
        yield Block(SORTED_WORLD, int("1" + first), len(members), members.tobytes())
    ends = prefixes if isinstance(prefixes, Mapping) else dict.fromkeys(prefixes, NEVER)
    for prefix in ends:
        code_of(prefix)
    yield from wide_blocks(ends, ranges, ending)


def _gathered(numbers: Iterable[str]) -> tuple[dict[str, array[int] | bytearray], dict[str, array[int]]]:
    """Numbers by area code, all others by their first three digits."""
    areas: dict[str, array[int] | bytearray] = {}
    world: dict[str, array[int]] = {}
    for tn in numbers:
        code = code_of(tn)
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
    return areas, world


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
    view = memoryview(bits)
    for start in range(0, len(view), len(_EMPTY)):
        part = bytes(view[start : start + len(_EMPTY)])
        if part != _EMPTY:  # most are empty where few bits are set, and told so ten times as fast
            for run in _OCTETS_SET.finditer(part):
                for at, octet in enumerate(run[0], start + run.start()):
                    for bit in _BITS_SET[octet]:
                        yield at * 8 + bit


# --- asking -----------------------------------------------------------------------------------------


class NumberSet:
    """A mapped set of numbers, prefixes and ranges. `len` counts the numbers, not what the others cover."""

    __slots__ = ("_areas", "_file", "_lasting", "_more", "_prefixes", "_world", "ends", "prefixes", "wide")

    def __init__(self, file: SetFile) -> None:
        """Of an open file; `open` is the way in. Raises NumberSetError for blocks that cannot be."""
        self._file = file
        self._areas: dict[str, tuple[int, memoryview]] = {}  # `1` and area code -> kind of its block, members
        self._world: dict[str, memoryview] = {}  # first three digits -> members
        for kind, key, count, octets in file.blocks:
            view = memoryview(octets)
            if kind == BITMAP and len(view) == BITMAP_OCTETS:
                self._areas[f"1{key:03d}"] = (kind, view)
            elif kind in _INDEXES and len(view) == 4 * (count + _INDEXES[kind]):
                self._areas[f"1{key:03d}"] = (kind, view.cast("I"))
            elif kind == SORTED_WORLD and len(view) == 8 * count:
                self._world[str(key)[1:]] = view.cast("Q")
            elif kind not in _WIDE:
                raise NumberSetError(str(file.path), f"block {key}: {len(view)} octets of kind {kind}")
        try:
            self.wide = Wide(block for block in file.blocks if block.kind in _WIDE)
        except (ValueError, TypeError) as error:
            raise NumberSetError(str(file.path), f"prefixes or ranges: {error}") from error
        self.prefixes = tuple(sorted(self.wide.prefixes))
        self._prefixes = self.wide.by_length
        self._more = self.wide.beyond_prefixes
        self.ends = self.wide.ends  # whether anything goes off the set some day
        self._lasting = self._singles() if self.ends else None

    @classmethod
    def open(cls, path: Path) -> NumberSet:
        """Map the file at `path`. Raises NumberSetError with file and place, OSError."""
        return cls(SetFile(path, NUMBERS))

    @classmethod
    def open_by_trunk(cls, path: Path) -> dict[str, NumberSet]:
        """Map a file by trunk: the set of each. Raises NumberSetError with file and place, OSError."""
        file = SetFile(path, BY_TRUNK)
        names = next((bytes(block.octets).decode().split("\n") for block in file.blocks if block.kind == TRUNKS), [])
        blocks: dict[str, list[tuple[int, Block]]] = {name: [] for name in names if name}
        for at, block in enumerate(file.blocks):
            if block.kind != TRUNKS:
                n = block.key >> _TRUNK_BITS
                if n >= len(names):
                    raise NumberSetError(str(path), f"block {block.key} of trunk {n} of {len(names)}")
                blocks[names[n]].append((at, block._replace(key=block.key & (1 << _TRUNK_BITS) - 1)))
        return {name: cls(file.part(own)) for name, own in blocks.items()}

    def __len__(self) -> int:
        return self._file.count

    def __contains__(self, tn: str) -> bool:
        area = self._areas.get(tn[:4])
        if area is not None and len(tn) == 11 and tn.isdecimal():
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
        return self._more and self.wide.until(tn) > 0

    @property
    def covers(self) -> bool:
        """Whether there is more than numbers that never end: prefixes, ranges, others."""
        return bool(self._prefixes) or self._more

    def until(self, tn: str) -> int:
        """When `tn` goes off the set: Unix seconds, NEVER, or 0 where it is not on it."""
        lasting = self._lasting
        if lasting is None or tn in lasting:
            return NEVER if tn in self else 0
        return self.wide.until(tn)

    def entries(self) -> Iterator[str]:
        """Every entry: numbers, prefixes with a *, ranges as disjoint segments, also what has ended."""
        yield from self
        yield from (tn for tn, _ in self.wide.numbers())
        yield from (f"{prefix}*" for prefix in self.prefixes)
        yield from (f"{first}-{last}" for first, last, _ in self.wide.ranges())

    @property
    def area_codes(self) -> tuple[str, ...]:
        """Area codes that have a block."""
        return tuple(area[1:] for area in self._areas)

    def bitmap(self, npa: str) -> bytearray | memoryview:
        """The numbers of an area code as a bitmap of BITMAP_OCTETS."""
        found = self._areas.get("1" + npa)
        if found is None:
            return bytearray(BITMAP_OCTETS)
        kind, view = found
        return view if kind == BITMAP else _bitmap(view if kind == SORTED_NANP else view[_INDEX:])

    def elsewhere(self) -> Iterator[int]:
        """The integers of `1` and their digits of all numbers outside the NANP, by their first three digits."""
        for world in self._world.values():
            yield from world

    def entries_of(self, tn: str) -> Iterator[tuple[str, int]]:
        """(entry, end) of all that covers `tn`: the number itself, prefixes (1202*), ranges (first-last, as merged)."""
        if tn in self._singles():
            yield tn, NEVER
        yield from self.wide.entries_of(tn)

    def _singles(self) -> NumberSet:
        """The set without all that covers more, and without what ends."""
        return NumberSet(self._file.part((n, b) for n, b in enumerate(self._file.blocks) if b.kind not in _WIDE))

    def __iter__(self) -> Iterator[str]:
        """Every number that never ends, area codes first, in order."""
        for area, (kind, view) in self._areas.items():
            if kind == BITMAP:
                values: Iterable[int] = _set_bits(view)
            else:
                values = view if kind == SORTED_NANP else view[_INDEX:]
            for value in values:
                yield f"{area}{value:07d}"
        for world in self._world.values():
            for value in world:
                yield str(value)[1:]

    def damaged(self) -> list[NumberSetError]:
        """Every block that does not fit its checksum; reads the whole file."""
        return list(self._file.damaged())
