"""The command certs inspect: what the certificates in files are, one line of JSON each.

Enters: PEM and DER files, directories, standard input. Leaves: lines on standard output, a summary on standard error.
Must not: judge; `sipguard.stir.inspection` describes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from sipguard.cli.common import FAILED, WRONG, stop
from sipguard.stir.inspection import Line, certificates_in, describe

STDIN: Final = "-"
FILE_LIMIT: Final = 64 * 2**20  # octets read of one file


@click.command(name="inspect")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--at", "at", metavar="TIME", help="Judge validity at this time instead of now, as 2026-11-26T12:00:00Z.")
def inspect_command(files: tuple[str, ...], at: str | None) -> None:
    """Say what each certificate in FILE... is: a line of JSON each, a summary on standard error.

    A FILE is PEM with any number of certificates, DER, a directory of such files, or - for standard input.

    \b
    Exit status:
      0  every certificate was read
      1  a file holds none, or something else; its line says what
      2  the command line is wrong
    """
    unix_at = _instant(at) if at is not None else time.time()
    read = wrong = 0
    write, encode = sys.stdout.buffer.write, msgspec.json.encode
    for line in _lines(files, unix_at):
        read, wrong = (read, wrong + 1) if "problem" in line else (read + 1, wrong)
        write(encode(line) + b"\n")
    sys.stdout.buffer.flush()
    stop(f"{read} certificates, {wrong} problems", FAILED if wrong else 0)


def _instant(written: str) -> float:
    """Unix seconds of an ISO 8601 time, UTC where it names no zone, or of a number of them."""
    try:
        return float(written)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        stop(f"--at {written}: not a time such as 2026-11-26T12:00:00Z", WRONG)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _lines(files: tuple[str, ...], unix_at: float) -> Iterator[Line]:
    for name, octets in _contents(files):
        if isinstance(octets, str):
            yield {"file": name, "problem": octets}
            continue
        for at, found in certificates_in(octets):
            line: Line = {"file": name, "line": at}
            if isinstance(found, str):
                line["problem"] = found
            else:
                line |= describe(found, unix_at)
            yield line


def _contents(files: tuple[str, ...]) -> Iterator[tuple[str, bytes | str]]:
    """Name and octets of each file, or why it cannot be read."""
    for name in files:
        if name == STDIN:
            yield name, sys.stdin.buffer.read(FILE_LIMIT)
            continue
        path = Path(name)
        for each in sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else (path,):
            try:
                with each.open("rb") as opened:
                    yield str(each), opened.read(FILE_LIMIT)
            except OSError as error:
                yield str(each), error.strerror or str(error)
