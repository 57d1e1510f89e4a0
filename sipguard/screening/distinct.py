"""How many different numbers there were of late, in little memory whatever their count (HyperLogLog).

Enters: hashes of numbers, hours that pass. Leaves: estimates. Must not: keep numbers, read a clock.

Up to FEW different ones are counted exactly. Beyond that an estimate is off by 1.04 / sqrt(2^bits) at one standard
deviation: 9 % with 7 bits (128 octets), 3 % with 10 (1 KiB).
"""

from __future__ import annotations

from array import array
from math import log
from typing import Final
from zlib import crc32

FEW: Final = 16
_MASK: Final = 0xFFFFFFFF
_ONE: Final = 1 << 32  # of a sum of powers of 1/2, in whole numbers


def hash_of(text: str) -> int:
    """32 bits that are spread evenly for numbers in sequence too, the same in every process."""
    mixed = crc32(text.encode())  # linear: what follows breaks the pattern that sequences leave
    mixed = (mixed ^ mixed >> 16) * 0x1B873593 & _MASK
    mixed = (mixed ^ mixed >> 13) * 0x2C1B3C6D & _MASK
    return mixed ^ mixed >> 16


def _raw(bits: int) -> int:
    """What the sum of the powers divides: alpha * m^2 of Flajolet et al. (2007), in whole numbers."""
    count = 1 << bits
    return int(0.7213 / (1 + 1.079 / count) * count * count * _ONE)


def _linear(bits: int) -> tuple[int, ...]:
    """By how many registers are empty: how many there were, as long as these are not too few to tell."""
    count = 1 << bits
    return (0, *(round(count * log(count / empty)) for empty in range(1, count + 1)))


_RAW: Final = {bits: _raw(bits) for bits in (7, 10)}
_LINEAR: Final = {bits: _linear(bits) for bits in (7, 10)}


class Sketch:
    """The different ones since it was made. `bits` 7 or 10."""

    __slots__ = ("_bits", "_empty", "_few", "_registers", "_sum")

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._few: array[int] | None = None  # their hashes, as long as they are few
        self._registers: bytearray | None = None
        self._empty = self._sum = 0

    def add(self, hashed: int) -> bool:
        """Takes one in, by its hash; whether that has changed anything."""
        registers = self._registers
        if registers is None:
            return self._add_few(hashed)
        bits = self._bits
        at = hashed & ((1 << bits) - 1)
        rank = 33 - bits - (hashed >> bits).bit_length()
        before = registers[at]
        if rank <= before:
            return False
        registers[at] = rank
        self._sum -= (_ONE >> before) - (_ONE >> rank)
        if not before:
            self._empty -= 1
        return True

    def _add_few(self, hashed: int) -> bool:
        few = self._few
        if few is None:
            self._few = array("I", (hashed,))
        elif hashed in few:
            return False
        elif len(few) < FEW:
            few.append(hashed)
        else:
            self._few = None
            self._empty = 1 << self._bits
            self._registers = bytearray(self._empty)
            self._sum = self._empty * _ONE
            for each in few:
                self.add(each)
            self.add(hashed)
        return True

    def count(self) -> int:
        """How many different ones were taken in."""
        if self._registers is None:
            return len(self._few) if self._few is not None else 0
        estimate = _RAW[self._bits] // self._sum
        if self._empty and 2 * estimate <= 5 << self._bits:
            return _LINEAR[self._bits][self._empty]
        return estimate


class Distinct:
    """The different ones in a window of an hour: those of this hour, and those of this one and the one before."""

    __slots__ = ("_bits", "_since_before", "_this")

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._this = Sketch(bits)
        self._since_before: Sketch | None = None

    def add(self, hashed: int) -> None:
        """Takes one in, by its hash."""
        if self._this.add(hashed) and self._since_before is not None:  # which knows all that the other knows
            self._since_before.add(hashed)

    def turn(self, in_row: bool) -> None:
        """Another hour begins: the next one where `in_row`."""
        self._since_before = self._this if in_row else None
        self._this = Sketch(self._bits)

    def count(self, left: int, whole: int) -> int:
        """How many in the window; it covers `left` of `whole` of the hour before."""
        this = self._this.count()
        if self._since_before is None:
            return this
        more = self._since_before.count() - this
        return this + (more * left + whole // 2) // whole if more > 0 else this
