"""The frames of one call, read from the journals by the places its row points to, and the edits it was listed by.

Enters: a record. Leaves: its frames, as far as they are still kept. Must not: search.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from sipguard.b2bua.frames import AnswerFrame, EndFrame, Frame, VerdictFrame, decode
from sipguard.records.listed import ListedBy, asked_of, covering_of, speaking
from sipguard.records.record import Record, position
from sipguard.screening.overlay import ADDED
from sipguard.store.edits import NAME, EditStore, Held
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


def listed_by(state_directory: Path, verdict: VerdictFrame) -> tuple[ListedBy, ...]:
    """The edits that put the call on lists, as they were when these were asked. Raises StoreError."""
    store = EditStore.reading(state_directory / NAME) if verdict.edits else None
    if store is None:
        return ()
    found = []
    with store:
        for which, name, asked in asked_of(verdict):
            held = _speaking(store, name, asked, verdict)
            change = store.get(held.origin) if held is not None and held.said == ADDED else None
            if held is not None and change is not None:
                told = (change.who, change.at, change.why, held.expires_at, change.undone_by)
                found.append(ListedBy(which, name, held.entry, change.sequence, *told))
    return tuple(found)


def _speaking(store: EditStore, name: str, asked: str, verdict: VerdictFrame) -> Held | None:
    """The edit that spoke of what was asked, None where the list itself did."""
    entries = list(covering_of(asked, verdict))
    ranges = store.ranges(name, verdict.edits) if asked.isdecimal() else []
    if ranges:
        numbers = (asked, f"{verdict.trunk},{asked}")  # a list by trunk has the latter only
        entries = [entry for number in numbers for entry in speaking((*entries, *ranges), number)]
    for entry in entries:
        held = store.entry(name, entry, verdict.edits)
        if held is not None and (not held.expires_at or verdict.at < held.expires_at):
            return held
    return None


def _frame(directory: Path, place: int, decision_id: str) -> Frame | None:
    """The frame at a place, None where it is not one of this call."""
    if not place:
        return None
    try:
        frame = decode(read_frame(directory, Position(*position(place))))
    except (FileNotFoundError, JournalDamaged, msgspec.MsgspecError):
        return None
    return frame if getattr(frame, "decision_id", "") == decision_id else None
