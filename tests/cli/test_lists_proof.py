"""`sipguard lists proof`: what a day's lists were, and what they did."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from sipguard.b2bua.frames import EndFrame, VerdictFrame, encode
from sipguard.service import list_tally
from sipguard.store.edits import ADD, NAME, EditStore
from sipguard.store.in_force import InForce, ListState
from sipguard.store.journal import MIN_SEGMENT_BYTES, Writer, segment_numbers
from tests.cli.test_lists import Ground, ground

__all__ = ["ground"]

DAY = "2026-11-20"
DAY_AT = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
H = 3600.0
OLD = ListState(
    "dnc", "numbers", ("callee",), "ann", "https://registry.example", "2026-10", 31 * 24 * H,
    (("/in/full.txt", "ab" * 32),), DAY_AT - 30.5 * 24 * H, 250, DAY_AT - 24 * H, "ann",
)  # fmt: skip
NEW = replace(OLD, version="2026-11", given=(("/in/new.txt", "cd" * 32),), dated_at=DAY_AT - H, entries=260)


def verdict(at: float, action: str = "reject", **more: object) -> VerdictFrame:
    told = {"rule": "telemarketing-dnc", "basis": "contract", "status": 403, "trunk": "telco"} | more
    if action == "allow":
        told = {"trunk": "telco"} | more
    facts = {"lists.callee": ("dnc",), "lists.pair": ()}
    return VerdictFrame(f"d{at}", DAY_AT + at, action=action, facts=facts, **told)  # type: ignore[arg-type]


FRAMES = (
    verdict(-1), verdict(10 * H), verdict(11.9 * H), verdict(12.1 * H, trunk="other"), verdict(13 * H, "allow"),
    EndFrame("e", DAY_AT, "answered"), verdict(13 * H, "allow", reported=("campaign",)), verdict(24 * H),
)  # fmt: skip


@pytest.fixture
def past(ground: Ground) -> Iterator[Path]:
    """The configuration with a past; it is two days later. The directory."""
    top = ground.path.parent
    lists = InForce(top / "state/lists")
    lists.note(DAY_AT - 2 * H, [OLD])
    lists.note(DAY_AT + 12 * H, [NEW])
    lists.ended(DAY_AT + 18 * H)
    writer = Writer(top / "journal/0", MIN_SEGMENT_BYTES)
    for frame in FRAMES:
        writer.append(encode(frame))
    writer.close()
    with EditStore.writing(top / "state" / NAME) as store:
        store.change(ADD, "dnc", ["12025550101"], who="bob", why="asked", at=DAY_AT - H)
        store.change(ADD, "dnc", ["12025550102", "12025550103"], who="eve", at=DAY_AT + 13 * H)
    yield top


def counts(calls: dict[str, int]) -> dict[str, int]:
    return {outcome: n for outcome, n in calls.items() if n}


def test_a_day_has_its_states_and_what_they_did_by_trunk(ground: Ground, past: Path) -> None:
    told = ground.json("proof", "--day", DAY)
    old, new = told["lists"]
    assert (old["version"], old["from_at"] - DAY_AT, old["to_at"] - DAY_AT) == ("2026-10", 0.0, 12 * H)
    assert (new["version"], new["from_at"] - DAY_AT, new["to_at"] - DAY_AT) == ("2026-11", 12 * H, 18 * H)
    assert old["given"] == [{"file": "/in/full.txt", "sha256": "ab" * 32}]
    assert (old["age_s"], old["stale_at"]) == (30.5 * 24 * H, None)
    assert (old["edits"]["added"], new["edits"]["added"]) == (1, 1)
    assert [each["sequence"] for each in new["edits"]["changes"]] == [2]
    done = [
        [(each["trunk"], each["rule"], counts(each["calls"])) for each in state["calls"]] for state in told["lists"]
    ]
    assert done == [
        [("telco", "telemarketing-dnc", {"rejected": 2})],
        [
            ("other", "telemarketing-dnc", {"rejected": 1}),
            ("telco", "", {"passed": 1}),
            ("telco", "campaign", {"reported": 1}),
        ],
    ]
    assert (told["calls"], told["untold"]) == (5, [])


def test_the_text_names_what_an_auditor_asks_for(ground: Ground, past: Path) -> None:
    text = ground.run("proof", "--day", DAY, "--list", "dnc").stdout
    for each in (
        "dnc: numbers, bound to callee, owner ann, source https://registry.example",
        "00:00:00 to 12:00:00",
        "version 2026-10, 250 entries, data of 2026-10-20 12:00:00Z, 30 days old",
        f"/in/full.txt sha256 {'ab' * 32}",
        "imported 2026-11-19 00:00:00Z by ann",
        "change 2 at 13:00:00 by eve: add of 2",
        "trunk telco, rule telemarketing-dnc (contract): 2 rejected",
        "trunk telco, rule campaign: 1 only reported",
        "trunk telco, no rule acted: 1 passed",
    ):
        assert each in text
    assert "dno" not in text


def test_csv_has_a_row_for_each_state_trunk_and_rule(ground: Ground, past: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(ground.run("proof", "--day", DAY, "--csv").stdout)))
    assert [(row["version"], row["trunk"], row["rejected"], row["reported"]) for row in rows] == [
        ("2026-10", "telco", "2", "0"),
        ("2026-11", "other", "1", "0"),
        ("2026-11", "telco", "0", "0"),
        ("2026-11", "telco", "0", "1"),
    ]
    assert {row["sha256"] for row in rows} == {"ab" * 32, "cd" * 32}


def test_text_of_strangers_moves_no_terminal_and_is_no_formula(ground: Ground, past: Path) -> None:
    state = replace(OLD, version="=1+1", imported_by="\x1b[2Jann")
    InForce(past / "state/lists").note(DAY_AT + 19 * H, [state])
    text = ground.run("proof", "--day", DAY).stdout
    assert "\x1b" not in text and "by \\u001b[2Jann" in text
    rows = list(csv.DictReader(io.StringIO(ground.run("proof", "--day", DAY, "--csv").stdout)))
    assert rows[-1]["version"] == "'=1+1"


def test_a_list_that_grew_too_old_says_when(ground: Ground, past: Path) -> None:
    InForce(past / "state/lists").note(DAY_AT + 19 * H, [replace(OLD, dated_at=DAY_AT - 30.5 * 24 * H)])
    (*_, last) = ground.json("proof", "--day", DAY)["lists"]
    assert last["stale_at"] == DAY_AT + 12 * H


def test_what_was_kept_of_a_day_outlives_its_journal(ground: Ground, past: Path) -> None:
    before = ground.json("proof", "--day", DAY)

    with patch.object(list_tally, "created_at", lambda path: DAY_AT - H):
        asyncio.run(list_tally.keep_due(past / "journal", past / "state/lists", DAY_AT + 48 * H + 900))
    kept = sorted(path.name for path in (past / "state/lists/proof").iterdir())
    assert kept == ["2026-11-19.json", f"{DAY}.json", "2026-11-21.json"]
    for number in segment_numbers(past / "journal/0"):
        (past / f"journal/0/{number:08d}.seg").unlink()
    assert ground.json("proof", "--day", DAY) == before


def test_what_cannot_be_told_is_said(ground: Ground, past: Path) -> None:
    (past / "journal/0/00000001.seg").unlink()
    text = ground.run("proof", "--day", DAY).stdout
    assert (
        "calls before 2026-11-21 00:00:00Z are not in the journal any more: what was done to them is not known" in text
    )
    (past / "state/lists/in_force.jsonl").unlink()
    text = ground.run("proof", "--day", DAY).stdout
    assert "NOT KNOWN: which lists were in force before" in text and "nothing is known of this day" in text


def test_calls_under_a_state_that_nobody_kept_are_told_apart(ground: Ground, past: Path) -> None:
    (past / "state/lists/in_force.jsonl").unlink()
    told = ground.json("proof", "--day", DAY)
    assert told["lists"] == []
    done = told["calls_under_unknown_states"]["dnc"]
    assert sum(each["calls"]["rejected"] for each in done) == 3


@pytest.mark.parametrize(
    ("day", "said"), [("2026-13-01", "is no day; write it as 2026-11-26"), ("9999-01-01", "has not come yet")]
)
def test_a_day_that_is_none_is_refused(ground: Ground, day: str, said: str) -> None:
    done = ground.run("proof", "--day", day)
    assert done.exit_code == 2 and said in done.output


def test_today_is_told_up_to_now(ground: Ground) -> None:
    done = ground.run("proof")
    assert done.exit_code == 0 and "the day is not over" in done.stdout
    assert json.loads(ground.run("proof", "--json").stdout)["lists"] == []


def test_a_base_that_was_damaged_is_not_told_as_one_that_was_never_imported(ground: Ground) -> None:
    lists = InForce(ground.path.parent / "state/lists")
    lists.note(DAY_AT, [replace(OLD, missing=True)])
    lists.note(DAY_AT + H, [replace(OLD, missing=True, damaged=True)])
    lists.ended(DAY_AT + 2 * H)
    said = [line.strip() for line in ground.run("proof", "--day", DAY).stdout.splitlines() if "no condition" in line]
    assert said == [f"{why}: no condition on it held" for why in ("nothing had been imported", "its base was damaged")]
    assert [each["damaged"] for each in ground.json("proof", "--day", DAY)["lists"]] == [False, True]
