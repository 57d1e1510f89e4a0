"""Lists of numbers as people and registries write them.

Enters: lines of text. Leaves: canonical numbers, prefixes or pairs, and every problem with its place.
Must not: stop at the first problem, or let a line through that it had to guess.

One entry a line; blank lines and what follows `#` are ignored; a BOM and CRLF are no problem.

    plain   a number in any usual writing, or a prefix with a trailing `*`: +1202555*
    pairs   caller,callee
    ftc     the Do-Not-Call registry's full file: 201,5550123 (plain entries are read too)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sipguard.numbers.canonical import E164, SHORT, UNKNOWN, Number, read
from sipguard.numbers.numberset import build, build_pairs, is_digits
from sipguard.numbers.rules import READ_AS_NANP, NumberRules

FORMATS: Final = ("plain", "ftc")
KEPT_PROBLEMS: Final = 1000  # a wrong file may have one on every line


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place of a list; `line` and `column` count from 1, `meant` may be empty."""

    line: int
    column: int
    what: str
    meant: str = ""

    def __str__(self) -> str:
        meant = f"; did you mean {self.meant}" if self.meant else ""
        return f"{self.line}:{self.column}: {self.what}{meant}"


class ListReader:
    """Reads one list. `problems` holds the first KEPT_PROBLEMS, `problem_count` says how many there were.

    `prefixes` is filled while `numbers` runs; it is complete when that has ended.
    """

    def __init__(self, form: str = "plain", rules: NumberRules = READ_AS_NANP) -> None:
        self.form = form
        self.rules = rules
        self.prefixes: list[str] = []
        self.problems: list[Problem] = []
        self.problem_count = 0

    def numbers(self, lines: Iterable[str]) -> Iterator[str]:
        """The canonical numbers of a list, one after the other; memory does not grow with the list."""
        ftc = self.form == "ftc"
        for at, line in enumerate(lines, 1):
            entry = line.rstrip()
            if ftc and len(entry) == 11 and entry[3] == ",":
                digits = entry[:3] + entry[4:]
                if digits.isascii() and digits.isdigit():
                    yield "1" + digits
                    continue
            entry, column = _entry(line, at)
            if not entry:
                continue
            if entry[-1] == "*" and len(entry) > 1:
                self._prefix(entry[:-1], at, column)
                continue
            tn = self._number(entry, at, column)
            if tn:
                yield tn

    def pairs(self, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The canonical pairs (caller, callee) of a list of pairs."""
        for at, line in enumerate(lines, 1):
            entry, column = _entry(line, at)
            if not entry:
                continue
            parts = entry.split(",")
            if len(parts) != 2:
                self._problem(at, column, f"{len(parts)} fields instead of caller,callee")
                continue
            second = column + len(parts[0]) + 1 + len(parts[1]) - len(parts[1].lstrip())
            caller = self._number(parts[0].rstrip(), at, column)
            callee = self._number(parts[1].strip(), at, second)
            if caller and callee:
                yield caller, callee

    def _number(self, entry: str, line: int, column: int) -> str:
        """The TN of one entry; "" after a problem."""
        number = read(entry, self.rules)
        tn = number.tn
        if is_digits(tn) and (number.form in (E164, SHORT) or (number.form == UNKNOWN and len(tn) == 10)):
            return tn  # ten digits that are no NANP number: lists of impossible callers hold such
        self._problem(line, column, *_why_not(entry, number))
        return ""

    def _prefix(self, entry: str, line: int, column: int) -> None:
        """Keep the canonical form of a prefix."""
        written = entry.strip()
        digits = "".join(c for c in written if c not in "+-(). ")
        if not is_digits(digits):
            self._problem(line, column, f"{entry}* is no prefix: digits and a trailing * are")
        elif written[0] == "+" or digits[0] == "1":
            self.prefixes.append(digits)
        elif digits.startswith("011") and len(digits) > 3:
            self.prefixes.append(digits[3:])
        elif 3 <= len(digits) <= 9 and digits[0] in "23456789" and self.rules.default_cc == "1":
            self.prefixes.append("1" + digits)
        else:
            self._problem(line, column, f"{entry}* may begin a country code or an area code", f"+{digits}*")

    def _problem(self, line: int, column: int, what: str, meant: str = "") -> None:
        self.problem_count += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(Problem(line, column, what, meant))


def _entry(line: str, at: int) -> tuple[str, int]:
    """What stands on a line besides comment and space, and the column where it begins."""
    if at == 1:
        line = line.removeprefix("\ufeff")
    text = line.partition("#")[0]
    entry = text.strip()
    return entry, len(text) - len(text.lstrip()) + 1


def _why_not(entry: str, number: Number) -> tuple[str, str]:
    """Why an entry is no number, and what was probably meant."""
    if not entry:
        return "a number is missing", ""
    if "\0" in entry:
        return "not UTF-8 text", "a file saved as UTF-8"
    if "," in entry:
        return f"{entry} has a comma", "format: ftc, or kind: pairs"
    digits = number.tn
    if not digits:
        return f"{entry[:40]} is no telephone number", ""
    if not is_digits(digits):
        return f"{entry[:40]} is no number of 1 to 18 digits", ""
    meant = f"+{digits}" if 8 <= len(digits) <= 15 and digits[0] not in "01" else ""
    return f"{entry} has {len(digits)} digits, a number without + has 10, or 11 with a 1", meant


def compile_list(
    source: Path, target: Path, kind: str = "numbers", form: str = "plain", rules: NumberRules = READ_AS_NANP
) -> tuple[int, ListReader]:
    """Build the set file `target` from the text file `source`; how many members, and the problems.

    Nothing is left at `target` of a list with problems, what stood there stays. Raises OSError.
    """
    reader = ListReader(form, rules)
    staged = target.with_name(target.name + ".new")
    with source.open(encoding="utf-8", errors="replace") as lines:
        if kind == "pairs":
            count = build_pairs(staged, reader.pairs(lines))
        else:
            count = build(staged, reader.numbers(lines), reader.prefixes)
    if reader.problem_count:
        staged.unlink()
    else:
        staged.replace(target)
    return count, reader
