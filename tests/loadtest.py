"""SIPp through sipguard at a chosen rate: `python -m tests.loadtest --rate 300 --seconds 10 [--scenario 001]`.

SIPp and this project alone. Prints calls, failures, retransmissions, latency from INVITE to final answer as the
caller sees it, and processor time a call of all processes of sipguard. Exit status 1 where a call failed.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.e2e.product import CALLER_HOST, HOP_HOST, Product, configuration, free_port, wait_for
from tests.e2e.setups import SETUPS, Setup
from tests.e2e.sipp import TABLE, Sipp
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


def run(name: str, rate: int, seconds: int, directory: Path) -> Result:
    """Places rate * seconds calls of one scenario."""
    config = configuration(free_port(HOP_HOST))
    hop = config["trunks"]["hop"]["peers"][0].rpartition(":")
    product = Product(directory / "product", config).start()
    setup = SETUPS.get(name, Setup())
    count = rate * seconds
    limits = ("-l", str(max(1000, 40 * rate)), "-timeout", f"{seconds + 90}s")
    uas = Sipp(f"{name}_uas", directory, (hop[0], int(hop[2])), None, *limits, *setup.uas, calls=count)
    uac = Sipp(
        f"{name}_uac", directory, (CALLER_HOST, free_port(CALLER_HOST)), product.address(), *limits, *setup.uac,
        "-r", str(rate), "-trace_stat", "-stf", "uac.csv", "-trace_rtt", "-rtt_freq", "1", calls=count,
    )  # fmt: skip
    try:
        pids = processes(product)
        uas.start()
        before = {process: cpu_ns(pid) for process, pid in pids.items()}
        began_at = time.monotonic()
        uac.start().wait(seconds + 100)
        took_s = time.monotonic() - began_at
        wait_for(lambda: product.metric("sipguard_loader_lag_seconds") < 1, "records", RECORDS_WITHIN_S)
        spent = {process: (cpu_ns(pid) - before[process]) / 1000 / count for process, pid in pids.items()}
        statistics = list(_rows(directory / "uac.csv"))[-1]
    finally:
        uac.stop()
        uas.stop()
        product.stop()
    return Result(
        int(statistics["TotalCallCreated"]),
        int(statistics["FailedCall(C)"]),
        int(statistics["Retransmissions(C)"]),
        took_s,
        sorted(float(row["response_time_ms"]) for path in directory.glob("*_rtt.csv") for row in _rows(path)),
        spent,
    )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Lines of a file of SIPp by the names in its first one."""
    return csv.DictReader(path.read_text().splitlines(), delimiter=";")


def show(name: str, rate: int, result: Result) -> None:
    """Prints what came of it."""
    print(f"{name}: {TABLE[name][0]}")
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
    asked = parser.parse_args()
    if "sipp" in missing():
        print(f"sipp is missing: apt-get install {WANTED['sipp'][0]}")
        return 1
    name = next((each for each in FIT if each.startswith(asked.scenario)), "")
    if not name:
        parser.error(f"no scenario {asked.scenario} that fits; there are {', '.join(n[:3] for n in FIT)}")
    with tempfile.TemporaryDirectory(prefix="sipguard-load-") as directory:
        result = run(name, asked.rate, asked.seconds, Path(directory))
    show(name, asked.rate, result)
    return 1 if result.failed or result.placed < asked.rate * asked.seconds else 0


if __name__ == "__main__":
    sys.exit(main())
