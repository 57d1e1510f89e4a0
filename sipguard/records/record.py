"""The slim row that a database keeps of a call, and how it grows out of journal frames.

Enters: frames with their positions in a journal, rows. Leaves: rows, Records, a Batch ready to be stored.
Must not: know of a database or a file; details (facts, headers) stay in the journal and are pointed to.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, NamedTuple

from sipguard.b2bua.frames import LIMITED, REDIRECTED, REJECTED, AnswerRow, EndFrame, NoteFrame, SlimFrame, VerdictRow
from sipguard.records.errors import BadFrame
from sipguard.screening.verdict import ENFORCE, LIMIT_RULE, REJECT

LATEST_AT: Final = 253_402_214_400.0  # 9999-12-31, the last day that every zone can show
LONGEST_US: Final = 1 << 62


@dataclass(slots=True)
class Record:
    """One call. Instants are Unix seconds, 0.0 where it did not happen; TNs without `+`, "" for none.

    A place is where a frame stands in its journal, see `place`; 0 for nowhere.
    """

    decision_id: str
    at: float
    site: str
    node: str
    journal: str  # name of the journal that holds its frames
    trunk: str
    route: str
    shown: str
    caller: str
    callee: str
    action: str
    rule: str
    basis: str
    status: int
    mode: str
    emergency: str
    revision: str
    attest: str
    identity: str
    screen_us: int
    verdict_place: int
    disposition: str = ""  # "" while it lasts
    final_status: int = 0
    peer: str = ""
    ring_at: float = 0.0
    answer_at: float = 0.0
    end_at: float = 0.0
    forward_us: int = 0
    answer_place: int = 0
    end_place: int = 0

    @property
    def duration_s(self) -> float:
        """Seconds from the answer to the end by the clock, 0.0 for a call that was not answered or still lasts.

        Never below 0.0: the clock may have been set back meanwhile.
        """
        return round(max(0.0, self.end_at - self.answer_at), 3) if self.answer_at and self.end_at else 0.0


class Note(NamedTuple):
    """Something that concerned all calls of a process."""

    at: float
    journal: str
    kind: str
    text: str
    revision: str


COLUMNS: Final = tuple(field.name for field in fields(Record))
STORED: Final = (*COLUMNS, "call_id_a", "call_id_b")  # the last two are looked for only; B's is known at the end
END_COLUMNS: Final = (
    "disposition", "final_status", "peer", "ring_at", "answer_at", "end_at", "forward_us",
    "end_place", "route", "call_id_b",
)  # fmt: skip
ANSWER_COLUMNS: Final = ("peer", "answer_at", "answer_place")

_FIRST_LATER: Final = COLUMNS.index("disposition")
_NOTHING_LATER: Final = ("", 0, "", 0.0, 0.0, 0.0, 0, 0, 0)
_ROUTE: Final = COLUMNS.index("route")
_PEER: Final = COLUMNS.index("peer")
_ANSWER_AT: Final = COLUMNS.index("answer_at")
_FORWARD_US: Final = COLUMNS.index("forward_us")
_ANSWER_PLACE: Final = COLUMNS.index("answer_place")
_END_PLACE: Final = COLUMNS.index("end_place")
_CALL_ID_B: Final = STORED.index("call_id_b")


def ends_call(frame: VerdictRow) -> bool:
    """Whether the verdict was the end of the call: it was answered there and then, no end frame follows."""
    return bool(frame.status) and frame.mode == ENFORCE


def refusal_of(frame: VerdictRow) -> str:
    """The disposition of a call that its verdict ended."""
    if frame.rule == LIMIT_RULE:
        return LIMITED
    return REJECTED if frame.action == REJECT else REDIRECTED


def place(segment: int, offset: int) -> int:
    """A position in a journal as one number."""
    return segment << 32 | offset


def position(where: int) -> tuple[int, int]:
    """The (segment, offset) of a place."""
    return where >> 32, where & 0xFFFFFFFF


class Span(NamedTuple):
    """The part of one journal that a batch holds: (segment, offset) of its begin and of what follows it."""

    begin: tuple[int, int]
    end: tuple[int, int]


class Batch:
    """Frames of one turn of loading, joined in memory: a call that began and ended here is one row.

    `answers` and `ends` hold what came to calls of earlier batches, in the order of ANSWER_COLUMNS or
    END_COLUMNS and the decision id behind them. `spans` says what was read of which journal.
    """

    __slots__ = ("answers", "calls", "ended", "ends", "frames", "notes", "refused", "spans")

    def __init__(self) -> None:
        self.calls: dict[str, list[object]] = {}  # decision id -> values of STORED
        self.answers: list[tuple[object, ...]] = []
        self.ends: list[tuple[object, ...]] = []
        self.notes: list[Note] = []
        self.refused: list[VerdictRow] = []  # calls that ended with their verdict
        self.ended: list[EndFrame] = []  # all other calls that ended
        self.spans: dict[str, Span] = {}
        self.frames = 0

    def add(self, journal: str, segment: int, offset: int, frame: SlimFrame) -> None:
        """Takes up one frame. Frames of one journal come in their order. Raises BadFrame for impossible times."""
        if not 0.0 <= frame.at < LATEST_AT:  # NaN is neither
            raise BadFrame("at")
        where = place(segment, offset)
        if isinstance(frame, AnswerRow):
            self._answer(where, frame)
        elif isinstance(frame, VerdictRow):
            if not frame.screen_us < LONGEST_US:
                raise BadFrame("screen_us")
            self.calls[frame.decision_id] = _call_values(journal, where, frame)
            if ends_call(frame):
                self.refused.append(frame)
        elif isinstance(frame, EndFrame):
            self._end(where, frame)
        elif isinstance(frame, NoteFrame):
            self.notes.append(Note(frame.at, journal, frame.kind, frame.text, frame.revision))
        self.frames += 1

    def _answer(self, where: int, frame: AnswerRow) -> None:
        row = self.calls.get(frame.decision_id)
        if row is None:
            self.answers.append((frame.peer, frame.at, where, frame.decision_id))
            return
        row[_PEER] = frame.peer
        row[_ANSWER_AT] = frame.at
        row[_ANSWER_PLACE] = where

    def _end(self, where: int, frame: EndFrame) -> None:
        if not (0.0 <= frame.ring_at < LATEST_AT and 0.0 <= frame.answer_at < LATEST_AT):
            raise BadFrame("ring_at or answer_at")
        if not frame.forward_us < LONGEST_US:
            raise BadFrame("forward_us")
        self.ended.append(frame)
        row = self.calls.get(frame.decision_id)
        values = (
            frame.disposition, frame.final_status, frame.peer, frame.ring_at, frame.answer_at, frame.at,
            frame.forward_us,
        )  # fmt: skip
        if row is None:
            self.ends.append((*values, where, frame.route, frame.call_id_b, frame.decision_id))
            return
        row[_FIRST_LATER : _FORWARD_US + 1] = values
        row[_END_PLACE] = where
        row[_CALL_ID_B] = frame.call_id_b
        if frame.route:
            row[_ROUTE] = frame.route

    def record(self, decision_id: str) -> Record | None:
        """A call that began in this batch."""
        row = self.calls.get(decision_id)
        return Record(*row[: len(COLUMNS)]) if row is not None else None  # type: ignore[arg-type]


def _call_values(journal: str, where: int, frame: VerdictRow) -> list[object]:
    later: tuple[object, ...] = _NOTHING_LATER
    if ends_call(frame):
        later = (refusal_of(frame), frame.status, "", 0.0, 0.0, frame.at + frame.screen_us / 1e6, 0, 0, 0)
    return [
        frame.decision_id, frame.at, frame.site, frame.node, journal, frame.trunk, frame.route,
        frame.shown, frame.caller, frame.callee, frame.action, frame.rule, frame.basis, frame.status,
        frame.mode, frame.emergency, frame.revision, frame.attest, frame.identity, frame.screen_us,
        where, *later, frame.call_id_a, "",
    ]  # fmt: skip
