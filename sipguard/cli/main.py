"""The command `sipguard`: groups the commands, one file per command group.

Enters: arguments. Leaves: text or JSON on standard output, problems on standard error, an exit status.
Must not: hold logic that another face would need too.
"""

from __future__ import annotations

from typing import Final

import click

from sipguard import __version__
from sipguard.cli.lazy import LazyGroup

PLACES: Final = {
    "backup": "sipguard.cli.backup:backup",
    "calls": "sipguard.cli.calls:calls",
    "certs": "sipguard.cli.certs:certs",
    "check": "sipguard.cli.configuration:check",
    "doctor": "sipguard.cli.doctor:doctor",
    "drain": "sipguard.cli.operate:drain",
    "explain": "sipguard.cli.explain:explain",
    "hangup": "sipguard.cli.operate:hangup",
    "identity": "sipguard.cli.identity:identity",
    "init": "sipguard.cli.init:init",
    "lists": "sipguard.cli.lists:lists",
    "mode": "sipguard.cli.operate:mode",
    "numbers": "sipguard.cli.numbers:numbers_command",
    "plan": "sipguard.cli.plan:plan_command",
    "policy": "sipguard.cli.policy:policy",
    "reload": "sipguard.cli.operate:reload",
    "restore": "sipguard.cli.backup:restore_command",
    "rollback": "sipguard.cli.operate:rollback",
    "run": "sipguard.cli.operate:run",
    "schema": "sipguard.cli.configuration:schema",
    "screen": "sipguard.cli.screen:screen",
    "status": "sipguard.cli.operate:status",
    "top": "sipguard.cli.top:top",
    "trace": "sipguard.cli.trace:trace",
}

EXIT_CODES = """\b
Exit status:
  0  done
  1  it was tried and failed; the reason is on standard error
  2  the command line or the configuration is wrong
  3  no sipguard is running with this configuration
"""


@click.group(cls=LazyGroup, places=PLACES, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="sipguard %(version)s")
def main() -> None:
    """Inline SIP call screening: verifies, asks lists and policy, then rejects, labels or forwards each call."""


if __name__ == "__main__":
    main()
