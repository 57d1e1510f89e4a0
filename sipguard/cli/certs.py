"""The command group certs: what stands around certificates. Each of its commands has a module of its own.

Enters: arguments. Leaves: what the commands print. Must not: hold a command.
"""

from __future__ import annotations

from typing import Final

import click

from sipguard.cli.lazy import LazyGroup

PLACES: Final = {
    "csr": "sipguard.cli.certs_csr:csr_command",
    "inspect": "sipguard.cli.certs_inspect:inspect_command",
    "list": "sipguard.cli.certs_cache:list_command",
    "show": "sipguard.cli.certs_cache:show_command",
    "status": "sipguard.cli.certs_status:status_command",
    "warm": "sipguard.cli.certs_cache:warm_command",
}


@click.group(name="certs", cls=LazyGroup, places=PLACES)
def certs() -> None:
    """Certificates of signers: what they are, and how to get one."""
