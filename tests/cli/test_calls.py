"""What is asked of calls in words that people mistype, and what a narrow terminal shows of them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from sipguard.b2bua.frames import Signed, encode
from sipguard.cli import calls
from sipguard.cli.main import main
from sipguard.records.record import Batch
from sipguard.store.journal import MIN_SEGMENT_BYTES, Writer
from sipguard.store.sqlite import SqliteStore
from tests.records import samples

RULE = {"name": "spam", "when": {"trunk.kind": "interconnect"}, "label": {"prefix": "SPAM "}}
QUIET = {"name": "quiet", "when": {"trunk.kind": "gateway"}, "reject": "contract", "mode": "report"}
CONFIG = {
    "site": "dc1",
    "node": "n1",
    "listeners": {"main": {"address": "127.0.0.1"}},
    "trunks": {"core": {"kind": "interconnect", "peers": ["127.0.0.1:5070"]}},
    "policy": {"rules": [RULE, QUIET]},
    "journal": {"directory": "journal"},
    "records": {"database": "calls.db"},
}
IDS = ("1a216ad809e05d9be19ca8c6da24", "1a216ad80a00bc6013eb5cdf8917", "2c16ad80a1034352bb5e723193da")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two refused calls and one that lasts; from trunk carrier-a, which the configuration does not have any more."""
    path = tmp_path / "sipguard.yaml"
    path.write_text(json.dumps(CONFIG))

    at = time.time() - 100.0

    async def fill() -> None:
        store = SqliteStore(tmp_path / "calls.db")
        batch = Batch()
        for n, decision_id in enumerate(IDS[:2]):
            batch.add("0", 1, 64 + n, samples.rejected(decision_id, at))
        verdict, answer = samples.verdict(IDS[2], at, call_id_a="up@192.0.2.1"), samples.answer(IDS[2], at + 3.0)
        writer = Writer(tmp_path / "journal" / "0", MIN_SEGMENT_BYTES)
        for frame in (verdict, answer):
            batch.add("0", *writer.append(encode(frame)), frame)
        writer.close()
        batch.add("0", 1, 90, samples.verdict("over", at, call_id_a="over@192.0.2.1"))
        batch.add("0", 1, 95, samples.ended("over", call_id_b="over-b@192.0.2.5"))
        await store.load(batch)
        await store.close()

    asyncio.run(fill())
    return path


def asked(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "-c", str(config)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--disposition", "rejectd"), "did you mean rejected?"),
        (("--disposition", "foo"), "known are answered, rejected"),
        (("--basis", "dnos"), "did you mean dno?"),
        (("--basis", "nosuch"), "known are analytics"),
    ],
)
def test_what_no_call_can_have_is_refused(config: Path, options: tuple[str, ...], said: str) -> None:
    done = asked(config, "calls", *options)
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--trunk", "nix"), "no trunk 'nix' in the configuration, nor in any call that is kept; known are core"),
        (("--trunk", "cor"), "did you mean core?"),
        (
            ("--rule", "nosuch"),
            "no rule 'nosuch' in the configuration, nor in any call that is kept; known are quiet, spam",
        ),
        (("--trunk", "core", "--rule", "spam"), ""),
        (("--would", "quiet"), "looked at all 4 calls since "),
        (("--would", "quit"), "did you mean quiet?"),
        (("--would", "spam"), "rule spam is not in mode report now: --rule spam finds"),
        (("--rule", "bypass"), ""),
        (("--trunk", "carrier-a", "--rule", "dno", "--basis", "contract"), ""),
    ],
)
def test_names_that_nothing_has_are_told(config: Path, options: tuple[str, ...], said: str) -> None:
    done = asked(config, "calls", *options)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 1
    assert said in done.stderr if said else not done.stderr


def test_calls_that_are_up(config: Path) -> None:
    (found,) = json.loads(asked(config, "calls", "--disposition", "up", "--json").stdout)
    assert found["decision_id"] == IDS[2]


def test_a_part_of_an_id_is_enough_where_one_call_has_it(config: Path) -> None:
    assert f"Decision {IDS[2]}," in asked(config, "explain", "2c1").stdout
    assert f"Decision {IDS[1]}," in asked(config, "explain", IDS[1][:-1]).stdout
    several = asked(config, "explain", "1a216…")
    assert several.exit_code == 1
    assert all(decision_id in several.stdout for decision_id in IDS[:2]) and IDS[2] not in several.stdout
    assert several.stderr == "2 calls are meant\n"
    assert asked(config, "explain", "3").exit_code == asked(config, "explain", "...").exit_code == 1


@pytest.mark.parametrize(
    ("call_id", "found"),
    [
        ("over@192.0.2.1", ["over"]),
        ("over-b@192.0.2.5", ["over"]),
        ("up@192.0.2.1", [IDS[2]]),
        ("b@192.0.2.5", [IDS[2]]),
        ("a@192.0.2.1", [IDS[0], IDS[1]]),
        ("", [*IDS, "over"]),
        ("nosuch", []),
    ],
    ids=["leg a", "leg b", "leg a, up", "leg b, up", "several", "none", "unknown"],
)
def test_calls_are_found_by_the_call_id_of_either_leg(config: Path, call_id: str, found: list[str]) -> None:
    rows = json.loads(asked(config, "calls", "--json", "--call-id", call_id).stdout)
    assert {row["decision_id"] for row in rows} <= set(found) and bool(rows) == bool(found)
    if len(found) == 1:
        assert f"Decision {found[0]}," in asked(config, "explain", call_id).stdout


def test_a_call_id_is_looked_for_in_the_last_day_unless_told(config: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calls.db") as database:
        database.execute("UPDATE call SET at = at - 90000 WHERE decision_id = 'over'")
    database.close()
    assert json.loads(asked(config, "calls", "--json", "--call-id", "over@192.0.2.1").stdout) == []
    assert "--since 7d" in asked(config, "explain", "over@192.0.2.1").stderr
    assert json.loads(asked(config, "calls", "--json", "--call-id", "over@192.0.2.1", "--since", "2d").stdout)


def test_a_database_of_before_has_no_call_ids(config: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calls.db") as database:
        for column in ("call_id_a", "call_id_b"):
            database.execute(f"ALTER TABLE call DROP COLUMN {column}")
    database.close()
    assert "no Call-IDs yet" in asked(config, "calls", "--call-id", "x").stderr
    assert asked(config, "calls").exit_code == 0
    assert "no call has" in asked(config, "explain", "x").stderr


@pytest.mark.parametrize("width", [20, 60, 80, 100, 200])
def test_the_id_is_whole_however_narrow_the_terminal(config: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "Console", lambda: Console(width=width, force_terminal=True, color_system=None))
    done = asked(config, "calls")
    assert all(decision_id in done.stdout for decision_id in IDS), done.stdout
    assert "…" not in done.stdout
    assert ("no room for" in done.stderr) == (width < 200)
    if width >= 80:
        assert "12025550101 reject" in done.stdout.replace("+12025550102 ", ""), "who called, and what became of it"
        assert all(len(line.rstrip()) <= width for line in done.stdout.splitlines())


def test_calls_are_found_by_the_origid_of_what_came_or_of_ours(config: Path, tmp_path: Path) -> None:
    ours = [f"de305d54-75b4-431b-adb2-eb6b9e54601{n}" for n in range(3)]
    at = time.time() - 50.0

    async def fill() -> None:
        store, batch = SqliteStore(tmp_path / "calls.db"), Batch()
        writer = Writer(tmp_path / "journal" / "1", MIN_SEGMENT_BYTES)
        for frame in (
            samples.verdict("came", at, facts={"identity.origid": ours[0].upper()}),
            samples.verdict("signed", at, signed=Signed(origid=ours[1])),
            samples.verdict("later", at),
            samples.ended("later", signed=Signed(origid=ours[2])),
            samples.verdict("gone", at, signed=Signed(origid=ours[2])),
        ):
            batch.add("1" if frame.decision_id != "gone" else "2", *writer.append(encode(frame)), frame)
        writer.close()
        await store.load(batch)
        await store.close()

    asyncio.run(fill())
    for origid, found in zip((*ours, "else"), ("came", "signed", "later", ""), strict=True):
        rows = json.loads(asked(config, "calls", "--json", "--origid", origid.swapcase()).stdout)
        assert [row["decision_id"] for row in rows] == ([found] if found else [])
    assert json.loads(asked(config, "calls", "--json", "--origid", ours[0], "--until", "1h").stdout) == []


def test_calls_are_found_by_rules_that_would_have_acted(config: Path, tmp_path: Path) -> None:
    at = time.time() - 50.0

    async def fill() -> None:
        store, batch = SqliteStore(tmp_path / "calls.db"), Batch()
        writer = Writer(tmp_path / "journal" / "1", MIN_SEGMENT_BYTES)
        for frame in (
            samples.verdict("one", at, reported=["quiet"], facts={"identity.origid": "o-1"}),
            samples.verdict("two", at - 1.0, reported=["gone", "quiet"], trunk="core"),
            samples.verdict("none", at),
        ):
            batch.add("1", *writer.append(encode(frame)), frame)
        writer.close()
        await store.load(batch)
        await store.close()

    asyncio.run(fill())

    def found(*options: str) -> list[str]:
        return [row["decision_id"] for row in json.loads(asked(config, "calls", "--json", *options).stdout)]

    assert found("--would", "quiet") == ["one", "two"]
    assert found("--would", "gone") == ["two"]
    assert found("--would", "quiet", "--trunk", "core") == ["two"]
    assert found("--would", "quiet", "--origid", "o-1") == ["one"]
    assert found("--would", "quiet", "--limit", "1") == ["one"]
    said = asked(config, "calls", "--would", "quiet").stderr
    assert "looked at all 7 calls since " in said and "; of 3 the journal cannot be read" in said
    assert "looked at 2 calls, back to " in asked(config, "calls", "--would", "quiet", "--limit", "1").stderr
    assert " until " in asked(config, "calls", "--would", "quiet", "--until", "1h").stderr
    rows = {row["decision_id"]: row["reported"] for row in json.loads(asked(config, "calls", "--json").stdout)}
    assert (rows["one"], rows["two"], rows["none"]) == (["quiet"], ["gone", "quiet"], [])
    assert rows["over"] is None, "its journal is gone"


def test_what_a_damaged_database_holds_moves_no_terminal(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "calls.db") as database:
        database.execute("UPDATE call SET at = 1e300, trunk = ?", ("\x1b[31m[red]x",))
    database.close()
    monkeypatch.setattr(calls, "Console", lambda **of: Console(width=200, force_terminal=True, color_system=None, **of))
    for options in ((), ("--would", "quiet", "--since", "9999999d")):
        done = asked(config, "calls", *options)
        assert done.exit_code == 0 and "\x1b[31m" not in done.output
    shown = asked(config, "calls").stdout
    assert "\\u001b[31m[red]x" in shown and "9999-01-01" in shown
    assert asked(config, "explain", IDS[2]).exit_code == asked(config, "explain", IDS[2], "--plain").exit_code == 0


def test_a_damaged_database_is_told_with_its_cure(config: Path, tmp_path: Path) -> None:
    octets = (tmp_path / "calls.db").read_bytes()
    for damaged in (b"no database", octets[:2000] + b"\xff" * (len(octets) - 2000)):
        (tmp_path / "calls.db").write_bytes(damaged)
        for words in (("calls",), ("explain", IDS[0])):
            done = asked(config, *words)
            assert done.exit_code == 1 and "has sipguard run" not in done.stderr
            assert "calls.db is damaged" in done.stderr and f"move {tmp_path}/calls.db* away" in done.stderr


def test_a_database_of_a_newer_sipguard_is_told_of(config: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calls.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    for words in (("calls",), ("explain", IDS[0])):
        done = asked(config, *words)
        assert done.exit_code == 1 and "a newer sipguard has changed this database" in done.stderr
