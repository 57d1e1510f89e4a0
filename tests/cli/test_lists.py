"""`sipguard lists`: the lists of a configuration, and what stands on them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sipguard.cli.main import main
from sipguard.settings.load import load
from tests.e2e.product import configuration


@dataclass
class Ground:
    """A configuration with lists beside it."""

    path: Path

    def run(self, *arguments: str) -> Result:
        """`sipguard lists ARGUMENTS`."""
        return CliRunner().invoke(main, ["lists", *arguments, "-c", str(self.path)])

    def json(self, *arguments: str) -> Any:
        """What it prints with --json."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def build(self) -> None:
        """Builds the lists, as a start does."""
        assert not load(self.path).errors


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    (tmp_path / "dno.txt").write_text("+12025550100\n+1202555012*\n")
    os.utime(tmp_path / "dno.txt", (1_700_000_000, 1_700_000_000))
    config = configuration(5060)
    config["policy"] = {"rules": []}
    config["lists"] = {
        "dno": {
            "file": "dno.txt",
            "bind": ["shown", "asserted"],
            "owner": "compliance",
            "version": "2026-11",
            "max_age": "31d",
        },
        "consent": {"members": ["+12025550100,+12125550123"], "kind": "pairs", "bind": ["pair"]},
    }
    path = tmp_path / "sipguard.json"
    path.write_text(json.dumps(config))
    return Ground(path)


A = "+12025550131"


def test_ls_shows_every_list(ground: Ground) -> None:
    ground.build()
    lines = ground.run("ls").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["list", "kind"], ["dno", "numbers"], ["consent", "pairs"]]
    assert lines[1].endswith("dno.txt")
    dno, consent = ground.json("ls")
    assert (dno["entries"], dno["changed_at"], dno["bind"]) == (2, 1_700_000_000, ["shown", "asserted"])
    assert (dno["owner"], dno["version"], dno["max_age_s"], dno["stale"]) == (
        "compliance",
        "2026-11",
        31 * 86_400,
        True,
    )
    assert "STALE" in lines[1] and "compliance" in lines[1]
    assert (consent["entries"], consent["age_s"], consent["file"]) == (1, None, None)


def test_ls_builds_nothing(ground: Ground) -> None:
    assert ground.json("ls")[0]["entries"] is None
    assert "not built yet" in ground.run("ls").stdout
    assert not (ground.path.parent / "state").exists()


def test_ls_shows_what_is_wrong_with_a_list(ground: Ground) -> None:
    (ground.path.parent / "dno.txt").write_text("alice\n")
    result = ground.run("ls")
    assert result.exit_code == 2
    assert "dno.txt:1:1: alice is no telephone number" in result.stderr


# ------------------------------------------------------------------------------------------ show, test

BLOCKED = """\
number,reason,added_by,added_at,expires
+12025550100,three complaints,dana,2026-11-02,
+12025550101,one complaint,dana,2020-01-01,2020-02-01
+12025550110-+12025550119,leased to a dialer,eve,,
+1202556*,,,,
"""


@pytest.fixture
def many(ground: Ground) -> Ground:
    """A list of each kind."""
    directory = ground.path.parent
    config = json.loads(ground.path.read_text())
    (directory / "blocked.csv").write_text(BLOCKED)
    (directory / "own.txt").write_text("carrier,+12025550100\n")
    (directory / "orders.txt").write_text("trunk,reason\ncarrier,DA 26-72\n")
    (directory / "ebr.txt").write_text("+12025550100,+12125550123,2099-01-31\nbrand:Carrier,+12125550124\n")
    config["lists"] |= {
        "blocked": {"file": "blocked.csv", "bind": ["caller"]},
        "own": {"file": "own.txt", "per_trunk": True, "bind": ["caller"]},
        "orders": {"file": "orders.txt", "kind": "trunks", "bind": ["upstream"]},
        "ebr": {"file": "ebr.txt", "kind": "pairs", "bind": ["pair"]},
        "callees": {"members": ["+12125550123"], "bind": ["callee"]},
        "agents": {"members": ["friendly*"], "kind": "texts", "bind": ["upstream"]},
        "places": {"members": ["192.0.2.0/24"], "kind": "networks", "bind": ["upstream"]},
        "signers": {"members": ["999X"], "kind": "texts", "bind": ["signer"]},
    }
    ground.path.write_text(json.dumps(config))
    ground.build()
    return ground


def on(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Name of each list that something is on -> the entries that say so."""
    return {row["list"]: [each["entry"] for each in row["standing"]] for row in rows if row["on"]}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["202-555-0100"], {"dno": ["12025550100"], "blocked": ["12025550100"]}),
        (["+12025550115"], {"blocked": ["12025550110-12025550119"]}),
        (["+12025560000"], {"blocked": ["1202556*"]}),
        (["+12025550101"], {}),
        (
            ["+12025550100", "--trunk", "carrier"],
            {
                "dno": ["12025550100"],
                "blocked": ["12025550100"],
                "own": ["carrier,12025550100"],
                "orders": ["carrier"],
            },
        ),
        (
            ["+12025559999", "--callee", "+12125550123"],
            {"callees": ["12125550123"]},
        ),
        (
            ["+12025550100", "--callee", "+12125550123"],
            {
                "dno": ["12025550100"],
                "consent": ["12025550100,12125550123"],
                "blocked": ["12025550100"],
                "ebr": ["12025550100,12125550123"],
                "callees": ["12125550123"],
            },
        ),
        (
            ["+12025559999", "--callee", "+12125550124", "--trunk", "carrier"],
            {"orders": ["carrier"], "ebr": ["carrier,12125550124"]},
        ),
        (
            ["+12025559999", "--address", "192.0.2.7", "--user-agent", "Friendly-Scanner", "--signer", "999x"],
            {"agents": ["friendly*"], "places": ["192.0.2.0/24"], "signers": ["999x"]},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_test_says_what_every_list_says(many: Ground, arguments: list[str], found: dict[str, list[str]]) -> None:
    rows = many.json("test", *arguments)
    assert on(rows) == found
    assert many.run("test", *arguments).exit_code == 0


def test_test_says_who_since_when_until_when_and_why(many: Ground) -> None:
    text = many.run("test", "+12025550100", "--callee", "+12125550123", "--trunk", "carrier", "--utc").stdout
    assert "+12025550100 ON blocked (numbers, bound to caller)" in text
    assert "  +12025550100, by file line 2, added by dana, since 2026-11-02: three complaints" in text
    assert "carrier, by file line 2: DA 26-72" in text
    assert "until 2099-02-01 00:00:00Z" in text
    assert f"  file: {many.path.parent / 'blocked.csv'}, changed 2" in text
    ended = many.run("test", "+12025550101", "--utc").stdout
    assert "+12025550101 not on blocked" in ended and "ENDED 2020-02-02 00:00:00Z: one complaint" in ended
    assert "is on none of" in ended
    leased = many.run("test", "+12025550115").stdout
    assert "+12025550110-+12025550119, by file line 4, added by eve: leased to a dialer" in leased


def test_text_of_strangers_moves_no_terminal(many: Ground) -> None:
    many.run("add", "blocked", "+12025550177", "--reason", "\x1b]0;owned\x07", "--by", "e\x1b[2Jve")
    for arguments in (("test", "+12025550177"), ("history", "blocked"), ("diff", "blocked")):
        result = many.run(*arguments)
        assert result.exit_code == 0 and "\x1b" not in result.stdout
        assert arguments[0] == "diff" or "\\u001b]0;owned" in result.stdout
    refused = many.run("test", "\x1b[2J")
    assert refused.exit_code == 2 and "\x1b" not in refused.stderr


def test_test_knows_edits(many: Ground) -> None:
    many.run("remove", "blocked", "+12025550100", "--reason", "a mistake", "--by", "dana")
    many.run("add", "blocked", "+12025550177", "--reason", "complaint", "--by", "eve")
    assert "blocked" not in on(many.json("test", "+12025550100"))
    text = many.run("test", "+12025550100").stdout
    assert "not on blocked" in text and "by change 1, added by dana" in text and "removed: a mistake" in text
    (row,) = [row for row in many.json("test", "+12025550177") if row["on"]]
    assert (row["standing"][0]["reason"], row["standing"][0]["change"]) == ("complaint", 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["alice"], "alice is no telephone number"),
        (["+12025550100", "--trunk", "carier"], "carier is no trunk; did you mean carrier?"),
    ],
)
def test_test_refuses_what_it_cannot_ask(many: Ground, arguments: list[str], message: str) -> None:
    result = many.run("test", *arguments)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, message)


def test_a_list_that_was_not_built_says_so(many: Ground) -> None:
    (many.path.parent / "blocked.csv").write_text(BLOCKED + "+12025550178,,,,\n")
    told = many.run("test", "+12025550178").stdout.splitlines()
    assert (
        "NOT KNOWN: blocked (numbers, bound to caller) was not built yet; a start or a reload of sipguard builds it"
        in told
    )
    assert told[-1] == "+12025550178 is on none of 9 lists; 1 could not be asked"


def test_show_shows_one_list(many: Ground) -> None:
    text = many.run("show", "blocked").stdout
    assert "+12025550100  three complaints, dana, 2026-11-02" in text
    assert "entries  4" in text
    shown = many.json("show", "blocked", "--limit", "1")
    assert len(shown["members"]) == 1 and shown["members"][0]["reason"] == "three complaints"
    assert "and 3 more" in many.run("show", "blocked", "--limit", "1").stdout
    wrong = many.run("show", "bloked")
    assert (wrong.exit_code, wrong.stderr.splitlines()[-1]) == (2, "there is no list bloked; did you mean blocked?")


def test_an_imported_list_says_what_it_was_made_of_when_and_by_whom(ground: Ground) -> None:
    config = json.loads(ground.path.read_text())
    config["lists"]["dnc"] = {"bind": ["callee"], "max_age": "31d"}
    ground.path.write_text(json.dumps(config))
    row = next(each for each in ground.json("ls") if each["list"] == "dnc")
    assert (row["entries"], row["imported"], row["made_of"]) == (None, True, [])
    assert "nothing imported yet" in ground.run("ls").stdout
    given = ground.path.parent / "given.txt"
    given.write_text("2025550131\n")
    made = ground.json("import", "dnc", str(given), "--dated", "2026-01-02")
    row = next(each for each in ground.json("ls") if each["list"] == "dnc")
    assert (row["entries"], row["version"], row["stale"]) == (1, made["version"], True)
    assert (row["imported_by"], row["imported_at"]) == (made["by"], made["imported_at"])
    assert row["made_of"] == [{"file": str(given), "sha256": made["files"][0]["sha256"]}]
    (on,) = [each for each in ground.json("test", "2025550131") if each["on"]]
    (standing,) = on["standing"]
    assert (standing["by"], standing["origin"]) == (
        "import",
        {
            "files": [str(given)],
            "changed_at": None,
            "version": made["version"],
            "imported_at": made["imported_at"],
            "imported_by": made["by"],
        },
    )
    assert f"  import: version {made['version']}, 2" in ground.run("test", "2025550131").stdout
    (told,) = ground.json("history", "dnc")
    assert (told["action"], told["by"], told["version"], told["counts"]["members"]) == (
        "import",
        made["by"],
        made["version"],
        1,
    )
    between = ground.run("diff", "dnc")
    assert (between.exit_code, between.stdout) == (0, "")
    back = "this is about edits; an import is taken back by importing the whole file of before"
    assert between.stderr == f"no edit of dnc makes a difference there; {back}\n"
    assert back in ground.run("undo", "1").stderr and back in ground.run("diff", "dnc", made["version"]).stderr
    ground.json("add", "dnc", "2025550132")
    assert back in ground.run("diff", "dnc", "7").stderr
    assert [each["action"] for each in ground.json("history")] == ["add", "import"]
    assert "import dnc: 1 numbers, 1 new, 0 gone, version 2026-01-02." in ground.run("history").stdout
    text = ground.run("show", "dnc").stdout
    assert "file     imported: given.txt" in text and "imported 2" in text and made["files"][0]["sha256"] in text
    assert "changed  2026-01-02 00:00:00Z" in text and "the configuration" not in text


def test_a_damaged_base_is_told_and_imported_again(ground: Ground) -> None:
    config = json.loads(ground.path.read_text())
    config["lists"]["dnc"] = {"bind": ["callee"]}
    ground.path.write_text(json.dumps(config))
    given = ground.path.parent / "given.txt"
    given.write_text("2025550131\n")
    early = ground.run("import", "dnc", str(given), "--dated", "2099-01-01")
    assert (early.exit_code, "--dated 2099-01-01T00:00:00 has not come yet" in early.stderr) == (2, True)
    ground.json("import", "dnc", str(given))
    (base,) = (ground.path.parent / "state/lists").glob("dnc.*.base")
    base.write_bytes(base.read_bytes()[:-100])
    assert ground.json("ls")[2]["damaged"] is True
    assert "  damaged  " in ground.run("ls").stdout and "entries  damaged" in ground.run("show", "dnc").stdout
    assert "NOT KNOWN: the base of dnc (numbers, bound to callee) is damaged" in ground.run("test", A).stdout
    assert "began without the base of before" in ground.run("import", "dnc", str(given)).stdout


def test_what_was_taken_though_nobody_has_it_is_told_by_its_kind(ground: Ground) -> None:
    config = json.loads(ground.path.read_text())
    config["lists"]["impossible"] = {"bind": ["caller"]}
    ground.path.write_text(json.dumps(config))
    given = ground.path.parent / "given.txt"
    given.write_text("2025550131\n911\n1111111111\n1111111111\n")
    result = ground.run("import", "impossible", str(given))
    assert "3 of the lines that were taken hold what is nobody's number, repeats counted:" in result.stdout
    assert "2 invalid_npa: no area code begins like this\n" in result.stdout
    assert "1 short: a number without its area code\n" in result.stdout
    assert "nothing was imported" not in result.stderr
    assert ground.json("import", "impossible", str(given))["odd"] == {"invalid_npa": 2, "short": 1}


def test_an_import_says_how_it_read_the_file(ground: Ground) -> None:
    config = json.loads(ground.path.read_text())
    config["lists"]["dnc"] = {"bind": ["callee"]}
    ground.path.write_text(json.dumps(config))
    given = ground.path.parent / "given.csv"
    for text, form, column in (
        ("name,Number\nann,2025550131\n", "csv", "Number"),
        ("Number,Date,Status\n2025550131,2026-11-01,yes\n2025550132,2026-11-01,no\n", "reassigned", "Number"),
        ("2025550131,2026-11-01,yes\n", "reassigned", "1"),
        ("2025550131\n", "plain", None),
    ):
        given.write_text(text)
        assert (
            f"read as {form}" + (f", column {column}\n" if column else "\n")
            in ground.run("import", "dnc", str(given)).stdout
        )
        made = ground.json("import", "dnc", str(given))
        assert (made["form"], made["column"], made["counts"]["members"]) == (form, column, 1)


def test_an_import_of_a_list_with_a_file_says_how_it_becomes_one(ground: Ground) -> None:
    result = ground.run("import", "dno", str(ground.path.parent / "dno.txt"))
    assert result.exit_code == 2
    assert f"take `file:` out of lists.dno in {ground.path}, import again, and then `sipguard reload`" in result.stderr
    assert "take `members:` out of lists.consent" in ground.run("import", "consent", "x").stderr


def test_show_and_ls_say_that_a_list_was_edited(ground: Ground) -> None:
    ground.build()
    assert "edits" not in ground.run("show", "dno").stdout
    ground.json("add", "dno", "2025550171", "2025550172")
    ground.json("remove", "dno", "2025550100")
    ground.json("add", "dno", "2025550173")
    ground.json("undo", "3")
    shown = ground.run("show", "dno").stdout
    assert "edits    2 added, 1 removed by edits; sipguard lists export dno prints what is on it now\n" in shown
    assert " 2 +2 -1 " in ground.run("ls").stdout
    assert [each["edits"] for each in ground.json("ls")] == [{"added": 2, "removed": 1}, {"added": 0, "removed": 0}]
    assert ground.json("show", "dno")["edits"] == {"added": 2, "removed": 1}
