"""The commands lists history and lists diff: who changed what, when and why.

Enters: lists.db. Leaves: text or JSON. Must not: change anything.
"""

from __future__ import annotations

import time
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, print_json, stop, utc_option, zone_of
from sipguard.cli.escaping import say
from sipguard.cli.lists_edit import OF_EDITS, at_zone, named, some
from sipguard.records.errors import BadFilter
from sipguard.records.filter import instant
from sipguard.screening.overlay import ADDED
from sipguard.settings.entries import read_entries, shown
from sipguard.store import manifest
from sipguard.store.edits import NAME, Change, EditStore, Held
from sipguard.store.errors import StoreError
from sipguard.store.manifest import Manifest


@click.command(name="history")
@click.argument("name", metavar="[LIST]", default="")
@click.option("--entry", default="", metavar="ENTRY", help="Only changes of this entry, such as +12025550111.")
@click.option(
    "--since", default="", metavar="TIME", help="Since then: 15m, 2h, 7d (ago), 2026-11-23, 2026-11-23T14:00."
)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many, newest first.")
@utc_option
@config_option
@json_option
def history_command(name: str, entry: str, since: str, limit: int, utc: bool, config: Path, as_json: bool) -> None:
    """Show the changes of a list or of all, newest first; those that were undone too, and imports.

    Edits begin with their number, which `undo` and `diff` take. Imports begin with -, since those two are about edits:
    an import is taken back by importing the whole file of before.
    """
    found, service = named(config)
    zone = zone_of(service, utc)
    try:
        since_at = instant(since, time.time(), zone) if since else 0.0
    except BadFilter as error:
        stop(str(error), WRONG)
    wanted = _canonical(found.kinds.get(name, "numbers"), entry, found.trunks) if entry else ""
    rows: list[tuple[Change, list[str]]] = []
    try:
        store = EditStore.reading(service.state_directory / NAME)
        if store is not None:
            with store:
                rows = [(row, store.entries(row.sequence)) for row in store.history(name, wanted, since_at, limit)]
    except StoreError as error:
        stop(str(error), FAILED)
    told = [(row.at, _as_json(row, entries), _line(row, entries, zone)) for row, entries in rows]
    for each in (name,) if name else found.kinds if not wanted else ():
        imports = manifest.history(service.state_directory / "lists", each) if not wanted else []
        told += [
            (made.imported_at, _import_as_json(made), _import_line(made, zone))
            for made in imports
            if made.imported_at >= since_at
        ]
    told.sort(key=lambda row: row[0], reverse=True)
    if as_json:
        print_json([plain for _, plain, _ in told[:limit]])
        return
    for _, _, line in told[:limit]:
        say(line)


def _import_as_json(made: Manifest) -> dict[str, Any]:
    return {
        "change": None,
        "at": made.imported_at,
        "by": made.by,
        "action": "import",
        "list": made.list,
        "version": made.version,
        "way": made.way,
        "files": [{"file": each.name, "sha256": each.sha256} for each in made.files],
        "counts": made.counts,
    }


def _import_line(made: Manifest, zone: tzinfo) -> str:
    counts = made.counts
    what = f"{counts['members']:,} {made.kind}, {counts['added']:,} new, {counts['removed']:,} gone"
    files = ", ".join(Path(each.name).name for each in made.files)
    return (
        f"-  {at_zone(made.imported_at, zone)}  {made.by}  import {made.list}: {what}, version {made.version} ({files})"
    )


def _canonical(kind: str, entry: str, trunks: tuple[str, ...]) -> str:
    """An entry as edits have it; a pair is told by its comma where no list is named."""
    entries, problems = read_entries("pairs" if "," in entry and kind == "numbers" else kind, [entry], trunks)
    if problems or len(entries) != 1:
        stop("; ".join(problems) or f"{entry}: one entry is asked for", WRONG)
    return entries[0]


def _as_json(row: Change, entries: list[str]) -> dict[str, Any]:
    return {
        "change": row.sequence,
        "at": row.at,
        "by": row.who,
        "action": row.action,
        "list": row.list,
        "entries": entries,
        "reason": row.why,
        "until": row.expires_at or None,
        "undoes": row.undoes or None,
        "undone_by": row.undone_by or None,
    }


def _line(row: Change, entries: list[str], zone: tzinfo) -> str:
    did = f"undo {row.undoes} of" if row.undoes else row.action
    text = f"{row.sequence}  {at_zone(row.at, zone)}  {row.who}  {did} {row.list}: {some(entries)}"
    text += f"  until {at_zone(row.expires_at, zone)}" if row.expires_at else ""
    text += ", which was past already" if 0 < row.expires_at <= row.at else ""
    text += f"  ({row.why})" if row.why else ""
    return text + (f"  undone by {row.undone_by}" if row.undone_by else "")


@click.command(name="diff")
@click.argument("name", metavar="LIST")
@click.argument("before", metavar="[FROM]", default="0")
@click.argument("after", metavar="[TO]", default="")
@utc_option
@config_option
@json_option
def diff_command(name: str, before: str, after: str, utc: bool, config: Path, as_json: bool) -> None:
    """Show what edits made of a list: between FROM and TO, by default from its file alone to now.

    FROM and TO are numbers of changes, or times: 2h, 2026-11-23T14:00. Lines begin with + for what came on the list,
    with - for what came off, with = for what is again as the file has it. Imports are no edits: what one changed is
    counted in `sipguard lists history`, and it is taken back by importing the whole file of before.

    \b
    Examples:
      sipguard lists diff blocked
      sipguard lists diff blocked 2026-11-23 2h
    """
    _, service = named(config, name)
    zone = zone_of(service, utc)
    try:
        store = EditStore.reading(service.state_directory / NAME)
        if store is None:
            rows: list[dict[str, Any]] = []
        else:
            with store:
                states = [_state(store, name, each, zone) for each in (before, after)]
                rows = list(_differences(store, *states))
    except StoreError as error:
        stop(str(error), FAILED)
    if as_json:
        print_json(rows)
        return
    if not rows:
        say(f"no edit of {name} makes a difference there; {OF_EDITS}", err=True)
    for row in rows:
        told = f"  change {row['change']} by {row['by']}" if row["change"] else ""
        told += f", until {at_zone(row['until'], zone)}" if row["until"] else ""
        told += f": {row['reason']}" if row["reason"] else ""
        say(f"{row['sign']} {shown(row['entry'])}{told}")


def _state(store: EditStore, name: str, written: str, zone: tzinfo) -> dict[str, Held]:
    """The edits in force after a change, or at a time; "" is now."""
    now_at = time.time()
    if written.isdecimal():
        sequence = int(written)
        change = store.get(sequence)
        if sequence and change is None:
            stop(f"there is no change {sequence}; the last one is {store.sequence()}; {OF_EDITS}", FAILED)
        at = change.at if change is not None else 0.0
    else:
        try:
            at = instant(written, now_at, zone) if written else now_at
        except BadFilter as error:
            stop(f"{error}, and no number of a change; {OF_EDITS}", WRONG)
        sequence = store.last_before(at)
    held = store.state(sequence, name)
    return {each.entry: each for each in held if not each.expires_at or at < each.expires_at}


def _differences(store: EditStore, before: dict[str, Held], after: dict[str, Held]) -> list[dict[str, Any]]:
    rows = []
    for entry in sorted({*before, *after}):
        was, held = before.get(entry), after.get(entry)
        if was == held:
            continue
        change = store.get(held.origin) if held is not None else None
        rows.append(
            {
                "entry": entry,
                "sign": "=" if held is None else "+" if held.said == ADDED else "-",
                "change": held.origin if held is not None else None,
                "by": change.who if change is not None else None,
                "at": change.at if change is not None else None,
                "reason": change.why if change is not None else "",
                "until": held.expires_at or None if held is not None else None,
            }
        )
    return rows
