"""Errors of this room.

RecordError
├── BadFilter    what is looked for cannot be read: a number, an instant, a limit
└── BadFrame     a frame of a journal holds a time that cannot be one
"""

from __future__ import annotations


class RecordError(Exception):
    """Any failure of answering from records."""


class BadFilter(RecordError):
    """A value of a filter cannot be read; the message names it."""


class BadFrame(RecordError):
    """A frame of a journal holds a time that cannot be one; nothing of it was taken up."""
