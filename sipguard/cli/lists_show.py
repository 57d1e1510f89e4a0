"""The command lists show: one list, what it is and what stands on it.

Enters: a configuration, a built list, its notes. Leaves: text or JSON. Must not: build a list.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, loaded, print_json, stop
from sipguard.cli.escaping import say
from sipguard.cli.lists_ls import edits_in, in_days
from sipguard.numbers import notes
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.notes import Note
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.errors import meant
from sipguard.service.listed import UNEDITED, Listed, entries_on, listed, whence
from sipguard.settings.entries import shown
from sipguard.settings.sources import READ


@click.command(name="show")
@click.argument("name", metavar="LIST")
@click.option("--limit", default=20, type=click.IntRange(0), show_default=True, help="Entries that are shown.")
@config_option
@json_option
def show_command(name: str, limit: int, config: Path, as_json: bool) -> None:
    """Show one list: what it is, whose, how old, and its first entries with what is noted of them.

    Entries are those of its file; how many edits added and removed is said, and `lists export` prints all, with edits.
    """
    found = loaded(config, READ)
    assert found.ruleset is not None and found.service is not None
    specs = {spec.name: spec for spec in found.ruleset.lists}
    if name not in specs:
        stop(f"there is no list {name}; {meant(name, specs) or 'there are ' + ', '.join(specs)}", WRONG)
    now_at = time.time()
    edits = edits_in(found.service.state_directory, now_at)
    try:
        row = listed(specs[name], now_at, edits.get(name, UNEDITED))
        rows = [] if row.entries is None else list(islice(entries_on(row.spec), limit))
        noted = [(entry, _note(row.spec, entry)) for entry in rows]
    except (NumberSetError, OSError) as error:
        stop(str(error), FAILED)
    if as_json:
        shown_rows = [{"entry": entry, **(note._asdict() if note is not None else {})} for entry, note in noted]
        print_json(row.as_json() | {"members": shown_rows})
        return
    _print(row, noted)


def _note(spec: ListSpec, entry: str) -> Note | None:
    return next(iter(notes.of(notes.beside(Path(spec.path)), entry)), None) if spec.path else None


def _imported(row: Listed) -> str:
    """When and by whom."""
    if row.made is None:
        return ""
    way = "added to what was there" if row.made.way == "update" else "as the whole list"
    at = datetime.fromtimestamp(row.made.imported_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{at} by {row.made.by}, {way}, format {row.made.form}"


def _print(row: Listed, noted: list[tuple[str, Note | None]]) -> None:
    spec = row.spec
    changed = datetime.fromtimestamp(row.changed_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if row.changed_at else ""
    most = f", at most {in_days(spec.max_age_s)}" if spec.max_age_s else ""
    lines = {
        "list": spec.name,
        "kind": spec.kind + (" by trunk" if spec.per_trunk else ""),
        "bind": " ".join(spec.bind),
        "owner": spec.owner,
        "purpose": spec.purpose,
        "source": spec.source,
        "version": spec.issue,
        "file": whence(spec),
        "imported": _imported(row),
        "changed": changed and f"{changed} ({in_days(row.age_s)} old{most}{', STALE' if row.stale else ''})",
        "entries": ("damaged" if spec.damaged else "not built yet") if row.entries is None else f"{row.entries:,}",
        "edits": f"{row.edits}; sipguard lists export {spec.name} prints what is on it now" if row.edits else "",
    }
    for key, value in lines.items():
        if value:
            say(f"{key:8} {value}")
    for file, digest in spec.given:
        say(f"sha256   {digest}  {Path(file).name}")
    for entry, note in noted:
        beside = "" if note is None else "  " + ", ".join(each for each in note[2:] if each)
        say(f"  {shown(entry)}{beside}")
    if row.entries is not None and row.entries > len(noted):
        say(f"  and {row.entries - len(noted):,} more: sipguard lists export {spec.name}")
