r"""Patterns of national numbers, as the plan's library has them, walked digit by digit.

Enters: regular expressions of digits. Leaves: which patterns a number may still fit that begins with some digits.
Must not: guess; what is no such pattern is refused.

A pattern is made of digits, `\d`, classes such as `[02-9]`, groups `(?:...)`, alternatives `|`, and how often the
piece before stands: `?`, `*`, `+`, `{3}`, `{3,5}`, `{3,}`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

Key = TypeVar("Key", bound=Hashable)
States = frozenset[int]
_DIGITS: Final = "0123456789"
_MOST_REPEATS: Final = 20  # no number is longer
_ENDLESS: Final = {"?": (0, 1), "*": (0, _MOST_REPEATS), "+": (1, _MOST_REPEATS)}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A digit of `digits`, or where there are none one of `ways`; at least `least` times, at most `most`."""

    digits: frozenset[str]
    ways: tuple[tuple[_Piece, ...], ...]
    least: int = 1
    most: int = 1


class _Reader:
    """Reads a pattern from its left to its right. Raises ValueError."""

    def __init__(self, written: str) -> None:
        self._written = written
        self._at = 0

    def read(self) -> tuple[tuple[_Piece, ...], ...]:
        """All ways of the pattern."""
        ways = self._ways()
        if self._at < len(self._written):
            raise self._wrong()
        return ways

    def _ways(self) -> tuple[tuple[_Piece, ...], ...]:
        ways = [self._way()]
        while self._taken("|"):
            ways.append(self._way())
        return tuple(ways)

    def _way(self) -> tuple[_Piece, ...]:
        pieces = []
        while self._at < len(self._written) and self._written[self._at] not in "|)":
            pieces.append(self._piece())
        return tuple(pieces)

    def _piece(self) -> _Piece:
        digits, ways = frozenset[str](), ()  # type: tuple[frozenset[str], tuple[tuple[_Piece, ...], ...]]
        if self._taken("(?:"):
            ways = self._ways()
            if not self._taken(")"):
                raise self._wrong()
        else:
            digits = self._digits()
        return _Piece(digits, ways, *self._times())

    def _digits(self) -> frozenset[str]:
        """A digit, any digit, or a class."""
        if self._taken("\\d"):
            return frozenset(_DIGITS)
        if not self._taken("["):
            return frozenset(self._digit())
        found: set[str] = set()
        while not self._taken("]"):
            if self._taken("\\d"):
                found.update(_DIGITS)
                continue
            first = self._digit()
            last = self._digit() if self._taken("-") else first
            found.update(_DIGITS[int(first) : int(last) + 1])
        return frozenset(found)

    def _times(self) -> tuple[int, int]:
        """How often the piece before stands."""
        for sign, times in _ENDLESS.items():
            if self._taken(sign):
                return times
        if not self._taken("{"):
            return 1, 1
        least, comma, most = self._written[self._at :].partition("}")[0].partition(",")
        if not least.isdigit() or (most and not most.isdigit()):
            raise self._wrong()
        self._at = self._written.index("}", self._at) + 1
        return int(least), min(int(most or _MOST_REPEATS) if comma else int(least), _MOST_REPEATS)

    def _digit(self) -> str:
        digit = self._written[self._at : self._at + 1]
        if not digit or digit not in _DIGITS:
            raise self._wrong()
        self._at += 1
        return digit

    def _taken(self, sign: str) -> bool:
        """Whether this sign comes next; it is passed over."""
        there = self._written.startswith(sign, self._at)
        self._at += len(sign) * there
        return there

    def _wrong(self) -> ValueError:
        return ValueError(f"{self._written[self._at :][:20] or 'its end'} in a pattern of numbers: {self._written}")


class Pattern:
    """A pattern as an automaton: `start`, and the states that one more digit leads to."""

    __slots__ = ("_empty", "_on", "start")

    def __init__(self, written: str) -> None:
        self._on: list[dict[str, int]] = []  # state -> digit -> state
        self._empty: list[list[int]] = []  # state -> states it is as well
        first = self._state()
        self._any_of(_Reader(written).read(), first)
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

    def _any_of(self, ways: tuple[tuple[_Piece, ...], ...], state: int) -> int:
        """Adds alternatives; the state after them."""
        end = self._state()
        for pieces in ways:
            here = state
            for piece in pieces:
                here = self._repeated(piece, here)
            self._empty[here].append(end)
        return end

    def _repeated(self, piece: _Piece, state: int) -> int:
        """Adds a piece as often as it stands."""
        for _ in range(piece.least):
            state = self._once(piece, state)
        end = self._state()
        self._empty[state].append(end)
        for _ in range(piece.most - piece.least):
            state = self._once(piece, state)
            self._empty[state].append(end)
        return end

    def _once(self, piece: _Piece, state: int) -> int:
        """Adds a piece once. A state has the digits of one piece only."""
        if piece.ways:
            return self._any_of(piece.ways, state)
        before, after = self._state(), self._state()
        self._empty[state].append(before)
        self._on[before] = dict.fromkeys(piece.digits, after)
        return after


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
