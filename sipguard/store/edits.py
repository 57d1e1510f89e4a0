"""Edits of lists in SQLite: what was added and removed, by whom, when and why, and what took it back.

Enters: changes, of one list and any number of entries each. Leaves: the edits in force, now or after any earlier
change; the trail of changes. Must not: be opened by a process that serves calls, or forget a change.

Several may write at once, one after the other: a change is one transaction, which stands as a whole or not at all.
Nothing is ever deleted. Each edit says what holds for its entry from its change on, so that the state after any change
is that of the last edit of each entry up to it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from sipguard.screening.overlay import ADDED, REMOVED, SILENT, Edit
from sipguard.store.errors import BadChange, StoreTooNew, StoreUnavailable
from sipguard.store.sql import CREATE_MIGRATION, INSERT_MIGRATION, MIGRATION_VERSION, NEEDED_VERSION, Migration

NAME: Final = "lists.db"
ADD: Final = "add"
REMOVE: Final = "remove"
UNDO: Final = "undo"
SAID: Final = {ADD: ADDED, REMOVE: REMOVED}
WAITS_S: Final = 10.0  # for another writer

# A step that was released is never changed (ARCHITECTURE.md, Compatibility).
MIGRATIONS: Final = (
    Migration(
        "changes of lists and their edits",
        False,
        (
            "CREATE TABLE change (sequence INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL,"
            " action TEXT NOT NULL, list TEXT NOT NULL, why TEXT NOT NULL, expires_at REAL NOT NULL,"
            " entries INTEGER NOT NULL, undoes INTEGER NOT NULL, undone_by INTEGER NOT NULL)",
            # said: 1 on the list, -1 off it, 0 as the base has it; origin: the change whose word it is, 0: the base
            "CREATE TABLE edit (list TEXT NOT NULL, entry TEXT NOT NULL, sequence INTEGER NOT NULL,"
            " said INTEGER NOT NULL, expires_at REAL NOT NULL, origin INTEGER NOT NULL,"
            " PRIMARY KEY (list, entry, sequence)) WITHOUT ROWID",
            "CREATE INDEX edit_sequence ON edit (sequence)",
        ),
    ),
)

LAST_AT: Final = 253_370_764_800.0  # 9999-01-01, later than which no calendar goes in every time zone
# Instants as calendars have them: earlier versions took ends from the command line that none has.
_AT: Final = f"min(max(at, 0.0), {LAST_AT})"
_END: Final = f"CASE WHEN expires_at = 0 THEN 0.0 ELSE min(max(expires_at, 1.0), {LAST_AT}) END"
_COLUMNS: Final = f"sequence, {_AT}, who, action, list, why, {_END}, entries, undoes, undone_by"
_SEQUENCE: Final = "SELECT coalesce(max(sequence), 0) FROM change"
_CHANGE: Final = f"SELECT {_COLUMNS} FROM change WHERE sequence = ?"
_INSERT_CHANGE: Final = (
    "INSERT INTO change (at, who, action, list, why, expires_at, entries, undoes, undone_by)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)"
)
_INSERT_EDIT: Final = "INSERT INTO edit (list, entry, sequence, said, expires_at, origin) VALUES (?, ?, ?, ?, ?, ?)"
_ENTRIES_OF: Final = "SELECT entry FROM edit WHERE sequence = ? ORDER BY entry"
# Of the changes of an entry that were not undone, the last one.
_STANDING: Final = (
    "SELECT edit.said, edit.expires_at, edit.sequence FROM edit JOIN change USING (sequence) WHERE edit.list = ?"
    " AND edit.entry = ? AND edit.origin = edit.sequence AND change.undone_by = 0 ORDER BY edit.sequence DESC LIMIT 1"
)
_LAST_OF_ENTRY: Final = (
    f"SELECT said, {_END}, origin FROM edit WHERE list = ? AND entry = ? AND sequence <= ?"
    " ORDER BY sequence DESC LIMIT 1"
)
_RANGES: Final = "SELECT DISTINCT entry FROM edit WHERE list = ? AND sequence <= ? AND entry GLOB '*[0-9]-[0-9]*'"
# SQLite takes the other columns from the row that has the maximum.
_STATE: Final = (
    f"SELECT list, entry, said, {_END}, origin FROM (SELECT list, entry, said, expires_at, origin, max(sequence)"
    " FROM edit WHERE sequence <= ? AND (? = '' OR list = ?) GROUP BY list, entry) WHERE said <> 0"
)
_SINCE: Final = f"SELECT list, entry, said, {_END} FROM edit WHERE sequence > ? ORDER BY sequence"
_LAST_BEFORE: Final = "SELECT coalesce(max(sequence), 0) FROM change WHERE at <= ?"


class Change(NamedTuple):
    """One change in the trail. Instants are Unix seconds, at most LAST_AT; `expires_at` 0.0 for never; `undoes` and
    `undone_by` are numbers of changes, 0 for none."""

    sequence: int
    at: float
    who: str
    action: str  # add | remove | undo
    list: str
    why: str
    expires_at: float
    entries: int
    undoes: int
    undone_by: int


class Held(NamedTuple):
    """An edit in force: `entry` is on `list` (`said` ADDED) or off it (REMOVED), by the word of change `origin`."""

    list: str
    entry: str
    said: int
    expires_at: float
    origin: int


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turns what SQLite raises into StoreUnavailable, in words."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"{path}: {_in_words(error)}; nothing was changed") from error


def _in_words(error: Exception) -> str:
    said = str(error)
    if "locked" in said or "busy" in said:
        return f"others have been writing for {WAITS_S:g} s; try again"
    if "full" in said:
        return "there is no room on the disk; make room and try again"
    if "readonly" in said or "unable to open" in said or isinstance(error, PermissionError):
        return f"it cannot be written here ({said}); be the user that sipguard runs as, or root"
    if "malformed" in said or "not a database" in said:
        return f"it is damaged ({said}); move it away and restore it from a backup"
    return said


class EditStore:
    """The file of edits, open. A context manager. Raises StoreUnavailable, StoreTooNew."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path = path
        self._db = db

    @classmethod
    def writing(cls, path: Path, waits_s: float = WAITS_S) -> EditStore:
        """Opens it to write, and makes it where there is none."""
        with _translated(path):
            _make(path)
            db = sqlite3.connect(path, isolation_level=None, timeout=waits_s)
            try:
                _must_know(path, db)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")  # a change that was confirmed survives a power cut
                _migrate(db)
            except BaseException:
                db.close()
                raise
        return cls(path, db)

    @classmethod
    def reading(cls, path: Path) -> EditStore | None:
        """Opens it to read; None where nobody has edited a list yet."""
        with _translated(path):
            if not path.exists() or not path.stat().st_size:
                return None
            db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=WAITS_S)
            try:
                _must_know(path, db)
                if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'edit'").fetchone():
                    db.close()
                    return None
            except BaseException:
                db.close()
                raise
        return cls(path, db)

    def __enter__(self) -> EditStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes it; what is not committed is not there."""
        self._db.close()

    @contextmanager
    def _writes(self) -> Iterator[sqlite3.Connection]:
        """One transaction, all or nothing."""
        with _translated(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite has rolled back by itself where the disk was full
                    self._db.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with _translated(self._path):
            return self._db.execute(query, values).fetchall()

    # -------------------------------------------------------------------------------- changing

    def change(
        self,
        action: str,
        name: str,
        entries: Iterable[str],
        *,
        who: str,
        why: str = "",
        expires_at: float = 0.0,
        at: float,
    ) -> int:
        """Adds entries to a list, or removes them; the number of the change. The last change of an entry holds."""
        once = tuple(dict.fromkeys(entries))
        said = SAID[action]
        with self._writes() as db:
            done = db.execute(_INSERT_CHANGE, (at, who, action, name, why, expires_at, len(once), 0))
            sequence = int(done.lastrowid or 0)
            rows = ((name, entry, sequence, said, expires_at, sequence) for entry in once)
            db.executemany(_INSERT_EDIT, rows)
        return sequence

    def undo(self, sequence: int, *, who: str, why: str = "", at: float) -> int:
        """Takes a change back; the number of the change that does so. Its entries are again what the last change that
        was not undone says of them, else what the base says. Raises BadChange."""
        with self._writes() as db:
            row = db.execute(_CHANGE, (sequence,)).fetchone()
            if row is None:
                raise BadChange(f"there is no change {sequence}; sipguard lists history shows all")
            undone = Change(*row)
            if undone.undone_by:
                raise BadChange(f"change {sequence} was undone before, by change {undone.undone_by}")
            if undone.action not in SAID:
                raise BadChange(f"change {sequence} undid change {undone.undoes}; make that change again instead")
            entries = [str(entry) for (entry,) in db.execute(_ENTRIES_OF, (sequence,))]
            done = db.execute(_INSERT_CHANGE, (at, who, UNDO, undone.list, why, 0.0, len(entries), sequence))
            by = int(done.lastrowid or 0)
            db.execute("UPDATE change SET undone_by = ? WHERE sequence = ?", (by, sequence))
            for entry in entries:
                standing = db.execute(_STANDING, (undone.list, entry)).fetchone()
                said, expires_at, origin = standing or (SILENT, 0.0, 0)
                db.execute(_INSERT_EDIT, (undone.list, entry, by, said, expires_at, origin))
        return by

    # -------------------------------------------------------------------------------- asking

    def sequence(self) -> int:
        """The number of the last change, 0 for none."""
        return int(self._rows(_SEQUENCE)[0][0])

    def since(self, sequence: int) -> tuple[int, list[Edit]]:
        """The number of the last change, and the edits after `sequence` up to it in their order."""
        with _translated(self._path):
            self._db.execute("BEGIN")
            try:
                last = int(self._db.execute(_SEQUENCE).fetchone()[0])
                edits = [(name, entry, said, at) for name, entry, said, at in self._db.execute(_SINCE, (sequence,))]
            finally:
                self._db.execute("COMMIT")
        return last, edits

    def whole(self, now_at: float) -> tuple[int, list[Edit]]:
        """The number of the last change, and all edits in force at `now_at`."""
        last = self.sequence()
        held = self.state(last)
        return last, [
            (each.list, each.entry, each.said, each.expires_at)
            for each in held
            if not each.expires_at or now_at < each.expires_at
        ]

    def state(self, sequence: int, name: str = "") -> list[Held]:
        """The edits after change `sequence`, expired ones too, of one list or of all."""
        return [Held(*row) for row in self._rows(_STATE, (sequence, name, name))]

    def entry(self, name: str, entry: str, sequence: int) -> Held | None:
        """What was said of one entry after change `sequence`; None where the base spoke."""
        rows = self._rows(_LAST_OF_ENTRY, (name, entry, sequence))
        return Held(name, entry, *rows[0]) if rows and rows[0][0] != SILENT else None

    def ranges(self, name: str, sequence: int) -> list[str]:
        """The entries of a list that look like ranges of numbers and were changed up to change `sequence`."""
        return [str(entry) for (entry,) in self._rows(_RANGES, (name, sequence))]

    def get(self, sequence: int) -> Change | None:
        """One change."""
        rows = self._rows(_CHANGE, (sequence,))
        return Change(*rows[0]) if rows else None

    def entries(self, sequence: int) -> list[str]:
        """The entries of a change, in order."""
        return [str(entry) for (entry,) in self._rows(_ENTRIES_OF, (sequence,))]

    def last_before(self, at: float) -> int:
        """The number of the last change that was made by then, 0 for none."""
        return int(self._rows(_LAST_BEFORE, (at,))[0][0])

    def history(self, name: str = "", entry: str = "", since_at: float = 0.0, limit: int = 1000) -> list[Change]:
        """The changes of a list or of all, of one entry or of any, newest first."""
        query = f"SELECT {_COLUMNS} FROM change WHERE {_AT} >= ?"
        values: list[object] = [since_at]
        if name:
            query += " AND list = ?"
            values.append(name)
        if entry:
            query += " AND sequence IN (SELECT sequence FROM edit WHERE edit.list = change.list AND entry = ?)"
            values.append(entry)
        return [Change(*row) for row in self._rows(f"{query} ORDER BY sequence DESC LIMIT ?", (*values, limit))]


def _make(path: Path) -> None:
    """Makes an empty file, which belongs to whom its directory belongs to: root may be the first who edits."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
    if os.geteuid() == 0:
        around = path.parent.stat()
        os.chown(path, around.st_uid, around.st_gid)


def _must_know(path: Path, db: sqlite3.Connection) -> None:
    """Raises StoreTooNew where the file needs more than this program knows; nothing was changed then."""
    needed = int(db.execute(NEEDED_VERSION).fetchone()[0])
    if needed > len(MIGRATIONS):
        raise StoreTooNew(
            f"{path}: a newer sipguard has changed this file to schema version {needed}, this one knows "
            f"{len(MIGRATIONS)}; nothing was changed; use the newer one, or restore a backup from before"
        )


def _migrate(db: sqlite3.Connection) -> None:
    """Applies the steps that lack, in one transaction. Additive ones of a newer program are left alone."""
    known = 0
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchone():
        known = int(db.execute(MIGRATION_VERSION).fetchone()[0])
    if known >= len(MIGRATIONS):
        return
    with closing(db.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            cursor.execute(CREATE_MIGRATION)
            known = int(cursor.execute(MIGRATION_VERSION).fetchone()[0])
            for version, step in enumerate(MIGRATIONS[known:], known + 1):
                for statement in step.statements:
                    cursor.execute(statement)
                cursor.execute(INSERT_MIGRATION, (version, time.time(), step.what))
                if not step.additive:
                    cursor.execute(f"PRAGMA user_version = {version}")
            cursor.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                cursor.execute("ROLLBACK")
            raise
