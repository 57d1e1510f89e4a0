"""The command group policy: what can be said of a policy before it is live. Each command has a module of its own.

Enters: arguments. Leaves: what the commands print. Must not: hold a command.
"""

from __future__ import annotations

from typing import Final

import click

from sipguard.cli.lazy import LazyGroup

PLACES: Final = {
    "diff": "sipguard.cli.policy_diff:diff_command",
    "lint": "sipguard.cli.policy_lint:lint_command",
    "prove": "sipguard.cli.policy_prove:prove_command",
    "test": "sipguard.cli.policy_test:test_command",
}


@click.group(name="policy", cls=LazyGroup, places=PLACES)
def policy() -> None:
    """Policies: what one does, what is odd about it, what an edit changes, and that it harms no emergency call."""
