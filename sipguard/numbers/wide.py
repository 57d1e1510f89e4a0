"""What a set of numbers holds besides single numbers: prefixes, ranges, and numbers that go off it at a time.

Enters: prefixes and ranges with their ends. Leaves: blocks of a set file, and until when they cover a number.
Must not: hold numbers one by one for a range, or ask what time it is.

A range lies in one block with all others, as disjoint segments: u64 first, u64 last, u64 end, each n times. Where
ranges overlap, the one that ends last counts. Ends are Unix seconds, NEVER for none.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import groupby, pairwise
from typing import Final

from sipguard.numbers.code import code_of, is_digits
from sipguard.numbers.setfile import Block

PREFIXES: Final = 4  # kinds of block; text, a prefix to a line
PREFIX_ENDS: Final = 7  # text, `prefix end` to a line, of those that end
RANGES: Final = 8
ENDING: Final = 9  # numbers that end: sorted u64, then their ends

NEVER: Final = (1 << 63) - 1  # the end of what has none
SHORTEST_E164: Final = 8  # a prefix speaks of complete numbers: +44* does not cover the local 445-5010

Range = tuple[int, int, int]  # first and last number as `code_of` writes them, end


class Wide:
    """The prefixes, ranges and ending numbers of one set. `prefixes` maps each to its end."""

    __slots__ = ("_codes", "_ends", "_firsts", "_lasts", "_until", "by_length", "prefixes")

    def __init__(self, blocks: Iterable[Block]) -> None:
        """Of the blocks of a file that are of kinds above. Raises ValueError for one that cannot be."""
        self.prefixes: dict[str, int] = {}
        self._firsts: Sequence[int] = ()
        self._lasts: Sequence[int] = ()
        self._until: Sequence[int] = ()  # ends of the ranges
        self._codes: Sequence[int] = ()
        self._ends: Sequence[int] = ()
        ends: dict[str, int] = {}
        for block in blocks:
            octets = memoryview(block.octets)
            if block.kind == PREFIXES:
                self.prefixes = dict.fromkeys(bytes(octets).decode("ascii", "replace").split("\n"), NEVER)
            elif block.kind == PREFIX_ENDS:
                lines = (line.split(" ") for line in bytes(octets).decode("ascii", "replace").split("\n"))
                ends = {prefix: int(end) for prefix, end in lines}
            elif block.kind == RANGES:
                self._firsts, self._lasts, self._until = _columns(octets.cast("Q"), 3)
            else:
                self._codes, self._ends = _columns(octets.cast("Q"), 2)
        self.prefixes |= ends
        by_length = groupby(sorted(self.prefixes, key=len), key=len)
        self.by_length = tuple((length, {each: self.prefixes[each] for each in group}) for length, group in by_length)

    @property
    def beyond_prefixes(self) -> bool:
        """Whether there are ranges or numbers that end."""
        return bool(self._firsts or self._codes)

    @property
    def ends(self) -> bool:
        """Whether anything goes off the set some day; looks at all."""
        return bool(self._codes or ends_of(self.prefixes.values()) or ends_of(self._until))

    def until(self, tn: str) -> int:
        """The end of what covers `tn`, NEVER, or 0 where nothing does; of several the latest. `tn` may be any text."""
        if not is_digits(tn):
            return 0
        found = 0
        if len(tn) >= SHORTEST_E164:
            for length, prefixes in self.by_length:
                end = prefixes.get(tn[:length], 0)
                if end > found:
                    found = end
        code = int("1" + tn)
        if self._firsts:
            at = bisect_right(self._firsts, code) - 1
            if at >= 0 and code <= self._lasts[at] and self._until[at] > found:
                found = self._until[at]
        if self._codes:
            at = bisect_left(self._codes, code)
            if at < len(self._codes) and self._codes[at] == code and self._ends[at] > found:
                found = self._ends[at]
        return found

    def entries_of(self, tn: str) -> Iterator[tuple[str, int]]:
        """(entry, end) of the prefixes (1202*), segments (first-last) and ending numbers that cover `tn`."""
        if not is_digits(tn):
            return
        for prefix, end in self.prefixes.items():
            if len(tn) >= SHORTEST_E164 and tn.startswith(prefix):
                yield f"{prefix}*", end
        for first, last, end in self.ranges():
            if len(first) == len(tn) and first <= tn <= last:
                yield f"{first}-{last}", end
        yield from ((each, end) for each, end in self.numbers() if each == tn)

    @property
    def ending(self) -> int:
        """How many single numbers end."""
        return len(self._codes)

    def numbers(self) -> Iterator[tuple[str, int]]:
        """(number, end) of those that end, in order."""
        for code, end in zip(self._codes, self._ends, strict=True):
            yield str(code)[1:], end

    def ranges(self) -> Iterator[tuple[str, str, int]]:
        """(first, last, end) of the disjoint segments that the ranges came to, in order."""
        for first, last, end in zip(self._firsts, self._lasts, self._until, strict=True):
            yield str(first)[1:], str(last)[1:], end


def ends_of(ends: Iterable[int]) -> bool:
    """Whether any of them is an end."""
    return any(end != NEVER for end in ends)


def _columns(values: memoryview, columns: int) -> tuple[memoryview, ...]:
    """A block of integers cut into columns. Raises ValueError."""
    rows, rest = divmod(len(values), columns)
    if rest:
        raise ValueError(f"{len(values)} integers in {columns} columns")
    return tuple(values[n * rows : (n + 1) * rows] for n in range(columns))


def wide_blocks(prefixes: Mapping[str, int], ranges: Iterable[Range], ending: Mapping[str, int]) -> Iterator[Block]:
    """The blocks of one set, none of what there is none. They are the same whatever the order."""
    plain = sorted(prefix for prefix, end in prefixes.items() if end == NEVER)
    if plain:
        yield Block(PREFIXES, 0, 0, "\n".join(plain).encode("ascii"))
    lines = [f"{prefix} {end}" for prefix, end in sorted(prefixes.items()) if end != NEVER]
    if lines:
        yield Block(PREFIX_ENDS, 0, 0, "\n".join(lines).encode("ascii"))
    found = segments(ranges)
    if found:
        yield Block(RANGES, 0, 0, b"".join(array("Q", column).tobytes() for column in zip(*found, strict=True)))
    if ending:
        rows = sorted((code_of(tn), end) for tn, end in ending.items())
        octets = b"".join(array("Q", column).tobytes() for column in zip(*rows, strict=True))
        yield Block(ENDING, 0, len(rows), octets)


def segments(ranges: Iterable[Range]) -> list[Range]:
    """Ranges that may overlap as disjoint ones in order, each with the latest end of those that cover it."""
    waiting = sorted(ranges, reverse=True)
    edges = sorted({edge for first, last, _ in waiting for edge in (first, last + 1)})
    covering: list[tuple[int, int]] = []  # (-end, last), the latest end first
    found: list[Range] = []
    for at, beyond in pairwise(edges):
        while waiting and waiting[-1][0] == at:
            _, last, end = waiting.pop()
            heappush(covering, (-end, last))
        while covering and covering[0][1] < at:
            heappop(covering)
        if not covering:
            continue
        end = -covering[0][0]
        if found and found[-1][1] + 1 == at and found[-1][2] == end:
            found[-1] = (found[-1][0], beyond - 1, end)
        else:
            found.append((at, beyond - 1, end))
    return found
