"""`sipguard lists add|remove|undo|history|diff|export`, without a running sipguard."""

from __future__ import annotations

import csv
import getpass
import io
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sipguard.numbers.rows import instant
from sipguard.settings.sources import ListBuilder
from sipguard.store.edits import ADD, EditStore
from tests.cli.test_lists import Ground, ground

__all__ = ["ground"]

A, B = "+12025550171", "+12025550172"


def entries(ground: Ground, name: str = "dno") -> list[str]:
    result = ground.run("export", name)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_what_is_added_is_on_the_list_with_who_when_and_why(ground: Ground) -> None:
    made = ground.json("add", "dno", A, "(202) 555-0172", "--reason", "order 7", "--by", "ann", "--until", "30d")
    assert (made["change"], made["by"], made["reason"]) == (1, "ann", "order 7")
    assert made["entries"] == [A[1:], B[1:]]
    assert 0 <= made["until"] - made["at"] - 30 * 86_400 < 1
    assert entries(ground) == ["+12025550100", "+1202555012*", A, B]
    shown = ground.run("history", "dno").stdout
    assert "ann  add dno: +12025550171, +12025550172  until " in shown and shown.rstrip().endswith("(order 7)")


@pytest.mark.parametrize(
    ("until", "end"),
    [
        ("2200-11-27T19:30:09Z", datetime(2200, 11, 27, 19, 30, 9, tzinfo=UTC)),
        ("2200-01-31", datetime(2200, 2, 1, tzinfo=UTC)),
        ("2200-01-31T18:00", datetime(2200, 1, 31, 18, tzinfo=UTC)),
    ],
)
def test_an_edit_ends_at_a_time_or_with_a_day_as_in_files(ground: Ground, until: str, end: datetime) -> None:
    assert ground.json("add", "dno", A, "--until", until)["until"] == end.timestamp()
    assert instant(until, after=True) == end.timestamp()


def test_who_is_the_login_name_unless_said(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert ground.json("add", "dno", A)["by"] == getpass.getuser()
    monkeypatch.setenv("SUDO_USER", "ann")
    assert ground.json("remove", "dno", A)["by"] == "ann"


def test_what_stands_in_the_file_is_removed_and_the_file_stays(ground: Ground) -> None:
    result = ground.run("remove", "dno", "+12025550100")
    assert result.exit_code == 0
    assert result.stdout.startswith("change 1: +12025550100 removed from dno; sipguard lists undo 1 takes it back")
    assert entries(ground) == ["+1202555012*"]
    assert "+12025550100" in (ground.path.parent / "dno.txt").read_text()
    assert ground.json("undo", "1", "--by", "bob") == {
        "change": 2, "undoes": 1, "list": "dno", "entries": ["12025550100"], "by": "bob"
    }  # fmt: skip
    assert entries(ground) == ["+12025550100", "+1202555012*"]


def test_a_built_list_is_exported_as_its_text_is(ground: Ground) -> None:
    before = entries(ground), entries(ground, "consent")
    ground.build()
    assert (entries(ground), entries(ground, "consent")) == before
    assert before[1] == ["+12025550100,+12125550123"]


def test_a_prefix_takes_off_what_begins_so(ground: Ground) -> None:
    ground.build()
    ground.json("remove", "dno", "+1202555*")
    ground.json("add", "dno", A)
    assert entries(ground) == [A]


def test_what_a_text_cannot_say_is_told(ground: Ground) -> None:
    ground.build()
    ground.json("remove", "dno", "+12025550123")
    result = ground.run("export", "dno")
    assert result.stdout.splitlines() == ["+12025550100", "+1202555012*"]
    assert "+12025550123 is removed, though a prefix" in result.stderr


def test_csv_says_who_added_an_entry_and_why(ground: Ground) -> None:
    ground.json("add", "dno", A, "--reason", "said, twice", "--by", "ann")
    rows = list(csv.DictReader(io.StringIO(ground.run("export", "dno", "--csv").stdout)))
    assert [(row["number"], row["added_by"], row["reason"]) for row in rows] == [
        ("+12025550100", "", ""),
        ("+1202555012*", "", ""),
        (A, "ann", "said, twice"),
    ]
    told = [(row["entry"], row["from"], row["by"]) for row in ground.json("export", "dno")]
    assert told == [("+12025550100", "file", ""), ("+1202555012*", "file", ""), (A, "edit", "ann")]


def test_a_range_is_added_tested_undone_and_cut(ground: Ground) -> None:
    ground.json("add", "dno", "2025550170-2025550179", "--reason", "order 8", "--by", "ann")
    ground.json("remove", "dno", "2025550175")
    assert entries(ground)[2:] == ["+12025550170-+12025550174", "+12025550176-+12025550179"]
    ground.build()
    (on,) = ground.json("test", "2025550171")
    assert on["on"] is True and on["standing"][0]["reason"] == "order 8"
    assert on["standing"][0]["entry"] == "12025550170-12025550179"
    assert [each["on"] for each in ground.json("test", "2025550175")] == [False]
    assert "+12025550170-+12025550179" in ground.run("history", "dno").stdout
    ground.json("undo", "1")
    assert entries(ground) == ["+12025550100", "+1202555012*"]


def test_pairs_are_edited_as_they_are_written(ground: Ground) -> None:
    ground.json("add", "consent", f"{A}, {B}")
    ground.json("remove", "consent", "+12025550100,+12125550123")
    assert entries(ground, "consent") == [f"{A},{B}"]
    assert [row["change"] for row in ground.json("history", "--entry", f"{A},{B}")] == [1]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("add", "dno", "alice"), "entry 1, 'alice': alice is no telephone number"),
        (("add", "dno", A, "05*"), "entry 2, '05*'"),
        (("add", "dno", ""), "there is nothing in it"),
        (("add", "consent", A), "1 fields instead of caller,callee"),
        (("add", "dnc", A), "no list dnc in"),
        (("add", "dno", A, "--until", "2020-01-01"), "that is past"),
        (("add", "dno", A, "--until", "2020-01-01T00:00:00Z"), "that is past"),
        (("add", "dno", A, "--until", "9999-12-31"), "no calendar has that time"),
        (("add", "dno", A, "--until", "soon"), "'soon' is no span"),
        (("add", "dno", A, "--until", "99999999999d"), "no calendar has that time"),
        (("history", "--since", "soon"), "'soon' is no span"),
        (("diff", "dnc"), "no list dnc in"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(ground: Ground, arguments: tuple[str, ...], what: str) -> None:
    result = ground.run(*arguments)
    assert result.exit_code == 2
    assert what in result.stderr
    assert ground.json("history") == []


def test_a_reason_that_is_no_utf_8_is_kept_as_far_as_it_is(ground: Ground) -> None:
    assert ground.json("add", "dno", A, "--reason", "caf\udce9", "--by", "ren\udce9")["reason"] == "caf?"
    ground.run("undo", "1", "--reason", "\udce9", "--by", "\udce9")
    assert [(each["by"], each["reason"]) for each in ground.json("history")] == [("?", "?"), ("ren?", "caf?")]


def test_undo_says_why_not(ground: Ground) -> None:
    ground.json("add", "dno", A)
    result = ground.run("undo", "7")
    assert result.exit_code == 1
    assert result.stderr.startswith("there is no change 7; sipguard lists history shows all; this is about edits")


def test_history_is_of_a_list_an_entry_or_a_time(ground: Ground) -> None:
    ground.json("add", "dno", A)
    ground.json("add", "consent", f"{A},{B}")
    ground.json("undo", "1", "--reason", "wrong number")
    assert [row["change"] for row in ground.json("history")] == [3, 2, 1]
    assert [row["change"] for row in ground.json("history", "dno", "--entry", "2025550171")] == [3, 1]
    assert ground.json("history", "--since", f"@{time.time() + 60}") == []
    undo, _, first = ground.json("history")
    assert (undo["undoes"], undo["reason"], first["undone_by"]) == (1, "wrong number", 3)
    assert "undone by 3" in ground.run("history").stdout


def test_diff_tells_what_edits_made_of_a_list(ground: Ground) -> None:
    ground.json("add", "dno", A, B, "--by", "ann", "--reason", "order 7")
    ground.json("remove", "dno", "+12025550100", "--by", "bob")
    ground.json("undo", "1")
    assert ground.run("diff", "dno").stdout == "- +12025550100  change 2 by bob\n"
    assert [(row["sign"], row["entry"]) for row in ground.json("diff", "dno", "0", "1")] == [
        ("+", A[1:]),
        ("+", B[1:]),
    ]
    assert ground.run("diff", "dno", "1").stdout.splitlines() == [
        "- +12025550100  change 2 by bob",
        "= +12025550171",
        "= +12025550172",
    ]
    assert ground.json("diff", "dno", "1h", "2")[0]["sign"] == "-"
    assert ground.run("diff", "dno", "9").exit_code == 1


def test_a_damaged_file_of_edits_is_told(ground: Ground, tmp_path: Path) -> None:
    ground.json("add", "dno", A)
    for each in (tmp_path / "state").glob("lists.db*"):
        each.unlink()
    (tmp_path / "state" / "lists.db").write_bytes(b"nothing" * 1000)
    for command in (("add", "dno", A), ("history",), ("export", "dno"), ("undo", "1")):
        result = ground.run(*command)
        assert (result.exit_code, "is damaged" in result.stderr) == (1, True), command


def test_ends_that_an_earlier_version_took_are_shown(ground: Ground, tmp_path: Path) -> None:
    ground.build()
    with EditStore.writing(tmp_path / "state" / "lists.db") as store:
        for number, end in ((A, 1e20), (B, 5.0)):
            store.change(ADD, "dno", [number[1:]], who="ann", expires_at=end, at=1_700_000_000.0)
    told = ground.run("history").stdout
    assert f"{A}  until 9999-01-01 00:00:00+0000\n" in told
    assert f"{B}  until 1970-01-01 00:00:05+0000, which was past already\n" in told
    assert f"+ {A}  change 1 by ann, until 9999-01-01" in ground.run("diff", "dno").stdout
    assert f"{A},,ann,2023-11-14T22:13:20Z,9999-01-01T00:00:00Z" in ground.run("export", "dno", "--csv").stdout
    assert "until 9999-01-01" in ground.run("test", A).stdout and "not on dno" in ground.run("test", B, "--all").stdout


def test_what_changes_nothing_now_is_told(ground: Ground) -> None:
    """The change is made all the same: it holds whatever file comes later."""
    assert ground.json("remove", "dno", B)["not_on_it"] == []  # nobody knows: the list was not built
    ground.json("undo", "1")
    ground.build()
    result = ground.run("remove", "dno", B)
    assert (result.exit_code, result.stdout) == (
        0, f"change 3: {B} was not on dno and is kept off it; sipguard lists undo 3 takes it back\n"
    )  # fmt: skip
    added = ground.run("add", "dno", A, "+12025550100", "+12025550123").stdout
    assert f"{A} added to dno; +12025550100, +12025550123 were on dno already; sipguard" in added
    assert ground.json("add", "dno", A, "--until", "3d")["already"] == [A[1:]]
    assert ground.json("remove", "dno", A, B)["not_on_it"] == [B[1:]]
    assert ground.json("remove", "dno", "+12025550100", "+1202555*")["not_on_it"] == []
    assert ground.json("add", "consent", "+12025550100,+12125550123", f"{A},{B}")["already"] == [
        "12025550100,12125550123"
    ]


def test_an_edit_reads_no_list_whose_file_has_changed(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be of any size, and an edit is urgent."""
    ground.build()
    (ground.path.parent / "dno.txt").write_text(f"{A}\n")
    monkeypatch.setattr(ListBuilder, "_digest", lambda *_: pytest.fail("was read"))
    assert ground.json("remove", "dno", B)["not_on_it"] == []
