"""All that is on a list now, as rows: by its base, without what edits removed, and what these added.

Enters: a ListSpec with its built file and notes, edits. Leaves: rows with end, reason, who and when; as CSV they are
the file of a list again. Must not: hold a large list in memory, or judge.
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from sipguard.numbers import notes
from sipguard.numbers.formats import ListReader
from sipguard.numbers.networkset import NetworkSet
from sipguard.numbers.notes import Note
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.pairset import PairSet, is_brand
from sipguard.numbers.textset import TextSet
from sipguard.numbers.wide import NEVER
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, REMOVED, Edits, span_of
from sipguard.settings.entries import shown
from sipguard.store.edits import Change, Held

FILE: Final = "file"
CONFIGURATION: Final = "configuration"
EDIT: Final = "edit"
BESIDE: Final = ("reason", "added_by", "added_at", "expires")
_NOBODY: Final = Note("", 0, "", "", "")
Edited = Mapping[str, tuple[Held, Change | None]]


class Row(NamedTuple):
    """One entry, canonical. `until`: Unix seconds, 0 for never; `added_at` as written, or an instant in ISO 8601."""

    entry: str
    by: str  # FILE | CONFIGURATION | EDIT
    until: int = 0
    reason: str = ""
    added_by: str = ""
    added_at: str = ""


def rows(spec: ListSpec, edited: Edited, at: float) -> Iterator[Row]:
    """What is on a list at Unix seconds `at`, its base first. `edited`: edits in force, also those that remove.

    Raises NumberSetError, OSError.
    """
    edits = edits_of(edited)
    cuts = _Cuts(edited)
    for entry, end, noted in _base(spec):
        if end <= at or (entry in edited and edited[entry][0].said == ADDED):
            continue
        by = FILE if spec.file or spec.path else CONFIGURATION
        told = (0 if end == NEVER else end, noted.reason, noted.added_by, noted.added_at)
        for part in _left(entry, edits, cuts, at):
            yield Row(part, by, *told)
    for entry, (held, change) in sorted(edited.items()):
        if held.said == ADDED:
            who, added_at, why = (change.who, change.at, change.why) if change is not None else ("", 0.0, "")
            until = math.ceil(held.expires_at)
            for part in cuts.parts(entry, edits, at) if span_of(entry) else (entry,):
                yield Row(part, EDIT, until, " ".join(why.split()), who, instant(added_at))


def edits_of(edited: Edited) -> Edits:
    """The same as a worker asks them."""
    found = Edits()
    for entry, (held, _) in edited.items():
        found.take(entry, held.said, held.expires_at)
    return found


def _left(entry: str, edits: Edits, cuts: _Cuts, at: float) -> Iterator[str]:
    """What of an entry of the base was not removed."""
    if not edits.entries:
        yield entry
    elif span_of(entry):
        yield from cuts.parts(entry, edits, at)
    elif said(edits, entry, at) != REMOVED:
        yield entry


def said(edits: Edits, entry: str, at: float) -> int:
    """What edits say of an entry of the base; a prefix is asked as what begins with it."""
    if entry[-1] != "*":
        return edits.says_number(entry, at)
    for length in range(len(entry) - 1, 0, -1):
        found = edits.entries.get(entry[:length] + "*")
        if found is not None and (not found[1] or at < found[1]):
            return found[0]
    return 0


class _Cuts:
    """Where the numbers that edits speak of begin and end, by trunk and length of the numbers."""

    def __init__(self, edited: Edited) -> None:
        self._entries = edited
        self._at: dict[str, list[int]] = {}

    def parts(self, entry: str, edits: Edits, at: float) -> Iterator[str]:
        """What of a range is not removed."""
        span = span_of(entry)
        assert span is not None
        kind, first, last = span
        head, comma, numbers = entry.rpartition(",")
        digits = len(numbers) // 2
        cuts = self._of(kind, head + comma, digits)
        inside = cuts[bisect_left(cuts, first + 1) : bisect_left(cuts, last + 1)]
        begun = -1
        for begin, beyond in pairwise([first, *inside, last + 1]):
            if edits.says_number(f"{head}{comma}{begin:0{digits}d}", at) == REMOVED:
                if begun >= 0:
                    yield _range(head + comma, digits, begun, begin - 1)
                begun = -1
            else:
                begun = begin if begun < 0 else begun
            if beyond == last + 1 and begun >= 0:
                yield _range(head + comma, digits, begun, last)

    def _of(self, kind: str, head: str, digits: int) -> list[int]:
        found = self._at.get(kind)
        if found is None:
            edges: set[int] = set()
            for entry in self._entries:
                own = entry.removeprefix(head)
                span = span_of(entry)
                if span is not None and span[0] == kind:
                    edges |= {span[1], span[2] + 1}
                elif entry.startswith(head) and own[-1:] == "*" and own[:-1].isdecimal() and len(own) - 1 <= digits:
                    open_ = digits - len(own) + 1
                    edges |= {int(own[:-1]) * 10**open_, (int(own[:-1]) + 1) * 10**open_}
                elif entry.startswith(head) and own.isdecimal() and len(own) == digits:
                    edges |= {int(own), int(own) + 1}
            found = self._at[kind] = sorted(edges)
        return found


def _range(head: str, digits: int, first: int, last: int) -> str:
    written = f"{head}{first:0{digits}d}"
    return written if first == last else f"{written}-{last:0{digits}d}"


# ------------------------------------------------------------------------------------------ bases


def _base(spec: ListSpec) -> Iterator[tuple[str, int, Note]]:
    """(entry, end, note) of all that a built list holds; an entry with several notes comes with each."""
    path = Path(spec.path)
    if spec.kind == "trunks" and spec.file:
        reader = ListReader(kind="trunks", trunks=spec.members)
        with Path(spec.file).open(encoding="utf-8", errors="replace") as lines:
            ends = reader.names(lines)
        noted = {each.entry: each for each in reader.notes}
        yield from ((name, end, noted.get(name, _NOBODY)) for name, end in ends.items())
    elif not spec.path:
        yield from ((entry, NEVER, _NOBODY) for entry in spec.members)
    elif spec.per_trunk:
        for trunk, own in NumberSet.open_by_trunk(path).items():
            yield from _numbers(own, f"{trunk},", path)
    elif spec.kind == "numbers":
        yield from _numbers(NumberSet.open(path), "", path)
    else:
        yield from _with_notes(_others(spec, path), path)


def _others(spec: ListSpec, path: Path) -> Iterator[tuple[str, int]]:
    if spec.kind == "pairs":
        pairs = PairSet.open(path)
        yield from ((f"{caller},{callee}", pairs.until((caller, callee))) for caller, callee in pairs)
    elif spec.kind == "networks":
        networks = NetworkSet.open(path)
        yield from ((entry, networks.end_of(entry)) for entry in networks)
    else:
        texts = TextSet.open(path)
        yield from ((entry, texts.end_of(entry)) for entry in texts)


def _numbers(found: NumberSet, head: str, path: Path) -> Iterator[tuple[str, int, Note]]:
    """Numbers, prefixes and ranges; a range is cut where what is noted of it begins and ends."""

    def single() -> Iterator[tuple[str, int]]:
        yield from ((head + tn, NEVER) for tn in found)
        yield from ((head + tn, end) for tn, end in found.wide.numbers())
        yield from ((f"{head}{prefix}*", end) for prefix, end in found.wide.prefixes.items())

    yield from _with_notes(single(), path)
    noted = list(notes.ranges(notes.beside(path), head))
    for first, last, end in found.wide.ranges():
        over = [(each, span) for each in noted if (span := span_of(each.entry)) and span[0] == f"{head}{len(first)}"]
        over = [(each, span) for each, span in over if span[1] <= int(last) and span[2] >= int(first)]
        edges = {int(first), int(last) + 1} | {edge for _, span in over for edge in (span[1], span[2] + 1)}
        for begin, beyond in pairwise(sorted(edge for edge in edges if int(first) <= edge <= int(last) + 1)):
            entry = _range(head, len(first), begin, beyond - 1)
            of = [each for each, span in over if span[1] <= begin <= span[2]]
            yield from ((entry, end, note) for note in of or [_NOBODY])


def _with_notes(found: Iterator[tuple[str, int]], path: Path) -> Iterator[tuple[str, int, Note]]:
    beside = notes.beside(path)
    if not beside.exists():
        yield from ((entry, end, _NOBODY) for entry, end in found)
        return
    for entry, end in found:
        yield from ((entry, end, note) for note in notes.of(beside, entry) or [_NOBODY])


# ------------------------------------------------------------------------------------------ as the file of a list


def header(spec: ListSpec) -> tuple[str, ...]:
    """The columns of a list file that rows are written to."""
    if spec.kind == "pairs":
        return ("caller", "brand", "callee", *BESIDE)
    if spec.kind == "trunks":
        return ("trunk", *BESIDE[:-1])  # which may not end in a file
    own = {"numbers": "number", "networks": "network", "texts": "text"}[spec.kind]
    return ("trunk", own, *BESIDE) if spec.per_trunk else (own, *BESIDE)


def written(spec: ListSpec, row: Row) -> str:
    """A row as a line of CSV below this header, with its end."""
    if spec.kind == "pairs":
        caller, _, callee = row.entry.rpartition(",")
        fields = ["", caller, f"+{callee}"] if is_brand(caller) else [f"+{caller}", "", f"+{callee}"]
    elif spec.per_trunk:
        trunk, _, entry = row.entry.rpartition(",")
        fields = [trunk, shown(entry)]
    else:
        fields = [shown(row.entry) if spec.kind == "numbers" else row.entry]
    fields += [row.reason, row.added_by, row.added_at]
    if spec.kind != "trunks":
        fields.append(instant(row.until))
    text = StringIO()
    csv.writer(
        text, lineterminator="\n", quoting=csv.QUOTE_ALL if fields[0][:1] == "#" else csv.QUOTE_MINIMAL
    ).writerow(fields)
    return text.getvalue()


def instant(at: float) -> str:
    """ISO 8601 in UTC, "" for 0."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" if at else ""
