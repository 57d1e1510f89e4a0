"""Two samples to one frame: rates, percentiles, alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sipguard.service.cells import DeskSlots, WorkerSlots
from sipguard.service.metric_table import SETUP_BUCKETS_S
from sipguard.service.overview import Sample, latency_ms, overview, published

STATUS: dict[str, Any] = {
    "revision": "abc",
    "modes": {"": "enforce"},
    "up_s": 3600.0,
    "draining": False,
    "peers": [{"trunk": "core", "peer": "192.0.2.1:5060/udp", "passed_over": ""}],
    "processes": {name: {"pid": pid, "starts": 1} for name, pid in (("worker", 7), ("desk", 8), ("fetcher", 9))},
    "troubles": [],
}


def sample(at: float = 10.0, status: dict[str, Any] | None = None, desk: Any = None, **worker: int) -> Sample:
    """What was published; a worker with these counters."""
    tries = {"192.0.2.1:5060": {"answered": 4, "silent": 1}, "2001:db8::1:5060": {"answered": 2}}
    counts = {"loader_lag_ms": 0, **(desk or {})}
    return Sample(at, {"invites": 0, **worker}, counts, status or STATUS, tries, {7: 50 * 2**20, 9: 40 * 2**20})


def test_rates_and_counts() -> None:
    before = sample(invites=100, allowed=90, rejected=10, cpu_us=1_000_000)
    now = sample(14.0, invites=180, allowed=150, rejected=30, answered=8, calls_active=12, cpu_us=3_000_000,
                 desk={"basis_dno": 5, "basis_identity": 25, "end_answered": 3})  # fmt: skip
    frame = overview(before, now)
    assert (frame.calls, frame.invites_s, frame.answered_s) == (12, 20.0, 2.0)
    assert frame.verdicts["reject"] == (30, 5.0)
    assert frame.refusals == {"identity": 25, "dno": 5}
    assert frame.ends == {"answered": 3}
    assert frame.processes[0] | {"cpu": 0} == {
        "name": "worker", "pid": 7, "starts": 1, "memory_bytes": 50 * 2**20, "cpu": 0,
    }  # fmt: skip
    assert [process["cpu"] for process in frame.processes] == [0.5, 0.0, None]
    assert [process["memory_bytes"] for process in frame.processes] == [50 * 2**20, None, 40 * 2**20]
    assert frame.alerts == []


def test_a_new_worker_has_no_negative_rate() -> None:
    assert overview(sample(invites=1000), sample(11.0, invites=5)).invites_s == 0.0


def test_peers_have_their_tries() -> None:
    peers = [
        {"trunk": "core", "peer": "192.0.2.1:5060/udp@inner", "passed_over": ""},
        {"trunk": "core", "peer": "[2001:db8::1]:5060/tls", "passed_over": "silent"},
        {"trunk": "core", "peer": "192.0.2.3:5060/udp", "passed_over": ""},
    ]
    frame = overview(sample(), sample(11.0, {**STATUS, "peers": peers}))
    assert [peer["tries"] for peer in frame.peers] == [{"answered": 4, "silent": 1}, {"answered": 2}, {}]
    assert frame.alerts == ["peer [2001:db8::1]:5060/tls of core is passed over: silent in a call"]


@pytest.mark.parametrize(
    ("now", "alert"),
    [
        (sample(11.0, {**STATUS, "draining": True}), "draining"),
        (sample(11.0, {**STATUS, "modes": {"": "bypass"}}), "mode bypass for all trunks"),
        (sample(11.0, shed_calls=1, shed_verification=1), "overload: calls are refused"),
        (sample(11.0, shed_verification=1), "not verified"),
        (sample(11.0, unscreened_identity=1), "check identity fails"),
        (sample(11.0, journal_lost=2), "2 journal frames"),
        (sample(11.0, hep_dropped=2), "capture server"),
        (sample(11.0, desk={"loader_lag_ms": 61_000}), "61 s behind"),
        (sample(11.0, desk={"store_away": 1}), "database cannot be used"),
        (sample(11.0, {**STATUS, "processes": {"worker": {"pid": 7, "starts": 3}}}), "worker was started 3 times"),
        (sample(11.0, {**STATUS, "troubles": [{"process": "worker", "what": "KeyError"}]}), "in worker: KeyError"),
        (Sample(11.0, {}, {"loader_lag_ms": 0}, STATUS), "no worker"),
        (Sample(11.0, {"invites": 0}, {}, STATUS), "no desk"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_alerts(now: Sample, alert: str) -> None:
    (said,) = overview(sample(), now).alerts
    assert alert in said


def test_what_was_and_does_not_go_on_is_no_alert() -> None:
    worker = {"shed_calls": 5, "unscreened_identity": 3, "hep_dropped": 1}
    assert overview(sample(**worker), sample(11.0, **worker)).alerts == []


def cells(*counts: int) -> dict[str, int]:
    """A histogram with these counts in its first buckets."""
    filled = [*counts, *[0] * (len(SETUP_BUCKETS_S) + 1 - len(counts))]
    return {f"setup_{n}": count for n, count in enumerate(filled)}


def test_percentiles_of_the_last_interval() -> None:
    assert latency_ms(cells(), cells()) == {}
    assert latency_ms(cells(), cells(100)) == {50: 0.1, 90: 0.18, 99: 0.198}
    assert latency_ms(cells(1000), cells(1000, 100)) == {50: 0.25, 90: 0.29, 99: 0.299}
    assert latency_ms(cells(100), cells(100)) == {50: 0.1, 90: 0.18, 99: 0.198}, "nothing came: those of all"
    assert latency_ms(cells(500), cells(100)) == {50: 0.1, 90: 0.18, 99: 0.198}, "a new desk"
    beyond = {**cells(), f"setup_{len(SETUP_BUCKETS_S)}": 10}
    assert latency_ms(cells(), beyond)[50] == 1000 * SETUP_BUCKETS_S[-1]


def test_what_is_published(tmp_path: Path) -> None:
    assert published(tmp_path) == ({}, {})
    worker, desk = WorkerSlots.create(tmp_path / "worker-0.slots"), DeskSlots.create(tmp_path / "desk.slots")
    worker.trouble()
    desk.slots.add("frames_loaded", 5)
    counters = published(tmp_path)
    assert (counters[0]["troubles"], counters[1]["frames_loaded"]) == (1, 5)
