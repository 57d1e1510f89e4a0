"""How a call is named to `explain`, and by which rules it is explained where those of then are not kept."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sipguard.b2bua.frames import encode
from sipguard.cli.main import main
from sipguard.records.record import Batch
from sipguard.records.step import Step
from sipguard.service.policies import Policies
from sipguard.settings.judged_by import octets_of
from sipguard.settings.load import load
from sipguard.settings.sources import SKIP
from sipguard.store.journal import MIN_SEGMENT_BYTES, Writer
from sipguard.store.sqlite import SqliteStore
from tests.e2e.product import ROOT
from tests.records import samples

DNO = {"name": "dno", "when": {"lists.shown": "dno"}, "reject": "dno"}
LATER = {"name": "later", "when": {"lists.shown": "dno"}, "label": {"prefix": "SPAM "}}
CONFIG = {
    "site": "dc1",
    "node": "n1",
    "listeners": {"main": {"address": "127.0.0.1"}},
    "trunks": {
        "carrier-a": {"kind": "interconnect", "sources": ["192.0.2.0/24"], "route": "core"},
        "core": {"kind": "interconnect", "peers": ["127.0.0.1:5070"]},
    },
    "lists": {"dno": {"members": ["+12025550101"], "bind": ["shown"], "owner": "fraud desk"}},
    "policy": {"rules": [DNO]},
    "redress": {"url": "https://provider.example/redress"},
    "journal": {"directory": "journal"},
    "records": {"database": "calls.db"},
    "state": {"directory": "state"},
}
MATCHED = ["dno"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A rejected call, whose rules are kept, and an older one of the same caller; the policy has changed since."""
    path = tmp_path / "sipguard.yaml"
    path.write_text(json.dumps(CONFIG))
    Policies(tmp_path / "state").keep("r7", octets_of(load(path, SKIP)))
    path.write_text(json.dumps({**CONFIG, "policy": {"rules": [LATER]}}))
    at = time.time()

    async def fill() -> None:
        store, batch = SqliteStore(tmp_path / "calls.db"), Batch()
        writer = Writer(tmp_path / "journal" / "0", MIN_SEGMENT_BYTES)
        for frame in (
            samples.rejected("kept", at - 60.0, matched=MATCHED),
            samples.rejected("old", at - 90_000.0, matched=MATCHED, revision="r1", callee="12025550103"),
        ):
            batch.add("0", *writer.append(encode(frame)), frame)
        writer.close()
        await store.load(batch)
        await store.close()

    asyncio.run(fill())
    return path


def asked(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["explain", *words, "-c", str(config)])


def test_a_call_is_told_by_the_rules_of_its_time(config: Path) -> None:
    lines = asked(config, "kept").stdout
    assert "rules of Ruleset r7, as kept" in lines and "rule dno matched on:" in lines
    assert "they lead to the verdict that was recorded" in lines
    assert "answered SIP/2.0 403 Forbidden; as they follow from the rules" in lines
    assert "shown is on dno; by which entry cannot be told any more" in lines and "list owner = fraud desk" in lines


def test_where_they_are_not_kept_those_of_now_are_asked_and_that_is_said(config: Path) -> None:
    lines = asked(config, "old").stdout
    assert "rules of the present configuration; those of Ruleset r1 are not kept" in lines
    assert "rule later matched on:" in lines
    assert "they lead to label by later, which is not what was recorded: the rules have changed since" in lines
    plain = asked(config, "old", "--plain").stdout
    assert "The rule that decided it is no longer kept." in plain and "list dno" not in plain


def test_what_cannot_be_read_is_told_and_the_rest_is_explained(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept_from_us(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "rulesets")

    kept = tmp_path / "state" / "policies" / "r7.json"
    kept.unlink()
    kept.mkdir()
    monkeypatch.setattr(sys.modules["sipguard.cli.explain"], "told_of", kept_from_us)
    for words in (("kept",), ("kept", "--plain"), ("kept", "--json")):
        done = asked(config, *words)
        assert done.exit_code == 0
        assert "the rules of Ruleset r7 cannot be read: [Errno 21] Is a directory" in done.stderr
        assert "who put it on its lists cannot be told: [Errno 13] Permission denied: 'rulesets'" in done.stderr


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("+1 202 555 0101",), ["kept"]),
        (("12025550101", "--since", "2d"), ["kept", "old"]),
        (("--caller", "2025550101", "--callee", "+12025550103", "--since", "2d"), ["old"]),
        (("--callee", "+12025550103"), []),
        (("a@192.0.2.1",), ["kept"]),
        (("a@192.0.2.1", "--since", "2d"), ["kept", "old"]),
        (("a@192.0.2.1", "--since", "2d", "--until", "1h"), ["old"]),
    ],
    ids=["number", "number, long ago", "caller and callee", "callee", "Call-ID", "Call-ID, long ago", "until"],
)
def test_a_call_is_named_by_its_number_or_call_id(config: Path, words: tuple[str, ...], found: list[str]) -> None:
    done = asked(config, *words, "--json")
    assert done.exit_code == (0 if len(found) == 1 else 1)
    if len(found) == 1:
        assert json.loads(done.stdout)["decision_id"] == found[0]
    elif found:
        assert [call["decision_id"] for call in json.loads(done.stdout)["calls"]] == found
        assert all(decision_id in asked(config, *words).stdout for decision_id in found)


def test_what_a_caller_wrote_does_not_move_the_terminal(config: Path, tmp_path: Path) -> None:
    async def fill() -> None:
        store, batch = SqliteStore(tmp_path / "calls.db"), Batch()
        writer = Writer(tmp_path / "journal" / "1", MIN_SEGMENT_BYTES)
        wrote = ['From: "SPAM? \x1b[2J" <sip:x@example.com>']
        frame = samples.verdict("odd", time.time(), received_mono=1.0, wrote=wrote)
        batch.add("1", *writer.append(encode(frame)), frame)
        writer.close()
        await store.load(batch)
        await store.close()

    asyncio.run(fill())
    text = asked(config, "odd").stdout
    assert "SPAM? " in text and "\x1b" not in text


def test_something_must_name_the_call(config: Path) -> None:
    assert asked(config).exit_code == 2
    assert asked(config, "kept", "--since", "yesterday").exit_code == 2


def test_the_members_of_json_stay(config: Path) -> None:
    """They are documented in docs/explain.md."""
    told = json.loads(asked(config, "kept", "--json").stdout)
    assert list(told) == ["decision_id", "began_at", "steps", "head"]
    members = ["kind", "text", "at", "after_us", "took_us", "facts", "lines"]
    for step in told["steps"]:
        assert list(step) == members + (["rule", "outcome"] if step["kind"] == "rule" else [])
    kinds = [step["kind"] for step in told["steps"]]
    assert kinds == [
        "arrival", "guard", "check", "check", "not_asked", "listed", "rules", "rules", "rule", "judged", "verdict",
        "sent", "end",
    ]  # fmt: skip


def test_every_kind_of_step_is_documented() -> None:
    """The kinds stand in the docstring of Step, and in docs/explain.md."""
    kinds = str(Step.__doc__).split("`kind`: ")[1].split(".")[0].replace("\n", " ").split(",")
    text = (ROOT / "docs/explain.md").read_text().split("| kind | step |")[1]
    documented = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(kind.strip() for kind in kinds) == sorted(documented)
