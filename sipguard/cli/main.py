"""The command `sipguard`: groups the commands, one file per command group.

Enters: arguments. Leaves: text or JSON on standard output, problems on standard error, an exit status.
Must not: hold logic that another face would need too.
"""

from __future__ import annotations

import click

from sipguard import __version__
from sipguard.cli import backup, calls, certs, configuration, doctor, identity, operate, plan, top, trace

EXIT_CODES = """\b
Exit status:
  0  done
  1  it was tried and failed; the reason is on standard error
  2  the command line or the configuration is wrong
  3  no sipguard is running with this configuration
"""


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="sipguard %(version)s")
def main() -> None:
    """Inline SIP call screening: verifies, asks lists and policy, then rejects, labels or forwards each call."""


for module in (operate, configuration, calls, top, trace, doctor, plan, backup, certs, identity):
    for command in module.COMMANDS:
        main.add_command(command)


if __name__ == "__main__":
    main()
