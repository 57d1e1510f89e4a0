"""The frames of one call, read from the journals by the places its row points to.

Enters: a record. Leaves: its frames, as far as they are still kept. Must not: search.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from sipguard.b2bua.frames import AnswerFrame, EndFrame, Frame, VerdictFrame, decode
from sipguard.records.record import Record, position
from sipguard.store.errors import JournalDamaged
from sipguard.store.journal import Position, read_frame


class Kept(NamedTuple):
    """What the journal still holds of a call."""

    verdict: VerdictFrame | None
    answer: AnswerFrame | None
    end: EndFrame | None


def frames_of(journal_dir: Path, record: Record) -> Kept:
    """The frames of a call; None for one that did not happen, or whose segment was deleted or damaged."""
    directory = journal_dir / record.journal
    verdict = _frame(directory, record.verdict_place, record.decision_id)
    answer = _frame(directory, record.answer_place, record.decision_id)
    end = _frame(directory, record.end_place, record.decision_id)
    return Kept(
        verdict if isinstance(verdict, VerdictFrame) else None,
        answer if isinstance(answer, AnswerFrame) else None,
        end if isinstance(end, EndFrame) else None,
    )


def _frame(directory: Path, place: int, decision_id: str) -> Frame | None:
    """The frame at a place, None where it is not one of this call."""
    if not place:
        return None
    try:
        frame = decode(read_frame(directory, Position(*position(place))))
    except (FileNotFoundError, JournalDamaged, msgspec.MsgspecError):
        return None
    return frame if getattr(frame, "decision_id", "") == decision_id else None
