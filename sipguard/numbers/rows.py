"""The lines of a list file, cut into fields: plain ones, and CSV with a header.

Enters: lines. Leaves: rows with their place; what stands beside an entry: reason, who added it and when, its end.
Must not: know what a number is, or let through a column that it does not know.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Final, NamedTuple

from sipguard.numbers.wide import NEVER

BESIDE: Final = ("reason", "added_by", "added_at", "expires")  # columns that any list may have
ALSO: Final = {"note": "reason", "until": "expires"}  # what others call these columns
FIELDS: Final = {  # kind of list -> the columns of its entries
    "numbers": (("number", "entry"),),
    "pairs": (("caller", "brand"), ("callee",)),
    "networks": (("network", "entry"),),
    "texts": (("text", "entry"),),
    "trunks": (("trunk", "entry"),),
}
BRAND: Final = "brand:"  # what a name is told by that stands instead of a caller

Problem = Callable[[int, int, str, str], None]  # line, column, what, meant


class Row(NamedTuple):
    """One entry: its fields with the column where each begins, its end, and what is noted beside it."""

    line: int
    fields: list[tuple[str, int]]
    end: int = NEVER
    noted: tuple[str, str, str] = ("", "", "")  # reason, added_by, added_at as written


class Rows:
    """Reads the rows of one list. `trunk`: its entries are of a trunk each, whose name stands first."""

    def __init__(self, kind: str, per_trunk: bool, problem: Problem) -> None:
        self.kind = kind
        self.per_trunk = per_trunk
        self._columns = ((("trunk",),) if per_trunk else ()) + FIELDS[kind]
        self._problem = problem
        beside = set(BESIDE) - ({"expires"} if kind == "trunks" else set())
        beside |= {also for also, name in ALSO.items() if name in beside}
        self._known = {name for names in self._columns for name in names} | beside

    def is_header(self, entry: str) -> bool:
        """Whether the first line that says anything names columns."""
        return entry.partition(",")[0].strip().strip('"').lower() in self._known

    def split(self, entry: str, line: int, column: int) -> Row | None:
        """A plain line; None after a problem."""
        if len(self._columns) == 1:
            return Row(line, [(entry, column)])
        fields = []
        for part in entry.split(","):
            fields.append((part.strip(), column + len(part) - len(part.lstrip())))
            column += len(part) + 1
        is_pair = self.kind == "pairs"
        if len(fields) not in ((2, 3) if is_pair else (2,)):
            wanted = "caller,callee or caller,callee,last day" if is_pair else "trunk,number"
            meant = "write both numbers with a comma between" if is_pair else "write the trunk, a comma, the number"
            self._problem(line, fields[0][1], f"{len(fields)} fields instead of {wanted}", meant)
            return None
        return Row(line, fields)

    def below(self, entry: str, line: int, rest: Iterator[tuple[int, str]]) -> Iterator[Row]:
        """The rows below a header; `rest` are the numbered lines behind it."""
        written = [cell.strip().lower() for cell in next(csv.reader([entry]))]
        names = [ALSO.get(name, name) if name in self._known else name for name in written]
        sound = True
        for name in names:
            if name not in self._known:
                known = sorted(self._known)
                meant = next(iter(get_close_matches(name, known, 1)), "")
                self._problem(
                    line, 1, f"unknown column {name or 'without a name'}; known are {', '.join(known)}", meant
                )
                sound = False
        for columns in self._columns:
            if not any(name in names for name in columns):
                meant = f"write {columns[0]} as the name of a column"
                self._problem(line, 1, f"the column {' or '.join(columns)} is missing", meant)
                sound = False
        for at, text in rest if sound else ():
            if text.strip() and text.lstrip()[0] != "#":
                row = self._row(names, at, text.rstrip("\r\n"))
                if row is not None:
                    yield row

    def _row(self, names: list[str], line: int, text: str) -> Row | None:
        try:
            cells = [cell.strip() for cell in next(csv.reader([text], strict=True))]
        except csv.Error as error:
            what = "a quote that begins here has no end" if "end of data" in str(error) else f"no CSV: {error}"
            self._problem(line, max(text.find('"'), 0) + 1, what, "write the same quote behind it, within one line")
            return None
        if len(cells) > len(names):
            self._problem(
                line, 1, f"{len(cells)} fields under {len(names)} columns", 'write a field with a comma in "..."'
            )
            return None
        found = dict(zip(names, cells + [""] * (len(names) - len(cells)), strict=True))
        fields: list[tuple[str, int]] = []
        for columns in self._columns:
            name = next((name for name in columns if found.get(name)), "")
            at = max(text.find(found[name]), 0) + 1 if name else 1
            fields.append((BRAND + found[name] if name == "brand" else found.get(name, ""), at))
        end = self.end(found.get("expires", ""), line, max(text.rfind(found.get("expires", "")), 0) + 1)
        added_at = found.get("added_at", "")
        if added_at and instant(added_at) is None:
            self._problem(line, 1, f"added_at {added_at} is no date", "write 2026-11-26 or 2026-11-26T12:00:00Z")
        if end is None:
            return None
        return Row(line, fields, end, (found.get("reason", ""), found.get("added_by", ""), added_at))

    def end(self, written: str, line: int, column: int = 1) -> int | None:
        """The end that is written, NEVER for none, None after a problem. A day ends at its midnight, UTC."""
        if not written:
            return NEVER
        at = instant(written, after=True)
        if at is None:
            what = f"{written[:40]} is no date and no time"
            self._problem(line, column, what, "write 2027-01-31 or 2027-01-31T12:00:00Z")
        return at


def instant(written: str, after: bool = False) -> int | None:
    """Unix seconds of a day or an instant in ISO 8601, UTC where it names no zone; None for what is neither.

    Of a day its beginning, or what is `after` it.
    """
    try:
        if len(written) == 10:
            day = date.fromisoformat(written) + timedelta(days=after)
            return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        at = datetime.fromisoformat(written)
        return max(1, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError):
        return None


def numbered_entries(lines: Iterable[str]) -> Iterator[tuple[int, str, int, str]]:
    """(line, entry, its column, the whole line) of each line that says anything besides a comment."""
    for at, line in enumerate(lines, 1):
        entry, column = entry_of(line, at)
        if entry:
            yield at, entry, column, line


def entry_of(line: str, at: int) -> tuple[str, int]:
    """What stands on a line besides comment and space, and the column where it begins."""
    if at == 1:
        line = line.removeprefix("\ufeff")
    text = line.partition("#")[0]
    entry = text.strip()
    return entry, len(text) - len(text.lstrip()) + 1
