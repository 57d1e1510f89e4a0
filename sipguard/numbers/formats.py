"""Lists as people and registries write them.

Enters: lines of text. Leaves: canonical entries, and every problem with its place.
Must not: stop at the first problem, or let a line through that it had to guess.

One entry a line; blank lines and what follows `#` are ignored; a BOM and CRLF are no problem.

    numbers   a number in any usual writing, a prefix with a trailing `*`: +1202555*, a range +12025550100-+12025550199
    pairs     caller,callee; caller,callee,2027-01-31 with the last day; brand:Example Pharmacy,callee
    networks  an IP address, or a network: 192.0.2.0/24
    texts     a text, or one with `*`
    trunks    the name of a trunk
    by trunk  the name of a trunk, a comma, and what stands on a list of numbers

The format ftc is that of the Do-Not-Call registry's full file: 201,5550123 (plain numbers are read too). Where the
first line names columns, as number,reason,expires does, the file is CSV.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Final

from sipguard.numbers import notes
from sipguard.numbers.canonical import E164, SHORT, UNKNOWN, read
from sipguard.numbers.code import code_of, is_digits
from sipguard.numbers.networkset import Network, build_networks, network_of
from sipguard.numbers.notes import Note
from sipguard.numbers.notnumber import why
from sipguard.numbers.numberset import Content, build, build_by_trunk
from sipguard.numbers.pairset import Pair, build_pairs
from sipguard.numbers.rows import BRAND, Row, Rows, entry_of, numbered_entries
from sipguard.numbers.rules import READ_AS_NANP, NumberRules
from sipguard.numbers.textset import LONGEST_TEXT, MOST_PATTERNS, build_texts, folded
from sipguard.numbers.wide import NEVER, Range

FORMATS: Final = ("plain", "ftc")
KEPT_PROBLEMS: Final = 1000  # a wrong file may have one on every line


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place of a list; `line` and `column` count from 1. `meant`: a value, `write ...`, or ""."""

    line: int
    column: int
    what: str
    meant: str = ""

    @property
    def hint(self) -> str:
        """How it is mended, "" where nothing is certain."""
        return self.meant if not self.meant or self.meant.startswith("write ") else f"did you mean {self.meant}?"

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.what}" + (f"; {self.hint}" if self.hint else "")


class ListReader:
    """Reads one list. `problems` holds the first KEPT_PROBLEMS, `problem_count` says how many there were.

    `prefixes` and `ending` (numbers that end), each with its end, `ranges` and `ending_pairs` are filled while
    `numbers` or `pairs` runs, `notes` by all; they are complete when that has ended. `trunks`: names that there are.
    `ranges`: whether there may be any.
    """

    def __init__(
        self,
        form: str = "plain",
        rules: NumberRules = READ_AS_NANP,
        kind: str = "numbers",
        per_trunk: bool = False,
        trunks: Collection[str] = (),
        ranges: bool = True,
    ) -> None:
        self.form = form
        self.rules = rules
        self.prefixes: dict[str, int] = {}
        self.ranges: list[Range] = []
        self.ending: dict[str, int] = {}
        self.ending_pairs: list[tuple[str, str, int]] = []
        self.notes: list[Note] = []
        self.problems: list[Problem] = []
        self.problem_count = 0
        self._trunks = trunks
        self._may_have_ranges = ranges
        self._rows = Rows(kind, per_trunk, self._problem)

    def numbers(self, lines: Iterable[str]) -> Iterator[str]:
        """The canonical numbers of a list that never end, one after the other; memory does not grow with the list."""
        ftc = self.form == "ftc"
        may_be_header = True
        numbered = enumerate(lines, 1)
        for at, line in numbered:
            entry = line.rstrip()
            if ftc and len(entry) == 11 and entry[3] == ",":
                digits = entry[:3] + entry[4:]
                if digits.isascii() and digits.isdigit():
                    yield "1" + digits
                    continue
            entry, column = entry_of(line, at)
            if not entry:
                continue
            if may_be_header:
                may_be_header = False
                if self._rows.is_header(entry):
                    yield from self._numbers_of(self._rows.below(entry, at, numbered))
                    return
            canonical = self.canonical(entry, at, column)
            if at == 1 and "," in entry and not canonical and not ftc:
                return  # it is another kind of file, and so would be said of each line
            if canonical.isdigit():
                yield canonical
            elif canonical:
                _put(canonical, NEVER, self.prefixes, self.ranges)

    def _numbers_of(self, rows: Iterable[Row]) -> Iterator[str]:
        """As `numbers`, of rows of CSV."""
        for row in rows:
            canonical = self.canonical(row.fields[0][0], row.line, row.fields[0][1])
            if not canonical:
                continue
            self._note(canonical, row)
            if not canonical.isdigit():
                _put(canonical, row.end, self.prefixes, self.ranges)
            elif row.end == NEVER:
                yield canonical
            else:
                _latest(self.ending, canonical, row.end)

    def by_trunk(self, lines: Iterable[str]) -> dict[str, Content]:
        """Of a list by trunk the content for each trunk."""
        members: dict[str, array[int]] = {}
        found: dict[str, Content] = {}
        for row in self._rows_of(lines):
            trunk, column = row.fields[0]
            canonical = self.canonical(row.fields[1][0], row.line, row.fields[1][1])
            if not self._is_trunk(trunk, row.line, column) or not canonical:
                continue
            self._note(f"{trunk},{canonical}", row)
            if trunk not in found:
                own = members[trunk] = array("Q")
                found[trunk] = Content(_numbers_in(own), {}, [], {})
            content = found[trunk]
            if not canonical.isdigit():
                _put(canonical, row.end, content.prefixes, content.ranges)
            elif row.end == NEVER:
                members[trunk].append(code_of(canonical))
            else:
                _latest(content.ending, canonical, row.end)
        return found

    def pairs(self, lines: Iterable[str]) -> Iterator[Pair]:
        """The canonical pairs (caller or name, callee) of a list of pairs that never end."""
        for row in self._rows_of(lines):
            end: int | None = row.end
            if len(row.fields) > 2:
                end = self._rows.end(row.fields[2][0], row.line, row.fields[2][1])
            caller = self._caller(row.fields[0][0], row.line, row.fields[0][1])
            callee = self._number(row.fields[1][0], row.line, row.fields[1][1])
            if not caller or not callee or end is None:
                continue
            self._note(f"{caller},{callee}", row)
            if end == NEVER:
                yield caller, callee
            else:
                self.ending_pairs.append((caller, callee, end))

    def texts(self, lines: Iterable[str]) -> dict[str, int]:
        """The texts of a list, folded, each with its end."""
        found: dict[str, int] = {}
        for row in self._rows_of(lines):
            text = self._text(row.fields[0][0], row.line, row.fields[0][1])
            if text:
                self._note(text, row)
                _latest(found, text, row.end)
        patterns = sum(1 for text in found if "*" in text[:-1])
        if patterns > MOST_PATTERNS:
            self._problem(1, 1, f"{patterns} texts have a * elsewhere than at their end, at most {MOST_PATTERNS} may")
        return found

    def networks(self, lines: Iterable[str]) -> dict[Network, int]:
        """The networks of a list, each with its end."""
        found: dict[Network, int] = {}
        for row in self._rows_of(lines):
            written, column = row.fields[0]
            network, meant = network_of(written)
            if network is None:
                meant = meant or "write such as 192.0.2.0/24"
                self._problem(row.line, column, f"{written[:60]} is no IP address and no network", meant)
                continue
            self._note(str(network), row)
            found[network] = max(row.end, found.get(network, 0))
        return found

    def names(self, lines: Iterable[str]) -> dict[str, int]:
        """The trunks of a list of trunks, each with its end."""
        found: dict[str, int] = {}
        for row in self._rows_of(lines):
            name, column = row.fields[0]
            if self._is_trunk(name, row.line, column):
                self._note(name, row)
                _latest(found, name, row.end)
        return found

    def entries(self, lines: Iterable[str]) -> Iterator[str]:
        """The canonical entries of a list of any kind, of a small one: it is held in memory."""
        kind = self._rows.kind
        if self._rows.per_trunk:
            for trunk, content in self.by_trunk(lines).items():
                yield from (f"{trunk},{entry}" for entry in _entries_in(content))
        elif kind == "numbers":
            yield from _entries_in(Content(self.numbers(lines), self.prefixes, self.ranges, self.ending))
        elif kind == "pairs":
            for caller, callee, *_ in chain(self.pairs(lines), self.ending_pairs):
                yield f"{caller},{callee}"
        elif kind == "networks":
            yield from map(str, self.networks(lines))
        else:
            yield from self.texts(lines) if kind == "texts" else self.names(lines)

    def read_through(self, lines: Iterable[str]) -> None:
        """Reads a list of any size and kind for its problems only."""
        kind = self._rows.kind
        if self._rows.per_trunk or kind not in ("numbers", "pairs"):
            for _ in self.entries(lines):
                pass
        else:
            found: Iterable[object] = self.pairs(lines) if kind == "pairs" else self.numbers(lines)
            for _ in found:
                pass

    # -------------------------------------------------------------------------------- one entry

    def canonical(self, entry: str, line: int, column: int) -> str:
        """A number, prefix (1202555*) or range (12025550100-12025550199) in its one form; "" after a problem."""
        if entry[-1:] == "*" and len(entry) > 1:
            return self._prefix(entry[:-1], line, column)
        ends = _ends_of_range(entry)
        if not ends:
            return self._number(entry, line, column)
        if not self._may_have_ranges:
            self._problem(line, column, f"{entry} is a range, which stands in the file of a list and is not imported")
            return ""
        first, last = (self._number(each, line, column) for each in ends)
        if not first or not last:
            return ""
        if len(first) != len(last) or first > last:
            meant = f"write {ends[1]}-{ends[0]}" if len(first) == len(last) else "write both with all their digits"
            self._problem(line, column, f"{entry} is no range: from a number to a later one of as many digits", meant)
            return ""
        return first if first == last else f"{first}-{last}"

    def _caller(self, entry: str, line: int, column: int) -> str:
        """The first of a pair: a number, or the name behind `brand:`, folded; "" after a problem."""
        if not entry.startswith(BRAND):
            return self._number(entry, line, column, f"{BRAND}{entry}" if entry and entry[0].isalpha() else "")
        name = self._text(entry.removeprefix(BRAND), line, column + len(BRAND))
        if not name or ("," not in name and "*" not in name and not is_digits(name)):
            return name
        self._problem(line, column, f"{entry[:60]} is no name: letters, without comma and *")
        return ""

    def _text(self, written: str, line: int, column: int) -> str:
        """A text as it is compared; "" after a problem."""
        text = folded(written)
        if text and len(text) <= LONGEST_TEXT and text.isprintable():
            return text
        self._problem(line, column, f"{written[:40]!r} is no text of 1 to {LONGEST_TEXT} printable characters")
        return ""

    def _is_trunk(self, name: str, line: int, column: int) -> bool:
        if name in self._trunks:
            return True
        meant = next(iter(get_close_matches(name, self._trunks, 1)), "write the name of a trunk of the configuration")
        self._problem(line, column, f"{name[:60]} is no trunk", meant)
        return False

    def _note(self, entry: str, row: Row) -> None:
        """Keeps what stands beside an entry, if anything does."""
        if any(row.noted):
            self.notes.append(Note(entry, row.line, *row.noted))

    def _rows_of(self, lines: Iterable[str]) -> Iterator[Row]:
        """The rows of a list that is no plain list of numbers."""
        found = numbered_entries(lines)
        for n, (at, entry, column, _) in enumerate(found):
            if n == 0 and self._rows.is_header(entry):
                yield from self._rows.below(entry, at, ((at, line) for at, _, _, line in found))
                return
            row = self._rows.split(entry, at, column)
            if row is not None:
                yield row

    def _number(self, entry: str, line: int, column: int, meant: str = "") -> str:
        """The TN of one entry; "" after a problem."""
        number = read(entry, self.rules)
        tn = number.tn
        if is_digits(tn) and (number.form in (E164, SHORT) or (number.form == UNKNOWN and len(tn) == 10)):
            return tn  # ten digits that are no NANP number: lists of impossible callers hold such
        what, probably = why(entry, number)
        self._problem(line, column, what, meant or probably)
        return ""

    def _prefix(self, entry: str, line: int, column: int) -> str:
        """The canonical form of a prefix, * at its end; "" after a problem."""
        written = entry.strip()
        digits = "".join(c for c in written if c not in "+-(). ")
        if not is_digits(digits):
            self._problem(
                line, column, f"{entry}* is no prefix: digits and a trailing * are", "write such as +1202555*"
            )
        elif written[0] == "+" or digits[0] == "1":
            return digits + "*"
        elif digits.startswith("011") and len(digits) > 3:
            return digits[3:] + "*"
        elif 3 <= len(digits) <= 9 and digits[0] in "23456789" and self.rules.default_cc == "1":
            return f"1{digits}*"
        else:
            self._problem(line, column, f"{entry}* may begin a country code or an area code", f"+{digits}*")
        return ""

    def _problem(self, line: int, column: int, what: str, meant: str = "") -> None:
        self.problem_count += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(Problem(line, column, what, meant))


def _put(canonical: str, end: int, prefixes: dict[str, int], ranges: list[Range]) -> None:
    """Adds a prefix or a range."""
    if canonical[-1] == "*":
        _latest(prefixes, canonical[:-1], end)
    else:
        first, _, last = canonical.partition("-")
        ranges.append((code_of(first), code_of(last), end))


def _latest(ends: dict[str, int], entry: str, end: int) -> None:
    """Of several ends of an entry the latest counts."""
    ends[entry] = max(end, ends.get(entry, 0))


def _numbers_in(codes: Iterable[int]) -> Iterator[str]:
    """The numbers that stand for codes, as they are when they are asked for."""
    for code in codes:
        yield str(code)[1:]


def _entries_in(content: Content) -> Iterator[str]:
    """Every entry of a list of numbers."""
    yield from content.numbers
    yield from content.ending
    yield from (f"{prefix}*" for prefix in content.prefixes)
    yield from (f"{str(first)[1:]}-{str(last)[1:]}" for first, last, _ in content.ranges)


def _ends_of_range(entry: str) -> tuple[str, str] | None:
    """First and last number of a range as written: +12025550100-+12025550199, or ten digits and more on both sides."""
    if "-" not in entry:
        return None
    first, plus, last = entry.partition("-+")
    if plus and first[:1] == "+":
        return first.strip(), "+" + last.strip()
    first, _, last = (part.strip() for part in entry.partition("-"))
    return (first, last) if min(len(first), len(last)) >= 10 and first.isdigit() and last.isdigit() else None


def compile_list(
    source: Path,
    target: Path,
    kind: str = "numbers",
    form: str = "plain",
    rules: NumberRules = READ_AS_NANP,
    per_trunk: bool = False,
    trunks: Collection[str] = (),
) -> tuple[int, ListReader]:
    """Build the set file `target` from the text file `source`; how many members, and the problems.

    What stands beside entries goes into a file of notes beside it. Nothing is left at `target` of a list with
    problems, what stood there stays. Raises OSError.
    """
    reader = ListReader(form, rules, kind, per_trunk, trunks)
    staged = target.with_name(target.name + ".new")
    with source.open(encoding="utf-8", errors="replace", newline="") as lines:
        count = _build(reader, staged, lines, kind, per_trunk)
    if reader.problem_count:
        staged.unlink()
    else:
        notes.write(notes.beside(target), reader.notes)
        staged.replace(target)
    return count, reader


def _build(reader: ListReader, staged: Path, lines: Iterable[str], kind: str, per_trunk: bool) -> int:
    if per_trunk:
        return build_by_trunk(staged, reader.by_trunk(lines))
    if kind == "pairs":
        return build_pairs(staged, chain(reader.pairs(lines), reader.ending_pairs))
    if kind == "networks":
        return build_networks(staged, reader.networks(lines))
    if kind == "numbers":
        return build(staged, reader.numbers(lines), reader.prefixes, reader.ranges, reader.ending)
    return build_texts(staged, reader.texts(lines) if kind == "texts" else reader.names(lines))
