"""Calls in SQLite: an asynchronous store for the desk, a reading one for commands.

Enters: batches, filters. Leaves: records; errors as StoreUnavailable.
Must not: be used by a process that serves calls, or hold a transaction open between two calls.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import aiosqlite

from sipguard.records.filter import Filter
from sipguard.records.record import COLUMNS, Batch, Note, Record
from sipguard.store import sql
from sipguard.store.errors import PositionMoved, StoreDamaged, StoreTooNew, StoreUnavailable
from sipguard.store.interface import Count
from sipguard.store.journal import START, Position

Row = tuple[Any, ...]

PORTION: Final = 1000  # calls that are read at once by who reads all

_IDS_AT_ONCE: Final = 500
_AT: Final = COLUMNS.index("at")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turns what SQLite raises into StoreUnavailable, StoreDamaged among it."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreDamaged(path, str(error)) from error
        raise StoreUnavailable(f"{path}: {error}") from error
    except (sqlite3.Error, OSError, ValueError) as error:  # ValueError: aiosqlite, for a closed connection
        raise StoreUnavailable(f"{path}: {error}") from error


class SqliteStore:
    """A RecordStore in one SQLite file. One task at a time writes; readers may come in between.

    After StoreUnavailable the next use connects anew, so that a database that was moved away, restored or
    repaired is taken up without a restart.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: aiosqlite.Connection | None = None
        self._inode = 0
        self._opening = asyncio.Lock()
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Connects, makes file and schema where they lack. Raises StoreUnavailable, StoreTooNew."""
        await self.close()
        with _translated(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = await aiosqlite.connect(self._path, isolation_level=None)
            try:
                row = await (await db.execute(sql.NEEDED_VERSION)).fetchone()
                _must_know(self._path, row)
                for pragma in sql.PRAGMAS:
                    await db.execute(pragma)
                await _migrate(db)
                self._inode = self._path.stat().st_ino
            except BaseException:
                await db.close()
                raise
        self._db = db

    async def close(self) -> None:
        """Disconnects."""
        db, self._db = self._db, None
        if db is not None:
            try:
                await db.close()
            except sqlite3.Error:
                pass  # what could be lost by it is not committed, and stays in the journal

    async def _connected(self) -> aiosqlite.Connection:
        """The connection, made anew where it was lost or another file stands at the path."""
        async with self._opening:
            if self._db is not None:
                try:
                    if self._path.stat().st_ino == self._inode:
                        return self._db
                except OSError:
                    pass  # the file is gone: opening says why, or makes another one
            await self.open()
            assert self._db is not None
            return self._db

    async def _rows(self, query: str, values: Iterable[object] = ()) -> list[Row]:
        """All rows of a query."""
        db = await self._connected()
        try:
            with _translated(self._path):
                return [tuple(row) for row in await db.execute_fetchall(query, tuple(values))]
        except StoreUnavailable:
            await self.close()
            raise

    async def positions(self) -> Mapping[str, Position]:
        """Up to where each journal has been loaded, by its name."""
        rows = await self._rows(sql.POSITIONS)
        return {str(journal): Position(segment, offset) for journal, segment, offset in rows}

    async def load(self, batch: Batch) -> int:
        """Stores a batch in one transaction; the number of ends whose call is not stored."""
        async with self._writing:
            db = await self._connected()
            try:
                with _translated(self._path):
                    return await _load(db, batch)
            except PositionMoved:
                raise
            except BaseException:  # a cancellation too: what was begun must not stay open
                await self.close()
                raise

    async def records(self, decision_ids: list[str]) -> list[Record]:
        """Those of these calls that are stored."""
        found: list[Record] = []
        for at in range(0, len(decision_ids), _IDS_AT_ONCE):
            found += _records(await self._rows(*sql.many(decision_ids[at : at + _IDS_AT_ONCE])))
        return found

    async def find(self, wanted: Filter) -> list[Record]:
        """The calls that agree with the filter, newest first."""
        return _records(await self._rows(*sql.find(wanted)))

    async def get(self, decision_id: str) -> Record | None:
        """One call."""
        rows = _records(await self._rows(sql.GET, (decision_id,)))
        return rows[0] if rows else None

    async def counts(self, wanted: Filter) -> list[Count]:
        """How many calls of the filter had which verdict and end."""
        return [Count(*row) for row in await self._rows(*sql.counts(wanted))]

    async def notes(self, after_at: float, limit: int) -> list[Note]:
        """What concerned all calls since then, newest first."""
        return [Note(*row) for row in await self._rows(sql.NOTES, (after_at, limit))]

    async def forget(self, before_at: float, limit: int) -> int:
        """Deletes at most `limit` calls that began before then; how many."""
        async with self._writing:
            db = await self._connected()
            try:
                with _translated(self._path):
                    return (await db.execute(sql.FORGET_CALLS, (before_at, limit))).rowcount
            except BaseException:
                await self.close()
                raise


def _must_know(path: Path, row: Iterable[Any] | None) -> None:
    """Raises StoreTooNew where a database needs more than this program knows; nothing was changed then."""
    needed = int(next(iter(row or (0,))))
    if needed > len(sql.MIGRATIONS):
        raise StoreTooNew(
            f"{path}: a newer sipguard has changed this database to schema version {needed}, this one knows "
            f"{len(sql.MIGRATIONS)}; nothing was changed; start the newer one, or restore a backup from before"
        )


async def _migrate(db: aiosqlite.Connection) -> None:
    """Applies the migrations that lack, each in a transaction. Additive ones of a newer program are left alone."""
    await db.execute(sql.CREATE_MIGRATION)
    cursor = await db.execute(sql.MIGRATION_VERSION)
    row = await cursor.fetchone()
    stands_at = int(row[0]) if row else 0
    for version in range(stands_at + 1, len(sql.MIGRATIONS) + 1):
        step = sql.MIGRATIONS[version - 1]
        await db.execute("BEGIN IMMEDIATE")
        for statement in step.statements:
            await db.execute(statement)
        await db.execute(sql.INSERT_MIGRATION, (version, time.time(), step.what))
        if not step.additive:
            await db.execute(f"{sql.NEEDED_VERSION} = {version}")
        await db.execute("COMMIT")


async def _load(db: aiosqlite.Connection, batch: Batch) -> int:
    """The transaction of `SqliteStore.load`; rolls back whatever went wrong."""
    await db.execute("BEGIN IMMEDIATE")
    try:
        if not _follows(batch, await db.execute_fetchall(sql.POSITIONS)):
            await db.execute("ROLLBACK")
            return 0
        orphans = 0
        if batch.calls:
            await db.executemany(sql.INSERT_CALL, batch.calls.values())
        if batch.answers:
            await db.executemany(sql.UPDATE_ANSWER, batch.answers)
        if batch.ends:
            orphans = len(batch.ends) - (await db.executemany(sql.UPDATE_END, batch.ends)).rowcount
        if batch.notes:
            await db.executemany(sql.INSERT_NOTE, batch.notes)
        ends = [(journal, *span.end) for journal, span in batch.spans.items()]
        await db.executemany(sql.STORE_POSITION, ends)
        await db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            await db.execute("ROLLBACK")
        raise
    return orphans


def _follows(batch: Batch, rows: Iterable[sqlite3.Row]) -> bool:
    """Whether a batch goes on where the store stands; False if it is stored. Raises PositionMoved."""
    stored = {journal: (segment, offset) for journal, segment, offset in rows}
    spans = [(stored.get(journal, START), span) for journal, span in batch.spans.items()]
    if all(stands_at == span.begin for stands_at, span in spans):
        return True
    if all(stands_at == span.end for stands_at, span in spans):
        return False
    raise PositionMoved("the batch does not begin where the store stands")


class SqliteReading:
    """A SQLite file of calls for reading only, without a loop. A context manager.

    One that the desk has only just begun to make holds no calls. Raises StoreUnavailable, also where there is no such
    file yet, and StoreTooNew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _translated(path):
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
            needed = self._db.execute(sql.NEEDED_VERSION).fetchone()
            self._is_made = self._db.execute(sql.HAS_CALLS).fetchone() is not None
        _must_know(path, needed)

    def __enter__(self) -> SqliteReading:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _rows(self, query: str, values: Iterable[object] = ()) -> list[Row]:
        if not self._is_made:
            return []
        with _translated(self._path):
            rows: list[Row] = self._db.execute(query, tuple(values)).fetchall()
            return rows

    def find(self, wanted: Filter) -> list[Record]:
        """The calls that agree with the filter, newest first."""
        return _records(self._rows(*sql.find(wanted)))

    def each(self, wanted: Filter) -> Iterator[Record]:
        """All calls that agree with the filter, newest first; its limit does not count.

        Read in portions: little is held at once, and no reading lasts so long that the desk's log cannot be cut.
        """
        after: tuple[float, int] | None = None
        while rows := self._rows(*sql.page(wanted, after, PORTION)):
            yield from (Record(*row[1:]) for row in rows)
            last = rows[-1]
            after = last[1 + _AT], last[0]

    def get(self, decision_id: str) -> Record | None:
        """One call."""
        rows = _records(self._rows(sql.GET, (decision_id,)))
        return rows[0] if rows else None

    def begins(self, prefix: str, limit: int) -> list[Record]:
        """The calls whose decision id begins so, newest first."""
        return _records(self._rows(sql.BY_PREFIX, (prefix, prefix + "\U0010ffff", limit)))

    def has_call_ids(self) -> bool:
        """Whether calls can be found by Call-ID: not before the desk of this version has opened the database."""
        return bool(self._rows(sql.HAS_CALL_IDS))

    def has_trunk(self, name: str) -> bool:
        """Whether a call came from, or left by, a trunk of this name."""
        return bool(self._rows(sql.HAS_TRUNK, (name, name)))

    def has_rule(self, name: str) -> bool:
        """Whether a rule of this name decided a call."""
        return bool(self._rows(sql.HAS_RULE, (name,)))

    def counts(self, wanted: Filter) -> list[Count]:
        """How many calls of the filter had which verdict and end."""
        return [Count(*row) for row in self._rows(*sql.counts(wanted))]

    def notes(self, after_at: float, limit: int) -> list[Note]:
        """What concerned all calls since then, newest first."""
        return [Note(*row) for row in self._rows(sql.NOTES, (after_at, limit))]

    def check(self, within_s: float) -> bool:
        """Looks at the pages and rows of the file; whether it came to the end in time. Raises StoreDamaged."""
        until = time.monotonic() + within_s
        self._db.set_progress_handler(lambda: time.monotonic() > until, 10_000)
        try:
            with _translated(self._path):
                said = [str(row[0]) for row in self._db.execute("PRAGMA quick_check(1)")]
        except StoreDamaged:
            raise
        except StoreUnavailable:
            if time.monotonic() > until:
                return False
            raise
        finally:
            self._db.set_progress_handler(None, 0)
        if said != ["ok"]:
            raise StoreDamaged(self._path, " ".join(said[0].split()))
        return True


def _records(rows: Iterable[Row]) -> list[Record]:
    return [Record(*row) for row in rows]
