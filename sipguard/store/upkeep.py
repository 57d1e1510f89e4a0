"""Care for the journals from outside the process that writes them: next segments, flushes, deletion.

Enters: a journal directory. Leaves: files made, synced and deleted.
Must not: write frames, or touch the segment that is being written other than by syncing it.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Final

from sipguard.store.errors import JournalDamaged
from sipguard.store.journal import (
    DEFAULT_SEGMENT_BYTES,
    HEADER_BYTES,
    preallocate,
    read_header,
    segment_numbers,
    segment_path,
)

_PREPARED: Final = "prepared"
_PREPARING: Final = "preparing"


def writers(journal_dir: Path) -> list[str]:
    """The names of the journals below `journal_dir`, one per writing process."""
    try:
        return sorted(entry.name for entry in os.scandir(journal_dir) if entry.is_dir())
    except FileNotFoundError:
        return []


def prepare_next(directory: Path, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> bool:
    """Makes the segment that the writer takes next; True where one had to be made. Raises JournalFull.

    One process at a time prepares in a directory; the writer itself may take the segment at any moment.
    """
    target = directory / _PREPARED
    if target.exists():
        return False
    preparing = directory / _PREPARING
    preparing.unlink(missing_ok=True)
    preallocate(preparing, segment_bytes & ~7)
    preparing.rename(target)
    return True


def flush(directory: Path, since: int) -> int:
    """Syncs the segments from number `since` on to the disk; the newest number, for the next flush.

    Blocks for as long as the disk does: call it in a thread.
    """
    numbers = segment_numbers(directory)
    for number in numbers:
        if number >= since:
            _sync(segment_path(directory, number))
    return numbers[-1] if numbers else since


def _sync(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)


def delete_old(directory: Path, loaded: int, before_at: float) -> list[int]:
    """Deletes segments that are wholly loaded and were finished before `before_at`; answers their numbers.

    `loaded` is the number of the segment that the loader stands in: it and all later ones stay.
    """
    numbers = segment_numbers(directory)
    gone: list[int] = []
    for number, follower in pairwise(numbers):
        if number >= loaded or created_at(segment_path(directory, follower)) >= before_at:
            break
        segment_path(directory, number).unlink(missing_ok=True)
        gone.append(number)
    return gone


def created_at(path: Path) -> float:
    """When a segment was begun, Unix seconds, from its header; from its file where that is damaged."""
    with path.open("rb") as file:
        try:
            return read_header(file.read(HEADER_BYTES))[1]
        except JournalDamaged:
            return os.fstat(file.fileno()).st_mtime
