"""What version 0.1.0 wrote is opened by the present code, and what the present code writes is read by 0.1.0.

Its side is played by tests/compat/v0_1_0.py.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from sipguard.b2bua import frames
from sipguard.records.filter import Filter
from sipguard.screening.ruleset import PlainRuleset
from sipguard.service.history import Modes, Rulesets
from sipguard.service.loader import Loader
from sipguard.settings.load import load
from sipguard.store import sql
from sipguard.store.journal import MIN_SEGMENT_BYTES, Reader, Writer, segment_path
from sipguard.store.sqlite import SqliteReading, SqliteStore
from tests.compat import v0_1_0 as old
from tests.pki import Pki
from tests.records import samples

LEG = old.LegState("c@x", "lt", "rt", 1, 2, ["<sip:p;lr>"], "sip:t@x", "sip:a@x", "sip:b@x", "192.0.2.1:5060", "main")
OLD_FRAMES: list[old.Frame] = [
    old.VerdictFrame(
        "old-2", samples.AT, "east", "n1", 0, "carrier-a", "core", "12025550101", "12025550103", "12025550103",
        "12025550102", "label", "tagged", "", 0, "report", "", "r7", "A", "passed", 250, "c@x", "rt", "192.0.2.1:5060",
        "udp", "main", "TN-Validation-Passed", {"lists.shown": ("dno",), "rate.caller.attempts_1m": 3.5, "x": None},
        [("lists", "hit", "listed")], ["rate"], ["identity"], ["seen"], ["tagged"], ["dno"], b"INVITE",
    ),
    old.AnswerFrame("old-2", samples.AT + 3, "192.0.2.9:5060", (LEG, LEG)),
    old.TargetFrame("old-2", samples.AT + 5, "b", "sip:t2@x"),
    old.EndFrame(
        "old-2", samples.AT + 60, "answered", 200, "OK", "Q.850;cause=16", "d@x", "192.0.2.9:5060", samples.AT + 1,
        samples.AT + 3, "a", [("192.0.2.9:5060", 200)], 420,
    ),
    old.NoteFrame(samples.AT + 70, "reload", "by hand", "r8"),
]  # fmt: skip


def old_segment(path: Path, payloads: list[bytes]) -> None:
    """A segment as 0.1.0 wrote it."""
    octets = bytearray(old.SEGMENT_HEADER_BYTES)
    old.SEGMENT_HEADER.pack_into(octets, 0, old.SEGMENT_MAGIC, old.SEGMENT_VERSION, 0, 1, samples.AT)
    for payload in payloads:
        octets += len(payload).to_bytes(4, "little") + crc32(payload).to_bytes(4, "little") + payload
        octets += bytes(-len(octets) % 8)
    octets += bytes(4096)
    path.parent.mkdir(parents=True)
    path.write_bytes(octets)


def old_fields(frame: msgspec.Struct, written: msgspec.Struct) -> None:
    """Every field that 0.1.0 knows has the same value in both."""
    for name in old_names(frame):
        ours, theirs = getattr(frame, name), getattr(written, name)
        if name == "legs":
            for mine, other in zip(ours, theirs, strict=True):
                old_fields(mine, other)
        else:
            assert msgspec.json.encode(ours) == msgspec.json.encode(theirs), name


def old_names(frame: msgspec.Struct) -> tuple[str, ...]:
    """The fields that 0.1.0 has of a frame."""
    known: type[msgspec.Struct] = getattr(old, type(frame).__name__)
    return known.__struct_fields__


# ------------------------------------------------------------------------------------------ the journal


async def test_its_journal_is_loaded(tmp_path: Path) -> None:
    old_segment(segment_path(tmp_path / "journal" / "0", 1), [msgspec.msgpack.encode(frame) for frame in OLD_FRAMES])
    read = [frames.decode(payload) for _, _, payload in Reader(tmp_path / "journal" / "0").read()]
    assert len(read) == len(OLD_FRAMES)
    for now, was in zip(read, OLD_FRAMES, strict=True):
        old_fields(was, now)
    store = SqliteStore(tmp_path / "calls.db")
    loader = Loader(tmp_path / "journal", store, 0.01)
    assert await loader.flush() == len(OLD_FRAMES)
    (row,) = await store.find(Filter())
    await store.close()
    assert (row.decision_id, row.disposition, row.rule, row.forward_us) == ("old-2", "answered", "tagged", 420)


def test_its_journal_is_written_on(tmp_path: Path) -> None:
    old_segment(segment_path(tmp_path / "0", 1), [msgspec.msgpack.encode(frame) for frame in OLD_FRAMES])
    writer = Writer(tmp_path / "0", MIN_SEGMENT_BYTES)
    writer.append(frames.encode(samples.verdict("new")))
    writer.close()
    assert len(list(Reader(tmp_path / "0").read())) == len(OLD_FRAMES) + 1


def test_it_reads_the_present_journal(tmp_path: Path) -> None:
    written: list[frames.Frame] = [
        samples.verdict(), samples.rejected(), samples.answer(), samples.ended(),
        frames.TargetFrame("d-1", samples.AT, "b", "sip:x@192.0.2.9"),
        frames.NoteFrame(samples.AT, "reload", "x", "r8"),
    ]  # fmt: skip
    writer = Writer(tmp_path / "0", MIN_SEGMENT_BYTES)
    for frame in written:
        writer.append(frames.encode(frame))
    writer.close()
    octets = segment_path(tmp_path / "0", 1).read_bytes()
    magic, version, _, number, _ = old.SEGMENT_HEADER.unpack_from(octets)
    assert (magic, version, number) == (old.SEGMENT_MAGIC, old.SEGMENT_VERSION, 1)
    at = old.SEGMENT_HEADER_BYTES
    for frame in written:
        length, checksum = (int.from_bytes(octets[at + n : at + n + 4], "little") for n in (0, 4))
        payload = octets[at + 8 : at + 8 + length]
        assert crc32(payload) == checksum
        back = msgspec.msgpack.decode(payload, type=old.Frame)
        assert type(back).__name__ == type(frame).__name__
        old_fields(back, frame)
        at = (at + 8 + length + 7) & ~7


@pytest.mark.parametrize(
    "known",
    [old.VerdictFrame, old.AnswerFrame, old.TargetFrame, old.EndFrame, old.NoteFrame, old.LegState],
    ids=lambda known: known.__name__,
)
def test_arrays_only_grow(known: type[msgspec.Struct]) -> None:
    present: type[msgspec.Struct] = getattr(frames, known.__name__)
    count = len(known.__struct_fields__)
    assert present.__struct_fields__[:count] == known.__struct_fields__
    assert len(present.__struct_defaults__) >= len(present.__struct_fields__) - count, "what was added has a default"


# ------------------------------------------------------------------------------------------ the database


def old_database(path: Path) -> None:
    """A database as 0.1.0 made it, with one call."""
    with sqlite3.connect(path) as database:
        for statement in old.SCHEMA:
            database.execute(statement)
        database.execute(old.INSERT_CALL, [old.ROW[name] for name in old.COLUMNS])
        database.execute(old.STORE_POSITION, ("0", 1, 1400))
    database.close()


async def test_its_database_is_opened_and_written_on(tmp_path: Path) -> None:
    old_database(tmp_path / "calls.db")
    writer = Writer(tmp_path / "journal" / "1", MIN_SEGMENT_BYTES)
    for frame in (samples.verdict("new-1"), samples.ended("new-1")):
        writer.append(frames.encode(frame))
    writer.close()
    store = SqliteStore(tmp_path / "calls.db")
    await Loader(tmp_path / "journal", store, 0.01).flush()
    assert (await store.positions())["0"] == (1, 1400)
    await store.close()
    with SqliteReading(tmp_path / "calls.db") as reading:
        found = {record.decision_id: record for record in reading.find(Filter())}
    assert found.keys() == {"old-1", "new-1"}
    assert {name: getattr(found["old-1"], name) for name in old.COLUMNS} == old.ROW


async def test_it_reads_and_writes_the_present_database(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "calls.db")
    await store.open()
    await store.close()
    with sqlite3.connect(tmp_path / "calls.db") as database:
        assert database.execute(old.NEEDED_VERSION).fetchone()[0] <= old.SCHEMA_VERSION, "it refuses what needs more"
        database.execute(old.INSERT_CALL, [old.ROW[name] for name in old.COLUMNS])
        database.execute(old.UPDATE_END, ("failed", 404, "192.0.2.9:5060", 0.0, 0.0, 9.0, 1, 2, "old-1"))
        database.execute(old.INSERT_NOTE, (9.0, "0", "reload", "", "r8"))
        database.execute(old.STORE_POSITION, ("0", 1, 1400))
        assert database.execute(old.SELECT).fetchone()[:2] == ("old-1", samples.AT)
    database.close()


def test_the_first_step_of_the_schema_is_as_it_was(tmp_path: Path) -> None:
    def columns(statements: tuple[str, ...]) -> list[object]:
        with sqlite3.connect(":memory:") as database:
            for statement in statements:
                database.execute(statement)
            return [
                database.execute(f"PRAGMA table_info({table})").fetchall()
                for table in ("call", "note", "journal_position")
            ]

    assert columns(sql.MIGRATIONS[0].statements) == columns(old.SCHEMA)


# ------------------------------------------------------------------------------------------ state


def test_its_modes_are_taken_up_and_written_back(tmp_path: Path) -> None:
    (tmp_path / "mode.json").write_text(old.MODES)
    modes = Modes(tmp_path)
    assert modes.by_trunk == json.loads(old.MODES)
    modes.set("enforce", "carrier-a")
    assert json.loads((tmp_path / "mode.json").read_text()) == {"": "report", "carrier-a": "enforce"}


def test_a_mode_of_a_later_release_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "mode.json").write_text('{"": "report", "carrier-a": "dream"}')
    assert Modes(tmp_path).by_trunk == {"": "report"}


def ruleset(directory: Path, site: str) -> PlainRuleset:
    """A Ruleset of the smallest configuration."""
    (directory / "root.pem").write_bytes(Pki().root.pem)
    (directory / "sipguard.yaml").write_text(old.SMALLEST.replace("dc1", site) + "state: {directory: state}\n")
    found = load(directory / "sipguard.yaml").ruleset
    assert found is not None
    return found


def test_kept_rulesets_come_back(tmp_path: Path) -> None:
    first, second = ruleset(tmp_path, "one"), ruleset(tmp_path, "two")
    kept = Rulesets(tmp_path / "state")
    kept.add(first)
    kept.add(second)
    back = kept.before(second.revision)
    assert back is not None
    assert (back.revision, back.site, back.trunks) == (first.revision, "one", first.trunks)


@pytest.mark.parametrize(
    ("old_text", "new_text"),
    [
        ('"format": 1', '"format": 2'),
        ('"kind", "sources"', '"sources", "kind"'),
        ('"uri_host"', '"uri_host", "more"'),
        ('{"format"', '\x80\x05{"format"'),
    ],
    ids=["format", "fields moved", "field gone", "no head"],
)
def test_a_ruleset_of_another_shape_is_passed_over(tmp_path: Path, old_text: str, new_text: str) -> None:
    """The pickle itself would be read, with values in the wrong fields."""
    first, second = ruleset(tmp_path, "one"), ruleset(tmp_path, "two")
    kept = Rulesets(tmp_path / "state")
    kept.add(first)
    kept.add(second)
    file = tmp_path / "state" / "rulesets" / "00000001.ruleset"
    octets = file.read_bytes()
    assert old_text.encode() in octets
    file.write_bytes(octets.replace(old_text.encode(), new_text.encode("latin-1"), 1))
    assert kept.before(second.revision) is None


# ------------------------------------------------------------------------------------------ the configuration


@pytest.mark.parametrize("written", [old.SMALLEST, old.COMPLETE], ids=["smallest", "complete"])
def test_its_configuration_loads_without_a_warning(tmp_path: Path, written: str) -> None:
    (tmp_path / "root.pem").write_bytes(Pki().root.pem)
    for name, text in old.FILES.items():
        (tmp_path / name).write_text(text)
    state = "" if "state:" in written else "state: {directory: state}\n"
    (tmp_path / "sipguard.yaml").write_text(written + state)
    loaded = load(tmp_path / "sipguard.yaml")
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.ruleset is not None
    assert loaded.service is not None
