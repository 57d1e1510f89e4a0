"""The command certs inspect: what the certificates in files are, one line of JSON each.

Enters: PEM and DER files, directories, standard input. Leaves: lines on standard output, a summary on standard error.
Must not: judge; `sipguard.stir.inspection` describes.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import click
import msgspec
from cryptography import x509

from sipguard.cli.exits import FAILED, WRONG, stop
from sipguard.stir.chain import NO_ANCHORS, Anchors
from sipguard.stir.inspection import VALID, Line, around, certificates_in, describe
from sipguard.stir.profile import KINDS

STDIN: Final = "-"
FILE_LIMIT: Final = 64 * 2**20  # octets read of one file


@click.command(name="inspect")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--anchors", multiple=True, metavar="FILE|DIR", help="Trusted authorities; may be given several times.")
@click.option("--at", "at", metavar="TIME", help="Judge validity at this time instead of now, as 2026-11-26T12:00:00Z.")
@click.option("--human", is_flag=True, help="Print text instead of JSON.")
def inspect_command(files: tuple[str, ...], anchors: tuple[str, ...], at: str | None, human: bool) -> None:
    """Say what each certificate in FILE... is: a line of JSON each, a summary on standard error.

    A FILE is PEM with any number of certificates, DER, a directory of such files, or - for standard input.

    \b
    Exit status:
      0  every certificate was read
      1  a file holds none, or something else; its line says what
      2  the command line is wrong, or an anchor cannot be read
    """
    unix_at = _instant(at) if at is not None else time.time()
    trusted = _anchors(anchors) if anchors else NO_ANCHORS
    kinds: Counter[str] = Counter()
    invalid = problems = 0
    write = sys.stdout.buffer.write
    for line in _lines(files, trusted, unix_at):
        if "problem" in line:
            problems += 1
        else:
            kinds[str(line["kind"])] += 1
            invalid += line["valid"] != VALID
        write((_text(line).encode() if human else msgspec.json.encode(line)) + b"\n")
    sys.stdout.buffer.flush()
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind]) or "none"
    stop(f"{kinds.total()} certificates: {counts}; {invalid} not valid; {problems} problems", FAILED if problems else 0)


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


def _anchors(names: tuple[str, ...]) -> Anchors:
    """All certificates in these files; ends where one cannot be read."""
    found: list[x509.Certificate] = []
    for name, octets in _contents(names):
        if isinstance(octets, str):
            stop(f"--anchors {name}: {octets}", WRONG)
        for at, one in certificates_in(octets):
            if isinstance(one, str):
                stop(f"--anchors {name}:{at}: {one}", WRONG)
            found.append(one)
    return Anchors(found)


def _lines(files: tuple[str, ...], anchors: Anchors, unix_at: float) -> Iterator[Line]:
    for name, octets in _contents(files):
        if isinstance(octets, str):
            yield {"file": name, "problem": octets}
            continue
        all_found = list(certificates_in(octets))
        beside = around([found for _, found in all_found if not isinstance(found, str)])
        for at, found in all_found:
            line: Line = {"file": name, "line": at}
            if isinstance(found, str):
                line["problem"] = found
            else:
                line |= describe(found, beside, anchors, unix_at)
            yield line


def _contents(files: tuple[str, ...]) -> Iterator[tuple[str, bytes | str]]:
    """Name and octets of each file, or why it cannot be read. Names of other encodings are shown as far as they go."""
    for name in files:
        if name == STDIN:
            yield name, _bounded(sys.stdin.buffer)
            continue
        path = Path(name)
        for each in sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else (path,):
            shown = os.fsencode(each).decode("utf-8", "replace")
            try:
                with each.open("rb") as opened:
                    yield shown, _bounded(opened)
            except OSError as error:
                yield shown, error.strerror or str(error)


def _bounded(opened: BinaryIO) -> bytes | str:
    octets = opened.read(FILE_LIMIT + 1)
    return octets if len(octets) <= FILE_LIMIT else f"longer than {FILE_LIMIT} octets"


def _text(line: Line) -> str:
    """A line for people: place, kind, name, scope, validity, key, chain, deviations."""
    place = ":".join(str(line[key]) for key in ("file", "line") if key in line)
    if "problem" in line:
        return f"{place}: {line['problem']}"
    parts = [f"{line['kind']} {line['subject']}"]
    for key, what in (("spc", "SPC"), ("numbers", "numbers")):
        value = line[key]
        if isinstance(value, list) and value:
            parts.append(f"{what} {' '.join(_range(one) for one in value)}")
    if "delegated_by" in line:
        parts.append(f"delegated by {line['delegated_by']}")
    parts.append(f"{line['key']}, {line['not_before']} to {line['not_after']}, valid: {line['valid']}")
    if line["chain"] is not None:
        parts.append(f"chain {line['chain']}" + (f" by {line['authority']}" if line["authority"] else ""))
    deviations = line["deviations"]
    if isinstance(deviations, list) and deviations:
        parts.append(f"deviations: {' '.join(str(one) for one in deviations)}")
    return f"{place}: {'; '.join(parts)}"


def _range(one: object) -> str:
    """A code as it stands, a number alone, a range as first number x count."""
    if not isinstance(one, list):
        return str(one)
    return str(one[0]) if one[1] == 1 else f"{one[0]}x{one[1]}"
