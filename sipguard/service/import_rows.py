"""Imports of lists that say more than numbers: pairs, and numbers with their ends and reasons.

Enters: files in the form of list files. Leaves: a built set with its notes, and what became of each line. Must not: be
used for lists of many millions: entries are held in memory until the set is written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sipguard.numbers import notes
from sipguard.numbers.formats import ListReader, Problem
from sipguard.numbers.notes import Note
from sipguard.numbers.numberset import NumberSet, build
from sipguard.numbers.pairset import Pair, PairSet, build_pairs
from sipguard.numbers.rows import FIELDS
from sipguard.numbers.tally import Tally
from sipguard.numbers.wide import NEVER, Range
from sipguard.store.errors import ListFileError
from sipguard.store.listfile import ListFile, without_bom

_REASONS: Final = (("is no date", "no_date"), ("is missing", "missing"), ("column", "columns"), ("fields", "fields"))
_SHORT: Final = re.compile(r"digits, a number without|is no telephone number|is no number of 1 to 18")


@dataclass
class RowsImport:
    """One import. `look` is called between chunks, and ends it by raising."""

    kind: str  # numbers | pairs
    files: list[ListFile]
    before: Path | None  # the base so far
    update: bool
    tally: Tally
    look: Callable[[ListFile], None]
    prefixes: dict[str, int] = field(default_factory=dict)
    ranges: list[Range] = field(default_factory=list)
    _ending: dict[str, int] = field(default_factory=dict)
    _notes: list[Note] = field(default_factory=list)

    def write(self, target: Path) -> int:
        """Builds the set at `target` and its notes beside it; how many members. Raises ListFileError, OSError."""
        if self.kind == "pairs":
            members = build_pairs(target, self._pairs())
        else:
            members = build(target, self._numbers(), self.prefixes, self.ranges, self._ending)
        if self.before is not None and self.update:
            named = {note.entry for note in self._notes}
            self._notes += [each for each in notes.all_of(notes.beside(self.before)) if each.entry not in named]
        notes.write(notes.beside(target), self._notes)
        return members

    def compared(self, target: Path) -> tuple[int, int, int]:
        """(entries of before, added, removed), of those that have not ended."""
        now_at = time.time()
        if self.kind == "pairs":
            old = set(_pairs_until(self.before, now_at)) if self.before is not None else set()
            return _compared(old, set(_pairs_until(target, now_at)))
        was = set(NumberSet.open(self.before).entries()) if self.before is not None else set()
        return _compared(was, set(NumberSet.open(target).entries()))

    def _pairs(self) -> Iterator[Pair | tuple[str, str, int]]:
        if self.before is not None and self.update:
            old = PairSet.open(self.before)
            yield from ((caller, callee, old.until((caller, callee))) for caller, callee in old)
        for file in self.files:
            reader = ListReader(kind="pairs")
            for pair in reader.pairs(self._lines(file)):
                self.tally.accepted += 1
                yield pair
            self.tally.accepted += len(reader.ending_pairs)
            yield from reader.ending_pairs
            self._take(reader, file)

    def _numbers(self) -> Iterator[str]:
        if self.before is not None and self.update:
            old = NumberSet.open(self.before)
            yield from old
            self.prefixes |= old.wide.prefixes
            self._ending |= dict(old.wide.numbers())
            self.ranges += [(int("1" + first), int("1" + last), end) for first, last, end in old.wide.ranges()]
        for file in self.files:
            reader = ListReader()
            for tn in reader.numbers(self._lines(file)):
                self.tally.accepted += 1
                yield tn
            self.tally.accepted += len(reader.prefixes) + len(reader.ranges) + len(reader.ending)
            for mine, more in ((self.prefixes, reader.prefixes), (self._ending, reader.ending)):
                mine |= {entry: max(end, mine.get(entry, 0)) for entry, end in more.items()}
            self.ranges += reader.ranges
            self._take(reader, file)

    def _take(self, reader: ListReader, file: ListFile) -> None:
        """What a file left besides its entries. Raises ListFileError where it was cut off."""
        self._notes += reader.notes
        for problem in reader.problems:
            self.tally.refuse(problem.line, problem.column, _reason(problem), problem.what)
        more = reader.problem_count - len(reader.problems)
        if more:
            self.tally.refused["not_told"] += more
        if not file.ended and reader.problems and reader.problems[-1].line == self.tally.lines:
            raise ListFileError(str(file.path), f"ends in the middle of line {self.tally.lines}: it is cut off")
        if file.has_changed():
            raise ListFileError(str(file.path), "was changed while it was read; import it again")

    def _lines(self, file: ListFile) -> Iterator[str]:
        """The lines of a file. Raises ListFileError where the last one has no end and lacks columns of the header."""
        self.tally.file, self.tally.lines = str(file.path), 0
        columns, text = -1, ""
        for n, chunk in enumerate(file.chunks()):
            for octets in (chunk if n else without_bom(chunk)).splitlines():
                self.tally.lines += 1
                text = octets.decode("utf-8", "replace")
                if columns < 0 and text.strip() and text.lstrip()[0] != "#":
                    first = text.partition(",")[0].strip().strip('"').lower()
                    columns = text.count(",") if any(first in each for each in FIELDS[self.kind]) else 0
                if not text.strip() or text.lstrip()[0] == "#":
                    self.tally.empty += 1
                yield text
            self.look(file)
        if not file.ended and text.count(",") < columns:
            raise ListFileError(str(file.path), f"ends in the middle of line {self.tally.lines}: it is cut off")


def _pairs_until(path: Path, at: float) -> Iterator[Pair]:
    found = PairSet.open(path)
    yield from (pair for pair in found if found.until(pair) > at or found.until(pair) == NEVER)


def _compared(old: set[Pair] | set[str], new: set[Pair] | set[str]) -> tuple[int, int, int]:
    both = len(old & new)
    return len(old), len(new) - both, len(old) - both


def _reason(problem: Problem) -> str:
    """The slug of what is wrong with a row."""
    if _SHORT.search(problem.what):
        return "no_number"
    return next((slug for said, slug in _REASONS if said in problem.what), "no_entry")
