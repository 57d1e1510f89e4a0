"""Why what stands in the place of a number is none, and what was probably meant.

Enters: an entry of a list of numbers. Leaves: what is wrong with it; ours, or how it is written, "" where nothing is
certain. Must not: take it for what was meant by itself.
"""

from __future__ import annotations

import re
from typing import Final

from sipguard.numbers.canonical import Number
from sipguard.numbers.code import is_digits

_WITHIN: Final = re.compile(r"""(?:sips?:|tel:|["'=[]+)\s*(\+?[0-9][0-9 ().-]{7,18}[0-9])(?=["';@\]]|$)""")
_ROUNDED: Final = re.compile(r"[0-9][.,][0-9]+[eE]\+?[0-9]+")
_OPEN: Final = re.compile(r"(\+?[0-9]{3,})[xX?%_.]+")
_SPAN: Final = re.compile(r"(\+?[0-9]{8,15})\s*(?:\.{2,3}|-|–|—|to)\s*(\+?[0-9]{1,15})")
_SEVERAL: Final = re.compile(r"\+?[0-9]{8,15}(?:\s+\+?[0-9]{8,15})+")
_DIGITS: Final = "write digits alone, such as +12025550111"
_SIGNS: Final = {";": "a semicolon", "\t": "a tab", "|": "a |"}


def why(entry: str, number: Number) -> tuple[str, str]:
    """(what is wrong with `entry`, which was read as `number`; what was meant)."""
    if not entry:
        return "a number is missing", ""
    if "\0" in entry:
        return "not UTF-8 text", "a file saved as UTF-8"
    shown = entry[:40]
    if entry[:2] in ("//", "--") or entry[:1] in ";%":
        return f"{shown} is no telephone number", "write # before a comment"
    if entry[:1] == "<":
        return f"{shown} is no telephone number", "write a file of numbers here; this is a web page or XML"
    for sign, name in _SIGNS.items():
        if sign in entry:
            what = f"{shown.replace(sign, ' ')} has {name} in it" if sign == "\t" else f"{shown} has {name}"
            return what, "write commas, below a header such as number,reason"
    if "," in entry:
        return _with_comma(entry)
    if (inner := _WITHIN.match(entry)) is not None:
        return f"{shown} is no telephone number", inner[1]
    if _ROUNDED.fullmatch(entry):
        return f"{shown} is a number that a spreadsheet has rounded", "write the column as text"
    if _SEVERAL.fullmatch(entry):
        return f"{shown} are several numbers", "write one in each line"
    if (span := _SPAN.fullmatch(entry)) is not None:
        first, last = span.groups()
        whole = last if len(last) >= 8 else first[: len(first) - len(last)] + last
        return f"{shown} is no range", f"write {first}-{whole}"
    if (begun := _OPEN.fullmatch(entry)) is not None:
        return f"{shown} is no telephone number", f"write {begun[1]}* for all that begin so"
    if "*" in entry[:-1]:
        return f"{shown} has a * elsewhere than at its end", "write ranges, such as 2025550100-2025550199"
    return _of_digits(entry, number)


def _with_comma(entry: str) -> tuple[str, str]:
    """A line of several fields in a list of one."""
    first, _, second = (part.strip() for part in entry.partition(","))
    if not any(char.isdigit() for char in first):
        return f"{entry[:40]} is no header: its first column is number or entry", "write number,reason"
    if sum(char.isdigit() for char in second) >= 7:
        return f"{entry[:40]} has a comma", "format: ftc, or kind: pairs"
    return f"{entry[:40]} has a comma", "write a header such as number,reason above"


def _of_digits(entry: str, number: Number) -> tuple[str, str]:
    """What is one word."""
    digits = number.tn
    if not digits:
        return f"{entry[:40]} is no telephone number", _DIGITS
    if not is_digits(digits):
        return f"{entry[:40]} is no number of 1 to 18 digits", _DIGITS
    if digits.startswith("00") and 10 <= len(digits) <= 17 and digits[2] != "0":
        return f"{entry} begins with 00", f"+{digits[2:]}"
    meant = (
        f"+{digits}" if 8 <= len(digits) <= 15 and digits[0] not in "01" else "write + and the country code before it"
    )
    return f"{entry} has {len(digits)} digits, a number without + has 10, or 11 with a 1", meant
