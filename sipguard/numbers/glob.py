"""Texts with `*`.

Enters: a pattern, texts. Leaves: whether they fit. Must not: know what the texts are.
"""

from __future__ import annotations


class Glob:
    """A text with `*`, which stands for any run of characters."""

    __slots__ = ("_first", "_last", "_middle")

    def __init__(self, pattern: str) -> None:
        self._first, *self._middle, self._last = pattern.split("*")

    def fits(self, text: str) -> bool:
        """Whether the whole of `text` fits."""
        first, last = self._first, self._last
        if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in self._middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True
