"""SIPp through sipguard at a chosen rate: `python -m tests.loadtest --rate 300 --seconds 10 [--transport tcp]`.

SIPp and this project alone. Prints calls, failures, retransmissions, latency from INVITE to final answer as the
caller sees it, and processor time a call of all processes of sipguard. Exit status 1 where a call failed.

Both sides speak the transport, by one connection for all calls or by one for `each`. Over TLS a relay stands before
each SIPp (tests/tlsrelay.py): its processor time is not counted, but it takes from what the machine has.
"""

from __future__ import annotations

import argparse
import csv
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.e2e.product import (
    ASKED,
    CALLER_HOST,
    HOP_HOST,
    INNER,
    OUTER,
    Product,
    configuration,
    free_port,
    wait_for,
)
from tests.e2e.setups import SETUPS, Setup
from tests.e2e.sipp import SPOKEN, TABLE, Sipp
from tests.pki import Pki
from tests.tlsrelay import Place, TlsRelay, context
from tests.wanted import WANTED, missing

FIT: Final = tuple(name for name in TABLE if SETUPS.get(name, Setup()).usual)
PERCENTILES: Final = (50, 90, 99, 99.9)
RECORDS_WITHIN_S: Final = 30.0


@dataclass(frozen=True)
class Result:
    """What a run came to. `latencies_ms` are sorted; `cpu_us` is by name of the process."""

    placed: int
    failed: int
    retransmitted: int
    seconds: float
    latencies_ms: list[float]
    cpu_us: dict[str, float]

    def percentile(self, percent: float) -> float:
        """A percentile of the latency in milliseconds, 0.0 where SIPp measured none."""
        found = self.latencies_ms
        return found[min(len(found) - 1, int(len(found) * percent / 100))] if found else 0.0


def processes(product: Product) -> dict[str, int]:
    """The pids of the product by name."""
    assert product.process is not None
    children = {name: each["pid"] for name, each in product.answer("status")["processes"].items()}
    return {"supervisor": product.process.pid, **children}


def cpu_ns(pid: int) -> int:
    """Nanoseconds that the threads of a process ran on a processor."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def configured(transport: str, hop_port: int, directory: Path) -> dict[str, Any]:
    """The template with listeners of this transport."""
    config = configuration(hop_port)
    for listener in config["listeners"].values():
        listener["transport"] = transport
    if transport == "tls":
        pki = Pki("Example Transport ROOT")
        pki.write_tls(directory, "edge", (OUTER, INNER, "edge.example"))
        pki.write_tls(directory, "side", (HOP_HOST, "side.example"))
        files = {"certificate": "edge.pem", "key": "edge.key", "ca": "ca.pem"}
        for listener in config["listeners"].values():
            listener["tls"] = {kind: str(directory / file) for kind, file in files.items()}
    return config


def relays(transport: str, product: Product, hop: Place, directory: Path, stack: ExitStack) -> tuple[Place, Place]:
    """Where SIPp calls, and where it is called: over TLS that is behind relays."""
    if transport != "tls":
        return product.address(), hop
    calls, called = ((host, free_port(host, socket.SOCK_STREAM)) for host in (CALLER_HOST, HOP_HOST))
    client, server = (context(directory, "side", server=server) for server in (False, True))
    stack.enter_context(TlsRelay(calls, product.address(), client, into=True, source=CALLER_HOST, name="edge.example"))
    stack.enter_context(TlsRelay(hop, called, server, into=False, source=HOP_HOST))
    return calls, called


def run(name: str, rate: int, seconds: int, directory: Path, over: str = "udp") -> Result:
    """Places rate * seconds calls of one scenario; `over` as SPOKEN names it."""
    with ExitStack() as stack:
        hop = (HOP_HOST, free_port(HOP_HOST, socket.SOCK_DGRAM if over == "udp" else socket.SOCK_STREAM))
        transport = over.removesuffix("-each")
        setup = SETUPS.get(name, Setup())
        config = configured(transport, hop[1], directory)
        if setup.listeners[0] in ASKED:
            config["listeners"]["outer"]["redirect"] = ASKED[setup.listeners[0]]
        product = Product(directory / "product", config).start()
        stack.callback(product.stop)
        calls, called = relays(transport, product, hop, directory, stack)
        count = rate * seconds
        limits = ("-l", str(max(1000, 40 * rate)), "-timeout", f"{seconds + 90}s")
        uas = Sipp(f"{name}_uas", directory, called, None, *limits, *setup.uas, calls=count, over=over)
        uac = Sipp(
            f"{name}_uac", directory, (CALLER_HOST, free_port(CALLER_HOST)), calls, *limits, *setup.uac,
            "-r", str(rate), "-trace_stat", "-stf", "uac.csv", "-trace_rtt", "-rtt_freq", "1", calls=count, over=over,
        )  # fmt: skip
        return _measured(product, uac, uas, directory, (count, seconds))


def _measured(product: Product, uac: Sipp, uas: Sipp, directory: Path, wanted: tuple[int, int]) -> Result:
    """Lets both sides run for the wanted (calls, seconds)."""
    count, seconds = wanted
    try:
        pids = processes(product)
        uas.start()
        before = {process: cpu_ns(pid) for process, pid in pids.items()}
        began_at = time.monotonic()
        uac.start().wait(seconds + 100)
        took_s = time.monotonic() - began_at
        wait_for(lambda: product.metric("sipguard_loader_lag_seconds") < 1, "records", RECORDS_WITHIN_S)
        spent = {process: (cpu_ns(pid) - before[process]) / 1000 / count for process, pid in pids.items()}
        statistics = list(rows(directory / "uac.csv"))[-1]
    finally:
        uac.stop()
        uas.stop()
    return Result(
        int(statistics["TotalCallCreated"]),
        int(statistics["FailedCall(C)"]),
        int(statistics["Retransmissions(C)"]),
        took_s,
        sorted(float(row["response_time_ms"]) for path in directory.glob("*_rtt.csv") for row in rows(path)),
        spent,
    )


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Lines of a file of SIPp by the names in its first one."""
    return csv.DictReader(path.read_text().splitlines(), delimiter=";")


def show(title: str, name: str, rate: int, result: Result) -> None:
    """Prints what came of it."""
    print(f"{title}: {TABLE[name][0]}")
    print(f"calls            {result.placed} in {result.seconds:.1f} s, wanted {rate}/s")
    print(f"failed           {result.failed}")
    print(f"retransmissions  {result.retransmitted}")
    shown = "  ".join(f"p{percent:g} {result.percentile(percent):.1f}" for percent in PERCENTILES)
    print(f"latency, ms      {shown}  max {result.percentile(100):.1f}")
    each = ", ".join(f"{process} {spent:.0f}" for process, spent in result.cpu_us.items())
    print(f"CPU, us a call   {sum(result.cpu_us.values()):.0f} ({each})")


def main() -> int:
    """Reads the command line, runs, prints; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.loadtest", description=__doc__)
    parser.add_argument("--rate", type=int, default=100, help="calls a second")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--scenario", default="001", help="number of a scenario: " + ", ".join(n[:3] for n in FIT))
    parser.add_argument("--transport", choices=list(SPOKEN), default="udp", help="of both sides")
    asked = parser.parse_args()
    if "sipp" in missing():
        print(f"sipp is missing: apt-get install {WANTED['sipp'][0]}")
        return 1
    name = next((each for each in FIT if each.startswith(asked.scenario)), "")
    if not name:
        parser.error(f"no scenario {asked.scenario} that fits; there are {', '.join(n[:3] for n in FIT)}")
    with tempfile.TemporaryDirectory(prefix="sipguard-load-") as directory:
        result = run(name, asked.rate, asked.seconds, Path(directory), asked.transport)
    show(f"{name} over {asked.transport}", name, asked.rate, result)
    return 1 if result.failed or result.placed < asked.rate * asked.seconds else 0


if __name__ == "__main__":
    sys.exit(main())
