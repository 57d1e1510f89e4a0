"""Entries of lists as somebody gives them one by one, read by the code that reads files.

Enters: the kind of a list, texts. Leaves: entries in canonical form, as edits have them, and what is wrong with each
text. Must not: guess.

A number is its TN, a prefix its digits and `*`, a pair caller,callee; any other entry is as it is written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sipguard.numbers.formats import ListReader
from sipguard.screening.policy.errors import meant


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
    if kind == "trunks":
        name = text.strip()
        if name in trunks:
            return [name], []
        return [], [f"{name} is no trunk; {meant(name, trunks)}".rstrip("; ")]
    reader = ListReader()
    if kind == "pairs":
        found = [f"{caller},{callee}" for caller, callee in reader.pairs([text])]
    else:
        found = list(reader.numbers([text]))
        found += [f"{prefix}*" for prefix in reader.prefixes]
    wrong = [f"{each.what}{f'; did you mean {each.meant}' if each.meant else ''}" for each in reader.problems]
    return found, wrong


def shown(entry: str) -> str:
    """A canonical entry as it is written for people and in files."""
    return ",".join([f"+{part}" if _is_e164(part) else part for part in entry.split(",")])


def _is_e164(part: str) -> bool:
    digits = part.removesuffix("*")
    return digits.isascii() and digits.isdigit() and (len(digits) > 6 or part != digits)
