"""From the journals to the database: loads what workers wrote, cares for their files, logs calls.

Enters: journal directories. Leaves: rows, counts, log lines; segments prepared, synced and deleted.
Must not: lose a frame. A database that is away delays; the journal keeps what is not loaded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import structlog

from sipguard.b2bua.frames import decode_slim
from sipguard.records.errors import BadFrame
from sipguard.records.record import Batch, Record, Span, refusal_of
from sipguard.service.call_log import CallLog
from sipguard.service.cells import DeskSlots, publish_process
from sipguard.store import upkeep
from sipguard.store.errors import JournalError, PositionMoved, StoreError
from sipguard.store.interface import RecordStore
from sipguard.store.journal import DEFAULT_SEGMENT_BYTES, START, Position, Reader

CARE_EVERY_S: Final = 1.0
RETENTION_EVERY_S: Final = 60.0
FORGET_AT_ONCE: Final = 500
FORGET_PAUSE_S: Final = 0.05
LONGEST_WAIT_S: Final = 30.0
FRAMES_A_TURN: Final = 500  # decoded before the loop of the desk may do something else

TRIES_KEPT: Final = 4_000

log: Final = structlog.get_logger("sipguard")


def outcome_of(status: int) -> str:
    """What a try of a peer came to, answered | refused | failed (5xx) | silent; 0 is silence."""
    if not status:
        return "silent"
    if status < 300:
        return "answered"
    return "failed" if 500 <= status < 600 else "refused"


@dataclass(frozen=True)
class Keeping:
    """How long things are kept, and the size of segments. Journals wait until they are loaded besides."""

    journal_s: float = 7 * 86400.0
    records_s: float = 365 * 86400.0
    segment_bytes: int = DEFAULT_SEGMENT_BYTES


class Loader:
    """Loads all journals below `journal_dir` into `store`, each `interval_s`, `batch_frames` at most."""

    def __init__(
        self,
        journal_dir: Path,
        store: RecordStore,
        interval_s: float = 1.0,
        *,
        batch_frames: int = 6000,
        keeping: Keeping | None = None,
        slots: DeskSlots | None = None,
        call_log: CallLog | None = None,
    ) -> None:
        self._journal_dir = journal_dir
        self._store = store
        self._interval_s = interval_s
        self._batch_frames = batch_frames
        self._keeping = keeping or Keeping()
        self._slots = slots
        self._call_log = call_log
        self.tries: dict[tuple[str, str], int] = {}  # (peer, answered | refused | failed (5xx) | silent) -> INVITEs
        self._readers: dict[str, Reader] = {}
        self._loaded: dict[str, Position] | None = None  # None: ask the store
        self._synced: dict[str, int] = {}
        self._complete_at = time.time()
        self._away = False
        self._turning = asyncio.Lock()

    async def run(self) -> None:
        """Loads and cares for the journals until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._load_always())
                tasks.create_task(self._care_always())
        finally:
            self._close_readers()

    async def flush(self) -> int:
        """Loads everything that stands in the journals; the number of frames. Raises StoreUnavailable."""
        loaded = 0
        while frames := await self.turn():
            loaded += frames
        return loaded

    async def _load_always(self) -> None:
        wait_s = self._interval_s
        while True:
            try:
                full = await self.turn() >= self._batch_frames
                wait_s = 0.0 if full else self._interval_s
                if not full:
                    self._complete_at = time.time()
            except (StoreError, OSError) as error:
                self._say_away(error)
                wait_s = min(LONGEST_WAIT_S, max(2 * wait_s, self._interval_s))
            self._publish()
            await asyncio.sleep(wait_s)

    async def turn(self) -> int:
        """Loads one batch; the number of its frames. Raises StoreUnavailable; they come again then."""
        async with self._turning:
            try:
                batch, orphans = await self._load_once()
            except StoreError:
                if self._slots is not None:
                    self._slots.slots.add("store_failures")
                raise
        if self._away:
            self._away = False
            log.info("database_back", frames=batch.frames)
        if batch.frames:
            await self._tell(batch, orphans)
        return batch.frames

    async def _load_once(self) -> tuple[Batch, int]:
        """A batch that is stored, and how many of its ends have no call. Asks anew where the store stands if
        anything comes in between, so that what was read and not stored is read again."""
        while True:
            loaded = self._loaded
            self._loaded = None
            if loaded is None:
                loaded = dict(await self._store.positions())
                self._close_readers()
            batch = await self._gather(loaded)
            try:
                orphans = await self._store.load(batch) if batch.frames else 0
            except PositionMoved:
                continue
            if batch.frames:
                loaded.update((journal, Position(*span.end)) for journal, span in batch.spans.items())
            self._loaded = loaded
            return batch, orphans

    async def _gather(self, loaded: Mapping[str, Position]) -> Batch:
        """The next frames of all journals, joined."""
        batch = Batch()
        for journal in upkeep.writers(self._journal_dir):
            begin = loaded.get(journal, START)
            reader = self._readers.get(journal)
            if reader is None:
                reader = self._readers[journal] = Reader(self._journal_dir / journal, begin)
            while (room := min(FRAMES_A_TURN, self._batch_frames - batch.frames)) > 0:
                before = batch.frames
                for segment, offset, payload in reader.read(room):
                    try:
                        batch.add(journal, segment, offset, decode_slim(payload))
                    except (msgspec.MsgspecError, BadFrame):
                        reader.damaged.append(Position(segment, offset))
                if batch.frames == before:
                    break
                await asyncio.sleep(0)
            if reader.position != begin:
                batch.spans[journal] = Span(begin, reader.position)
            self._note_damage(journal, reader)
        return batch

    def _note_damage(self, journal: str, reader: Reader) -> None:
        """Says and counts which frames were passed over."""
        if reader.damaged:
            places = [f"{segment}:{offset}" for segment, offset in reader.damaged[:10]]
            log.error("journal_damaged", journal=journal, frames=len(reader.damaged), first=places)
            if self._slots is not None:
                self._slots.slots.add("frames_damaged", len(reader.damaged))
            reader.damaged.clear()

    async def _tell(self, batch: Batch, orphans: int) -> None:
        """Counts and logs what a stored batch holds."""
        slots = self._slots
        if slots is not None:
            slots.slots.add("frames_loaded", batch.frames)
            slots.slots.add("frames_orphaned", orphans)
            for verdict in batch.refused:
                slots.refused(refusal_of(verdict), verdict.basis, verdict.status)
            for end in batch.ended:
                slots.ended(end.disposition, end.final_status, end.forward_us)
                for peer, status in end.tries:
                    self._tried(peer, outcome_of(status))
        if self._call_log is not None:
            written = self._call_log.write(await self._ended_calls(batch, self._call_log))
            if slots is not None:
                slots.slots.add("log_lines", written)

    def _tried(self, peer: str, outcome: str) -> None:
        """Counts what a peer came to; peers are those of the configuration and of DNS, so there is a bound."""
        key = (peer, outcome)
        if key in self.tries or len(self.tries) < TRIES_KEPT:
            self.tries[key] = self.tries.get(key, 0) + 1

    async def _ended_calls(self, batch: Batch, call_log: CallLog) -> list[Record]:
        """The records of the calls that ended in a batch and are to be logged."""
        wanted = [each.decision_id for each in batch.refused if call_log.wants(each.decision_id)]
        wanted += [each.decision_id for each in batch.ended if call_log.wants(each.decision_id)]
        here = [record for record in map(batch.record, wanted) if record is not None]
        elsewhere = [decision_id for decision_id in wanted if decision_id not in batch.calls]
        if elsewhere:
            try:
                here += await self._store.records(elsewhere)
            except StoreError as error:
                self._say_away(error)
        return here

    def _say_away(self, error: StoreError | OSError) -> None:
        if not self._away:
            self._away = True
            log.error("database_away", why=str(error), advice="calls are kept in the journal and loaded later")

    def _publish(self) -> None:
        if self._slots is not None:
            lag_s = max(0.0, time.time() - self._complete_at)
            self._slots.slots.set("loader_lag_ms", int(lag_s * 1000))
            self._slots.slots.set("store_away", int(self._away))
            publish_process(self._slots.slots)

    def _close_readers(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    # ------------------------------------------------------------------ care for the files

    async def _care_always(self) -> None:
        retained_at = 0.0
        while True:
            await asyncio.to_thread(self.care)
            now = time.monotonic()
            if now - retained_at >= RETENTION_EVERY_S or not retained_at:
                retained_at = now
                await self.forget_old()
            await asyncio.sleep(CARE_EVERY_S)

    def care(self) -> None:
        """Syncs the journals to the disk and prepares the segments that come next. Blocks."""
        for journal in upkeep.writers(self._journal_dir):
            directory = self._journal_dir / journal
            try:
                self._synced[journal] = upkeep.flush(directory, self._synced.get(journal, 0))
                upkeep.prepare_next(directory, self._keeping.segment_bytes)
            except (JournalError, OSError) as error:
                log.error("journal_care_failed", journal=journal, why=str(error))

    async def forget_old(self) -> None:
        """Deletes segments and rows that were kept long enough, rows in small steps."""
        now_at = time.time()
        try:
            for journal, position in dict(self._loaded or {}).items():
                before_at = now_at - self._keeping.journal_s
                gone = upkeep.delete_old(self._journal_dir / journal, position.segment, before_at)
                if gone:
                    log.info("segments_deleted", journal=journal, first=gone[0], last=gone[-1])
            gone_rows = FORGET_AT_ONCE
            while gone_rows == FORGET_AT_ONCE:
                await asyncio.sleep(FORGET_PAUSE_S)
                gone_rows = await self._store.forget(now_at - self._keeping.records_s, FORGET_AT_ONCE)
        except (StoreError, OSError) as error:
            self._say_away(error)
