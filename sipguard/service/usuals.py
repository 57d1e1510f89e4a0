"""What the worker has learned to be usual on each trunk, kept for the next worker and the next start.

Enters: what the worker tells once an hour, the file of an earlier run. Leaves: the same for a worker that starts, the
file. Must not: know what is in it, or keep sipguard from starting: what cannot be read is learned again.

    usual.json   {"format": 1, "trunks": {name: what was learned, in base64}}
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sipguard.screening.counters import TRUNKS
from sipguard.service.atomically import write_atomically

NAME: Final = "usual.json"
FORMAT: Final = 1
WRITTEN_EVERY_S: Final = 300.0

Learned = tuple[tuple[str, bytes], ...]  # by trunk


class Usuals:
    """What was learned, by trunk. `problem` is why the file could not be read, "" where it could or is not there."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._held: dict[str, bytes] = {}
        self._changed = False
        self.problem = ""
        try:
            kept = json.loads(self._path.read_bytes())
            if kept["format"] == FORMAT:
                self._held = {str(trunk): b64decode(text, validate=True) for trunk, text in kept["trunks"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.problem = f"{self._path}: {error!r}"

    def take(self, learned: Iterable[tuple[str, bytes]]) -> None:
        """Takes what the worker has learned since the last time."""
        for trunk, octets in learned:
            self._held.pop(trunk, None)  # the latest stand last
            self._held[trunk] = octets
            self._changed = True
        for trunk in list(self._held)[: max(len(self._held) - TRUNKS, 0)]:
            del self._held[trunk]

    def at_start(self) -> Learned:
        """All of it, for a worker that starts."""
        return tuple(self._held.items())

    def write(self) -> None:
        """Writes the file where something has changed. Raises OSError."""
        if self._changed:
            self._changed = False
            trunks = {trunk: b64encode(octets).decode() for trunk, octets in self._held.items()}
            write_atomically(self._path, json.dumps({"format": FORMAT, "trunks": trunks}).encode())
