"""The command certs inspect: what the certificates in files are, one line of JSON each.

Enters: PEM and DER files, directories, standard input. Leaves: lines on standard output, a summary on standard error.
Must not: judge; `sipguard.stir.inspection` describes.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing

import click
import msgspec
from cryptography import x509

from sipguard.cli.certs_files import Counts, Task, contents, inspected
from sipguard.cli.escaping import escaped
from sipguard.cli.exits import FAILED, WRONG, stop
from sipguard.cli.instants import instant
from sipguard.stir.chain import NO_ANCHORS, Anchors
from sipguard.stir.inspection import Line, certificates_in
from sipguard.stir.profile import KINDS


@click.command(name="inspect")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--anchors", multiple=True, metavar="FILE|DIR", help="Trusted authorities; may be given several times.")
@click.option("--at", "at", metavar="TIME", help="Judge validity at this time instead of now, as 2026-11-26T12:00:00Z.")
@click.option("--human", is_flag=True, help="Print text instead of JSON.")
def inspect_command(files: tuple[str, ...], anchors: tuple[str, ...], at: str | None, human: bool) -> None:
    """Say what each certificate in FILE... is: a line of JSON each, a summary on standard error.

    A FILE is PEM with any number of certificates, DER, a directory of such files, or - for standard input. Keys,
    certificate requests and CRLs that lie among them are named and counted.

    \b
    Exit status:
      0  every certificate was read
      1  a file cannot be read, or no certificate was found; a line says what is wrong
      2  the command line is wrong, or an anchor cannot be read
    """
    unix_at = instant(at) if at is not None else time.time()
    trusted = _anchors(anchors) if anchors else NO_ANCHORS
    counts = Counts()
    task = Task(trusted, unix_at, _as_text if human else _as_json)
    write = sys.stdout.buffer.write
    try:
        with closing(inspected(files, task, counts)) as found:
            for lines in found:
                write(lines)
        sys.stdout.buffer.flush()
    except BrokenProcessPool:
        stop("ended early: one of the processes was killed", FAILED)
    kinds = counts.kinds
    told = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind]) or "none"
    stop(
        f"{kinds.total()} certificates: {told}; {counts.invalid} not valid; {counts.problems} problems"
        + (f"; {counts.others} other files" if counts.others else ""),
        FAILED if counts.problems or (counts.others and not kinds.total()) else 0,
    )


def _anchors(names: tuple[str, ...]) -> Anchors:
    """All certificates in these files; ends where one cannot be read."""
    found: list[x509.Certificate] = []
    for name, octets in contents(names):
        if isinstance(octets, str):
            stop(f"--anchors {name}: {octets}", WRONG)
        for at, one in certificates_in(octets):
            if isinstance(one, str):
                stop(f"--anchors {name}:{at}: {one}", WRONG)
            found.append(one)
    return Anchors(found)


def _as_json(line: Line) -> bytes:
    octets = msgspec.json.encode(line)
    if not octets.isascii():
        octets = escaped(octets.decode()).encode()
    return octets + b"\n"


def _as_text(line: Line) -> bytes:
    return escaped(_text(line)).encode() + b"\n"


def _text(line: Line) -> str:
    """A line for people: place, kind, name, scope, validity, key, chain, deviations."""
    place = ":".join(str(line[key]) for key in ("file", "line") if key in line)
    for name in ("problem", "other"):
        if name in line:
            return f"{place}: {line[name]}"
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
