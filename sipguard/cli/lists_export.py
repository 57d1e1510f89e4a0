"""The command lists export: all that is on a list now, by its base and by edits.

Enters: a list, its edits. Leaves: a text that can be read as the file of a list, or CSV that can be. Must not: hold a
large list in memory.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from sipguard.cli.common import FAILED, config_option, json_option, loaded, stop
from sipguard.cli.lists_edit import named
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.formats import compile_list
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.rules import READ_AS_NANP
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, REMOVED, span_of
from sipguard.service.list_answers import edited_in
from sipguard.service.list_rows import Edited, Row, edits_of, header, rows, said, written
from sipguard.settings.entries import shown
from sipguard.settings.sources import READ
from sipguard.store.edits import NAME, EditStore
from sipguard.store.errors import StoreError


@click.command(name="export")
@click.argument("name", metavar="LIST")
@click.option("--csv", "as_csv", is_flag=True, help="With a header; until when each entry stands, why, by whom, since.")
@config_option
@json_option
def export_command(name: str, as_csv: bool, config: Path, as_json: bool) -> None:
    """Print what is on a list now: its base, without what was removed, and what was added.

    With --csv it is the file of a list that says the same, with ends and reasons; without, entries only.
    """
    _, service = named(config, name)
    found = loaded(config, READ)
    assert found.ruleset is not None
    spec = next(each for each in found.ruleset.lists if each.name == name)
    now_at = time.time()
    ending = 0
    try:
        with ExitStack() as stack:
            edited = edited_in(EditStore.reading(service.state_directory / NAME), name, now_at)
            spec = _built(spec, frozenset(found.trunks), stack)
            found_rows = rows(spec, edited, now_at)
            if as_csv:
                csv.writer(sys.stdout, lineterminator="\n").writerow(header(spec))
                for row in found_rows:
                    sys.stdout.write(written(spec, row))
                    ending += bool(row.until) and spec.kind == "trunks"
            elif as_json:
                _print_json(found_rows)
            else:
                for row in found_rows:
                    click.echo(shown(row.entry))
                    ending += bool(row.until)
            uncut = list(_within_prefixes(spec, edited, now_at))
    except (StoreError, NumberSetError, OSError) as error:
        stop(str(error), FAILED)
    for entry in uncut:
        click.echo(f"{shown(entry)} is removed, though a prefix on the list covers it: a file cannot say so", err=True)
    if ending:
        hint = "a file of trunks cannot say so" if as_csv else "--csv says when"
        click.echo(f"{ending} of these end some day: {hint}", err=True)


def _built(spec: ListSpec, trunks: frozenset[str], stack: ExitStack) -> ListSpec:
    """The list with a built file: one for this command where its text has changed since it was built."""
    if not spec.path or Path(spec.path).exists():
        return spec
    target = Path(stack.enter_context(TemporaryDirectory())) / "list.set"
    compile_list(Path(spec.file), target, spec.kind, spec.format, READ_AS_NANP, spec.per_trunk, trunks)
    return replace(spec, path=str(target))


def _print_json(found: Iterator[Row]) -> None:
    """One array, written as it is read."""
    from msgspec import json  # the text needs none of it

    between = "["
    for row in found:
        plain = {
            "entry": shown(row.entry),
            "from": row.by,
            "by": row.added_by,
            "at": row.added_at,
            "until": row.until or None,
            "reason": row.reason,
        }
        click.echo(f"{between}{json.encode(plain).decode()}", nl=False)
        between = ",\n"
    click.echo("]" if between != "[" else "[]")


def _within_prefixes(spec: ListSpec, edited: Edited, at: float) -> Iterable[str]:
    """What was removed of a prefix that stays on the list."""
    if spec.kind != "numbers":
        return
    removed = [entry for entry, (held, _) in sorted(edited.items()) if held.said == REMOVED]
    prefixes = [entry[:-1] for entry, (held, _) in edited.items() if held.said == ADDED and entry[-1] == "*"]
    if removed and spec.path:
        sets = NumberSet.open_by_trunk(Path(spec.path)) if spec.per_trunk else {"": NumberSet.open(Path(spec.path))}
        prefixes += [f"{trunk}{',' if trunk else ''}{each}" for trunk, own in sets.items() for each in own.prefixes]
    edits = edits_of(edited)
    standing = [each for each in prefixes if said(edits, f"{each}*", at) != REMOVED]
    yield from (entry for entry in removed if any(_overlap(entry, each) for each in standing))


def _overlap(entry: str, prefix: str) -> bool:
    """Whether an entry speaks of numbers that begin with a prefix."""
    if entry.startswith(prefix):
        return True
    span = span_of(entry)
    head, comma, begin = prefix.rpartition(",")
    digits = len(entry.rpartition(",")[2]) // 2
    if span is None or span[0] != f"{head}{comma}{digits}" or len(begin) > digits:
        return False
    open_: int = 10 ** (digits - len(begin))
    return span[1] < (int(begin) + 1) * open_ and int(begin) * open_ <= span[2]
