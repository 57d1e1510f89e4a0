"""Commands about the configuration: check, schema.

Enters: files. Leaves: their problems, or the JSON Schema for editors. Must not: change anything.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from sipguard.cli.common import WRONG, config_option, json_option, print_json
from sipguard.cli.escaping import say
from sipguard.screening.policy.times import day_of
from sipguard.settings.load import load
from sipguard.settings.remarks import remarks_on
from sipguard.settings.schema import json_schema
from sipguard.settings.sources import READ


@click.command()
@config_option
@json_option
def check(config: Path, as_json: bool) -> None:
    """Show all problems of a configuration at once, each as FILE:LINE:COLUMN: what is wrong; how to mend it.

    The policy and all lists are read too. Nothing is changed, and no running sipguard is asked.

    \b
    Exit status:
      0  there is no error; warnings there may be
      2  there is an error: a start or a reload would refuse this configuration
    """
    result = load(config, READ)
    problems = [*result.problems, *remarks_on(result, day_of(time.time()), mistakes_only=True)]
    if as_json:
        print_json(
            {
                "ok": not result.errors,
                "revision": result.ruleset.revision if result.ruleset is not None else "",
                "problems": [str(problem) for problem in problems],
            }
        )
    else:
        for problem in problems:
            say(str(problem))
        warnings = len(problems) - len(result.errors)
        say(f"{config}: {len(result.errors)} error(s), {warnings} warning(s)")
    sys.exit(WRONG if result.errors else 0)


@click.command()
def schema() -> None:
    """Print the JSON Schema of the configuration: every key with its type and meaning, for editors and for reading."""
    print_json(json_schema())
