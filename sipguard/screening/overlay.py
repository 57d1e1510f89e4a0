"""What people added to lists and removed from them since these were built, with its end: the overlay over their bases.

Enters: edits in the order they were made. Leaves: whether an entry is on a list by them, off it, or left to the base.
Must not: read a clock, or know where edits are kept. One Overlay serves all Rulesets of a process, so that a reload
keeps it.

The most specific edit speaks: that of the entry itself, then that of the longest prefix, then the base. One that has
expired speaks no more, and the base does again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipguard.numbers.wide import SHORTEST_E164

ADDED: Final = 1  # what an edit says of its entry
REMOVED: Final = -1
SILENT: Final = 0  # nothing: it was taken back

# name of the list, entry in canonical form (1202555* is a prefix; caller,callee a pair), one of the three above,
# Unix seconds at which it ends, 0.0 for never
Edit = tuple[str, str, int, float]


class Edits:
    """The edits of one list. Where `entries` is empty nobody need be asked."""

    __slots__ = ("_of_length", "entries", "lengths")

    def __init__(self) -> None:
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
        if self.lengths and len(entry) >= shortest:
            for length in self.lengths:
                found = self.entries.get(entry[:length] + "*")
                if found is not None and (not found[1] or at < found[1]):
                    return found[0]
        return SILENT


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
