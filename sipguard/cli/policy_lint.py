"""The command policy lint: what is odd about a policy that has no errors.

Enters: a configuration. Leaves: remarks with their places. Must not: find anything out by itself.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from sipguard.cli.common import FAILED, config_option, json_option, loaded_as_check, print_json
from sipguard.cli.escaping import say
from sipguard.screening.policy.times import day_of
from sipguard.settings.remarks import remarks_on


@click.command(name="lint")
@config_option
@json_option
def lint_command(config: Path, as_json: bool) -> None:
    """Show rules that no call can match, that never get one, that have expired, and more that is odd.

    Each remark is certain; what would take too long to tell is left out. `sipguard check` shows the mistakes among
    them.

    \b
    Exit status:
      0  nothing is odd
      1  something is
      2  the configuration has errors
    """
    found = remarks_on(loaded_as_check(config), day_of(time.time()))
    if as_json:
        print_json(
            [
                {"file": each.file, "line": each.line, "column": each.column, "what": each.what, "hint": each.hint}
                for each in found
            ]
        )
    else:
        for each in found:
            say(str(each))
        say(f"{len(found)} remark(s)")
    sys.exit(FAILED if found else 0)
