"""How commands end: exit statuses, and a message on standard error.

Enters: a message. Leaves: an exit. Must not: import what a command that needs no configuration would wait for.
"""

from __future__ import annotations

import sys
from typing import Final, NoReturn

from sipguard.cli.escaping import say

FAILED: Final = 1
WRONG: Final = 2
NOT_RUNNING: Final = 3


def stop(message: str, status: int) -> NoReturn:
    """Ends with a message on standard error; it may quote files of strangers."""
    say(message, err=True)
    sys.exit(status)
