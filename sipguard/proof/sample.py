"""A text that a regular expression matches: how the peers of a trunk with `tech_prefix` dial.

Enters: a pattern as operators write one. Leaves: the shortest text that is found, "" where none is. Must not:
guess; what is answered was matched by the pattern itself.
"""

from __future__ import annotations

import re
from typing import Final

_CLASSES: Final = {"d": "0", "w": "0", "D": "#", "W": "#", "s": " ", "S": "0"}
_CANDIDATES: Final = "0123456789*#+"


def sample(pattern: str) -> str:
    """A text that `pattern` takes off the front of a dialled number, and no more than it; "" where none was found."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        return ""
    made = (_Walk(pattern, more).text() for more in (False, True))
    for text in (*made, *_CANDIDATES, *(a + b for a in _CANDIDATES for b in _CANDIDATES)):
        found = compiled.match(f"{text}911") if text else None
        if found is not None and found.end() == len(text):
            return str(text)
    return ""


class _Walk:
    """One walk through a pattern: of alternatives the first, of a class one member; of what may be left out nothing, or
    with `more` all, since a pattern takes of a number what it can."""

    def __init__(self, pattern: str, more: bool) -> None:
        self._pattern = pattern
        self._more = more
        self._at = 0

    def text(self) -> str:
        """What it comes to; where the pattern says more than is read here, the pattern itself will refuse it."""
        return self._alternative()

    def _alternative(self) -> str:
        made, first = "", True
        while self._at < len(self._pattern) and self._pattern[self._at] != ")":
            if self._pattern[self._at] == "|":
                self._at += 1
                first = False
                continue
            piece = self._piece()
            made += piece if first else ""
        return made

    def _piece(self) -> str:
        """One atom, as often as it must stand."""
        atom = self._atom()
        mark = self._pattern[self._at : self._at + 1]
        times = 1
        if mark in ("?", "*"):
            times = int(self._more)
            self._at += 1
        elif mark == "+":
            self._at += 1
        elif mark == "{":
            end = self._pattern.find("}", self._at)
            least, _, most = self._pattern[self._at + 1 : end].partition(",")
            wanted = most or least if self._more else least
            if end > 0 and (not wanted or wanted.isdigit()):
                times = int(wanted or 0)
                self._at = end + 1
        if mark and mark in "?*+{" and self._pattern[self._at : self._at + 1] == "?":
            self._at += 1  # lazy
        return atom * min(times, 32)

    def _atom(self) -> str:
        char = self._pattern[self._at]
        self._at += 1
        if char in "^$":
            return ""
        if char == ".":
            return "0"
        if char == "\\":
            return self._escaped()
        if char == "[":
            return self._class()
        if char == "(":
            if self._pattern.startswith("?:", self._at):
                self._at += 2
            made = self._alternative()
            self._at += 1
            return made
        return char

    def _escaped(self) -> str:
        char = self._pattern[self._at : self._at + 1]
        self._at += 1
        return _CLASSES.get(char, "" if char in "AbBZ" else char)

    def _class(self) -> str:
        """The first member of [...], or the first usual character that is none of [^...]."""
        end = self._pattern.find("]", self._at + 1)
        inside = self._pattern[self._at : end] if end > 0 else ""
        self._at = end + 1 if end > 0 else len(self._pattern)
        if inside.startswith("\\"):
            return _CLASSES.get(inside[1:2], inside[1:2])
        if not inside.startswith("^"):
            return inside[:1]
        return next((each for each in _CANDIDATES if re.match(f"[{inside}]", each)), "")
