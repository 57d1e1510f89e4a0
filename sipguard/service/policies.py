"""The rules of each Ruleset that was in force, for explanations of its calls: `policies/REVISION.json`.

Enters: octets of `settings.judged_by`. Leaves: the same, for as long as records name the revision. Must not: know what
is in them.

A file's time is when its Ruleset was in force last, so it goes when the last of its calls has gone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sipguard.service.atomically import write_atomically

DIRECTORY: Final = "policies"
AT_LEAST: Final = 20  # are kept however old they are: a rollback may bring one back


class Policies:
    """The files below the state directory. Raises OSError where they cannot be written."""

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / DIRECTORY

    def keep(self, revision: str, octets: bytes) -> None:
        """Keeps the rules of a Ruleset that comes into force."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(revision)
        if not path.exists():
            write_atomically(path, octets)

    def still(self, revision: str, now_at: float) -> None:
        """Notes that a Ruleset is in force now."""
        path = self._path(revision)
        if path.exists():
            os.utime(path, (now_at, now_at))

    def forget(self, before_at: float) -> None:
        """Deletes those that were in force before then only."""
        times = sorted(((path.stat().st_mtime, path) for path in self._directory.glob("*.json")), reverse=True)
        for at, path in times[AT_LEAST:]:
            if at < before_at:
                path.unlink(missing_ok=True)

    def of(self, revision: str) -> bytes | None:
        """What was kept of a Ruleset, None where there is nothing. Raises OSError where that cannot be read."""
        try:
            return self._path(revision).read_bytes() if revision.isalnum() else None
        except FileNotFoundError:
            return None

    def _path(self, revision: str) -> Path:
        return self._directory / f"{revision}.json"
