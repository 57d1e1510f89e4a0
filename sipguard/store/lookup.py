"""The frames of one call, read from the journals by the places its row points to, and the edits it was listed by.

Enters: a record. Leaves: its frames, as far as they are still kept. Must not: search.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from sipguard.b2bua.frames import AnswerFrame, EndFrame, VerdictFrame, decode
from sipguard.records.explain import DELETED
from sipguard.records.listed import Asked, ListedBy, asked_of, covering_of, speaking
from sipguard.records.record import Record, position
from sipguard.records.step import LAST_AT
from sipguard.screening.overlay import ADDED
from sipguard.screening.trunk import Trunk
from sipguard.store.edits import NAME, EditStore, Held
from sipguard.store.errors import JournalDamaged
from sipguard.store.journal import Position, read_frame

_FACTS: Final = "what was found of it"
_BY_IDENTITY: Final = frozenset({"lists.signer", "lists.brand"})


OneFrame = TypeVar("OneFrame", VerdictFrame, AnswerFrame, EndFrame)


class Kept(NamedTuple):
    """What the journal still holds of a call."""

    verdict: VerdictFrame | None
    answer: AnswerFrame | None
    end: EndFrame | None
    lacks: Sequence[str] = ()  # what there is to say of those that the row points to and that are not here


def frames_of(journal_dir: Path, record: Record) -> Kept:
    """The frames of a call; None for one that did not happen, or whose segment was deleted, damaged or kept from us."""
    directory, lacks = journal_dir / record.journal, list[str]()
    verdict = _frame(directory, record.verdict_place, record, VerdictFrame, _FACTS, lacks)
    answer = _frame(directory, record.answer_place, record, AnswerFrame, "what was kept of its answer", lacks)
    end = _frame(directory, record.end_place, record, EndFrame, "what was kept of its end", lacks)
    return Kept(verdict, answer, end, tuple(lacks))


def listed_by(state_directory: Path, verdict: VerdictFrame, trunk: Trunk | None = None) -> tuple[ListedBy, ...]:
    """The edits that put the call on lists, as they were when these were asked. Raises StoreError.

    `trunk`: that which it came by, as it was configured.
    """
    store = EditStore.reading(state_directory / NAME)
    if store is None:
        return ()
    found = []
    with store:
        sequence = verdict.edits or _before(store, verdict)
        for asked in asked_of(verdict, trunk) if sequence else ():
            held = _speaking(store, asked, verdict, sequence)
            change = store.get(held.origin) if held is not None and held.said == ADDED else None
            if held is not None and change is not None:
                told = (change.who, change.at, change.why, held.expires_at, change.undone_by)
                found.append(ListedBy(asked.which, asked.name, held.entry, change.sequence, *told))
    return tuple(found)


def _before(store: EditStore, verdict: VerdictFrame) -> int:
    """The last change that was in force where only a check that notes none has asked lists: by the clock."""
    if any(name == "lists" for name, _, _ in verdict.findings) or _BY_IDENTITY.isdisjoint(verdict.facts):
        return 0
    return store.last_before(verdict.at)


def _speaking(store: EditStore, asked: Asked, verdict: VerdictFrame, sequence: int) -> Held | None:
    """The edit that put one of the values asked on the list, None where the list itself did."""
    for value in asked.values:
        for entry in _covering(store, asked, value, verdict.trunk, sequence):
            held = store.entry(asked.name, entry, sequence)
            if held is not None and (not held.expires_at or verdict.at < held.expires_at):
                if held.said == ADDED:
                    return held
                break
    return None


def _covering(store: EditStore, asked: Asked, value: str, trunk_name: str, sequence: int) -> list[str]:
    """Entries of edits that cover a value, the most specific first."""
    entries = list(covering_of(asked, value, trunk_name))
    ranges = store.ranges(asked.name, sequence) if value.isdecimal() else []
    if not ranges:
        return entries
    numbers = (value, f"{trunk_name},{value}")  # a list by trunk has the latter only
    return [entry for number in numbers for entry in speaking((*entries, *ranges), number)]


def _frame(
    directory: Path, place: int, record: Record, kind: type[OneFrame], what: str, lacks: list[str]
) -> OneFrame | None:
    """The frame at a place; None where it is not one of this call, and then `lacks` says why."""
    if not place:
        return None
    try:
        frame = decode(read_frame(directory, Position(*position(place))))
    except FileNotFoundError:
        lacks.append(DELETED if kind is VerdictFrame else f"{what} is gone: its journal segment was deleted")
        return None
    except OSError as error:
        lacks.append(f"{what} cannot be read: {error.strerror}")
        return None
    except (JournalDamaged, msgspec.MsgspecError):
        lacks.append(f"{what} cannot be read: the journal is damaged there")
        return None
    if isinstance(frame, kind) and frame.decision_id == record.decision_id and _is_sound(frame):
        return frame
    lacks.append(f"{what} cannot be read: the journal holds something else there")
    return None


def _is_sound(frame: VerdictFrame | AnswerFrame | EndFrame) -> bool:
    """Whether its times are such as a clock has."""
    times = [frame.at]
    if isinstance(frame, VerdictFrame):
        times += [frame.received_mono, *(at for _, begin, over in frame.runs for at in (begin, over))]
    else:
        times += [frame.ring_at]
    return all(0.0 <= at <= LAST_AT for at in times)
