"""What a worker left in its journal when it ended without hanging up.

Enters: a journal directory. Leaves: the frames of calls without an end, for the engine to go on with.
Must not: read more of the journal than these frames; a start must not wait for what has ended long ago.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from sipguard.b2bua import frames
from sipguard.b2bua.recovery import Remains
from sipguard.store import live
from sipguard.store.errors import JournalDamaged
from sipguard.store.journal import Position, Reader

UNREADABLE: Final = (JournalDamaged, OSError, msgspec.MsgspecError)


class Left(NamedTuple):
    """Calls without an end, when the process was alive last (Unix seconds), and what could not be read, "" for all."""

    remains: list[Remains]
    alive_at: float
    trouble: str = ""


def left_in(directory: Path) -> Left:
    """What stands in a journal without an end."""
    try:
        alive_at, lasting = live.read(directory)
    except (JournalDamaged, OSError) as error:
        return Left([], 0.0, str(error))
    trouble = ""
    remains = []
    reader = Reader(directory)
    for each in sorted(lasting, key=lambda one: one.main):  # segment after segment: each is mapped once
        frame = None
        changes: list[frames.TargetFrame] = []
        try:
            found = _frame(reader, each.main)
            if isinstance(found, frames.AnswerFrame | frames.VerdictFrame):
                frame = found
            for place in each.changes:
                change = _frame(reader, place)
                if isinstance(change, frames.TargetFrame):
                    changes.append(change)
        except UNREADABLE as error:
            trouble = f"{each.decision_id}: {error}"
        remains.append(Remains(each.decision_id, frame, changes))
    reader.close()
    return Left(remains, alive_at, trouble)


def _frame(reader: Reader, position: Position) -> frames.Frame:
    """The frame at a position. Raises JournalDamaged where none stands there."""
    reader.seek(position)
    for segment, offset, payload in reader.read(1):
        if (segment, offset) == position:
            return frames.decode(payload)
    raise JournalDamaged(f"no frame at {position.segment}:{position.offset}")
