"""Errors of this room.

StoreError
├── StoreUnavailable    the database is away, locked, full or damaged: come again later
│   └── StoreDamaged    its file is damaged, which no waiting mends
├── PositionMoved       a batch does not follow on what is stored: read again from there
├── ListFileError       a file that is to be imported cannot be read to its end, or is no list
├── StoreTooNew         the database was written by a newer sipguard
├── BadChange           a change of lists that cannot be undone, or that there is not
└── JournalError
    ├── JournalFull     no room for a segment
    ├── JournalBusy     another process writes this journal
    └── JournalDamaged  a file or frame that is not what it should be
"""

from __future__ import annotations

from pathlib import Path


class StoreError(Exception):
    """Any failure of keeping or finding calls."""


class StoreUnavailable(StoreError):
    """The database cannot be used now; nothing was changed, the same call may be made again."""


class StoreDamaged(StoreUnavailable):
    """The file of the database is damaged; `path` names it, `what` says how."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} is damaged ({what}); {cure_of(path)}")
        self.path = path
        self.what = what


def cure_of(path: Path) -> str:
    """What to do with a damaged database of calls."""
    return f"move {path}* away, sipguard running or not: calls that the journal still has are loaded again"


class PositionMoved(StoreError):
    """The batch begins elsewhere than where the store stands; nothing was changed."""


class StoreTooNew(StoreError):
    """The database has a schema version that this release does not know."""


class BadChange(StoreError):
    """There is no such change of lists, or it cannot be taken back; nothing was changed."""


class ListFileError(StoreError):
    """`where` names the file, `what` says what is wrong with it."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


class JournalError(StoreError):
    """Any failure of a journal file."""


class JournalFull(JournalError):
    """The disk has no room for another segment."""


class JournalBusy(JournalError):
    """Another process holds the lock of this journal directory."""


class JournalDamaged(JournalError):
    """A segment or frame cannot be read: wrong magic, wrong checksum, beyond the end of the file."""
