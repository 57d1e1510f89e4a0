"""Commands for what must survive the machine: backup, restore.

Enters: a file. Leaves: a backup, or restored files. Must not: need a running sipguard, or stop one.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from sipguard.cli.common import FAILED, config_option, json_option, print_json, service_of, stop
from sipguard.service.backup import Backup, restore, write
from sipguard.service.errors import BackupError


@click.command(name="backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--without-details", is_flag=True, help="Leave out the journal that is in the database already; explain needs it."
)
@config_option
@json_option
def backup(file: Path, without_details: bool, config: Path, as_json: bool) -> None:
    """Back up database, journal, state and configuration into FILE, while sipguard runs or not.

    \b
    Example:
      sipguard backup /var/backups/sipguard-2026-11-26.tar.gz
    """
    try:
        made = write(config, service_of(config), file, not without_details)
    except BackupError as error:
        stop(str(error), FAILED)
    _show(made, as_json, f"{file} holds")
    if not as_json:
        click.echo(f"not in it: {'; '.join(made.left_out)}")


@click.command(name="restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@json_option
def restore_command(file: Path, config: Path, as_json: bool) -> None:
    """Restore a backup to where the configuration says; nothing is overwritten."""
    try:
        restored = restore(file, config)
    except BackupError as error:
        stop(str(error), FAILED)
    _show(restored, as_json, "restored:")
    if not as_json:
        for each in restored.left_out:
            click.echo(f"not restored: {each}")
        click.echo("put secrets and keys in their places, look at `sipguard check`, then start sipguard")


def _show(of: Backup, as_json: bool, first: str) -> None:
    if as_json:
        print_json({**asdict(of), "path": str(of.path)})
    else:
        counts = ", ".join(f"{part} {count}" for part, count in of.parts.items() if part != "manifest.json")
        click.echo(f"{first} {counts or 'nothing'}")
