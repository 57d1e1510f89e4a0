"""The command lists export: all that is on a list now, by its file and by edits.

Enters: a list, its edits. Leaves: a text that can be read as the file of a list, or CSV. Must not: hold a large list in
memory, or build one.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import click

from sipguard.cli.common import FAILED, config_option, json_option, loaded, stop
from sipguard.cli.lists_edit import named
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.formats import ListReader
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.rules import READ_AS_NANP
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, REMOVED, Edits
from sipguard.service.listed import entries_on
from sipguard.settings.entries import shown
from sipguard.settings.sources import READ
from sipguard.store.edits import NAME, Change, EditStore, Held
from sipguard.store.errors import StoreError

COLUMNS = ("entry", "from", "by", "at", "until", "reason")


class _Edited(NamedTuple):
    """The edits of a list that are in force, and the changes that they come from."""

    edits: Edits
    added: dict[str, tuple[Held, Change | None]]


@click.command(name="export")
@click.argument("name", metavar="LIST")
@click.option("--csv", "as_csv", is_flag=True, help="With a header, and who added an entry, when, until when and why.")
@config_option
@json_option
def export_command(name: str, as_csv: bool, config: Path, as_json: bool) -> None:
    """Print what is on a list now: its file, without what was removed, and what was added."""
    _, service = named(config, name)
    found = loaded(config, READ)
    assert found.ruleset is not None
    spec = next(each for each in found.ruleset.lists if each.name == name)
    try:
        edited = _edited(service.state_directory / NAME, name)
        rows = _rows(spec, edited, found.trunks)
        if as_csv:
            written = csv.writer(sys.stdout, lineterminator="\n")
            written.writerow(COLUMNS)
            written.writerows(rows)
        elif as_json:
            _print_json(rows)
        else:
            for row in rows:
                click.echo(row[0])
    except (StoreError, NumberSetError, OSError) as error:
        stop(str(error), FAILED)
    for entry in _within_prefixes(spec, edited):
        click.echo(f"{shown(entry)} is removed, though a prefix on the list covers it: a text cannot say so", err=True)


def _print_json(rows: Iterator[tuple[object, ...]]) -> None:
    """One array, written as it is read."""
    from msgspec import json  # the text needs none of it

    between = "["
    for row in rows:
        click.echo(f"{between}{json.encode(dict(zip(COLUMNS, row, strict=True))).decode()}", nl=False)
        between = ",\n"
    click.echo("]" if between != "[" else "[]")


def _edited(path: Path, name: str) -> _Edited:
    edits, added = Edits(), {}
    store = EditStore.reading(path)
    if store is not None:
        with store:
            for held in store.state(store.sequence(), name):
                if not held.expires_at or time.time() < held.expires_at:
                    edits.take(held.entry, held.said, held.expires_at)
                    if held.said == ADDED:
                        added[held.entry] = held, store.get(held.origin)
    return _Edited(edits, added)


def _rows(spec: ListSpec, edited: _Edited, trunks: Collection[str]) -> Iterator[tuple[object, ...]]:
    """What is on the list, the base first; values of COLUMNS."""
    now_at = time.time()
    edits, added = edited
    for entry in _base(spec, trunks):
        if entry not in added and (not edits.entries or _said(edits, entry, now_at) != REMOVED):
            yield shown(entry), "file" if spec.file else "configuration", "", "", "", ""
    for entry, (held, change) in sorted(added.items()):
        who, at, why = (change.who, change.at, change.why) if change is not None else ("", "", "")
        yield shown(entry), "edit", who, at, held.expires_at or "", why


def _said(edits: Edits, entry: str, at: float) -> int:
    """What edits say of an entry of the base; a prefix is asked as what begins with it."""
    if entry[-1] != "*":
        return edits.says(entry, at)
    for length in range(len(entry) - 1, 0, -1):
        found = edits.entries.get(entry[:length] + "*")
        if found is not None:
            return found[0]
    return 0


def _base(spec: ListSpec, trunks: Collection[str]) -> Iterator[str]:
    """The entries of a list without its edits, in canonical form; of its text where it was not built yet."""
    if spec.path and not Path(spec.path).exists():
        reader = ListReader(spec.format, READ_AS_NANP, spec.kind, spec.per_trunk, trunks)
        with Path(spec.file).open(encoding="utf-8", errors="replace") as text:
            yield from reader.entries(text)
    else:
        yield from entries_on(spec)


def _within_prefixes(spec: ListSpec, edited: _Edited) -> Iterator[str]:
    """What was removed of a prefix that stays on the list."""
    edits, added = edited
    prefixes = [entry[:-1] for entry in added if entry[-1] == "*"]
    if spec.path and spec.kind == "numbers" and not spec.per_trunk and Path(spec.path).exists():
        prefixes += NumberSet.open(Path(spec.path)).prefixes
    now_at = time.time()
    standing = [each for each in prefixes if _said(edits, f"{each}*", now_at) != REMOVED]
    for entry, (said, _) in sorted(edits.entries.items()):
        if said == REMOVED and any(entry.startswith(each) for each in standing):
            yield entry
