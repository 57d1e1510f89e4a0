"""Calls in SQLite: loaded exactly once, found again, and nothing lost when the file is away."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sipguard.b2bua.frames import Frame, NoteFrame
from sipguard.records.filter import Filter
from sipguard.records.record import Batch, Span
from sipguard.store import sql, sqlite
from sipguard.store.errors import PositionMoved, StoreTooNew, StoreUnavailable
from sipguard.store.interface import Count, RecordStore
from sipguard.store.journal import Position
from sipguard.store.sqlite import SqliteReading, SqliteStore
from tests.records import samples

AT = samples.AT


def batch_of(begin: tuple[int, int], end: tuple[int, int], *frames: Frame) -> Batch:
    """A batch of the journal "0" from `begin` to `end`."""
    batch = Batch()
    for n, frame in enumerate(frames):
        batch.add("0", end[0], begin[1] + n, frame)
    batch.spans["0"] = Span(begin, end)
    return batch


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "calls.db")
    await made.open()
    yield made
    await made.close()


CALLS = (
    samples.verdict("d-1", AT),
    samples.ended("d-1"),
    samples.rejected("d-2", AT + 10, shown="18005550199", caller="12025550103"),
    samples.verdict("d-3", AT + 20, trunk="carrier-b", callee="12025550101", emergency="911 dialled"),
    samples.ended("d-3", AT + 30, disposition="busy", final_status=486),
)


async def test_it_is_a_record_store(store: SqliteStore) -> None:
    other: RecordStore = store
    assert await other.positions() == {}


async def test_a_batch_is_stored_with_its_position(store: SqliteStore) -> None:
    assert await store.load(batch_of((0, 0), (1, 900), *CALLS)) == 0
    assert await store.positions() == {"0": Position(1, 900)}
    record = await store.get("d-1")
    assert record is not None
    assert (record.disposition, record.end_at, record.duration_s) == ("answered", AT + 63, 60.0)
    assert await store.get("d-9") is None


async def test_a_batch_that_comes_twice_is_stored_once(store: SqliteStore) -> None:
    for _ in range(2):
        note = NoteFrame(AT, "reload", "", "r8")
        assert await store.load(batch_of((0, 0), (1, 900), *CALLS, note)) == 0
    assert len(await store.find(Filter())) == 3
    assert len(await store.notes(0.0, 10)) == 1


async def test_a_batch_that_does_not_follow_is_refused(store: SqliteStore) -> None:
    await store.load(batch_of((0, 0), (1, 900), *CALLS))
    with pytest.raises(PositionMoved):
        await store.load(batch_of((1, 950), (1, 1200), samples.verdict("d-4")))
    assert await store.get("d-4") is None
    assert await store.positions() == {"0": Position(1, 900)}


async def test_ends_that_come_later_update(store: SqliteStore) -> None:
    await store.load(batch_of((0, 0), (1, 100), samples.verdict("d-1"), samples.verdict("d-2")))
    await store.load(batch_of((1, 100), (1, 200), samples.answer("d-1")))
    lasting = await store.get("d-1")
    assert lasting is not None
    assert (lasting.answer_at, lasting.disposition) == (AT + 3, "")
    assert await store.load(batch_of((1, 200), (1, 300), samples.ended("d-1"), samples.ended("d-9"))) == 1
    ended = await store.get("d-1")
    assert ended is not None
    assert (ended.disposition, ended.answer_place, ended.forward_us) == (
        "answered", lasting.answer_place, 420,
    )  # fmt: skip
    assert {record.decision_id for record in await store.records(["d-1", "d-2", "d-8"])} == {"d-1", "d-2"}


async def test_what_fails_midway_changes_nothing(store: SqliteStore) -> None:
    batch = batch_of((0, 0), (1, 100), samples.verdict("d-1"))
    batch.notes.append(("not", "a", "note"))  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        await store.load(batch)
    assert await store.find(Filter()) == []
    assert await store.positions() == {}
    assert await store.load(batch_of((0, 0), (1, 100), samples.verdict("d-1"))) == 0


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), ["d-3", "d-2", "d-1"]),
        (Filter(limit=1), ["d-3"]),
        (Filter(number="12025550101"), ["d-3", "d-1"]),
        (Filter(number="18005550199"), ["d-2"]),
        (Filter(caller="12025550103"), ["d-2"]),
        (Filter(callee="12025550102"), ["d-2", "d-1"]),
        (Filter(after=AT + 10), ["d-3", "d-2"]),
        (Filter(before=AT + 10), ["d-1"]),
        (Filter(action="reject"), ["d-2"]),
        (Filter(rule="dno", basis="dno"), ["d-2"]),
        (Filter(trunk="carrier-b"), ["d-3"]),
        (Filter(disposition="busy"), ["d-3"]),
        (Filter(emergency=True), ["d-3"]),
        (Filter(number="12025550101", trunk="carrier-a", after=AT), ["d-1"]),
        (Filter(trunk="' OR 1=1 --"), []),
    ],
    ids=lambda value: "" if isinstance(value, list) else str(value)[7:60],
)
async def test_calls_are_found(store: SqliteStore, tmp_path: Path, wanted: Filter, found: list[str]) -> None:
    await store.load(batch_of((0, 0), (1, 900), *CALLS))
    assert [record.decision_id for record in await store.find(wanted)] == found
    with SqliteReading(tmp_path / "calls.db") as reading:
        assert [record.decision_id for record in reading.find(wanted)] == found


async def test_a_reader_sees_what_the_store_sees(store: SqliteStore, tmp_path: Path) -> None:
    await store.load(batch_of((0, 0), (1, 900), *CALLS, NoteFrame(AT, "reload", "", "r8")))
    with SqliteReading(tmp_path / "calls.db") as reading:
        assert reading.get("d-2") == await store.get("d-2")
        assert reading.get("d-9") is None
        assert reading.counts(Filter()) == await store.counts(Filter())
        assert reading.notes(AT, 5) == await store.notes(AT, 5)
        with pytest.raises(StoreUnavailable):
            reading._rows("DELETE FROM call")


async def test_all_calls_are_read_in_portions(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PORTION", 2)
    calls = [samples.verdict(f"d-{n}", AT + n // 5, trunk="odd" if n % 2 else "even") for n in range(13)]
    await store.load(batch_of((0, 0), (1, 900), *calls))
    with SqliteReading(tmp_path / "calls.db") as reading:
        newest = [f"d-{n}" for n in range(12, -1, -1)]
        assert [each.decision_id for each in reading.each(Filter(limit=1))] == newest
        assert [each.decision_id for each in reading.each(Filter(trunk="odd", after=AT + 1))] == [
            "d-11",
            "d-9",
            "d-7",
            "d-5",
        ]
        assert list(reading.each(Filter(before=AT))) == []


def test_a_database_that_is_only_just_being_made_holds_no_calls(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.touch()
    with SqliteReading(path) as reading:
        assert reading.find(Filter()) == []
        assert reading.get("d-1") is None
        assert not reading.has_trunk("carrier-a")


async def test_a_reader_needs_no_running_store(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    with pytest.raises(StoreUnavailable):
        SqliteReading(path)
    store = SqliteStore(path)
    await store.load(batch_of((0, 0), (1, 900), *CALLS))
    await store.close()
    with SqliteReading(path) as reading:
        assert len(reading.find(Filter())) == 3


async def test_counts(store: SqliteStore) -> None:
    await store.load(batch_of((0, 0), (1, 900), *CALLS))
    assert sorted(await store.counts(Filter())) == [
        Count("allow", "", "answered", 1),
        Count("allow", "", "busy", 1),
        Count("reject", "dno", "rejected", 1),
    ]
    assert await store.counts(Filter(trunk="carrier-b")) == [Count("allow", "", "busy", 1)]


async def test_old_calls_are_forgotten_in_steps(store: SqliteStore) -> None:
    await store.load(batch_of((0, 0), (1, 900), *CALLS))
    assert await store.forget(AT + 15, 1) == 1
    assert await store.forget(AT + 15, 1) == 1
    assert await store.forget(AT + 15, 1) == 0
    assert [record.decision_id for record in await store.find(Filter())] == ["d-3"]


async def test_what_is_no_database_is_away_until_it_is_one(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.write_bytes(b"this is no database" * 100)
    store = SqliteStore(path)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.load(batch_of((0, 0), (1, 900), *CALLS))
    path.unlink()
    assert await store.load(batch_of((0, 0), (1, 900), *CALLS)) == 0
    await store.close()


async def test_a_locked_database_is_away(store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "PRAGMAS", ("PRAGMA busy_timeout = 1",))
    await store.open()
    other = sqlite3.connect(tmp_path / "calls.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.load(batch_of((0, 0), (1, 900), *CALLS))
    other.execute("ROLLBACK")
    other.close()
    assert await store.load(batch_of((0, 0), (1, 900), *CALLS)) == 0


async def test_a_database_that_was_moved_away_is_not_written_any_more(store: SqliteStore, tmp_path: Path) -> None:
    await store.load(batch_of((0, 0), (1, 900), *CALLS))
    (tmp_path / "calls.db").rename(tmp_path / "old.db")
    assert await store.positions() == {}
    assert await store.load(batch_of((0, 0), (1, 900), samples.verdict("d-4"))) == 0
    with SqliteReading(tmp_path / "calls.db") as reading:
        assert [record.decision_id for record in reading.find(Filter())] == ["d-4"]


async def test_a_database_that_needs_a_later_release_is_left_alone(store: SqliteStore, tmp_path: Path) -> None:
    await store.close()
    database = tmp_path / "calls.db"
    with sqlite3.connect(database) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute(sql.INSERT_MIGRATION, (99, 0.0, "from the future"))
        other.execute(f"{sql.NEEDED_VERSION} = 99")
    other.close()
    before = database.read_bytes()
    with pytest.raises(StoreTooNew, match=r"version 99, this one knows \d+; nothing was changed; start the newer one"):
        await store.open()
    with pytest.raises(StoreTooNew):
        SqliteReading(database)
    assert database.read_bytes() == before


async def test_what_a_later_release_has_added_is_no_matter(store: SqliteStore, tmp_path: Path) -> None:
    await store.close()
    with sqlite3.connect(tmp_path / "calls.db") as other:
        other.execute("ALTER TABLE call ADD COLUMN later TEXT NOT NULL DEFAULT ''")
        other.execute(sql.INSERT_MIGRATION, (99, 0.0, "a column with a default"))
    other.close()
    await store.load(batch_of((0, 0), (1, 900), *CALLS))
    with SqliteReading(tmp_path / "calls.db") as reading:
        assert len(reading.find(Filter())) == 3


async def test_opening_again_migrates_nothing(store: SqliteStore, tmp_path: Path) -> None:
    await store.open()
    with sqlite3.connect(tmp_path / "calls.db") as other:
        assert other.execute("SELECT count(*) FROM migration").fetchone() == (len(sql.MIGRATIONS),)
    other.close()
