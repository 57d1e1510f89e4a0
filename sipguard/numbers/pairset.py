"""Sets of pairs: who calls with whom is called, in files that all processes map and share.

Enters: pairs of a number, or the name of who calls, with a number. Leaves: files that are the same for the same
members, and answers to `pair in set`. Must not: hold a set in memory, or change a file in place.

A pair lies in one table: open addressing, slots of two u64, (0, 0) is free. A number is the integer of `1` and its
digits; a name is a hash of 63 bits with the highest bit set, and the names themselves stand in a block beside.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from sipguard.numbers.code import LONGEST, code_of
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.setfile import PAIRS, Block, SetFile, write
from sipguard.numbers.textset import folded
from sipguard.numbers.wide import NEVER

HASHED_PAIRS: Final = 5  # kinds of block; open addressing, linear probing
BRANDS: Final = 12  # text, a name to a line
PAIR_ENDS: Final = 13  # u64 for each slot: the end of its pair, NEVER for none

_A: Final = 0x9E3779B97F4A7C15  # odd, the golden ratio of 2^64: multiplicative hashing
_B: Final = 0xC2B2AE3D27D4EB4F
_64: Final = 0xFFFF_FFFF_FFFF_FFFF
_TOP: Final = 1 << 63  # above every number of 18 digits

Pair = tuple[str, str]


def is_brand(caller: str) -> bool:
    """Whether the first of a pair is a name and no number."""
    return not (caller.isascii() and caller.isdigit())


def _brand(name: str) -> int:
    """The integer that stands for a name in files; large and small letters are the same."""
    return int.from_bytes(blake2b(folded(name).encode(), digest_size=8).digest(), "little") | _TOP


def _first(caller: str) -> int:
    return _brand(caller) if is_brand(caller) else code_of(caller)


def build_pairs(path: Path, pairs: Iterable[Pair | tuple[str, str, int]]) -> int:
    """Write the set of `pairs` (caller or name, callee, end if there is one); how many it holds.

    Order and doubles do not matter; of several ends of a pair the latest counts. At most half of the slots are used:
    32 to 64 octets a pair, half as much again where pairs end. Raises NumberSetError, OSError.
    """
    ends: dict[tuple[int, int], int] = {}
    brands: set[str] = set()
    for caller, callee, *more in pairs:
        if is_brand(caller):
            brands.add(folded(caller))
        pair = (_first(caller), code_of(callee))
        ends[pair] = max(int(more[0]) if more else NEVER, ends.get(pair, 0))
    return write(path, PAIRS, _blocks(ends, brands))


def _blocks(ends: dict[tuple[int, int], int], brands: set[str]) -> Iterator[Block]:
    """The table, and what stands beside it where there is any."""
    bits = max(4, (2 * len(ends)).bit_length())
    slots = array("Q", bytes(16 << bits))
    ending = array("Q", bytes(8 << bits)) if any(end != NEVER for end in ends.values()) else None
    mask = (1 << bits) - 1
    for a, b in sorted(ends):
        slot = ((a * _A + b * _B) & _64) >> (64 - bits)
        while slots[2 * slot]:
            slot = (slot + 1) & mask
        slots[2 * slot], slots[2 * slot + 1] = a, b
        if ending is not None:
            ending[slot] = ends[a, b]
    yield Block(HASHED_PAIRS, bits, len(ends), slots.tobytes())
    if brands:
        yield Block(BRANDS, 0, 0, "\n".join(sorted(brands)).encode())
    if ending is not None:
        yield Block(PAIR_ENDS, 0, 0, ending.tobytes())


class PairSet:
    """A mapped set of (caller or name, callee)."""

    __slots__ = ("_ends", "_file", "_mask", "_shift", "_slots", "brands", "ends")

    def __init__(self, file: SetFile) -> None:
        """Of an open file; `open` is the way in. Raises NumberSetError for a table that cannot be."""
        self._file = file
        blocks = {block.kind: block for block in file.blocks}
        table = blocks.get(HASHED_PAIRS)
        if table is None or len(blocks) != len(file.blocks) or not 4 <= table.key <= 48:
            raise NumberSetError(str(file.path), "a set of pairs has one table")
        view = memoryview(table.octets)
        if len(view) != 16 << table.key or 2 * table.members > 1 << table.key:
            raise NumberSetError(str(file.path), f"{len(view)} octets for a table of {1 << table.key} slots")
        self._slots = view.cast("Q")
        self._mask = (1 << table.key) - 1
        self._shift = 64 - table.key
        self._ends: memoryview | None = None
        self.ends = PAIR_ENDS in blocks  # whether any pair goes off the set some day
        if PAIR_ENDS in blocks:
            self._ends = memoryview(blocks[PAIR_ENDS].octets).cast("Q")
            if len(self._ends) != 1 << table.key:
                raise NumberSetError(str(file.path), f"{len(self._ends)} ends for {1 << table.key} slots")
        self.brands: dict[int, str] = {}  # what stands for a name -> the name
        if BRANDS in blocks:
            names = bytes(blocks[BRANDS].octets).decode("utf-8", "replace").split("\n")
            self.brands = {_brand(name): name for name in names}

    @classmethod
    def open(cls, path: Path) -> PairSet:
        """Map the file at `path`. Raises NumberSetError with file and place, OSError."""
        return cls(SetFile(path, PAIRS))

    def __len__(self) -> int:
        return self._file.count

    def __contains__(self, pair: Pair) -> bool:
        return self._slot(pair) >= 0

    def until(self, pair: Pair) -> int:
        """The end of a pair, NEVER, or 0 where it is not there."""
        slot = self._slot(pair)
        if slot < 0:
            return 0
        return NEVER if self._ends is None else int(self._ends[slot])

    def _slot(self, pair: Pair) -> int:
        """Where a pair stands, -1 for nowhere."""
        caller, callee = pair
        if not callee.isdecimal() or len(callee) > LONGEST:
            return -1
        if caller.isdecimal():
            if len(caller) > LONGEST:
                return -1
            a = int("1" + caller)
        elif self.brands:
            a = _brand(caller)
        else:
            return -1
        b = int("1" + callee)
        slots = self._slots
        first = slot = ((a * _A + b * _B) & _64) >> self._shift
        while found := slots[2 * slot]:
            if found == a and slots[2 * slot + 1] == b:
                return slot
            slot = (slot + 1) & self._mask
            if slot == first:  # a damaged table without a free slot
                return -1
        return -1

    def __iter__(self) -> Iterator[Pair]:
        """Every pair, in the order of the table."""
        slots = self._slots
        for at in range(0, len(slots), 2):
            if slots[at]:
                yield self.brands.get(slots[at]) or str(slots[at])[1:], str(slots[at + 1])[1:]

    def damaged(self) -> list[NumberSetError]:
        """Every block that does not fit its checksum; reads the whole file."""
        return list(self._file.damaged())
