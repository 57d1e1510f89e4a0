"""The command lists ls: the lists of a configuration, one to a line.

Enters: a configuration, its built lists. Leaves: text or JSON. Must not: build a list.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from sipguard.cli.common import FAILED, config_option, json_option, loaded, print_json, stop
from sipguard.cli.escaping import say
from sipguard.service.listed import UNEDITED, EditCount, Listed, edit_counts, listed, whence
from sipguard.settings.sources import READ
from sipguard.store.edits import NAME
from sipguard.store.errors import StoreError


@click.command(name="ls")
@config_option
@json_option
def ls_command(config: Path, as_json: bool) -> None:
    """Show all lists: kind, what they are bound to, how many entries, how old, whose, from where.

    Entries are those of files, imports and the configuration; +2 -1 behind them: two were added, one removed by edits.
    """
    found = loaded(config, READ)
    assert found.ruleset is not None and found.service is not None
    now_at = time.time()
    edits = edits_in(found.service.state_directory, now_at)
    rows = [listed(spec, now_at, edits.get(spec.name, UNEDITED)) for spec in found.ruleset.lists]
    if as_json:
        print_json([row.as_json() for row in rows])
        return
    _print([_cells(row) for row in rows])


def edits_in(state: Path, now_at: float) -> dict[str, EditCount]:
    """The edits in force of each list that has any; ends where they cannot be read."""
    try:
        return edit_counts(state / NAME, now_at)
    except StoreError as error:
        stop(str(error), FAILED)


def _cells(row: Listed) -> tuple[str, ...]:
    spec = row.spec
    count = "not built yet" if row.entries is None else f"{row.entries:,}"
    if row.entries is None and spec.imported:
        count = "damaged" if spec.damaged else "nothing yet"
    count += f" +{row.edits.added:,} -{row.edits.removed:,}" if row.edits else ""
    kind = f"{spec.kind} by trunk" if spec.per_trunk else spec.kind
    age = in_days(row.age_s) + (" STALE" if row.stale else "")
    return (
        spec.name,
        kind,
        " ".join(spec.bind),
        count,
        age,
        spec.owner,
        spec.issue,
        whence(spec),
    )


def in_days(age_s: float | None) -> str:
    """An age in words, "" where there is none."""
    if age_s is None:
        return ""
    return f"{age_s / 86_400:.0f} days" if age_s >= 2 * 86_400 else f"{age_s / 3600:.0f} h"


def _print(rows: list[tuple[str, ...]]) -> None:
    """A table, columns as wide as their widest cell."""
    head = ("list", "kind", "bind", "entries", "age", "owner", "version", "from")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        line = "  ".join(
            cell.rjust(width) if name == "entries" else cell.ljust(width)
            for name, cell, width in zip(head, row, widths, strict=True)
        )
        say(line.rstrip())
