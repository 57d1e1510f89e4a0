"""A whole registry imported beside calls: `python -m tests.bench.registry DIR`.

Writes DIR/registry.txt, seeded lines in the registry's text form, unless it is there. Then imports it through a
sipguard that carries calls of SIPp meanwhile, and prints what both took. Exit status 1 where a call failed or the
import did. DIR/product/state is afterwards what `python -m tests.bench.heavy` asks for.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

from tests.e2e.product import CALLER_HOST, HOP_HOST, ROOT, Product, configuration, free_port, wait_for
from tests.e2e.sipp import TABLE, Sipp
from tests.loadtest import cpu_ns, processes, rows

AREA_CODES: Final = [
    npa for npa in range(200, 990) if npa // 10 % 10 != 9 and npa % 100 != 11 and npa // 10 not in (37, 96)
][:335]
EXCHANGES: Final = [n for n in range(200, 1000) if n % 100 != 11]
PATTERNS: Final = 64  # sets of the last four digits; each exchange takes one
SEED: Final = 20261126
LISTS_WITHIN_S: Final = 10.0


def write_registry(path: Path, lines: int) -> int:
    """Writes about so many lines, sorted as the registry's files are; how many."""
    chance = Random(SEED)
    each = max(1, round(lines / len(AREA_CODES) / len(EXCHANGES)))
    patterns = [[f"{n:04d}\n" for n in sorted(chance.sample(range(10_000), each))] for _ in range(PATTERNS)]
    with path.open("w", encoding="ascii") as out:
        for npa in AREA_CODES:
            for nxx in EXCHANGES:
                begin = f"{npa},{nxx}"
                out.write(begin + begin.join(chance.choice(patterns)))
    return each * len(AREA_CODES) * len(EXCHANGES)


def anonymous_kb(pid: int) -> int:
    """Own memory of a process, kB; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")), 0)


def imported(product: Product, registry: Path) -> int:
    """Imports the registry and prints what it took; the exit status of the command."""
    arguments = [sys.executable, "-m", "sipguard.cli.main", "lists", "import", "dnc", str(registry), "--format", "ftc"]
    began_at, spent_ns, most_kb = time.monotonic(), 0, 0
    process = subprocess.Popen([*arguments, "-c", str(product.path)], cwd=ROOT)
    while process.poll() is None:
        try:
            spent_ns = cpu_ns(process.pid)
        except OSError:
            pass  # it has just ended
        most_kb = max(most_kb, anonymous_kb(process.pid))
        time.sleep(0.2)
    took_s = time.monotonic() - began_at
    wait_for(lambda: not product.answer("status")["missing_lists"], "the list to be in force", LISTS_WITHIN_S)
    print(f"import           {took_s:.0f} s, {spent_ns / 1e9:.0f} s of CPU, {most_kb / 1024:.0f} MiB of its own")
    return process.returncode


def beside_calls(directory: Path, registry: Path, rate: int, seconds: int) -> int:
    """Imports while calls are placed; the number of calls that failed, and of what else did."""
    top = directory / "product"
    shutil.rmtree(top, ignore_errors=True)
    hop = (HOP_HOST, free_port(HOP_HOST))
    config = configuration(hop[1])
    config["lists"]["dnc"] = {"bind": ["callee"]}
    name = next(each for each in TABLE if each.startswith("001"))
    count = rate * seconds
    limits = ("-l", str(40 * rate), "-timeout", f"{seconds + 90}s")
    product = Product(top, config).start()
    uas = Sipp(f"{name}_uas", top, hop, None, *limits, calls=count)
    uac = Sipp(
        f"{name}_uac", top, (CALLER_HOST, free_port(CALLER_HOST)), product.address(), *limits,
        "-r", str(rate), "-trace_stat", "-stf", "uac.csv", calls=count,
    )  # fmt: skip
    try:
        pids = processes(product)
        uas.start()
        uac.start()
        status = imported(product, registry)
        uac.wait(seconds + 120)
        print(f"worker           {anonymous_kb(pids['worker']) / 1024:.0f} MiB of its own")
    finally:
        uac.stop()
        uas.stop()
        product.stop()
    placed = list(rows(top / "uac.csv"))[-1]
    failed = int(placed["FailedCall(C)"])
    print(f"calls            {placed['TotalCallCreated']}, {failed} failed, {placed['Retransmissions(C)']} repeated")
    return failed + (count - int(placed["TotalCallCreated"])) + status


def main() -> int:
    """Reads the command line, generates, runs; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.registry", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--lines", type=int, default=250_000_000, help="about; by the area code")
    parser.add_argument("--rate", type=int, default=300, help="calls a second")
    parser.add_argument("--seconds", type=int, default=240, help="for which calls are placed")
    asked = parser.parse_args()
    registry = asked.directory / "registry.txt"
    if not registry.exists():
        asked.directory.mkdir(parents=True, exist_ok=True)
        print(f"{registry}: {write_registry(registry, asked.lines):,} lines", flush=True)
    return 1 if beside_calls(asked.directory, registry, asked.rate, asked.seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
