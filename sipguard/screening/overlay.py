"""What people added to lists and removed from them since these were built, with its end: the overlay over their bases.

Enters: edits in the order they were made. Leaves: whether an entry is on a list by them, off it, or left to the base.
Must not: read a clock, or know where edits are kept. One Overlay serves all Rulesets of a process, so that a reload
keeps it.

The most specific edit speaks: that of the entry itself, then that of the narrowest range or prefix (of two that are as
wide the range), then the base. One that has expired speaks no more, and the base does again.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from typing import Final

from sipguard.numbers.code import LONGEST
from sipguard.numbers.wide import SHORTEST_E164

ADDED: Final = 1  # what an edit says of its entry
REMOVED: Final = -1
SILENT: Final = 0  # nothing: it was taken back

# name of the list, entry in canonical form (1202555* is a prefix, 12025550100-12025550199 a range, behind the name of a
# trunk and a comma on a list by trunk; caller,callee a pair), one of the three above,
# Unix seconds at which it ends, 0.0 for never
Edit = tuple[str, str, int, float]


def span_of(entry: str) -> tuple[str, int, int] | None:
    """(what stands before the digits and how many these are, first, last) of a range, None for another entry."""
    head, comma, numbers = entry.rpartition(",")
    first, dash, last = numbers.partition("-")
    if not dash or len(first) != len(last) or not SHORTEST_E164 <= len(first) <= LONGEST:
        return None
    if not (first.isdecimal() and last.isdecimal() and first.isascii() and last.isascii()):
        return None
    return f"{head}{comma}{len(first)}", int(first), int(last)


def width_of(entry: str, asked: str) -> int:
    """How many numbers like `asked` the entry of an edit speaks of, 0 where it does not speak of that one."""
    if entry == asked:
        return 1
    if entry[-1:] == "*":
        return (
            10 ** (len(asked) - len(entry) + 1) if len(asked) >= SHORTEST_E164 and asked.startswith(entry[:-1]) else 0
        )
    span = span_of(entry)
    head, comma, digits = asked.rpartition(",")
    if span is None or span[0] != f"{head}{comma}{len(digits)}" or not digits.isdecimal():
        return 0
    return span[2] - span[1] + 1 if span[1] <= int(digits) <= span[2] else 0


class Ranges:
    """Ranges of numbers that overlap as they like; which of them cover a number, the narrowest first.

    They lie in classes by the power of two above their width, in each by their first number: of a class only those that
    begin within one such power below a number can cover it.
    """

    __slots__ = ("_classes",)

    def __init__(self) -> None:
        self._classes: dict[str, dict[int, list[tuple[int, int, str]]]] = {}  # kind -> class -> (first, last, entry)

    def __bool__(self) -> bool:
        return bool(self._classes)

    def put(self, entry: str, kind: str, first: int, last: int) -> None:
        """One more."""
        insort(self._classes.setdefault(kind, {}).setdefault((last - first).bit_length(), []), (first, last, entry))

    def drop(self, entry: str, kind: str, first: int, last: int) -> None:
        """Takes one off that was put."""
        classes = self._classes[kind]
        power = (last - first).bit_length()
        classes[power].remove((first, last, entry))
        if not classes[power]:
            del classes[power]
        if not classes:
            del self._classes[kind]

    def over(self, asked: str) -> list[tuple[int, str]]:
        """(width, range) of those that cover a number, also one behind a trunk and a comma; narrowest first."""
        head, comma, digits = asked.rpartition(",")
        classes = self._classes.get(f"{head}{comma}{len(digits)}")
        if classes is None or not digits.isdecimal():
            return []
        number = int(digits)
        found: list[tuple[int, str]] = []
        for power, ranges in classes.items():
            at = bisect_right(ranges, (number, 10**LONGEST, "")) - 1
            lowest = number - (1 << power)
            while at >= 0:
                first, last, entry = ranges[at]
                if first < lowest:
                    break
                if last >= number:
                    found.append((last - first + 1, entry))
                at -= 1
        found.sort()
        return found


class Edits:
    """The edits of one list. Where `entries` is empty nobody need be asked."""

    __slots__ = ("_of_length", "entries", "lengths", "ranges")

    def __init__(self) -> None:
        self.ranges = Ranges()
        self.entries: dict[str, tuple[int, float]] = {}
        self.lengths: tuple[int, ...] = ()  # of the prefixes among them, longest first
        self._of_length: dict[int, int] = {}  # length of a prefix -> how many there are

    def take(self, entry: str, said: int, expires_at: float) -> None:
        """One more edit; it takes the place of an earlier one of the same entry."""
        before = len(self.entries)
        if said == SILENT:
            self.entries.pop(entry, None)
        else:
            self.entries[entry] = (said, expires_at)
        grown = len(self.entries) - before
        if grown and "-" in entry:
            span = span_of(entry)
            if span is not None:
                kind, first, last = span
                (self.ranges.put if grown > 0 else self.ranges.drop)(entry, kind, first, last)
        if grown and entry[-1] == "*":
            length = len(entry) - 1
            self._of_length[length] = self._of_length.get(length, 0) + grown
            self.lengths = tuple(sorted((each for each, many in self._of_length.items() if many), reverse=True))

    def says(self, entry: str, at: float, shortest: int = SHORTEST_E164) -> int:
        """ADDED or REMOVED, or SILENT where the base speaks, at Unix seconds `at`.

        Prefixes speak of entries of `shortest` characters and more.
        """
        found = self.entries.get(entry)
        if found is not None and (not found[1] or at < found[1]):
            return found[0]
        return self._by_prefix(entry, at, self.lengths) if self.lengths and len(entry) >= shortest else SILENT

    def _by_prefix(self, entry: str, at: float, lengths: Iterable[int]) -> int:
        """What the first prefix says that there is of one of these lengths."""
        for length in lengths:
            found = self.entries.get(entry[:length] + "*")
            if found is not None and (not found[1] or at < found[1]):
                return found[0]
        return SILENT

    def says_number(self, entry: str, at: float) -> int:
        """The same of a number, behind the name of a trunk and a comma or not: ranges are heeded too."""
        if not self.ranges:
            return self.says(entry, at)
        found = self.entries.get(entry)
        if found is not None and (not found[1] or at < found[1]):
            return found[0]
        for width, each in self.ranges.over(entry):
            said, expires_at = self.entries[each]
            if not expires_at or at < expires_at:
                # Prefixes that are narrower speak first: those that leave fewer digits open than the range is wide.
                narrower = [n for n in self.lengths if 10 ** (len(entry) - n) < width]
                return self._by_prefix(entry, at, narrower) or said
        return self.says(entry, at)


class Overlay:
    """The edits of all lists by name. `sequence`: number of the last change that is in force here, 0 for none."""

    __slots__ = ("_of", "sequence")

    def __init__(self) -> None:
        self._of: dict[str, Edits] = {}
        self.sequence = 0

    def of(self, name: str) -> Edits:
        """The edits of a list, now and later: who holds them sees those that come."""
        found = self._of.get(name)
        if found is None:
            found = self._of[name] = Edits()
        return found

    def take(self, sequence: int, edits: Iterable[Edit]) -> None:
        """The edits up to change `sequence`, beside those that were taken before."""
        for name, entry, said, expires_at in edits:
            self.of(name).take(entry, said, expires_at)
        self.sequence = sequence
