"""Entries of lists as somebody gives them one by one, read by the code that reads files.

Enters: the kind of a list, texts. Leaves: entries in canonical form, as edits have them, and what is wrong with each
text. Must not: guess.

A number is its TN, a prefix its digits and `*`, a range first-last, a pair caller,callee, a text folded; numbers stand
behind the name of a trunk and a comma on a list by trunk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sipguard.numbers.formats import ListReader
from sipguard.numbers.wide import SHORTEST_E164
from sipguard.screening.overlay import span_of

BY_TRUNK: Final = "numbers by trunk"  # the kind of lists with `per_trunk`


def read_entries(kind: str, written: Sequence[str], trunks: Collection[str]) -> tuple[list[str], list[str]]:
    """The entries in their order, and a line for each problem. `trunks`: names of those that are configured."""
    entries: list[str] = []
    problems: list[str] = []
    for at, text in enumerate(written, 1):
        found, wrong = _read_entry(kind, text, trunks)
        entries += found
        problems += [f"entry {at}, {text!r}: {each}" for each in wrong]
        if not found and not wrong:
            problems.append(f"entry {at}, {text!r}: there is nothing in it")
    return entries, problems


def _read_entry(kind: str, text: str, trunks: Collection[str]) -> tuple[list[str], list[str]]:
    """What one text comes to: entries, problems."""
    by_trunk = kind == BY_TRUNK
    reader = ListReader(kind="numbers" if by_trunk else kind, per_trunk=by_trunk, trunks=trunks)
    found = list(reader.entries([text]))
    wrong = [f"{each.what}; {each.hint}" if each.hint else each.what for each in reader.problems]
    if not wrong and reader.ending_pairs:
        wrong.append("the last day of an entry is said with --until")
    if not wrong and any(is_range(entry, kind) and span_of(entry) is None for entry in found):
        wrong.append(f"a range is of complete numbers of at least {SHORTEST_E164} digits")
    if not wrong and any("*" in entry[:-1] for entry in found):
        wrong.append("a * may stand at the end only; other patterns stand in a file")
    return found, wrong


def is_range(entry: str, kind: str) -> bool:
    """Whether an entry is a range of numbers."""
    first, dash, last = entry.rpartition(",")[2].partition("-")
    return kind in ("numbers", BY_TRUNK) and bool(dash) and first.isdigit() and last.isdigit()


def shown(entry: str) -> str:
    """A canonical entry as it is written for people and in files."""
    return ",".join([_shown(part) for part in entry.split(",")])


def _shown(part: str) -> str:
    first, dash, last = part.partition("-")
    if dash and first.isdigit() and last.isdigit():
        return f"+{first}-+{last}"
    return f"+{part}" if _is_e164(part) else part


def _is_e164(part: str) -> bool:
    digits = part.removesuffix("*")
    return digits.isascii() and digits.isdigit() and (len(digits) > 6 or part != digits)
