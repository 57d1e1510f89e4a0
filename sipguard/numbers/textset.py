"""Sets of texts, exact or with `*`: origids, service provider codes, organisations, user agents, trunks.

Enters: texts. Leaves: a file, and answers to `text in set`. Must not: tell large from small letters.

The texts stand sorted in one block, behind the u64 positions at which they begin; patterns and ends in blocks of
lines. A few texts are held in memory, many are looked for in the file.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.glob import Glob
from sipguard.numbers.setfile import TEXTS, Block, SetFile, write
from sipguard.numbers.wide import NEVER

EXACT: Final = 14  # kinds of block
PATTERNS: Final = 15  # text, a pattern to a line
TEXT_ENDS: Final = 16  # text, `end text` to a line, of those that end
HELD: Final = 2_000  # texts that are held in memory
LONGEST_TEXT: Final = 400  # characters
MOST_PATTERNS: Final = 200  # with a * elsewhere than at their end: each is tried


def folded(text: str) -> str:
    """A text as it is compared: without space around it, large and small letters alike."""
    return text.strip().casefold()


def build_texts(path: Path, texts: Mapping[str, int]) -> int:
    """Write the set of `texts`, folded, each with its end; how many it holds. Raises OSError."""
    return write(path, TEXTS, _blocks(texts))


def _blocks(texts: Mapping[str, int]) -> Iterator[Block]:
    exact = sorted(text.encode() for text in texts if "*" not in text)
    if exact:
        starts = array("Q", [0])
        for text in exact:
            starts.append(starts[-1] + len(text))
        yield Block(EXACT, 0, len(exact), starts.tobytes() + b"".join(exact))
    patterns = sorted(text for text in texts if "*" in text)
    if patterns:
        yield Block(PATTERNS, 0, len(patterns), "\n".join(patterns).encode())
    lines = [f"{end} {text}" for text, end in sorted(texts.items()) if end != NEVER]
    if lines:
        yield Block(TEXT_ENDS, 0, 0, "\n".join(lines).encode())


class _Sorted:
    """Many texts, looked for in the file."""

    __slots__ = ("_count", "_octets", "_starts")

    def __init__(self, octets: memoryview, count: int) -> None:
        self._count = count
        self._starts = octets[: 8 * (count + 1)].cast("Q")
        self._octets = octets[8 * (count + 1) :]

    def __contains__(self, text: str) -> bool:
        wanted = text.encode("utf-8", "replace")
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._at(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low < self._count and self._at(low) == wanted

    def _at(self, n: int) -> bytes:
        return bytes(self._octets[self._starts[n] : self._starts[n + 1]])

    def __iter__(self) -> Iterator[str]:
        for n in range(self._count):
            yield self._at(n).decode("utf-8", "replace")


class TextSet:
    """A set of texts and patterns. What is asked of it is folded first, by whoever asks."""

    __slots__ = ("_beginnings", "_ends", "_exact", "_globs", "_length", "_lengths", "ends", "patterns")

    def __init__(self, exact: _Sorted | frozenset[str], patterns: Iterable[str], ends: dict[str, int], n: int) -> None:
        """`open` and `of` are the ways in."""
        self._exact = exact
        self._length = n
        self._ends = ends
        self.ends = bool(ends)  # whether anything goes off the set some day
        self.patterns = tuple(patterns)
        plain = {each[:-1] for each in self.patterns if each.find("*") == len(each) - 1}
        self._beginnings = frozenset(plain)
        self._lengths = tuple(sorted({len(each) for each in plain}))
        self._globs = tuple((each, Glob(each)) for each in self.patterns if each[:-1] not in plain)

    @classmethod
    def open(cls, path: Path) -> TextSet:
        """Map the file at `path`. Raises NumberSetError with file and place, OSError."""
        exact: _Sorted | frozenset[str] = frozenset()
        patterns: list[str] = []
        ends: dict[str, int] = {}
        file = SetFile(path, TEXTS)
        for kind, _, count, octets in file.blocks:
            if kind == EXACT and len(octets) >= 8 * (count + 1):
                many = _Sorted(memoryview(octets), count)
                exact = frozenset(many) if count <= HELD else many
            elif kind == PATTERNS:
                patterns = bytes(octets).decode("utf-8", "replace").split("\n")
            elif kind == TEXT_ENDS:
                lines = (line.partition(" ") for line in bytes(octets).decode("utf-8", "replace").split("\n"))
                ends = {text: int(end) for end, _, text in lines}
            else:
                raise NumberSetError(str(path), f"{len(octets)} octets of kind {kind}")
        return cls(exact, patterns, ends, file.count)

    @classmethod
    def of(cls, texts: Iterable[str]) -> TextSet:
        """A small set that stands in no file."""
        all_of_them = {folded(text) for text in texts}
        patterns = sorted(text for text in all_of_them if "*" in text)
        return cls(frozenset(all_of_them.difference(patterns)), patterns, {}, len(all_of_them))

    def __len__(self) -> int:
        return self._length

    def __contains__(self, text: str) -> bool:
        if text in self._exact:
            return True
        for length in self._lengths:
            if text[:length] in self._beginnings:
                return True
        return any(glob.fits(text) for _, glob in self._globs)

    def until(self, text: str) -> int:
        """The latest end of what covers `text`, NEVER, or 0 where nothing does."""
        return max((self._ends.get(entry, NEVER) for entry in self.entries_of(text)), default=0)

    def end_of(self, entry: str) -> int:
        """The end of an entry that is there, NEVER for none."""
        return self._ends.get(entry, NEVER)

    def entries_of(self, text: str) -> Iterator[str]:
        """The texts and patterns that cover `text`."""
        if text in self._exact:
            yield text
        for length in self._lengths:
            if len(text) >= length and text[:length] in self._beginnings:
                yield text[:length] + "*"
        for pattern, glob in self._globs:
            if glob.fits(text):
                yield pattern

    def __iter__(self) -> Iterator[str]:
        """Every text, then every pattern."""
        yield from sorted(self._exact) if isinstance(self._exact, frozenset) else self._exact
        yield from self.patterns
