"""What a load takes: disk, memory, cores, network. Pure: a load in, lines out.

Enters: calls a second, retention, lists. Leaves: amounts, each with the formula that it came from. Must not: guess;
every figure stands in FIGURES with where it was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Final

DAY_S: Final = 86_400.0
UDP, TCP, TLS = "udp", "tcp", "tls"


@dataclass(frozen=True)
class Figure:
    """One measured figure. `source` says how it was taken."""

    value: float
    unit: str
    what: str
    source: str


_MEASURED: Final = "python -m tests.measure, 2026-11-26"
_ARCHITECTURE: Final = "ARCHITECTURE.md, Measured, 2026-11-24"
_TRANSPORTS: Final = "ARCHITECTURE.md, Measured, 2026-11-26, one connection on both sides"
_LOOP: Final = "ARCHITECTURE.md, Measured, 2026-11-26, 18 partners each in two hours"
_IDLE: Final = "of the end-to-end tests' product, 2026-11-26"
_STANDARD: Final = "RFC 9293, RFC 8446: not measured"
FIGURES: Final[dict[str, Figure]] = {
    "journal_call": Figure(4503, "B", "journal frames of an answered, verified call", _MEASURED),
    "journal_rejected": Figure(1414, "B", "journal frame of a rejected call", _MEASURED),
    "row": Figure(400, "B", "database row of a call, indices included", _MEASURED),
    "wire_call": Figure(6492, "B", "12 messages of an answered, verified call, both legs and ways, UDP", _MEASURED),
    "wire_rejected": Figure(1408, "B", "3 messages of a rejected call", _MEASURED),
    "member": Figure(10, "B", "built list, a number of a list that is thin", _MEASURED),
    "densest": Figure(399e6, "B", "built list of 250 million numbers, the largest that there is", "2026-11-23"),
    "line": Figure(13, "B", "line of a list's text file", "a number and its line end"),
    "call": Figure(5000, "B", "memory of a call, from its INVITE until its transactions are gone", _MEASURED),
    "processes": Figure(230 * 2**20, "B", "memory of supervisor, worker, fetcher and desk, without calls", _IDLE),
    "counted": Figure(
        290 * 2**20, "B", "at most, 60,000 callers, called numbers and prefixes with all that `rate` counts", _LOOP
    ),
    "cpu_300": Figure(
        790, "us", "all processes for an answered, verified call, at 300 a second and less", _ARCHITECTURE
    ),
    "cpu_1000": Figure(480, "us", "the same at 1000 a second and more", _ARCHITECTURE),
    "cpu_rejected_300": Figure(330, "us", "all processes for a rejected call at 300 a second", _ARCHITECTURE),
    "cpu_rejected_1000": Figure(190, "us", "the same at 1000 a second", _ARCHITECTURE),
    "tcp": Figure(1.27, "", "processor time over TCP, as a multiple of UDP", _TRANSPORTS),
    "tls": Figure(1.38, "", "processor time over TLS, as a multiple of UDP", _TRANSPORTS),
    "tcp_octets": Figure(70, "B", "a message over TCP beyond UDP: longer header, one acknowledgement", _STANDARD),
    "tls_octets": Figure(92, "B", "a message over TLS beyond UDP: the same, and a record of TLS 1.3", _STANDARD),
    "messages_call": Figure(12, "", "messages of an answered call, both legs and ways", _MEASURED),
    "messages_rejected": Figure(3, "", "messages of a rejected call", _MEASURED),
}
PLAIN: Final = 1.25  # the compiled core takes a fifth off the whole (ARCHITECTURE.md); FIGURES are of the compiled one
WAITS_S: Final = 33.0  # a call's transactions outlive it by 64*T1
ONE_CORE: Final = 0.7  # a worker is one process: above this share of a core latency grows
BUILT_KEPT: Final = 21  # built files of one list that changes: those of the Rulesets that can be rolled back to
SPARE: Final = 1.2  # disks are not to be filled


@dataclass(frozen=True)
class Load:
    """What is planned for. Shares are 0 to 1; `mean` is the average rate over a day as a share of `cps`."""

    cps: float
    records_keep_s: float
    journal_keep_s: float
    duration_s: float = 180.0
    rejected: float = 0.0
    mean: float = 1.0
    transport: str = UDP
    members: int = 0
    segment_bytes: int = 64 * 2**20
    compiled: bool = False


@dataclass(frozen=True)
class Amount:
    """One answer, with how it was reckoned."""

    key: str
    value: float
    unit: str  # B | cores | Mbit/s | calls
    formula: str


def plan(load: Load) -> list[Amount]:
    """Everything that `load` takes, in the order to read it."""
    return [*_disk(load), *_memory(load), *_cores(load), *_network(load)]


def _figure(name: str) -> float:
    return FIGURES[name].value


def _mixed(load: Load, answered: str, rejected: str) -> float:
    """A figure of the mean call, of those that go on and of those that are rejected."""
    return _figure(answered) * (1 - load.rejected) + _figure(rejected) * load.rejected


def _disk(load: Load) -> Iterator[Amount]:
    mean_cps = load.cps * load.mean
    frames = _mixed(load, "journal_call", "journal_rejected")
    journal = mean_cps * load.journal_keep_s * frames + 3 * load.segment_bytes
    yield Amount(
        "disk.journal",
        journal,
        "B",
        f"{mean_cps:g} calls/s * {load.journal_keep_s / DAY_S:g} d * {frames:.0f} B + 3 segments",
    )
    database = mean_cps * load.records_keep_s * _figure("row")
    yield Amount(
        "disk.database",
        database,
        "B",
        f"{mean_cps:g} calls/s * {load.records_keep_s / DAY_S:g} d * {_figure('row'):.0f} B",
    )
    lists = load.members * _figure("line") + BUILT_KEPT * _built(load)
    yield Amount(
        "disk.lists",
        lists,
        "B",
        f"{load.members} numbers * {_figure('line'):.0f} B + {BUILT_KEPT} built files, if all change, "
        f"of {_figure('member'):.0f} B a number, {_figure('densest') / 1e6:.0f} MB at most",
    )
    yield Amount("disk.total", (journal + database + lists) * SPARE, "B", f"all of them * {SPARE:g}, to have room")


def _built(load: Load) -> float:
    return min(load.members * _figure("member"), _figure("densest"))


def _memory(load: Load) -> Iterator[Amount]:
    up = load.cps * (1 - load.rejected) * load.duration_s
    yield Amount("calls.at_once", up, "calls", f"{load.cps:g} calls/s * {1 - load.rejected:g} * {load.duration_s:g} s")
    held = up + load.cps * WAITS_S
    memory = _figure("processes") + _figure("counted") + held * _figure("call") + _built(load)
    yield Amount(
        "memory",
        memory,
        "B",
        f"{_figure('processes') / 2**20:.0f} MiB + {_figure('counted') / 2**20:.0f} MiB of counters + "
        f"({up:.0f} calls + {load.cps:g} calls/s * {WAITS_S:g} s) * "
        f"{_figure('call'):.0f} B + built lists, once for all processes",
    )


def _cpu_us(load: Load) -> float:
    """Microseconds for a mean call; between the two rates of the figures in a straight line."""
    at = min(1.0, max(0.0, (load.cps - 300.0) / 700.0))
    low, high = _mixed(load, "cpu_300", "cpu_rejected_300"), _mixed(load, "cpu_1000", "cpu_rejected_1000")
    times = 1.0 if load.transport == UDP else _figure(load.transport)
    return (low + (high - low) * at) * times * (1.0 if load.compiled else PLAIN)


def _cores(load: Load) -> Iterator[Amount]:
    each = _cpu_us(load)
    busy = load.cps * each / 1e6
    core = "compiled core" if load.compiled else f"plain Python, {PLAIN:g} times the compiled core"
    over = "" if load.transport == UDP else f", {_figure(load.transport):g} times over {load.transport.upper()}"
    yield Amount("cores.busy", busy, "cores", f"{load.cps:g} calls/s * {each:.0f} us ({core}{over})")
    machines = ceil(busy / ONE_CORE)
    yield Amount(
        "cores",
        float(2 * machines),
        "cores",
        f"2 for each sipguard, one of them for the worker, which is one process and good for {ONE_CORE:.0%} of a core: "
        f"{machines} sipguard(s)",
    )


def _network(load: Load) -> Iterator[Amount]:
    octets = _mixed(load, "wire_call", "wire_rejected")
    formula = f"{octets:.0f} B"
    if load.transport != UDP:
        messages, more = _mixed(load, "messages_call", "messages_rejected"), _figure(f"{load.transport}_octets")
        octets += messages * more
        formula = f"({formula} + {messages:g} messages * {more:.0f} B)"
    yield Amount(
        "network", load.cps * octets * 8 / 1e6, "Mbit/s", f"{load.cps:g} calls/s * {formula}, both ways together"
    )


def caveats(load: Load) -> list[str]:
    """What the amounts do not say."""
    said = [
        "Processor time was measured on a shared virtual machine with two cores; measure yours with make loadtest.",
        "Every call is taken for verified, with one Identity header; calls without take less.",
    ]
    if load.mean == 1.0:
        said.append("Disk is reckoned with this rate day and night; --mean 40% says that a day's average is lower.")
    if load.transport == TLS:
        said.append("A TLS handshake costs some 2 ms more: peers are taken to keep their connections.")
    if load.cps * _cpu_us(load) / 1e6 > ONE_CORE:
        said.append("One sipguard does not do: share the calls among several, by dispatcher or DNS SRV.")
    return said
