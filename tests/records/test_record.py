"""Rows grow out of frames, in one batch or in several."""

from __future__ import annotations

import pytest

from sipguard.b2bua.frames import Frame, NoteFrame, decode_slim, encode
from sipguard.records.record import STORED, Batch, Note, place, position
from tests.records import samples


def batch_of(*frames: Frame) -> Batch:
    """A batch of frames at the offsets 64, 164, ... of segment 3."""
    batch = Batch()
    for n, frame in enumerate(frames):
        batch.add("0", 3, 64 + 100 * n, decode_slim(encode(frame)))
    return batch


def test_a_whole_call_is_one_row() -> None:
    batch = batch_of(samples.verdict(), samples.answer(), samples.ended())
    record = batch.record("d-1")
    assert record is not None
    assert (record.trunk, record.caller, record.action, record.mode) == (
        "carrier-a", "12025550101", "allow", "enforce",
    )  # fmt: skip
    assert (record.disposition, record.final_status, record.peer) == ("answered", 200, "192.0.2.9:5060")
    assert (record.answer_at, record.end_at, record.duration_s) == (samples.AT + 3, samples.AT + 63, 60.0)
    assert record.forward_us == 420
    places = (record.verdict_place, record.answer_place, record.end_place)
    assert [position(each) for each in places] == [(3, 64), (3, 164), (3, 264)]
    assert batch.answers == batch.ends == []
    assert [each.decision_id for each in batch.ended] == ["d-1"]
    assert batch.frames == 3


def test_no_call_is_shorter_than_nothing() -> None:
    """The clock was set back by an hour while it lasted."""
    record = batch_of(samples.verdict(), samples.answer(), samples.ended()).record("d-1")
    assert record is not None
    record.end_at = record.answer_at - 3540.0
    assert record.duration_s == 0.0


def test_what_comes_later_updates() -> None:
    batch = batch_of(samples.answer(), samples.ended())
    assert batch.calls == {}
    assert batch.answers == [("192.0.2.9:5060", samples.AT + 3, place(3, 64), "d-1")]
    assert batch.ends == [
        ("answered", 200, "192.0.2.9:5060", samples.AT + 1, samples.AT + 3, samples.AT + 63, 420,
         place(3, 164), "", "b@192.0.2.5", "d-1")
    ]  # fmt: skip


def test_row_names_the_trunk_that_a_call_left_by_at_last() -> None:
    for route, named in (("west", "west"), ("", samples.verdict().route)):
        record = batch_of(samples.verdict(), samples.ended(route=route)).record("d-1")
        assert record is not None
        assert record.route == named


@pytest.mark.parametrize(
    ("changes", "disposition"),
    [
        ({}, "rejected"),
        ({"rule": "trunk_limit", "basis": "", "status": 480}, "limited"),
        ({"action": "redirect", "status": 302, "basis": ""}, "redirected"),
        ({"mode": "report"}, ""),
        ({"mode": "bypass"}, ""),
    ],
    ids=["reject", "limit", "redirect", "report lets it pass", "bypass lets it pass"],
)
def test_a_refusal_ends_the_call(changes: dict[str, object], disposition: str) -> None:
    batch = batch_of(samples.rejected("d-1", samples.AT, **changes))
    record = batch.record("d-1")
    assert record is not None
    assert record.disposition == disposition
    assert [each.decision_id for each in batch.refused] == (["d-1"] if disposition else [])
    assert record.final_status == (record.status if disposition else 0)
    assert record.end_at == (pytest.approx(samples.AT + 0.00025) if disposition else 0.0)
    assert record.duration_s == 0.0


def test_notes_are_kept() -> None:
    batch = batch_of(NoteFrame(samples.AT, "mode_change", "report", "r7"))
    assert batch.notes == [Note(samples.AT, "0", "mode_change", "report", "r7")]


def test_a_row_has_one_value_for_each_column() -> None:
    batch = batch_of(samples.verdict("d-1"), samples.rejected("d-2"))
    assert {len(row) for row in batch.calls.values()} == {len(STORED)}
    assert batch.record("d-3") is None


@pytest.mark.parametrize("where", [(1, 64), (99_999_999, 0xFFFFFFF8)], ids=["first", "last"])
def test_a_place_is_a_position(where: tuple[int, int]) -> None:
    assert position(place(*where)) == where
    assert place(*where) < 1 << 63
