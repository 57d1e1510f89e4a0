"""The slots of calls that have not ended: what is left of them when the process dies at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipguard.b2bua.frames import EndFrame, Frame, TargetFrame
from sipguard.store import live
from sipguard.store.errors import JournalDamaged, JournalFull
from sipguard.store.journal import Position, Writer
from sipguard.store.live import Lasting, Live
from tests.records import samples


class Kept:
    """A file of live calls; `note` counts the positions up. `left` is what a successor would find."""

    def __init__(self, directory: Path, slots: int = 8) -> None:
        self.directory = directory
        self.live = Live(directory, slots)
        self.live.publish()
        self._offset = 64

    def note(self, *frames: Frame) -> list[Position]:
        places = []
        for frame in frames:
            places.append(Position(1, self._offset))
            self.live.note(frame, *places[-1])
            self._offset += 8
        return places

    def left(self) -> list[Lasting]:
        return live.read(self.directory)[1]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_nothing_is_left_where_nothing_was(tmp_path: Path) -> None:
    assert live.read(tmp_path) == (0.0, [])


def test_a_call_is_left_from_its_verdict_to_its_end(kept: Kept) -> None:
    (verdict,) = kept.note(samples.verdict())
    assert kept.left() == [Lasting("d-1", verdict, ())]
    (answer,) = kept.note(samples.answer())
    assert kept.left() == [Lasting("d-1", answer, ())]
    kept.note(samples.ended())
    assert kept.left() == []
    assert len(kept.live) == 0


def test_a_call_that_its_verdict_ended_is_not_left(kept: Kept) -> None:
    kept.note(samples.rejected("d-1"))
    assert kept.left() == []
    kept.note(samples.rejected("d-2", mode="report"))
    assert [each.decision_id for each in kept.left()] == ["d-2"], "its verdict was not carried out"


def test_the_last_change_of_each_leg_is_left(kept: Kept) -> None:
    changes = [TargetFrame("d-1", samples.AT, leg, f"sip:{n}@192.0.2.9") for n, leg in enumerate("aba")]
    _, answer, _, b, a = kept.note(samples.verdict(), samples.answer(), *changes)
    assert kept.left() == [Lasting("d-1", answer, (a, b))]


def test_a_change_before_the_answer_stands_in_the_answer(kept: Kept) -> None:
    _, _, answer = kept.note(
        samples.verdict(), TargetFrame("d-1", samples.AT, "a", "sip:x@192.0.2.9"), samples.answer()
    )
    assert kept.left() == [Lasting("d-1", answer, ())]


def test_a_call_that_was_taken_up_has_no_verdict_here(kept: Kept) -> None:
    (answer,) = kept.note(samples.answer())
    assert kept.left() == [Lasting("d-1", answer, ())]


def test_frames_of_calls_that_are_not_known(kept: Kept) -> None:
    kept.note(samples.ended(), TargetFrame("d-1", samples.AT, "a", "sip:x@192.0.2.9"))
    assert kept.left() == []


def test_slots_are_used_again(kept: Kept) -> None:
    for n in range(100):
        kept.note(samples.verdict(f"d-{n}"), samples.answer(f"d-{n}"), samples.ended(f"d-{n}"))
    kept.note(samples.verdict("d-last"))
    assert [each.decision_id for each in kept.left()] == ["d-last"]
    assert kept.live.left_out == 0


def test_a_call_for_which_there_is_no_slot_is_left_out(tmp_path: Path) -> None:
    kept = Kept(tmp_path, slots=2)
    for n in range(3):
        kept.note(samples.verdict(f"d-{n}"))
    kept.note(samples.answer("d-2"), samples.ended("d-0"), samples.ended("d-2"))
    assert [each.decision_id for each in kept.left()] == ["d-1"]
    assert kept.live.left_out == 2


def test_a_frame_that_was_lost_takes_no_slot(kept: Kept) -> None:
    kept.live.note(samples.verdict(), 0, 0)
    assert kept.left() == []
    (verdict,) = kept.note(samples.verdict())
    kept.live.note(samples.answer(), 0, 0)
    assert kept.left() == [Lasting("d-1", verdict, ())], "what stands in the journal counts"


def test_when_it_was_alive_last(kept: Kept) -> None:
    kept.live.alive(samples.AT)
    assert live.read(kept.directory)[0] == samples.AT


def test_the_predecessor_stays_until_its_calls_were_taken_over(kept: Kept) -> None:
    """A second crash in between finds them again."""
    (verdict,) = kept.note(samples.verdict())
    successor = Live(kept.directory, 8)
    successor.note(samples.answer("d-2"), 2, 64)
    assert kept.left() == [Lasting("d-1", verdict, ())]
    successor.publish()
    assert [each.decision_id for each in kept.left()] == ["d-2"]


def test_an_end_of_the_process_leaves_the_file(kept: Kept) -> None:
    kept.note(samples.verdict())
    kept.live.close()
    assert len(kept.left()) == 1


@pytest.mark.parametrize("octets", [b"", b"SIPGLIVE", bytes(128), b"SIPGLIVE" + bytes(120)])
def test_a_file_that_is_none_is_refused(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / live.NAME).write_bytes(octets)
    with pytest.raises(JournalDamaged):
        live.read(tmp_path)


def test_it_lies_beside_segments(tmp_path: Path) -> None:
    writer = Writer(tmp_path, 1 << 16)
    kept = Kept(tmp_path)
    kept.live.note(samples.verdict(), *writer.append(b"frame"))
    assert kept.left()[0].main == Position(1, 64)
    writer.close()


def test_every_kind_of_end_frees_the_slot(kept: Kept) -> None:
    kept.note(samples.verdict(), EndFrame("d-1", samples.AT, "unreachable"))
    assert kept.left() == []


def test_a_start_on_a_full_disk_leaves_calls_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the predecessor's file goes, whose calls were taken over: they must not come back at the next start."""
    Kept(tmp_path).note(samples.verdict())

    def full(path: Path, size: int) -> None:
        raise JournalFull("no room")

    monkeypatch.setattr(live, "preallocate", full)
    kept = Kept(tmp_path)
    assert kept.live.no_room == "no room"
    kept.live.alive(1.0)
    kept.note(samples.verdict(), samples.answer(), samples.ended())
    assert (kept.left(), kept.live.left_out) == ([], 2)
    kept.live.close()
