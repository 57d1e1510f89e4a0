"""The command lists proof: which lists were in force on a day, how old they were, what they did to calls.

Enters: a configuration, what sipguard kept. Leaves: text, JSON or CSV. Must not: need a running sipguard, or change
anything.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path

import click

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, print_json, stop, utc_option, zone_of
from sipguard.cli.escaping import escaped
from sipguard.cli.lists_edit import named
from sipguard.cli.lists_ls import in_days
from sipguard.records.list_tally import PASSED, REPORTED
from sipguard.service.list_proof import Done, Proof, Stretch, csv_rows, proof
from sipguard.store.edits import NAME, EditStore
from sipguard.store.errors import JournalError, StoreError

_WORDS = {REPORTED: "only reported", PASSED: "passed"}


@click.command(name="proof")
@click.option(
    "--day", default="today", show_default=True, metavar="DAY", help="today, yesterday, or a day such as 2026-11-26."
)
@click.option("--list", "name", default="", metavar="LIST", help="Only this list.")
@click.option("--csv", "as_csv", is_flag=True, help="Rows with a header: a state of a list, a trunk and a rule each.")
@utc_option
@config_option
@json_option
def proof_command(day: str, name: str, as_csv: bool, utc: bool, config: Path, as_json: bool) -> None:
    """Show which state of each list was in force on a day, and what it did to calls, by trunk and rule.

    Of each state: version, of when its data was and how old that made it, its files with SHA-256, who imported it, and
    edits over it. Days that are over are kept as they were counted, beyond the time that the journal is kept. What
    cannot be told is said. Times are those of records.zone.
    """
    _, service = named(config)
    zone = zone_of(service, utc)
    wanted = _day(day, zone)
    lists_dir = service.state_directory / "lists"
    try:
        edits = EditStore.reading(service.state_directory / NAME)
        found = proof(wanted, zone, service.journal_directory, lists_dir, edits, name)
    except (StoreError, JournalError, OSError) as error:
        stop(str(error), FAILED)
    if as_json:
        print_json(found.as_json())
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(map(_cells, csv_rows(found)))
    else:
        for line in _lines(found, zone):
            click.echo(escaped(line))
        return
    for each in found.untold:
        click.echo(each, err=True)


def _cells(row: tuple[object, ...]) -> tuple[object, ...]:
    """A row that no spreadsheet takes for formulas: names of files and versions may be a stranger's."""
    return tuple(f"'{cell}" if isinstance(cell, str) and cell[:1] in tuple("=+-@") else cell for cell in row)


def _day(written: str, zone: tzinfo) -> date:
    today = datetime.fromtimestamp(time.time(), zone).date()
    try:
        day = {"today": today, "yesterday": today - timedelta(days=1)}.get(written) or date.fromisoformat(written)
    except ValueError:
        stop(f"--day {written} is no day; write it as 2026-11-26", WRONG)
    if day > today:
        stop(f"--day {written} has not come yet", WRONG)
    return day


def _lines(found: Proof, zone: tzinfo) -> Iterator[str]:
    yield f"lists on {found.day} ({_zone(zone)}); {found.calls:,} calls" if found.calls else f"lists on {found.day}"
    for each in found.untold:
        yield f"NOT KNOWN: {each}" if "not over" not in each else each
    for name in sorted(found.lists.keys() | found.unknown.keys()):
        stretches = found.lists.get(name, [])
        yield ""
        yield _title(name, stretches)
        for stretch in stretches:
            yield from _of(stretch, zone)
        if name in found.unknown:
            yield "  under a state that was not kept:"
            yield from (f"    {_said(done)}" for done in found.unknown[name])
    if not found.lists and not found.unknown:
        yield "nothing is known of this day"


def _zone(zone: tzinfo) -> str:
    return "UTC" if zone is UTC else str(zone)


def _title(name: str, stretches: list[Stretch]) -> str:
    if not stretches:
        return name
    state = stretches[-1].state
    told = [state.kind, f"bound to {' '.join(state.bind) or 'nothing'}"]
    told += [f"{what} {value}" for what, value in (("owner", state.owner), ("source", state.source)) if value]
    return f"{name}: {', '.join(told)}"


def _of(each: Stretch, zone: tzinfo) -> Iterator[str]:
    state = each.state
    to = f"some time before {_time(each.to_at, zone)}, when it began again" if each.cut else _time(each.to_at, zone)
    yield f"  {_time(each.from_at, zone)} to {to}"
    if state.missing:
        why = "its base was damaged" if state.damaged else "nothing had been imported"
        yield f"    {why}: no condition on it held"
        return
    entries = "" if state.entries is None else f", {state.entries:,} entries"
    dated = f", data of {_instant(state.dated_at, zone)}, {in_days(each.age_s)} old" if state.dated_at else ""
    yield f"    version {state.version or 'without a name'}{entries}{dated}"
    if each.stale_at is not None:
        yield f"    STALE since {_instant(each.stale_at, zone)}: at most {in_days(state.max_age_s)} are allowed"
    for file, digest in state.given:
        yield f"    {file} sha256 {digest}"
    if state.imported_at:
        yield f"    imported {_instant(state.imported_at, zone)} by {state.imported_by}"
    if each.added or each.removed:
        yield f"    edits at its beginning: {each.added:,} added, {each.removed:,} removed"
    for change in each.changes:
        why = f" ({change.why})" if change.why else ""
        what = f"undo of {change.undoes}" if change.undoes else f"{change.action} of {change.entries:,}"
        yield f"    change {change.sequence} at {_time(change.at, zone)} by {change.who}: {what}{why}"
    for done in each.done:
        yield f"    {_said(done)}"
    if not each.done:
        yield "    no call was on it"


def _said(done: Done) -> str:
    counts = ", ".join(f"{n:,} {_WORDS.get(outcome, outcome)}" for outcome, n in done.calls.items() if n)
    rule = f"rule {done.rule}" + (f" ({done.basis})" if done.basis else "") if done.rule else "no rule acted"
    return f"trunk {done.trunk}, {rule}: {counts}"


def _time(at: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%H:%M:%S}"


def _instant(at: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S%z}".replace("+0000", "Z")
