"""Errors of this room.

RecordError
└── BadFilter    what is looked for cannot be read: a number, an instant, a limit
"""

from __future__ import annotations


class RecordError(Exception):
    """Any failure of answering from records."""


class BadFilter(RecordError):
    """A value of a filter cannot be read; the message names it."""
