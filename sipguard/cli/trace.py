"""The command trace: SIP messages of the calls of one number or trunk, as they pass, into a capture file.

Enters: a number, a trunk, bounds. Leaves: a pcapng file of both legs. Must not: slow a call down; what is not
read fast enough is lost and counted.
"""

from __future__ import annotations

import asyncio
import base64
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, BinaryIO

import click

from sipguard.cli.common import FAILED, NOT_RUNNING, WRONG, config_option, service_of, stop
from sipguard.net.capture import Capture, Seen
from sipguard.records.errors import BadFilter
from sipguard.records.filter import number as tn_of
from sipguard.service import control
from sipguard.service.errors import NotRunning
from sipguard.settings.units import octets as octets_of
from sipguard.settings.units import seconds

_ENDS = {
    "time": "the time is over",
    "messages": "as many messages as were wanted",
    "size": "as large as was wanted",
    "": "interrupted",
}


@click.command()
@click.option("--number", default="", metavar="NUMBER", help="Caller, callee or asserted number, in any form.")
@click.option(
    "--for", "for_", default="10m", show_default=True, metavar="TIME", help="How long: 90s, 10m, 2h; a day at most."
)
@click.option(
    "--trunk", default="", metavar="NAME", help="Only calls that come from this trunk; all of them without --number."
)
@click.option("--messages", default=10_000, show_default=True, help="End after so many messages.")
@click.option("--size", default="50MiB", show_default=True, metavar="SIZE", help="End after so many octets of SIP.")
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    metavar="FILE",
    help="File to write; - for standard output, as for `tshark -r -`.",
)
@config_option
def trace(number: str, for_: str, trunk: str, messages: int, size: str, output: str, config: Path) -> None:
    """Write the SIP messages of the calls of a number, or of a trunk, to a capture file that Wireshark reads (pcapng).

    Calls are followed from their INVITE to their end on both legs, retransmissions included; a call that is up
    already is not. Messages of TLS connections stand there decrypted. Ctrl-C ends the trace, and the file is complete.
    What was caught is said on standard error.

    \b
    Examples:
      sipguard trace --number +12025550111 --for 10m -o calls.pcapng
      sipguard trace --trunk carrier-a --for 60s | tshark -r -

    \b
    Exit status:
      0  the trace ended: by its time, its size, or Ctrl-C
      1  it could not begin, or the file could not be written
      2  the command line or the configuration is wrong
      3  no sipguard is running with this configuration, or it ended meanwhile
    """
    if not (number or trunk):
        stop("whose calls? write --number, or --trunk, or both", WRONG)
    try:
        wish = {
            "tn": tn_of(number) if number else "", "trunk": trunk, "for_s": seconds(for_), "messages": messages,
            "octets": octets_of(size),
        }  # fmt: skip
    except (BadFilter, ValueError) as error:
        stop(str(error).replace("|", "; "), WRONG)
    if output == "-" and sys.stdout.isatty():
        stop("a capture is not for a terminal; write -o FILE", WRONG)
    socket = service_of(config).run_directory / "control.sock"
    try:
        with Path(output).open("wb") if output != "-" else sys.stdout.buffer as file:
            caught = _Caught(file, f"for {for_} to {output if output != '-' else 'standard output'}")
            asyncio.run(caught.all(socket, wish))
            caught.close()
    except NotRunning as error:
        stop(str(error), NOT_RUNNING)
    except OSError as error:
        stop(f"{output}: {error.strerror}", FAILED)
    caught.say()


class _Caught:
    """What was caught so far."""

    def __init__(self, file: BinaryIO, how: str) -> None:
        self._file = file
        self._how = how  # how long and where to, as it is said at the begin
        self._capture = Capture()
        self._messages = 0
        self._calls: set[str] = set()
        self._lost = 0
        self._why: str | None = None  # None: the connection broke

    async def all(self, socket: Path, wish: dict[str, Any]) -> None:
        """Writes everything up to the end; the first signal asks for the end."""
        enough = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, enough.set)
        async with aclosing(control.listen(socket, {"do": "trace", **wish}, enough)) as lines:
            await self._each(lines)

    async def _each(self, lines: AsyncIterator[dict[str, Any]]) -> None:
        async for line in lines:
            if "seen" in line:
                self._message(line["seen"])
            elif "end" in line:
                self._why, self._lost = line["end"], line["lost"]
            elif line["ok"]:
                self._write(self._capture.head())
                click.echo(f"tracing {self._how}; Ctrl-C ends it", err=True)
            else:
                stop(line["error"], FAILED)

    def _message(self, values: list[Any]) -> None:
        at, sent, transport, local, remote, decision_id, octets = values
        seen = Seen(at, sent, transport, tuple(local), tuple(remote), decision_id, base64.b64decode(octets))
        self._messages += 1
        self._calls.add(decision_id)
        self._write(self._capture.message(seen))

    def _write(self, octets: bytes) -> None:
        """Writes and flushes: somebody may be looking on."""
        self._file.write(octets)
        self._file.flush()

    def close(self) -> None:
        """Writes what stands at the end of the file."""
        self._write(self._capture.end(time.time(), self._lost))

    def say(self) -> None:
        """One line about what was caught; ends with status 3 where sipguard ended meanwhile."""
        said = f"{self._messages} message(s) of {len(self._calls)} call(s), {self._lost} lost"
        if self._why is None:
            stop(f"{said}; sipguard ended meanwhile", NOT_RUNNING)
        click.echo(f"{said}; {_ENDS[self._why]}", err=True)
