"""The command init: a configuration to begin with.

Enters: the name of a start, a directory. Leaves: files there, and what to do next. Must not: write over a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from sipguard.cli.exits import FAILED, stop

_NAMES: Final = ("us-provider", "transit", "gateway", "origination", "report-only")


@click.command(name="init")
@click.option("--start", "name", type=click.Choice(_NAMES), required=True, help="Which start, see above.")
@click.option("--system", is_flag=True, help="Write into /run/sipguard and /var/lib/sipguard while it runs.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def init(name: str, system: bool, directory: Path) -> None:
    """Put a configuration to begin with into DIRECTORY: with policy, cases and lists, and complete.

    \b
      us-provider   calls to and of subscribers in the USA
      transit       wholesale: calls of one carrier go on to another
      gateway       calls from abroad enter the country
      origination   customers place calls; each is known by its numbers
      report-only   the policy of us-provider, decided and recorded, nothing carried out

    It runs as it stands, on 127.0.0.1 only, and keeps what it writes in DIRECTORY/var. No file is written over.

    \b
    Example:
      sipguard init --start us-provider /etc/sipguard --system

    \b
    Exit status:
      0  the files are there
      1  one of them was there before, or cannot be written; nothing was done
      2  the command line is wrong
    """
    from sipguard.service.errors import ServiceError
    from sipguard.service.starting_points import CONFIGURATION, write

    try:
        written = write(name, directory, system)
    except ServiceError as error:
        stop(str(error), FAILED)
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}", FAILED)
    for file in written:
        click.echo(str(file))
    configuration = directory / CONFIGURATION
    click.echo(f"\nWrite your listeners, trunks and lists into it, then:\n  sipguard check -c {configuration}")
    for command in ("policy test", "policy prove", "run"):
        click.echo(f"  sipguard {command} -c {configuration}")
