"""Calls that no index finds: by what only their frames in the journal say.

Enters: calls, newest first, and what is looked for. Leaves: those of them that have it, one after the other, and
what was looked at. Must not: hold more than one call, or stop before the last one by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from sipguard.b2bua.frames import AnswerFrame, EndFrame, Frame, VerdictFrame, decode
from sipguard.records.record import Record, position
from sipguard.store.errors import JournalDamaged
from sipguard.store.journal import FrameReader, Position


class Search:
    """Looks through calls for a rule in mode report that would have acted, for an origination identifier, for the
    Call-ID of a B leg; for all of these that are not "". A context manager.

    `looked_at` calls, the oldest of them of `oldest_at` (Unix seconds); of `unread` the journal has no verdict any
    more, or none that can be read.
    """

    def __init__(self, journal_directory: Path, would: str = "", origid: str = "", call_id_b: str = "") -> None:
        self.directory = journal_directory
        self._journals: dict[str, FrameReader] = {}
        self._would = would
        self._origid = origid.lower()
        self._call_id_b = call_id_b
        self.looked_at = self.unread = 0
        self.oldest_at = 0.0

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        for journal in self._journals.values():
            journal.close()

    def found(self, calls: Iterable[Record]) -> Iterator[Record]:
        """Those calls that have all that is looked for."""
        for call in calls:
            self.looked_at += 1
            self.oldest_at = call.at
            if self._has(call):
                yield call

    def _has(self, call: Record) -> bool:
        if self._call_id_b:
            return self._says(call, call.answer_place, self._call_id_b, self._leg_has)
        verdict = self._payload(call, call.verdict_place)
        if verdict is None or call.decision_id.encode() not in verdict:
            self.unread += 1
            return False
        if self._would and not self._in(call, verdict, self._would, self._would_act):
            return False
        if not self._origid or self._in(call, verdict, self._origid, self._origid_is):
            return True
        return self._says(call, call.end_place, self._origid, self._origid_is)

    def _says(self, call: Record, place: int, word: str, test: Callable[[Frame], bool]) -> bool:
        """Whether there is a frame at a place that holds a word where `test` looks."""
        payload = self._payload(call, place) if place else None
        return payload is not None and self._in(call, payload, word, test)

    def _in(self, call: Record, payload: bytes, word: str, test: Callable[[Frame], bool]) -> bool:
        """The same of its octets; most frames do not hold the word at all, and need not be decoded."""
        if word.encode() not in payload.lower() and word.encode() not in payload:
            return False
        try:
            frame = decode(payload)
        except msgspec.MsgspecError:
            return False
        return getattr(frame, "decision_id", "") == call.decision_id and test(frame)

    def _payload(self, call: Record, place: int) -> bytes | None:
        journal = self._journals.get(call.journal)
        if journal is None:
            journal = self._journals[call.journal] = FrameReader(self.directory / call.journal)
        with suppress(OSError, JournalDamaged):
            return journal.read(Position(*position(place)))
        return None

    def _would_act(self, frame: Frame) -> bool:
        return isinstance(frame, VerdictFrame) and self._would in frame.reported

    def _origid_is(self, frame: Frame) -> bool:
        if not isinstance(frame, VerdictFrame | EndFrame):
            return False
        told = [frame.signed.origid] if frame.signed is not None else []
        if isinstance(frame, VerdictFrame):
            told.append(str(frame.facts.get("identity.origid") or ""))
        return self._origid in map(str.lower, told)

    def _leg_has(self, frame: Frame) -> bool:
        return isinstance(frame, AnswerFrame) and self._call_id_b in [leg.call_id for leg in frame.legs]
