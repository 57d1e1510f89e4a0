"""The command group lists: what stands on them. Each of its commands has a module of its own.

Enters: arguments. Leaves: what the commands print. Must not: hold a command.
"""

from __future__ import annotations

from typing import Final

import click

from sipguard.cli.lazy import LazyGroup

COMMANDS: Final = {
    "add": "sipguard.cli.lists_edit:add_command",
    "diff": "sipguard.cli.lists_history:diff_command",
    "export": "sipguard.cli.lists_export:export_command",
    "history": "sipguard.cli.lists_history:history_command",
    "import": "sipguard.cli.lists_import:import_command",
    "ls": "sipguard.cli.lists_ls:ls_command",
    "proof": "sipguard.cli.lists_proof:proof_command",
    "show": "sipguard.cli.lists_show:show_command",
    "test": "sipguard.cli.lists_test:test_command",
    "remove": "sipguard.cli.lists_edit:remove_command",
    "undo": "sipguard.cli.lists_edit:undo_command",
}


@click.group(name="lists", cls=LazyGroup, places=COMMANDS)
def lists() -> None:
    """Lists: what they are, what stands on them, and what they say of a number."""
