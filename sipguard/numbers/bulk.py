"""Lists of any size, read as octets: a bit for each number of the NANP.

Enters: octets of whole lines. Leaves: bits that are set, numbers from elsewhere, prefixes, a tally. Must not: make an
object of a line that is digits in one of the usual writings, or read any line otherwise than ListReader does.

A million lines of one writing take some 0.3 s of CPU on a machine of today: they are told to be of one writing by their
line ends alone, and split by the interpreter. Lines of other files are told apart one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import repeat
from typing import Final, Protocol

from sipguard.numbers.canonical import IMPOSSIBLE, classify, read
from sipguard.numbers.formats import KEPT_PROBLEMS, ListReader
from sipguard.numbers.tally import NOBODYS, Tally, class_of, reason_of
from sipguard.numbers.wide import Range

NANP: Final = 10_000_000_000  # bits: one for each ten digits
_BIT: Final = bytes(1 << at for at in range(8))
_EXCHANGE: Final = 10_000  # numbers that share NPA and NXX
WHY: Final = {
    "invalid_npa": "no area code begins like this",
    "n11": "an area code or exchange of the form N11 has no numbers",
    "invalid_format": "no number has this form",
    "short": "a number without its area code",
}


class Bits(Protocol):
    """Octets that can be written to: a mapped file."""

    def __getitem__(self, at: int, /) -> int: ...

    def __setitem__(self, at: int, octet: int, /) -> None: ...


class Bulk:
    """Reads one list of numbers. `elsewhere` is called with each TN that is no NANP number.

    `form` as for ListReader. `strict`: impossible numbers are refused, as registries of subscribers hold none.
    """

    __slots__ = (
        "_at",
        "_bits",
        "_comma",
        "_elsewhere",
        "_form",
        "_long",
        "_short",
        "_strict",
        "_text",
        "prefixes",
        "ranges",
        "tally",
    )

    def __init__(self, form: str, bits: Bits, elsewhere: Callable[[str], None], strict: bool, tally: Tally) -> None:
        self._form = form
        self._bits = bits
        self._elsewhere = elsewhere
        self._strict = strict
        self._comma = form == "ftc"
        self._short = (
            _possible() if strict else _with_area_code()
        )  # by NPA and NXX: whether 10 digits are taken at once
        self._long = self._short if strict else bytes(repeat(1, 1_000_000))  # the same of 1 and 10 digits
        self._at = 0
        self._text = ""
        self.prefixes: set[str] = set()
        self.ranges: list[Range] = []
        self.tally = tally

    def feed(self, chunk: bytes) -> None:
        """Reads whole lines; only the last line of a file may lack its end."""
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = chunk.count(b"\n")
        if not lines or not self._uniform(chunk, lines):
            self._one_by_one(chunk)
            return
        self.tally.lines += lines

    def quick(self, text: str) -> bool:
        """Takes a field that is simply digits and possible; whether it was one."""
        size = len(text)
        if not (text.isascii() and text[1:].isdigit()):
            return False
        if size == 10 and text[0] != "+":
            value, possible = int(text), self._short
        elif (size == 11 and text[0] == "1") or (size == 12 and text[:2] == "+1"):
            value, possible = int(text) - NANP, self._long
        else:
            return False
        if not possible[value // _EXCHANGE]:
            return False
        self._bits[value >> 3] |= _BIT[value & 7]
        self.tally.accepted += 1
        return True

    def take(self, tn: str, entry: str, line: int, column: int) -> bool:
        """A TN that was read from `entry` at a place: taken, or refused where the list is strict."""
        found = class_of(entry, tn)
        if found in NOBODYS:
            if self._strict:
                self.tally.refuse(line, column, found, f"{entry[:40]}: {WHY[found]}")
                return False
            self.tally.odd[found] += 1
        self.tally.accepted += 1
        if len(tn) == 11 and tn[0] == "1":
            value = int(tn) - NANP
            self._bits[value >> 3] |= _BIT[value & 7]
        else:
            self._elsewhere(tn)
        return True

    def number(self, text: str, line: int, column: int) -> str:
        """The TN in a field of a row, "" after it was refused. Prefixes and ranges are kept."""
        reader = ListReader(ranges=not self._strict)
        for tn in reader.numbers(("", text)):
            return tn
        self.tally.accepted += self._keep_wide(reader)
        for problem in reader.problems:
            entry = text.strip()
            self.tally.refuse(line, column + problem.column - 1, reason_of(entry), problem.what)
        return ""

    def _keep_wide(self, reader: ListReader) -> int:
        """Keeps prefixes and ranges; how many there were."""
        self.prefixes.update(reader.prefixes)
        self.ranges += reader.ranges
        return len(reader.prefixes) + len(reader.ranges)

    def _uniform(self, chunk: bytes, lines: int) -> bool:
        """Reads a chunk whose lines are all digits in the same writing; whether it is one."""
        width = len(chunk) // lines
        if width * lines != len(chunk) or not 11 <= width <= 13 or chunk[width - 1 :: width] != b"\n" * lines:
            return False
        digits = chunk
        if width == 12 and self._comma and chunk[3::12] == b"," * lines:
            width, digits = 11, chunk.translate(None, b",")
        elif width == 13 and chunk[::13] == b"+" * lines:
            width, digits = 12, chunk.translate(None, b"+")
        if len(digits) != width * lines or not digits.translate(None, b"\n").isdigit():
            return False
        possible, base = self._short, 0
        if self._comma and digits is not chunk and not self._strict:
            possible = self._long  # ListReader asks nothing of NPA,NXXXXXX
        if width == 12:
            if digits[::12] != b"1" * lines:
                return False
            possible, base = self._long, NANP
        elif width != 11:
            return False
        left = self._set(digits, possible, base)
        self.tally.accepted += lines - left
        if left:
            at, long = self.tally.lines + 1, len(chunk) // lines
            self._carefully([(at + n, chunk[n * long : (n + 1) * long - 1]) for n in _left(digits, possible, base)])
        return True

    def _set(self, digits: bytes, possible: bytes, base: int) -> int:
        """Sets the bits of all that are possible; how many are not."""
        bits, bit, exchange, left = self._bits, _BIT, _EXCHANGE, 0
        for value in map(int, digits.split()):
            value -= base
            if possible[value // exchange]:
                bits[value >> 3] |= bit[value & 7]
            else:
                left += 1
        return left

    def _one_by_one(self, chunk: bytes) -> None:
        """Reads lines that differ; what is not simply digits is left to ListReader."""
        slow: list[tuple[int, bytes]] = []
        bits, short, long_, comma = self._bits, self._short, self._long, self._comma
        taken, at = 0, self.tally.lines
        ahead = short if self._strict else long_
        lines = chunk.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for line in lines:
            at += 1
            size = len(line)
            if size == 10 and line.isdigit():
                value, possible = int(line), short
            elif comma and size == 11 and line[3] == 44 and (plain := line[:3] + line[4:]).isdigit():
                value, possible = int(plain), ahead
            elif (size == 11 and line[0] == 49 and line.isdigit()) or (
                size == 12 and line[:2] == b"+1" and line[1:].isdigit()
            ):
                value, possible = int(line) - NANP, long_
            else:
                slow.append((at, line))
                continue
            if possible[value // _EXCHANGE]:
                bits[value >> 3] |= _BIT[value & 7]
                taken += 1
            else:
                slow.append((at, line))
        self.tally.accepted += taken
        self._carefully(slow)
        self.tally.lines = at

    def _carefully(self, lines: list[tuple[int, bytes]]) -> None:
        """Reads lines by ListReader, a part at a time, since it keeps that many problems."""
        for start in range(0, len(lines), KEPT_PROBLEMS):
            part = lines[start : start + KEPT_PROBLEMS]
            reader = ListReader(self._form, ranges=not self._strict)
            found = refused = 0
            for tn in reader.numbers(self._fed(part)):
                found += 1
                entry = self._text.partition("#")[0]
                self.take(tn, entry.strip(), self._at, len(entry) - len(entry.lstrip()) + 1)
            for problem in reader.problems:
                line, octets = part[problem.line - 2]
                entry = octets.decode("utf-8", "replace").partition("#")[0].strip()
                self.tally.refuse(line, problem.column, reason_of(entry), problem.what)
                refused += 1
            wide = self._keep_wide(reader)
            self.tally.accepted += wide
            self.tally.empty += len(part) - found - refused - wide

    def _fed(self, part: list[tuple[int, bytes]]) -> Iterator[str]:
        """The lines as text, behind an empty one: only the first line of a file may have a BOM."""
        yield ""
        for self._at, octets in part:
            self._text = octets.decode("utf-8", "replace")
            yield self._text


def _left(digits: bytes, possible: bytes, base: int) -> list[int]:
    """Which lines of a uniform chunk are not possible, from 0."""
    return [at for at, value in enumerate(map(int, digits.split())) if not possible[(value - base) // _EXCHANGE]]


@cache
def _with_area_code() -> bytes:
    """For each NPA and NXX whether ten digits that begin so are a NANP number, as `read` has it."""
    return b"".join(bytes(repeat(read(f"{npa:03d}5550100").tn[0] == "1" and npa > 199, 1000)) for npa in range(1000))


@cache
def _possible() -> bytes:
    """For each NPA and NXX whether such a number can be somebody's."""
    rows: dict[tuple[bool, ...], bytes] = {}
    found = []
    for npa in range(1000):
        kinds = tuple(classify(read(f"+1{npa:03d}{nxx}0100")) not in IMPOSSIBLE for nxx in ("055", "211", "555"))
        row = rows.get(kinds)
        if row is None:
            row = rows[kinds] = bytes(
                classify(read(f"+1{npa:03d}{nxx:03d}0100")) not in IMPOSSIBLE for nxx in range(1000)
            )
        found.append(row)
    return b"".join(found)
