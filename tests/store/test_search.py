"""Calls are found by what their frames say, however many there are, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sipguard.b2bua.frames import Frame, Signed, encode
from sipguard.records.record import Batch, Record
from sipguard.store.journal import MIN_SEGMENT_BYTES, Writer
from sipguard.store.search import Search
from tests.records import samples

FRAMES: tuple[Frame, ...] = (
    samples.verdict("reported", reported=["Quiet"], facts={"identity.origid": "AB-1"}),
    samples.verdict("matched", matched=["Quiet"], rule="Quiet"),
    samples.verdict("signed", reported=["other"], signed=Signed(origid="ab-2")),
    samples.verdict("later"),
    samples.ended("later", signed=Signed(origid="ab-2")),
    samples.answer("signed"),
)


@pytest.fixture
def calls(tmp_path: Path) -> list[Record]:
    writer, batch = Writer(tmp_path / "0", MIN_SEGMENT_BYTES), Batch()
    for frame in FRAMES:
        batch.add("0", *writer.append(encode(frame)), frame)
    writer.append(b"garbage")
    writer.close()
    found = [record for name in ("reported", "matched", "signed", "later") if (record := batch.record(name))]
    others = replace(found[0], decision_id="others")
    return [*found, others, replace(found[0], decision_id="gone", journal="1"), replace(others, verdict_place=-5)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"would": "Quiet"}, ["reported"]),
        ({"would": "quiet"}, []),
        ({"would": "other", "origid": "ab-2"}, ["signed"]),
        ({"origid": "ab-1"}, ["reported"]),
        ({"origid": "Ab-2"}, ["signed", "later"]),
        ({"origid": "ab"}, []),
        ({"call_id_b": "b@192.0.2.5"}, ["signed"]),
        ({"call_id_b": "192.0.2"}, []),
    ],
)
def test_what_frames_say(tmp_path: Path, calls: list[Record], wanted: dict[str, str], found: list[str]) -> None:
    with Search(tmp_path, **wanted) as search:
        assert [call.decision_id for call in search.found(calls)] == found
    assert search.looked_at == len(calls)
    assert search.unread == (0 if "call_id_b" in wanted else 3)


def test_nothing_is_looked_at_that_nobody_asks_for(tmp_path: Path, calls: list[Record]) -> None:
    with Search(tmp_path, origid="ab-2") as search:
        assert next(search.found(calls)).decision_id == "signed"
    assert search.looked_at == 3
