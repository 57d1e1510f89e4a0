"""What goes on now, as a terminal or a wall shows it: two samples of what is published, and what lies between them.

Enters: samples of counters, the status. Leaves: an Overview of numbers and alerts. Must not: ask the worker anything;
its counters lie in a mapped file.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sipguard.b2bua.frames import DISPOSITIONS
from sipguard.screening.policy.model import BASES
from sipguard.screening.verdict import ENFORCE
from sipguard.service.cells import scrape
from sipguard.service.metric_table import SETUP_BUCKETS_S
from sipguard.service.peer_states import in_words

PERCENTILES: Final = (50, 90, 99)
LAG_S: Final = 60.0
VERDICTS: Final = {"allow": "allowed", "label": "labelled", "reject": "rejected", "redirect": "redirected"}
RESULTS: Final = ("passed", "failed", "none", "unsupported")
NOT_STORED: Final = "the database cannot be used: calls wait in the journal and are loaded later"
UNSCREENED: Final = "unscreened_"


@dataclass(frozen=True)
class Sample:
    """What was published at one instant (monotonic seconds). `tries` is by peer, then by outcome."""

    at: float
    worker: Mapping[str, int]
    desk: Mapping[str, int]
    status: Mapping[str, Any]
    tries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    memory: Mapping[int, int] = field(default_factory=dict)  # resident octets by process


@dataclass(frozen=True)
class Overview:
    """One frame. Rates are for a second, counts since the start; `latency_ms` is by percentile."""

    revision: str
    modes: dict[str, str]
    up_s: float
    draining: bool
    calls: int
    invites_s: float
    answered_s: float
    ended_s: float
    verdicts: dict[str, tuple[int, float]]  # (count, rate)
    refusals: dict[str, int]  # by basis, those that occurred
    ends: dict[str, int]  # by disposition, those that occurred
    verifications: dict[str, int]
    latency_ms: dict[int, float]
    peers: list[dict[str, Any]]  # trunk, peer, passed_over, tries
    overload: dict[str, int]
    processes: list[dict[str, Any]]  # name, pid, starts, memory_bytes, cpu (share of a core)
    alerts: list[str]


def published(run_directory: Path) -> tuple[dict[str, int], dict[str, int]]:
    """The counters of worker and desk as they stand now, empty where a process is not there."""
    found: list[dict[str, int]] = []
    for kind, name in (("worker", "worker-0"), ("desk", "desk")):
        scraped = scrape(kind, name, run_directory / f"{name}.slots")
        if scraped is None:
            found.append({})
            continue
        found.append({slot: scraped.slots[slot] for slot in scraped.slots.names})
        scraped.slots.close()
    return found[0], found[1]


def resident(pids: Iterable[int]) -> dict[int, int]:
    """Octets of memory that processes hold, of those that are there (proc(5))."""
    found = {}
    for pid in pids:
        try:
            found[pid] = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
        except (OSError, IndexError):
            continue
    return found


def overview(before: Sample, now: Sample) -> Overview:
    """What `now` shows, with rates since `before`."""
    worker, desk, status = now.worker, now.desk, now.status
    over_s = max(now.at - before.at, 1e-9)

    def rate(slot: str) -> float:
        grown = worker.get(slot, 0) - before.worker.get(slot, 0)
        return max(0, grown) / over_s  # a worker that is new begins at 0

    return Overview(
        revision=str(status.get("revision", "")),
        modes=dict(status.get("modes", {})),
        up_s=float(status.get("up_s", 0.0)),
        draining=bool(status.get("draining")),
        calls=worker.get("calls_active", 0),
        invites_s=rate("invites"),
        answered_s=rate("answered"),
        ended_s=rate("ended"),
        verdicts={verdict: (worker.get(slot, 0), rate(slot)) for verdict, slot in VERDICTS.items()},
        refusals=_nonzero(desk, "basis_", BASES),
        ends=_nonzero(desk, "end_", DISPOSITIONS),
        verifications={result: worker.get(f"identity_{result}", 0) for result in RESULTS},
        latency_ms=latency_ms(before.desk, desk),
        peers=_peers(now),
        overload={"verification": worker.get("shed_verification", 0), "admission": worker.get("shed_calls", 0)},
        processes=_processes(before, now, over_s),
        alerts=list(_alerts(before, now)),
    )


def _nonzero(cells: Mapping[str, int], prefix: str, names: Any) -> dict[str, int]:
    """Counts that are not 0, the largest first."""
    found = {name: cells.get(f"{prefix}{name}", 0) for name in names}
    return {name: found[name] for name in sorted(found, key=lambda each: -found[each]) if found[name]}


def latency_ms(before: Mapping[str, int], now: Mapping[str, int]) -> dict[int, float]:
    """Percentiles of the time from an INVITE to its forwarding, of what came between; of all where nothing came.

    Within a bucket of the histogram calls are taken to be spread evenly; what lies above the last bound is that.
    """
    counts = [now.get(f"setup_{n}", 0) - before.get(f"setup_{n}", 0) for n in range(len(SETUP_BUCKETS_S) + 1)]
    if sum(counts) <= 0 or min(counts) < 0:
        counts = [now.get(f"setup_{n}", 0) for n in range(len(SETUP_BUCKETS_S) + 1)]
    total = sum(counts)
    return {percent: round(1000 * _percentile(counts, total * percent / 100), 3) for percent in PERCENTILES if total}


def _percentile(counts: list[int], rank: float) -> float:
    lower = 0.0
    for upper, count in zip(SETUP_BUCKETS_S, counts, strict=False):
        if count and rank <= count:
            return lower + (upper - lower) * rank / count
        rank -= count
        lower = upper
    return lower


def _peers(now: Sample) -> list[dict[str, Any]]:
    """Each peer with its state and what its tries came to."""
    found = []
    for peer in now.status.get("peers", ()):
        name = str(peer["peer"])
        address = name.partition("/")[0].replace("[", "").replace("]", "")
        found.append({**peer, "tries": dict(now.tries.get(address, {}))})
    return found


def _processes(before: Sample, now: Sample, over_s: float) -> list[dict[str, Any]]:
    cells = {"worker": (before.worker, now.worker), "desk": (before.desk, now.desk)}
    found = []
    for name, process in now.status.get("processes", {}).items():
        was, here = cells.get(name, ({}, {}))
        used_s = max(0, here.get("cpu_us", 0) - was.get("cpu_us", 0)) / 1e6
        cpu = round(used_s / over_s, 3) if here else None
        found.append({"name": name, **process, "memory_bytes": now.memory.get(process["pid"]), "cpu": cpu})
    return found


def _alerts(before: Sample, now: Sample) -> Iterator[str]:
    """What somebody should look at."""
    worker, desk, status = now.worker, now.desk, now.status

    def grew(slot: str) -> bool:
        return worker.get(slot, 0) > before.worker.get(slot, 0)

    if not worker:
        yield "there is no worker: no call is served"
    if not desk:
        yield "there is no desk: records wait in the journal"
    if status.get("draining"):
        yield "draining: new calls are refused"
    for trunk, mode in status.get("modes", {}).items():
        if mode != ENFORCE:
            yield f"mode {mode} for {trunk or 'all trunks'}"
    for peer in status.get("peers", ()):
        if peer["passed_over"]:
            yield f"peer {peer['peer']} of {peer['trunk']} is passed over: {in_words(peer['passed_over'])}"
    if grew("shed_calls"):
        yield "overload: calls are refused"
    elif grew("shed_verification"):
        yield "overload: Identity headers are not verified"
    for slot in worker:
        if slot.startswith(UNSCREENED) and grew(slot):
            yield f"check {slot.removeprefix(UNSCREENED)} fails or is late"
    if worker.get("journal_lost", 0):
        yield f"{worker['journal_lost']} journal frames were lost to a full disk"
    if grew("hep_dropped"):
        yield "copies for the capture server are dropped"
    if desk.get("store_away", 0):
        yield f"{NOT_STORED}; sipguard doctor and the log (database_away) say why"
    if desk.get("loader_lag_ms", 0) > 1000 * LAG_S:
        yield f"records are {desk['loader_lag_ms'] / 1000:.0f} s behind"
    for name, process in status.get("processes", {}).items():
        if process["starts"] > 1:
            yield f"{name} was started {process['starts']} times"
    if status.get("troubles"):
        yield f"trouble in {status['troubles'][-1]['process']}: {status['troubles'][-1]['what']}"
