"""The command top: what goes on now, in a terminal.

Enters: what the processes publish in any case. Leaves: a frame a second, or one. Must not: cost a call anything.
"""

from __future__ import annotations

import asyncio
import re
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sipguard.cli.common import NOT_RUNNING, WRONG, config_option, json_option, print_json, service_of, stop
from sipguard.service import control
from sipguard.service.errors import NotRunning
from sipguard.service.overview import Overview, Sample, overview, published, resident
from sipguard.service.peer_states import in_words
from sipguard.settings.service import Service
from sipguard.settings.units import seconds

WITHIN_S: Final = 2.0
SHORTEST_S: Final = 0.1
_TRIES: Final = re.compile(r'^sipguard_peer_tries_total\{outcome="(\w+)",peer="([^"]+)"\} (\S+)', re.MULTILINE)


@click.command()
@click.option(
    "--interval",
    default="1s",
    show_default=True,
    metavar="TIME",
    help="Time between frames, over which rates are taken.",
)
@click.option("--once", is_flag=True, help="Print one frame and end.")
@config_option
@json_option
def top(interval: str, once: bool, config: Path, as_json: bool) -> None:
    """Show calls, rates, verdicts, rejections, peers, latency, overload, processes and alerts, live.

    Counts are since the start, rates and latency those of the last interval. It reads what the processes publish in
    any case, so it costs no call anything. Ctrl-C ends it; --json prints one frame and ends.

    \b
    Exit status:
      0  ended by Ctrl-C, or the frame was printed
      2  the command line or the configuration is wrong
      3  no sipguard is running with this configuration
    """
    try:
        interval_s = max(SHORTEST_S, seconds(interval))
    except ValueError as error:
        stop(str(error).replace("|", "; "), WRONG)
    service = service_of(config)
    try:
        if once or as_json:
            frame = next(iter(_frames(service, interval_s)))
            if as_json:
                print_json(asdict(frame))
            else:
                Console().print(shown(frame))
            return
        with Live(console=Console(), screen=True, auto_refresh=False) as live:
            for frame in _frames(service, interval_s):
                live.update(shown(frame), refresh=True)
    except NotRunning as error:
        stop(str(error), NOT_RUNNING)
    except KeyboardInterrupt:
        return


def _frames(service: Service, interval_s: float) -> Iterable[Overview]:
    """Overviews without an end. Raises NotRunning."""
    before = _sample(service)
    while True:
        time.sleep(interval_s)
        now = _sample(service)
        yield overview(before, now)
        before = now


def _sample(service: Service) -> Sample:
    status = asyncio.run(control.ask(service.run_directory / "control.sock", "status"))
    worker, desk = published(service.run_directory)
    memory = resident(int(process["pid"]) for process in status["processes"].values())
    return Sample(time.monotonic(), worker, desk, status, _tries(service), memory)


def _tries(service: Service) -> dict[str, dict[str, int]]:
    """What INVITEs to each peer came to; nothing where there are no metrics."""
    if not service.metrics_port:
        return {}
    host = f"[{service.metrics_host}]" if ":" in service.metrics_host else service.metrics_host
    try:
        with urllib.request.urlopen(f"http://{host}:{service.metrics_port}/metrics", timeout=WITHIN_S) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return {}
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for outcome, peer, count in _TRIES.findall(text):
        found[peer][outcome] = int(float(count))
    return found


# ------------------------------------------------------------------ a frame


def shown(frame: Overview) -> RenderableType:
    """A frame for a terminal."""
    modes = ", ".join(f"{mode}{f' ({trunk})' if trunk else ''}" for trunk, mode in frame.modes.items())
    head = Text(f"sipguard  up {_span(frame.up_s)}  revision {frame.revision}  mode {modes}", style="bold")
    tables = [
        _table("calls", [("now", f"{frame.calls}"), *_rates(frame)]),
        _table("verdicts", [(name, f"{count}", f"{rate:.1f}/s") for name, (count, rate) in frame.verdicts.items()]),
        _table("rejections", _counts(frame.refusals)),
        _table("ends", _counts(frame.ends)),
        _table("identity", _counts(frame.verifications)),
        _table("latency", [(f"p{percent}", f"{ms:.2f} ms") for percent, ms in frame.latency_ms.items()]),
        _table("overload", _counts(frame.overload)),
        _table("processes", [_process(each) for each in frame.processes]),
    ]
    alerts = [Text(f"! {alert}", style="bold red") for alert in frame.alerts]
    return Group(head, Text(), Columns(tables, padding=(0, 4)), _peers(frame.peers), Text(), *alerts)


def _rates(frame: Overview) -> list[tuple[str, str]]:
    return [
        ("new", f"{frame.invites_s:.1f}/s"),
        ("answered", f"{frame.answered_s:.1f}/s"),
        ("ended", f"{frame.ended_s:.1f}/s"),
    ]


def _counts(counts: dict[str, int]) -> list[tuple[str, str]]:
    return [(name, f"{count}") for name, count in counts.items()]


def _process(process: dict[str, Any]) -> tuple[str, ...]:
    memory, cpu = process["memory_bytes"], process["cpu"]
    return (
        process["name"],
        f"pid {process['pid']}",
        f"{memory / 2**20:.0f} MiB" if memory is not None else "",
        f"{cpu:.0%} of a core" if cpu is not None else "",
    )


def _table(title: str, rows: Iterable[tuple[str, ...]]) -> Table:
    """A small table: names on the left, numbers on the right."""
    rows = list(rows) or [("none",)]
    table = Table(title=title, box=None, show_header=False, title_style="bold", title_justify="left", pad_edge=False)
    for n in range(max(map(len, rows))):
        table.add_column(justify="right" if n else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _peers(peers: list[dict[str, Any]]) -> Table:
    columns = ("trunk", "peer", "state", "answered", "refused", "failed", "silent")
    table = Table(*columns, title="peers", box=None, title_style="bold", title_justify="left", pad_edge=False)
    for column in table.columns[3:]:
        column.justify = "right"
    for peer in peers:
        state = Text(in_words(peer["passed_over"]), style="red" if peer["passed_over"] else "")
        name = " ".join((peer["peer"], *peer.get("names", ())))
        tries = [str(peer["tries"].get(outcome, 0)) for outcome in columns[3:]]
        table.add_row(peer["trunk"], name, state, *tries)
    return table


def _span(span_s: float) -> str:
    """A duration as people read it."""
    for unit, length_s in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if span_s >= length_s:
            return f"{span_s / length_s:.1f} {unit}"
    return f"{span_s:.0f} s"
