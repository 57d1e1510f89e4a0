"""What lists did on a day, counted from the journals, and kept for good when the day is over.

Enters: journals, which state of each list was in force. Leaves: a file for each day (UTC) in `lists/proof` of the state
directory. Must not: hold up the loop of the desk, or keep a day that the journals tell only a part of.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from sipguard.b2bua.frames import decode_lists
from sipguard.records.list_tally import Counted, Tally, of_rows
from sipguard.store import in_force
from sipguard.store.errors import JournalError
from sipguard.store.journal import Position, Reader, segment_numbers, segment_path
from sipguard.store.upkeep import created_at, writers

DIRECTORY: Final = "proof"
DAY_S: Final = 86_400
FRAMES_A_TURN: Final = 500
SLACK_S: Final = 600.0  # verdicts are written in the order of their ends: one may wait that long for certificates
LOOKED_EVERY_S: Final = 600.0

log: Final = structlog.get_logger("sipguard")


@dataclass
class DayTally:
    """The counts of a day. `from_at`: before it the journals tell nothing any more, Unix seconds; `unread`: frames that
    are damaged; `kept`: it was counted when the day was over."""

    day: date
    from_at: float
    calls: int
    unread: int
    counted: list[tuple[Counted, int]]
    kept: bool = False


def begin_of(day: date) -> float:
    """The beginning of a day, UTC, Unix seconds."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def day_of(at: float) -> date:
    """The day, UTC, of an instant."""
    return datetime.fromtimestamp(at, UTC).date()


def told_from(journal_dir: Path) -> float | None:
    """From when on the journals tell of every call: 0.0 where none was deleted, None where there is no journal."""
    found: list[float] = []
    for journal in writers(journal_dir):
        numbers = segment_numbers(journal_dir / journal)
        if numbers:
            found.append(0.0 if numbers[0] == 1 else created_at(segment_path(journal_dir / journal, numbers[0])))
    return max(found, default=None)


class Count:
    """Counts a day a turn at a time; `result` when it is done. Raises OSError."""

    def __init__(self, journal_dir: Path, lists_dir: Path, day: date) -> None:
        self._journal_dir = journal_dir
        self._day = day
        since: dict[str, list[float]] = {}
        for term in in_force.terms(lists_dir):
            since.setdefault(term.state.list, []).append(term.from_at)
        self._tally = Tally(since)
        self._unread = 0

    def turns(self) -> Iterator[None]:
        """Reads the journals, FRAMES_A_TURN frames between two yields."""
        begin = begin_of(self._day)
        for journal in writers(self._journal_dir):
            directory = self._journal_dir / journal
            reader = Reader(directory, Position(_first_segment(directory, begin), 0))
            try:
                over = False
                while not over:
                    frames = 0
                    for _, _, payload in reader.read(FRAMES_A_TURN):
                        frames += 1
                        over = self._take(payload, begin) or over
                    over = over or not frames
                    yield
                self._unread += len(reader.damaged)
            finally:
                reader.close()

    def _take(self, payload: bytes, begin: float) -> bool:
        """One frame; whether all that follow are of later days."""
        try:
            verdict = decode_lists(payload)
        except msgspec.MsgspecError:
            self._unread += 1
            return False
        if verdict is None:
            return False
        if begin <= verdict.at < begin + DAY_S:
            self._tally.take(verdict)
        return verdict.at >= begin + DAY_S + SLACK_S

    def result(self) -> DayTally:
        """What came of it."""
        told = told_from(self._journal_dir)
        begin = begin_of(self._day)
        from_at = begin + DAY_S if told is None else max(begin, min(told, begin + DAY_S))
        return DayTally(self._day, from_at, self._tally.calls, self._unread, list(self._tally.counted.items()))


def _first_segment(directory: Path, at: float) -> int:
    """The last segment that was begun by then, or the first there is; 0 for none."""
    found = 0
    for number in segment_numbers(directory):
        try:
            if found and created_at(segment_path(directory, number)) > at - SLACK_S:
                break
        except OSError:
            continue
        found = number
    return found


def of_day(journal_dir: Path, lists_dir: Path, day: date) -> DayTally:
    """The counts of a day: as they were kept, else counted now. Raises OSError, JournalError."""
    kept = _kept(lists_dir, day)
    if kept is not None:
        return kept
    count = Count(journal_dir, lists_dir, day)
    for _ in count.turns():
        pass
    return count.result()


def _path(lists_dir: Path, day: date) -> Path:
    return lists_dir / DIRECTORY / f"{day.isoformat()}.json"


def _kept(lists_dir: Path, day: date) -> DayTally | None:
    """What was kept of a day, None where nothing was that can be read."""
    try:
        plain: dict[str, Any] = json.loads(_path(lists_dir, day).read_text(encoding="utf-8"))
        counted = list(of_rows(plain["rows"]))
        return DayTally(day, begin_of(day), int(plain["calls"]), int(plain["unread"]), counted, kept=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(lists_dir: Path, found: DayTally) -> None:
    """Keeps the counts of a day that is over. Raises OSError."""
    path = _path(lists_dir, found.day)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = sorted([*key, many] for key, many in found.counted)
    plain = {"day": found.day.isoformat(), "calls": found.calls, "unread": found.unread, "rows": rows}
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(plain, indent=1, ensure_ascii=False), encoding="utf-8")
    new.replace(path)


async def keep_days(journal_dir: Path, lists_dir: Path) -> None:
    """Keeps each day when it is over, always; the loop of the desk goes on between two turns."""
    while True:
        try:
            await keep_due(journal_dir, lists_dir, time.time())
        except (OSError, JournalError) as error:
            log.error("list_proof_not_kept", why=str(error), advice="it is tried again; the journal tells it meanwhile")
        await asyncio.sleep(LOOKED_EVERY_S)


async def keep_due(journal_dir: Path, lists_dir: Path, now_at: float) -> None:
    """Keeps the days that are over and were not kept yet. Raises OSError, JournalError."""
    for day in _due(journal_dir, lists_dir, now_at):
        count = Count(journal_dir, lists_dir, day)
        for _ in count.turns():
            await asyncio.sleep(0)
        found = count.result()
        if found.from_at <= begin_of(day):
            await asyncio.to_thread(keep, lists_dir, found)


def _due(journal_dir: Path, lists_dir: Path, now_at: float) -> Iterator[date]:
    """Days that are over, that the journals tell of as a whole, and that were not kept yet; the oldest first."""
    told = told_from(journal_dir)
    begun = [
        created_at(segment_path(journal_dir / journal, number))
        for journal in writers(journal_dir)
        for number in segment_numbers(journal_dir / journal)[:1]
    ]
    if told is None or not begun:
        return
    day = day_of(min(begun))
    while begin_of(day) + DAY_S + SLACK_S < now_at:
        if begin_of(day) >= told and _kept(lists_dir, day) is None:
            yield day
        day += timedelta(days=1)
