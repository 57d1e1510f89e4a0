"""Files that are replaced in one step.

Enters: a path and octets. Leaves: the file. Must not: leave half of it, whatever ends the process.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, octets: bytes) -> None:
    """Replaces `path` in one step; a crash leaves the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.touch(mode=0o600)
    with temporary.open("wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
