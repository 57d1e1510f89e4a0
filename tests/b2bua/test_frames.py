"""Frames come back as they were written, also by code that knows fewer fields."""

from __future__ import annotations

import msgspec
import pytest

from sipguard.b2bua import frames
from tests.records import samples

TARGET = frames.TargetFrame("d-1", samples.AT, "b", "sip:x@192.0.2.9")
NOTE = frames.NoteFrame(samples.AT, "mode_change", "report", "r7")


@pytest.mark.parametrize(
    "frame",
    [samples.answer(), samples.ended(), TARGET, NOTE],
    ids=["answer", "end", "target", "note"],
)
def test_a_frame_comes_back(frame: frames.Frame) -> None:
    assert frames.encode(frames.decode(frames.encode(frame))) == frames.encode(frame)
    assert type(frames.decode(frames.encode(frame))) is type(frame)


def test_facts_come_back_with_their_types() -> None:
    back = frames.decode(frames.encode(samples.verdict(facts={**samples.FACTS, "rate.caller": 3.5, "x": True})))
    assert isinstance(back, frames.VerdictFrame)
    assert back.facts == {**samples.FACTS, "rate.caller": 3.5, "x": True}
    assert back.facts["lists.shown"] == ("dno",)
    assert back.findings == [("number", "clear", "ok"), ("lists", "hit", "listed")]
    assert back.head == samples.verdict().head


def test_the_slim_form_has_the_leading_fields() -> None:
    slim = frames.decode_slim(frames.encode(samples.verdict()))
    assert type(slim) is frames.VerdictRow
    assert (slim.decision_id, slim.trunk, slim.screen_us) == ("d-1", "carrier-a", 250)
    assert type(frames.decode_slim(frames.encode(samples.answer()))) is frames.AnswerRow


def test_a_frame_of_a_later_release_is_read() -> None:
    values = msgspec.msgpack.decode(frames.encode(samples.ended()))
    assert frames.decode(msgspec.msgpack.encode([*values, "new field"])) == frames.decode(
        frames.encode(samples.ended())
    )


def test_a_frame_of_an_earlier_release_is_read() -> None:
    values = msgspec.msgpack.decode(frames.encode(samples.ended()))
    back = frames.decode(msgspec.msgpack.encode(values[:5]))
    assert isinstance(back, frames.EndFrame)
    assert (back.disposition, back.final_status, back.tries) == ("answered", 200, ())


@pytest.mark.parametrize("octets", [b"", b"\x93", b"\x91\xa5other", b"{}"], ids=["none", "cut", "tag", "json"])
def test_what_is_no_frame_raises(octets: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        frames.decode(octets)
