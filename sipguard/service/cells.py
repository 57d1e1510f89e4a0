"""The cells of each process in its mapped file: what counts them, and how others read them.

Enters: counts and levels of worker, fetcher and desk. Leaves: integers in files. Must not: be dear to import, a worker
starts with it; or be called for a single call but for adding to a cell.
"""

from __future__ import annotations

import gc
import resource
import time
from bisect import bisect_left
from collections.abc import Mapping, MutableSequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from sipguard.service.metric_table import (
    DESK_NAMES,
    FETCH_BUCKETS_S,
    FETCHER_NAMES,
    NAMES_OF,
    SETUP_BUCKETS_S,
    WORKER_NAMES,
)
from sipguard.service.slots import Slots, SlotsUnlike

if TYPE_CHECKING:
    from sipguard.net.disk import Disk

_STATM: Final = Path("/proc/self/statm")


class Turns(Protocol):
    """What a sample reads of a driver."""

    longest_turn_s: float
    unsent: int


class Written(Protocol):
    """What a sample reads of a journal writer."""

    bytes_written: int
    frames_lost: int


class Exported(Protocol):
    """What a sample reads of an exporter."""

    sent: int
    dropped: int


class WorkerSlots:
    """The cells of a worker. The engine counts in `counts`, its indices come first."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.counts: MutableSequence[int] = slots.cells

    @classmethod
    def create(cls, path: Path) -> WorkerSlots:
        """A new file of zeros."""
        return cls(Slots.create(path, WORKER_NAMES))

    def trouble(self) -> None:
        """Counts an error of the program."""
        self._slots.add("troubles")

    def sample(self, driver: Turns, journal: Written, revision: str) -> None:
        """Publishes levels; once a second. The longest turn begins anew."""
        slots = self._slots
        slots.set("longest_turn_us", int(driver.longest_turn_s * 1e6))
        driver.longest_turn_s = 0.0
        slots.set("unsent", driver.unsent)
        slots.set("journal_bytes", journal.bytes_written)
        slots.set("journal_lost", journal.frames_lost)
        slots.set("gc2", gc.get_stats()[2]["collections"])
        if slots.text != revision:
            slots.set_text(revision)
        publish_process(slots)

    def left_out(self, calls: int) -> None:
        """Publishes how many calls could not be kept in sight for a successor."""
        self._slots.set("left_out", calls)

    def exported(self, export: Exported) -> None:
        """Counts copies for a capture server since the last time; those of an exporter begin at 0."""
        self._slots.add("hep_sent", export.sent)
        self._slots.add("hep_dropped", export.dropped)
        export.sent = export.dropped = 0

    def sample_connections(self, counts: Mapping[str, int]) -> None:
        """Publishes the counts of connections; once a second."""
        for name, count in counts.items():
            self._slots.set(f"connections_{name}", count)


def publish_process(slots: Slots) -> None:
    """Publishes memory and processor time of this process."""
    resident_pages = int(_STATM.read_bytes().split()[1])
    slots.set("memory_bytes", resident_pages * resource.getpagesize())
    slots.set("cpu_us", time.process_time_ns() // 1000)


class Outstanding(Protocol):
    """What a sample reads of a fetcher."""

    disk: Disk | None

    def open_breakers(self) -> int:
        """Hosts that are left alone now."""

    def outstanding(self) -> int:
        """Requests that are under way or wait."""


class FetcherSlots:
    """The cells of the fetcher."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    @classmethod
    def create(cls, path: Path) -> FetcherSlots:
        """A new file of zeros."""
        return cls(Slots.create(path, FETCHER_NAMES))

    def fetched(self, host: str, reason: str, took_s: float) -> None:
        """Counts a request; `reason` is "" where it brought a certificate."""
        slots = self._slots
        slots.add(f"asked_{reason or 'ok'}")
        slots.add(f"took_{bisect_left(FETCH_BUCKETS_S, took_s)}")
        slots.add("took_sum_us", int(took_s * 1e6))

    def sample(self, fetcher: Outstanding, background: int) -> None:
        """Publishes levels; once a second."""
        slots = self._slots
        if fetcher.disk is not None:
            slots.set("copies", fetcher.disk.files)
            slots.set("copies_failed", fetcher.disk.failures)
        slots.set("breakers_open", fetcher.open_breakers())
        slots.set("outstanding", fetcher.outstanding())
        slots.set("background", background)
        publish_process(slots)


class DeskSlots:
    """The cells of the desk."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self._first_bucket = slots.index["setup_0"]
        self._by_end = _cells_of(slots, "end_")
        self._by_status = {int(name): cell for name, cell in _cells_of(slots, "status_").items() if name != "other"}
        self._other_status = slots.index["status_other"]

    @classmethod
    def create(cls, path: Path) -> DeskSlots:
        """A new file of zeros."""
        return cls(Slots.create(path, DESK_NAMES))

    def refused(self, disposition: str, basis: str, status: int) -> None:
        """Counts a call that its verdict ended."""
        name = f"basis_{basis}"
        if name in self.slots.index:
            self.slots.add(name)
        self.ended(disposition, status, 0)

    def ended(self, disposition: str, status: int, forward_us: int) -> None:
        """Counts a call that ended."""
        cells = self.slots.cells
        end = self._by_end.get(disposition)
        if end is not None:
            cells[end] += 1
        if status:
            cells[self._by_status.get(status, self._other_status)] += 1
        if forward_us:
            bucket = bisect_left(SETUP_BUCKETS_S, forward_us / 1e6)
            cells[self._first_bucket + bucket] += 1
            self.slots.add("setup_sum_us", forward_us)


def _cells_of(slots: Slots, prefix: str) -> dict[str, int]:
    """The indices of the cells whose name begins so, by the rest of the name."""
    return {name[len(prefix) :]: cell for name, cell in slots.index.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class Scraped:
    """One process as it is scraped: kind worker, desk or fetcher, its name, its cells."""

    kind: str
    process: str
    slots: Slots


def scrape(kind: str, process: str, path: Path) -> Scraped | None:
    """One process from its file; None where it is not there or of another release."""
    try:
        return Scraped(kind, process, Slots.open(path, NAMES_OF[kind]))
    except (FileNotFoundError, SlotsUnlike):
        return None
