"""Patterns of national numbers, as the plan's library has them, walked digit by digit.

Enters: regular expressions of digits. Leaves: which patterns a number may still fit that begins with some digits.
Must not: meet what is no such pattern; anchors, look-ahead and back references are none.
"""

from __future__ import annotations

import re._parser as parser  # type: ignore[import-not-found]  # the one grammar of the patterns
from collections.abc import Hashable, Iterable, Mapping
from re._constants import BRANCH, CATEGORY, IN, LITERAL, MAX_REPEAT, MAXREPEAT, RANGE, SUBPATTERN  # type: ignore[import-not-found]
from typing import Any, Final, TypeVar

Key = TypeVar("Key", bound=Hashable)
States = frozenset[int]
_DIGITS: Final = "0123456789"
_MOST_REPEATS: Final = 20  # no number is longer


class Pattern:
    """A pattern as an automaton: `start`, and the states that one more digit leads to."""

    __slots__ = ("_empty", "_on", "start")

    def __init__(self, written: str) -> None:
        self._on: list[dict[str, int]] = []  # state -> digit -> state
        self._empty: list[list[int]] = []  # state -> states it is as well
        first = self._state()
        self._sequence(parser.parse(written), first)
        self.start = self._closed([first])

    def after(self, states: States, digit: str) -> States:
        """The states after one more digit, none where no number goes on so."""
        return self._closed([on[digit] for on in map(self._on.__getitem__, states) if digit in on])

    def _state(self) -> int:
        self._on.append({})
        self._empty.append([])
        return len(self._on) - 1

    def _closed(self, states: Iterable[int]) -> States:
        """The states and all they are as well."""
        found = set(states)
        ahead = list(found)
        while ahead:
            for state in self._empty[ahead.pop()]:
                if state not in found:
                    found.add(state)
                    ahead.append(state)
        return frozenset(found)

    def _sequence(self, items: Any, state: int) -> int:
        """Adds items one behind the other; the state after them."""
        for kind, of in items:
            if kind is LITERAL:
                state = self._one({chr(of)}, state)
            elif kind is IN:
                state = self._one(_members(of), state)
            elif kind is SUBPATTERN:
                state = self._sequence(of[3], state)
            elif kind is BRANCH:
                end = self._state()
                for branch in of[1]:
                    self._empty[self._sequence(branch, state)].append(end)
                state = end
            elif kind is MAX_REPEAT:
                state = self._repeated(of, state)
            else:
                raise ValueError(f"{kind} in a pattern of numbers")
        return state

    def _one(self, digits: set[str], state: int) -> int:
        """Adds one digit."""
        fresh = self._state()  # a state has the digits of one item only
        before = self._state()
        self._empty[state].append(before)
        for digit in digits:
            self._on[before][digit] = fresh
        return fresh

    def _repeated(self, of: Any, state: int) -> int:
        """Adds an item several times."""
        least, most, items = of
        for _ in range(least):
            state = self._sequence(items, state)
        end = self._state()
        self._empty[state].append(end)
        for _ in range(min(_MOST_REPEATS if most is MAXREPEAT else most, _MOST_REPEATS) - least):
            state = self._sequence(items, state)
            self._empty[state].append(end)
        return end


def _members(of: Any) -> set[str]:
    """The digits of a class."""
    found: set[str] = set()
    for kind, what in of:
        if kind is LITERAL:
            found.add(chr(what))
        elif kind is RANGE:
            found.update(map(chr, range(what[0], what[1] + 1)))
        elif kind is CATEGORY:
            found.update(_DIGITS)
        else:
            raise ValueError(f"{kind} in a class of digits")
    return found


def prefixes_of(patterns: Mapping[Key, Pattern], longest: int) -> dict[str, frozenset[Key]]:
    """Digits -> the patterns that a number may fit which begins with them: as few digits as tell, `longest` at most.

    Digits that no number begins with are told as none. The longest prefix of a number that stands there is the one.
    """
    found: dict[str, frozenset[Key]] = {}
    _walk(patterns, {key: pattern.start for key, pattern in patterns.items()}, "", longest, found)
    return found


def _walk(
    patterns: Mapping[Key, Pattern], live: Mapping[Key, States], begun: str, left: int, found: dict[str, frozenset[Key]]
) -> None:
    """Notes what is told of numbers that begin with `begun`, by at most `left` more digits."""
    told = frozenset(live)
    if len(told) < 2 or not left:
        found[begun] = told
        return
    for digit in _DIGITS:
        after = {key: patterns[key].after(states, digit) for key, states in live.items()}
        if alive := {key: states for key, states in after.items() if states}:
            _walk(patterns, alive, begun + digit, left - 1, found)
    children = {found.get(begun + digit, frozenset()) for digit in _DIGITS}
    if len(children) == 1:
        for digit in _DIGITS:
            found.pop(begun + digit, None)
        found[begun] = children.pop()
