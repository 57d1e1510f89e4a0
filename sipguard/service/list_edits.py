"""What the supervisor knows of edits of lists, and how it hears of new ones.

Enters: the file that commands write. Leaves: edits for the worker, all at its start, then what has changed. Must not:
write the file, or take an edit back because the file cannot be read.

Whether there is anything new is asked of the file system: two calls a second while nothing changes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sipguard.screening.overlay import ADDED, SILENT, Edit
from sipguard.store.edits import NAME, EditStore
from sipguard.store.errors import StoreUnavailable

LOOKED_AT_EVERY_S: Final = 1.0
PORTION: Final = 1000  # edits in one message: the worker serves calls between two
_TICK_S: Final = 2.0  # a file that was written so lately may be written again without looking any other

Stamp = tuple[tuple[int, int, int], ...]  # inode, size, time of the last write in ns, of the file and of its log
News = tuple[int, list[Edit], Stamp]


class ListEdits:
    """The edits in force. `problem` is why the file could not be read the last time, "" where it could."""

    def __init__(self, state_directory: Path) -> None:
        self._path = state_directory / NAME
        self._held: dict[tuple[str, str], tuple[int, float]] = {}
        self._stamp: Stamp = ()
        self.sequence = 0
        self.problem = ""

    def has_news(self) -> bool:
        """Whether the file has been written since it was read."""
        stamp = self._stamp_now()
        return stamp != self._stamp or any(time.time() - mtime_ns / 1e9 < _TICK_S for _, _, mtime_ns in stamp)

    def read(self) -> News:
        """What has changed since `take`. Blocks. Raises StoreError."""
        stamp = self._stamp_now()
        store = EditStore.reading(self._path)
        if store is None:
            if self.sequence:
                raise StoreUnavailable(f"{self._path}: it is gone; its edits stay in force until sipguard stops")
            return 0, [], stamp
        with store:
            if self.sequence and self._same_file(stamp) and store.sequence() >= self.sequence:
                return (*store.since(self.sequence), stamp)
            last, edits = store.whole(time.time())
        there = {(name, entry) for name, entry, _, _ in edits}
        gone: list[Edit] = [(*held, SILENT, 0.0) for held in self._held if held not in there]
        return last, gone + edits, stamp

    def take(self, news: News) -> list[Edit]:
        """Takes what was read; the edits that the worker needs."""
        self.sequence, edits, self._stamp = news
        self.problem = ""
        for name, entry, said, expires_at in edits:
            if said == SILENT:
                self._held.pop((name, entry), None)
            else:
                self._held[name, entry] = (said, expires_at)
        return edits

    def at_start(self) -> list[Edit]:
        """All that is in force, for a worker that starts."""
        return [(name, entry, said, expires_at) for (name, entry), (said, expires_at) in self._held.items()]

    def as_json(self) -> dict[str, Any]:
        """The last change in force, and how many entries of each list are added and removed at this moment."""
        now_at = time.time()
        lists: dict[str, dict[str, int]] = {}
        for (name, _), (said, expires_at) in self._held.items():
            if not expires_at or now_at < expires_at:
                counts = lists.setdefault(name, {"added": 0, "removed": 0})
                counts["added" if said == ADDED else "removed"] += 1
        return {"change": self.sequence, "lists": lists, "problem": self.problem}

    def _stamp_now(self) -> Stamp:
        return tuple(_stamp(path) for path in (self._path, self._path.with_name(f"{NAME}-wal")))

    def _same_file(self, stamp: Stamp) -> bool:
        return bool(self._stamp) and stamp[0][0] == self._stamp[0][0]


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns


def portions(before: int, sequence: int, edits: list[Edit]) -> Iterator[tuple[int, list[Edit]]]:
    """Edits in messages for the worker: a change is in force when its last one has come."""
    for at in range(0, max(len(edits), 1), PORTION):
        last = at + PORTION >= len(edits)
        yield (sequence if last else before), edits[at : at + PORTION]


def lines(edits: Mapping[str, Any]) -> Iterator[str]:
    """What `status` says of edits, one line each."""
    for name, counts in sorted(edits["lists"].items()):
        told = [f"{many} {what}" for what, many in counts.items() if many]
        yield f"{name}: {', '.join(told)}, last change {edits['change']}"
    if edits["problem"]:
        yield f"NOT READ: {edits['problem']}"
