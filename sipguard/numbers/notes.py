"""What stands beside the entries of a list: why each is there, who put it there, when.

Enters: notes. Leaves: a file beside the set file, and the notes of an entry. Must not: be read for a call.

One line for each entry that has any, sorted, with tabs between its fields: entry, line, added_at, added_by, reason.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

_TAB: Final = b"\t"


class Note(NamedTuple):
    """What is noted of one entry, in its canonical form; `line` of the text that the list was built from."""

    entry: str
    line: int
    reason: str
    added_by: str
    added_at: str  # as written, ISO 8601


def beside(built: Path) -> Path:
    """Where the notes of a set file are."""
    return built.with_suffix(".notes")


def write(path: Path, found: Iterable[Note]) -> None:
    """Writes the notes of a list, or removes the file where there are none. Raises OSError."""
    lines = sorted(
        "\t".join((each.entry, str(each.line), each.added_at, each.added_by, each.reason)).encode()
        for each in map(_clean, found)
    )
    if not lines:
        path.unlink(missing_ok=True)
        return
    staged = path.with_name(path.name + ".new")
    staged.write_bytes(b"\n".join(lines) + b"\n")
    staged.replace(path)


def _clean(note: Note) -> Note:
    """A note without characters that would end its fields."""
    return note._replace(
        reason=_one_line(note.reason), added_by=_one_line(note.added_by), added_at=_one_line(note.added_at)
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def of(path: Path, entry: str) -> list[Note]:
    """The notes of one entry; the file is searched by halves. Raises OSError where it cannot be read."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as octets:
            return list(_found(octets, entry.encode() + _TAB))
    except FileNotFoundError:
        return []


def _found(octets: mmap.mmap, wanted: bytes) -> Iterator[Note]:
    low, high = 0, len(octets)
    while low < high:  # both are beginnings of lines, or the end
        middle = octets.rfind(b"\n", low, (low + high) // 2) + 1 or low
        end = octets.find(b"\n", middle) + 1
        if octets[middle : middle + len(wanted)] < wanted:
            low = end
        else:
            high = middle
    while octets[low : low + len(wanted)] == wanted:
        end = octets.find(b"\n", low)
        entry, line, added_at, added_by, reason = octets[low:end].decode("utf-8", "replace").split("\t", 4)
        yield Note(entry, int(line), reason, added_by, added_at)
        low = end + 1


def all_of(path: Path) -> Iterator[Note]:
    """Every note of a list. Raises OSError."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for text in lines:
                entry, line, added_at, added_by, reason = text.rstrip("\n").split("\t", 4)
                yield Note(entry, int(line), reason, added_by, added_at)
    except FileNotFoundError:
        return


def ranges(path: Path, prefix: str = "") -> Iterator[Note]:
    """The notes of ranges (behind `prefix`, the trunk and a comma); reads the whole file. Raises OSError."""
    for note in all_of(path):
        first, dash, last = note.entry.removeprefix(prefix).partition("-")
        if dash and note.entry.startswith(prefix) and first.isdigit() and last.isdigit():
            yield note
