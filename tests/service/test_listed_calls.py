"""By which entry a recorded call was on a list that nobody has edited: of its file, or of the configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sipguard.b2bua.frames import VerdictFrame
from sipguard.numbers.formats import compile_list
from sipguard.records.listed import CONFIGURATION, EDIT, FILE, MISSING, UNKNOWN
from sipguard.screening.listspec import ListSpec
from sipguard.service.history import Rulesets
from sipguard.service.listed_calls import told_of
from sipguard.store.edits import ADD, NAME, EditStore
from tests.playbook import ruleset

AT = 1_800_000_000.0
CALLER, CALLEE = "12025550101", "12025550102"
CSV = "number,reason,added_by,added_at\n+12025550101,complaint 4711,ann,2026-11-20\n"


def frame(revision: str = "r1", edits: int = 0, **facts: tuple[str, ...]) -> VerdictFrame:
    named = {f"lists.{which}": names for which, names in facts.items()}
    return VerdictFrame(
        "d",
        AT,
        trunk="carrier",
        caller=CALLER,
        callee=CALLEE,
        shown=CALLER,
        facts=dict(named),
        findings=[("lists", "hit", "listed")],
        revision=revision,
        source="192.0.2.7:5060",
        edits=edits,
    )


def kept(directory: Path) -> Path:
    """A state directory with a Ruleset of three lists."""
    source = directory / "reported.csv"
    source.write_text(CSV)
    built = directory / "reported.set"
    compile_list(source, built, "numbers", "csv")
    lists = (
        ListSpec("reported", "numbers", ("caller",), path=str(built), file=str(source), format="csv"),
        ListSpec("vips", "numbers", ("callee",), members=(CALLEE,)),
        ListSpec("networks", "networks", ("upstream",), members=("192.0.2.0/24",)),
    )
    Rulesets(directory).add(replace(ruleset(), lists=lists))
    return directory


def test_the_entry_of_a_file_is_told_with_what_stands_beside_it(tmp_path: Path) -> None:
    (by,) = told_of(kept(tmp_path), frame(caller=("reported",)))
    assert (by.by, by.entry, by.line, by.who, by.at, by.why) == (
        FILE, CALLER, 2, "ann", "2026-11-20", "complaint 4711",
    )  # fmt: skip


def test_members_of_the_configuration_and_networks(tmp_path: Path) -> None:
    vips, networks = told_of(kept(tmp_path), frame(callee=("vips",), upstream=("networks",)))
    assert (vips.by, vips.which, vips.entry) == (CONFIGURATION, "callee", CALLEE)
    assert (networks.by, networks.entry) == (CONFIGURATION, "192.0.2.0/24")


def test_an_edit_speaks_first(tmp_path: Path) -> None:
    state = kept(tmp_path)
    with EditStore.writing(state / NAME) as store:
        store.change(ADD, "reported", ["1202555*"], who="bob", at=AT - 5)
    (by,) = told_of(state, frame(edits=1, caller=("reported",)))
    assert (by.by, by.entry, by.who) == (EDIT, "1202555*", "bob")


def test_what_is_gone_is_said_to_be(tmp_path: Path) -> None:
    (by,) = told_of(kept(tmp_path), frame("r0", caller=("reported",)))
    assert (by.name, by.by) == ("reported", UNKNOWN)
    assert told_of(tmp_path / "nowhere", frame(caller=("reported",)))[0].by == UNKNOWN


def test_of_a_list_that_was_missing_nobody_says_that_the_call_was_on_it(tmp_path: Path) -> None:
    vips, by = told_of(kept(tmp_path), frame(callee=("vips", "?dnc")))
    assert (vips.by, by.which, by.name, by.by, by.entry) == (CONFIGURATION, "callee", "dnc", MISSING, "")
