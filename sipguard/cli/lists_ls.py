"""The command lists ls: the lists of a configuration, one to a line.

Enters: a configuration, its built lists. Leaves: text or JSON. Must not: build a list.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from sipguard.cli.common import config_option, json_option, loaded, print_json
from sipguard.cli.escaping import say
from sipguard.service.listed import Listed, listed, whence
from sipguard.settings.sources import READ


@click.command(name="ls")
@config_option
@json_option
def ls_command(config: Path, as_json: bool) -> None:
    """Show all lists: kind, what they are bound to, how many entries, how old, whose, from where."""
    found = loaded(config, READ)
    assert found.ruleset is not None
    rows = [listed(spec, time.time()) for spec in found.ruleset.lists]
    if as_json:
        print_json([row.as_json() for row in rows])
        return
    _print([_cells(row) for row in rows])


def _cells(row: Listed) -> tuple[str, ...]:
    spec = row.spec
    count = "not built yet" if row.entries is None else f"{row.entries:,}"
    if row.entries is None and spec.imported:
        count = "nothing yet"
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
