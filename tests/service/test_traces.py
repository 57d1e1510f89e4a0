"""Traces between worker and reader: bounded, counted, ended by whoever has enough."""

from __future__ import annotations

from typing import Any

import pytest

from sipguard.net.capture import Seen
from sipguard.service.traces import AT_ONCE, QUEUED, Traces

SEEN = Seen(1.5, True, "udp", ("192.0.2.1", 5060), ("192.0.2.2", 5060), "d-1", b"SIP")


class Worker:
    """What the worker was told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def tell(self, *message: object) -> None:
        self.told.append(message)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def begun(traces: Traces, for_s: float = 60.0) -> Any:
    """A trace that began."""
    trace = traces.begin("12025550101", "", for_s, 100, 1000)
    assert not isinstance(trace, dict)
    return trace


async def test_messages_come_in_order_until_the_worker_has_enough(worker: Worker) -> None:
    traces = Traces(worker.tell)
    trace = begun(traces)
    assert worker.told == [("trace", 1, "12025550101", "", 100, 1000)]
    for _ in range(2):
        traces.seen(1, SEEN)
    traces.ended(1, "messages", 7)
    lines = [line async for line in trace.lines()]
    message = {"seen": [1.5, True, "udp", ("192.0.2.1", 5060), ("192.0.2.2", 5060), "d-1", "U0lQ"]}
    assert lines == [{"ok": True}, message, message, {"end": "messages", "lost": 7}]
    assert worker.told[1:] == []


async def test_what_a_slow_reader_leaves_is_lost_and_counted(worker: Worker) -> None:
    traces = Traces(worker.tell)
    trace = begun(traces)
    for _ in range(QUEUED + 5):
        traces.seen(1, SEEN)
    trace.stop()
    assert worker.told[1:] == [("end_trace", 1)]
    traces.ended(1, "", 2)
    lines = [line async for line in trace.lines()]
    assert len(lines) == QUEUED + 2
    assert lines[-1] == {"end": "", "lost": 7}


async def test_time_ends_it(worker: Worker) -> None:
    def tell(*message: object) -> None:
        worker.tell(*message)
        if message[0] == "end_trace":
            traces.ended(1, "", 0)

    traces = Traces(tell)
    trace = begun(traces, for_s=1e-9)
    traces.seen(1, SEEN)
    assert [line async for line in trace.lines()][-1] == {"end": "time", "lost": 0}
    assert worker.told[1:] == [("end_trace", 1)]


async def test_a_new_worker_is_told_again(worker: Worker) -> None:
    traces = Traces(worker.tell)
    trace = begun(traces)
    traces.started()
    assert worker.told[0] == worker.told[1]
    trace.stop()
    traces.started()
    assert len(worker.told) == 3


async def test_there_are_only_so_many_at_once(worker: Worker) -> None:
    traces = Traces(worker.tell)
    running = [begun(traces) for _ in range(AT_ONCE)]
    refused = traces.begin("12025550101", "", 60.0, 100, 1000)
    assert isinstance(refused, dict) and not refused["ok"]
    lines = running[0].lines()
    assert await anext(lines) == {"ok": True}
    await lines.aclose()  # the reader is gone
    assert worker.told[-1] == ("end_trace", 1)
    begun(traces)


async def test_a_trunk_without_a_number(worker: Worker) -> None:
    traces = Traces(worker.tell)
    assert not isinstance(traces.begin("", "carrier", 60.0, 100, 1000), dict)
    assert worker.told == [("trace", 1, "", "carrier", 100, 1000)]
    assert isinstance(traces.begin("", "", 60.0, 100, 1000), dict), "nobody is followed without saying whom"


@pytest.mark.parametrize("bounds", [(0.0, 1, 1), (1e9, 1, 1), (1.0, 0, 1), (1.0, 1, 0), (1.0, 10**9, 1)])
def test_bounds(worker: Worker, bounds: tuple[float, int, int]) -> None:
    refused = Traces(worker.tell).begin("12025550101", "", *bounds)
    assert isinstance(refused, dict) and "out of bounds" in refused["error"]
    assert worker.told == []
