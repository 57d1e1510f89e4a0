"""The command group certs: what stands around certificates. Each of its commands has a module of its own.

Enters: arguments. Leaves: what the commands print. Must not: hold a command.
"""

from __future__ import annotations

import click

from sipguard.cli import certs_cache, certs_csr, certs_inspect, certs_status


@click.group(name="certs")
def certs() -> None:
    """Certificates of signers: what they are, and how to get one."""


for command in (
    certs_csr.csr_command,
    certs_inspect.inspect_command,
    certs_status.status_command,
    *certs_cache.COMMANDS,
):
    certs.add_command(command)

COMMANDS = (certs,)
