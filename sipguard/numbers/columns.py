"""Lists of numbers that come in columns: registries' change files, complaints, answers on reassigned numbers, any CSV.

Enters: rows of fields, with their place. Leaves: numbers added and deleted, by way of a Bulk, and refusals. Must not:
guess which column holds the numbers where a header does not say so.

    csv         a header, and a column of it
    complaints  the FTC's daily file of complaints: a header; the column of the company's number, which may be empty
    dno         a column of numbers or prefixes, with a header or without one
    reassigned  number, date of its disconnection, and yes, no or no data where it is an answer: only yes counts
    ftc-change  number or area code and number; A or D; date and time: in any order behind the number
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from sipguard.numbers.bulk import Bulk
from sipguard.numbers.errors import NumbersError
from sipguard.numbers.tally import class_of

COLUMNS: Final = ("csv", "complaints", "dno", "reassigned", "ftc-change")
REGISTRIES: Final = frozenset(
    {"ftc", "ftc-change", "complaints", "reassigned"}
)  # that hold numbers of subscribers only
_SIMPLE: Final = frozenset({"csv", "complaints", "dno"})  # forms whose rows say nothing but a number
ANSWERS: Final = frozenset({"yes", "no", "no data", "nodata"})  # of the database of reassigned numbers
_LOOKS_ANSWERED: Final = "rows with yes or no look like answers on reassigned numbers: write --format reassigned"
_NAMES: Final = (
    "number", "numbers", "tn", "phone", "phonenumber", "telephone", "telephonenumber", "companyphonenumber",
    "companyphone", "callernumber", "caller", "callerid", "callingnumber", "ani", "did", "msisdn", "dnonumber",
)  # fmt: skip
_COMPLAINED_OF: Final = ("companyphonenumber", "companyphone")
_ACTIONS: Final = {"A": "A", "ADD": "A", "ADDED": "A", "D": "D", "DEL": "D", "DELETE": "D", "DELETED": "D"}
_TEN: Final = re.compile(r"\+?1?[0-9]{10}")
_DATE: Final = re.compile(r"[0-9]{1,4}[0-9/.:T+ -]*(Z| ?[AaPp][Mm])?")


class NoSuchColumn(NumbersError):
    """What the header has, where the column of the numbers is not among it."""


class Columns:
    """Reads rows of one `form` of COLUMNS. `column`: a name in the header or a position from 1, "" for the usual ones.

    `delete` is called with the TNs that a change file takes off.
    """

    __slots__ = ("_at", "_bulk", "_column", "_delete", "_first", "_form", "column")

    def __init__(self, form: str, column: str, bulk: Bulk, delete: Callable[[str], None]) -> None:
        self._form = form
        self._column = column
        self._bulk = bulk
        self._delete = delete
        self._first = True
        self._at = 0
        self.column = ""  # that the numbers stand in: its name in the header, else its position; "" before that is read

    def begin(self) -> None:
        """Another file comes, with a header of its own."""
        self._first = True

    @property
    def place(self) -> int:
        """Where the numbers stand in a row, from 0; -1 before the header was read."""
        return -1 if self._first else self._at

    def resume(self, place: int, column: str) -> None:
        """Goes on within a file whose header was read before; `place` and `column` as they were told then."""
        self._first, self._at, self.column = place < 0, max(place, 0), column

    def feed(self, fields: Sequence[str], line: int, raw: str) -> None:
        """One row, as it stands at `line` in `raw`. Raises NoSuchColumn at a header that does not name the numbers."""
        fields = [field.strip() for field in fields]
        if not any(fields):
            self._bulk.tally.empty += 1
            return
        if self._first:
            self._first = False
            is_header = self._is_header(fields)
            if self._form != "ftc-change":  # whose columns may stand in any order
                self.column = fields[self._at] if is_header and self._at < len(fields) else str(self._at + 1)
            if is_header:
                self._bulk.tally.passed_over += 1
                return
        if self._form == "ftc-change":
            self._change(fields, line, raw)
            return
        text = fields[self._at] if self._at < len(fields) else ""
        tally = self._bulk.tally
        if self._form == "reassigned":
            answers = {field.lower().replace("_", " ") for field in fields}
            if answers & ANSWERS - {"yes"}:
                tally.passed_over += 1
                return
        if text and self._bulk.quick(text):
            return
        if not text:
            if self._form == "complaints":
                tally.empty += 1
            else:
                tally.refuse(line, 1, "missing", "a number is missing")
            return
        column = raw.find(text) + 1
        tn = self._bulk.number(text, line, column)
        if tn:
            self._bulk.take(tn, text, line, column)

    def feed_simple(self, chunk: bytes) -> bool:
        """Takes whole lines at once whose rows are simple: no quotes, the number where it stands in all, nothing else
        to be heeded. Whether they were; nothing was taken of others."""
        if self._first or self._form not in _SIMPLE or b'"' in chunk or b"#" in chunk:
            return False
        lines = chunk.split(b"\n")
        lines.pop()
        at = self._at
        try:
            if at:
                fields = [line.split(b",", at + 1)[at].strip() for line in lines]
            else:
                fields = [line.partition(b",")[0].strip() for line in lines]
        except IndexError:  # a row that ends before
            return False
        if not all(fields) and not (self._form == "complaints" and all(line.strip(b", \r") for line in lines)):
            return False
        if b"\r" in chunk and chunk.count(b"\r") != chunk.count(b"\r\n"):
            return False
        self._bulk.feed(b"\n".join(fields) + b"\n")
        return True

    def _is_header(self, fields: Sequence[str]) -> bool:
        """Whether a first row is one; sets where the numbers stand. Raises NoSuchColumn."""
        names = ["".join(c for c in field.lower() if c.isalnum()) for field in fields]
        needed = self._form in ("csv", "complaints")
        header = needed or not any(any(c.isdigit() for c in field) for field in fields)
        if self._column.isdecimal():
            self._at = int(self._column) - 1
            if not 0 <= self._at < len(fields):
                raise NoSuchColumn(f"there is no column {self._column}, only {len(fields)}")
            return header and not any(c.isdigit() for c in fields[self._at])
        if not header:
            if self._column:
                raise NoSuchColumn(f"no header names the column {self._column}; give its position, from 1")
            return False
        wanted = (self._column,) if self._column else ()
        known = _COMPLAINED_OF if self._form == "complaints" else _NAMES
        for name in wanted:
            if name.lower() in [field.lower() for field in fields]:
                self._at = [field.lower() for field in fields].index(name.lower())
                return True
            raise NoSuchColumn(f"the header has no column {name}, only: {', '.join(fields)[:200]}")
        found = [at for at, name in enumerate(names) if name in known]
        if len(found) == 1:
            self._at = found[0]
            return True
        if needed:
            listed = ", ".join(fields)[:200]
            if found:
                raise NoSuchColumn(f"several columns may hold the numbers: name one of {listed} with --column")
            if any(_TEN.fullmatch("".join(c for c in field if c.isalnum() or c == "+")) for field in fields):
                if any(map(is_answer, fields)):
                    raise NoSuchColumn(f"a number stands where a header is wanted ({listed}); {_LOOKS_ANSWERED}")
                what = f"a number stands where a header is wanted ({listed}): write --column with the position of the"
                raise NoSuchColumn(
                    f"{what} numbers, such as --column 1, or --format reassigned, dno or list, which need none"
                )
            raise NoSuchColumn(
                f"no column of the header is known to hold the numbers: name one of {listed} with --column"
            )
        return True

    def _change(self, fields: Sequence[str], line: int, raw: str) -> None:
        """A row of a change file."""
        tally = self._bulk.tally
        actions = [_ACTIONS[field.upper()] for field in fields if field.upper() in _ACTIONS]
        rest = [field for field in fields if field and field.upper() not in _ACTIONS]
        if len(actions) != 1:
            what = "several of A and D" if actions else "neither A nor D"
            tally.refuse(line, 1, "no_action", f"{raw[:40].strip()}: {what}")
            return
        number, dates = _number_of(rest)
        for date in dates:
            if _DATE.fullmatch(date) is None:
                tally.refuse(line, raw.find(date) + 1, "no_date", f"{date[:40]} is no date or time")
                return
        column = raw.find(rest[0]) + 1 if rest else 1
        tn = self._bulk.number(number, line, column)
        if not tn:
            return
        if len(tn) != 11 or tn[0] != "1":
            tally.refuse(line, column, class_of(number, tn), f"{number[:40]} is no number of the registry")
            return
        if actions[0] == "A":
            self._bulk.take(tn, number, line, column)
        else:
            tally.deleted += 1
            self._delete(tn)


def is_answer(field: str) -> bool:
    """Whether a field is one of ANSWERS, however it is written."""
    return field.lower().replace("_", " ") in ANSWERS


def _number_of(fields: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The number in the fields of a change, and what else stands there; the first field where none looks like one."""
    for at, field in enumerate(fields):
        following = fields[at + 1] if at + 1 < len(fields) else ""
        if field.isdecimal() and following.isdecimal() and {len(field), len(following)} == {3, 7}:
            area, local = (field, following) if len(field) == 3 else (following, field)
            return area + local, [*fields[:at], *fields[at + 2 :]]
        if _TEN.fullmatch(field) is not None:
            return field, [*fields[:at], *fields[at + 1 :]]
    return (fields[0], fields[1:]) if fields else ("", ())
