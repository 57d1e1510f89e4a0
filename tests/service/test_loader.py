"""The loader brings every frame into the store once, whatever goes wrong in between."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest

from sipguard.b2bua.frames import Frame, NoteFrame, encode
from sipguard.records.filter import Filter
from sipguard.records.record import Batch
from sipguard.service.call_log import CallLog, LogOptions, masked
from sipguard.service.cells import DeskSlots
from sipguard.service.loader import Keeping, Loader
from sipguard.service.metrics import render
from sipguard.store.errors import JournalFull, StoreDamaged, StoreTooNew, StoreUnavailable
from sipguard.store.journal import MIN_SEGMENT_BYTES, Position, Writer, segment_numbers
from sipguard.store.sqlite import SqliteStore
from tests.records import samples

KEEPING = Keeping(segment_bytes=MIN_SEGMENT_BYTES)


class Place:
    """Journals, a store, counts and a log in one directory."""

    def __init__(self, path: Path) -> None:
        self.journals = path / "journal"
        self.store = SqliteStore(path / "calls.db")
        self.slots = DeskSlots.create(path / "desk.slots")
        self.lines = io.BytesIO()
        self.writers: dict[str, Writer] = {}

    def write(self, *frames: Frame, journal: str = "0") -> None:
        if journal not in self.writers:
            self.writers[journal] = Writer(self.journals / journal, MIN_SEGMENT_BYTES)
        for frame in frames:
            self.writers[journal].append(encode(frame))

    def loader(self, batch_frames: int = 100, keeping: Keeping = KEEPING, log: LogOptions | None = None) -> Loader:
        call_log = CallLog(log or LogOptions(), self.lines)
        return Loader(
            self.journals, self.store, 0.01,
            batch_frames=batch_frames, keeping=keeping, slots=self.slots, call_log=call_log,
        )  # fmt: skip

    async def ids(self) -> list[str]:
        return sorted(record.decision_id for record in await self.store.find(Filter(limit=1000)))

    def logged(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def calls(count: int, start: int = 0) -> list[Frame]:
    """Calls that were rejected and calls that were answered, in turn."""
    frames: list[Frame] = []
    for n in range(start, start + count):
        name = f"d-{n:03}"
        frames += [samples.rejected(name)] if n % 2 else [samples.verdict(name), samples.ended(name)]
    return frames


@pytest.mark.parametrize("batch_frames", [1, 7, 1000])
async def test_all_journals_are_loaded(place: Place, batch_frames: int) -> None:
    place.write(*calls(40), journal="0")
    place.write(*calls(40, 40), journal="1")
    loader = place.loader(batch_frames)
    assert await loader.flush() == 120
    assert await place.ids() == [f"d-{n:03}" for n in range(80)]
    assert len(await place.store.find(Filter(disposition="answered", limit=100))) == 40
    assert await loader.flush() == 0
    assert place.slots.slots["frames_loaded"] == 120
    assert place.slots.slots["basis_dno"] == 40
    assert place.slots.slots["end_answered"] == 40
    await place.store.close()


async def test_another_loader_goes_on_where_the_last_one_stood(place: Place) -> None:
    place.write(*calls(10))
    await place.loader().flush()
    place.write(*calls(10, 10))
    assert await place.loader().flush() == 15
    assert len(await place.ids()) == 20
    await place.store.close()


async def test_a_store_that_is_away_delays_and_loses_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(*calls(10))
    loader = place.loader(4)
    await loader.turn()

    async def away(batch: Batch) -> int:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(place.store, "load", away)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await loader.turn()
    place.write(*calls(10, 10))
    await loader.flush()
    assert await place.ids() == [f"d-{n:03}" for n in range(20)]
    assert place.slots.slots["store_failures"] == 3
    assert place.slots.slots["frames_loaded"] == 30
    await place.store.close()


async def test_an_answer_that_got_lost_does_not_load_twice(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(*calls(10))
    loader, load = place.loader(), place.store.load

    async def stored_but_not_told(batch: Batch) -> int:
        await load(batch)
        raise StoreUnavailable("the answer got lost")

    with monkeypatch.context() as patch:
        patch.setattr(place.store, "load", stored_but_not_told)
        with pytest.raises(StoreUnavailable):
            await loader.turn()
    assert await loader.flush() == 0
    assert len(await place.ids()) == 10
    await place.store.close()


async def test_a_cancelled_turn_is_made_up_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(*calls(10))
    loader = place.loader()

    async def never(batch: Batch) -> int:
        await asyncio.Event().wait()
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(place.store, "load", never)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loader.turn(), 0.05)
    assert await loader.flush() == 15
    assert len(await place.ids()) == 10
    await place.store.close()


async def test_a_new_database_gets_all_that_the_journal_holds(place: Place, tmp_path: Path) -> None:
    place.write(*calls(10))
    loader = place.loader()
    await loader.flush()
    for name in ("calls.db", "calls.db-wal", "calls.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    place.write(*calls(10, 10))
    await loader.flush()
    assert len(await place.ids()) == 20
    await place.store.close()


async def test_a_damaged_database_that_is_moved_away_is_made_anew(place: Place, tmp_path: Path) -> None:
    place.write(*calls(40))
    loader = place.loader()
    await loader.flush()
    await place.store.close()
    octets = (tmp_path / "calls.db").read_bytes()
    (tmp_path / "calls.db").write_bytes(octets[:100] + b"\x5a" * (len(octets) - 100))
    place.write(*calls(10, 40))
    with pytest.raises(StoreDamaged, match=r"move .*calls\.db\* away"):
        await loader.flush()
    for file in sorted(tmp_path.glob("calls.db*")):  # noqa: ASYNC240 - a test
        file.rename(file.with_name(f"gone-{file.name}"))
    await loader.flush()
    assert len(await place.ids()) == 50
    await place.store.close()


async def test_it_runs_until_it_is_cancelled(place: Place) -> None:
    loader = place.loader()
    running = asyncio.create_task(loader.run())
    place.write(*calls(10))
    async with asyncio.timeout(5):
        prepared = place.journals / "0" / "prepared"
        while len(await place.ids()) < 10 or not prepared.exists():  # noqa: ASYNC110 - files set no event
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    place.write(*calls(2, 10))
    assert await loader.flush() == 3
    await place.store.close()


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreTooNew("newer"), OSError("no descriptors")])
async def test_it_goes_on_after(place: Place, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    load, failed = place.store.load, asyncio.Event()
    told: list[int] = []

    async def once(batch: Batch) -> int:
        if failed.is_set():
            told.append(place.slots.slots["store_away"])
            return await load(batch)
        failed.set()
        raise error

    monkeypatch.setattr(place.store, "load", once)
    monkeypatch.setattr("sipguard.service.loader.LONGEST_WAIT_S", 0.0)
    place.write(*calls(4))
    running = asyncio.create_task(place.loader().run())
    async with asyncio.timeout(5):
        while len(await place.ids()) < 4 or place.slots.slots["store_away"]:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.01)
    assert told == [1]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await place.store.close()


async def test_undecodable_frames_are_counted_and_passed_over(place: Place) -> None:
    place.write(*calls(2))
    place.writers["0"].append(b"\x92 no frame")
    place.write(*calls(2, 2))
    loader = place.loader()
    await loader.flush()
    assert len(await place.ids()) == 4
    assert place.slots.slots["frames_damaged"] == 1
    await place.store.close()


@pytest.mark.parametrize(
    "bad",
    [
        samples.verdict("bad", float("nan")),
        samples.verdict("bad", float("inf")),
        samples.verdict("bad", -1.0),
        samples.verdict("bad", screen_us=2**63),
        samples.ended("d-000", float("nan")),
        samples.ended("d-000", ring_at=float("nan")),
        samples.ended("d-000", answer_at=1e300),
        samples.ended("d-000", forward_us=2**63),
        NoteFrame(float("nan"), "reload"),
    ],
)
async def test_frames_with_impossible_times_are_counted_and_passed_over(place: Place, bad: Frame) -> None:
    place.write(*calls(2), bad, *calls(2, 2))
    await place.loader(100).flush()
    assert await place.ids() == [f"d-{n:03}" for n in range(4)]
    assert (place.slots.slots["frames_damaged"], place.slots.slots["frames_loaded"]) == (1, 6)
    await place.store.close()


async def test_old_and_loaded_segments_are_deleted(place: Place) -> None:
    for n in range(8):
        place.write(samples.verdict(f"d-{n}", head=b"x" * 20_000))
    directory = place.journals / "0"
    newest = segment_numbers(directory)[-1]
    assert newest > 2
    loader = place.loader(keeping=Keeping(journal_s=0.0, segment_bytes=MIN_SEGMENT_BYTES))
    await loader.forget_old()
    assert len(segment_numbers(directory)) == newest
    await loader.flush()
    await loader.forget_old()
    assert segment_numbers(directory) == [newest]
    await place.store.close()


async def test_old_rows_are_deleted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipguard.service.loader.FORGET_AT_ONCE", 3)
    monkeypatch.setattr("sipguard.service.loader.FORGET_PAUSE_S", 0.0)
    place.write(*calls(10))
    place.write(samples.verdict("d-new", 1e11))
    loader = place.loader(keeping=Keeping(records_s=60.0))
    await loader.flush()
    await loader.forget_old()
    assert await place.ids() == ["d-new"]
    await place.store.close()


async def test_a_disk_without_room_stops_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(*calls(2))

    def full(path: Path, size: int) -> None:
        raise JournalFull("no room")

    monkeypatch.setattr("sipguard.store.upkeep.preallocate", full)
    loader = place.loader()
    loader.care()
    assert await loader.flush() == 3
    await place.store.close()


# ------------------------------------------------------------------ lines of calls


async def test_a_call_that_ended_is_one_line(place: Place) -> None:
    place.write(samples.verdict("d-1"), samples.rejected("d-2"), samples.verdict("d-3"))
    loader = place.loader()
    await loader.flush()
    assert [line["id"] for line in place.logged()] == ["d-2"]
    place.write(samples.ended("d-1"))
    await loader.flush()
    line = place.logged()[-1]
    assert line == {
        "event": "call", "level": "info", "at": "2026-01-01T00:00:00.000+00:00", "id": "d-1", "site": "east",
        "node": "n1", "trunk": "carrier-a", "route": "core", "caller": "1202555****", "callee": "1202555****",
        "verdict": "allow", "rule": "default", "disposition": "answered", "status": 200, "duration_s": 60.0,
        "screen_us": 250, "forward_us": 420, "revision": "r7", "mode": "enforce",
    }  # fmt: skip
    assert place.slots.slots["log_lines"] == 2
    await place.store.close()


async def test_whole_numbers_on_request(place: Place) -> None:
    place.write(samples.rejected("d-2", shown="18005550199", caller="12025550101"))
    await place.loader(log=LogOptions(whole_numbers=True)).flush()
    line = place.logged()[0]
    assert (line["caller"], line["shown"], line["basis"]) == ("12025550101", "18005550199", "dno")
    await place.store.close()


@pytest.mark.parametrize(("percent", "least", "most"), [(0, 0, 0), (20, 2, 50), (100, 100, 100)])
async def test_lines_are_sampled(place: Place, percent: int, least: int, most: int) -> None:
    place.write(*calls(100))
    await place.loader(log=LogOptions(percent=percent), batch_frames=1000).flush()
    assert least <= len(place.logged()) <= most
    await place.store.close()


async def test_lines_go_to_a_file(place: Place, tmp_path: Path) -> None:
    call_log = CallLog(LogOptions(path=tmp_path / "calls.log"))
    place.write(samples.rejected("d-2"))
    await Loader(place.journals, place.store, call_log=call_log).flush()
    assert json.loads((tmp_path / "calls.log").read_bytes())["id"] == "d-2"
    await place.store.close()


@pytest.mark.parametrize(
    ("tn", "shown"),
    [("12025550101", "1202555****"), ("911", "911"), ("", ""), ("442079460000", "44207946****")],
)
def test_masking(tn: str, shown: str) -> None:
    assert masked(tn) == shown


async def test_the_position_of_an_empty_segment_is_no_gap(place: Place) -> None:
    place.write(*calls(2))
    loader = place.loader()
    await loader.flush()
    place.writers.pop("0").close()
    Writer(place.journals / "0", MIN_SEGMENT_BYTES).close()
    assert await loader.flush() == 0
    place.write(*calls(2, 2))
    assert await loader.flush() == 3
    assert (await place.store.positions())["0"] > Position(3, 0)
    await place.store.close()


async def test_tries_are_counted_by_peer_and_outcome(place: Place) -> None:
    tries = [("192.0.2.1:5060", 0), ("192.0.2.2:5060", 503), ("192.0.2.1:5060", 200), ("192.0.2.3:5060", 486)]
    place.write(samples.verdict("d-1"), samples.ended("d-1", tries=tries))
    place.write(samples.verdict("d-2"), samples.ended("d-2", tries=tries[2:]))
    loader = place.loader()
    await loader.flush()
    assert loader.tries == {
        ("192.0.2.1:5060", "silent"): 1,
        ("192.0.2.2:5060", "failed"): 1,
        ("192.0.2.1:5060", "answered"): 2,
        ("192.0.2.3:5060", "refused"): 2,
    }
    text = render((), {}, (), loader.tries).decode()
    assert 'sipguard_peer_tries_total{outcome="answered",peer="192.0.2.1:5060"} 2.0' in text
    await place.store.close()
