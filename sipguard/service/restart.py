"""What of a new configuration a running sipguard cannot take up: listeners whose sockets would be others.

Enters: the listeners in use, those of the configuration and its document. Leaves: problems. Must not: open sockets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sipguard.screening.trunk import Listener
from sipguard.settings.document import Document
from sipguard.settings.problems import Problem

HINT: Final = "restart sipguard for it; nothing was changed"
_OF_SOCKET: Final = {"host": "address", "port": "port", "transport": "transport", "dscp": "dscp"}  # field -> key


def needing_restart(
    before: Mapping[str, Listener], after: Mapping[str, Listener], document: Document
) -> Iterator[Problem]:
    """A problem for each listener that is new, gone, or has another socket."""
    for name, listener in after.items():
        if name not in before:
            yield document.problem(("listeners", name), "is a new listener", HINT)
            continue
        for field, key in _OF_SOCKET.items():
            was, now = getattr(before[name], field), getattr(listener, field)
            if was != now:
                yield document.problem(("listeners", name, key), f"is {now}, and {was} in what runs", HINT)
    for name in before:
        if name not in after:
            yield document.problem(("listeners",), f"listener {name} is gone", HINT)
