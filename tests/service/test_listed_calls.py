"""By which entry a recorded call was on a list that nobody has edited: of its file, or of the configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sipguard.b2bua.frames import VerdictFrame
from sipguard.numbers.formats import compile_list
from sipguard.records.listed import CONFIGURATION, EDIT, FILE, IMPORT, MISSING, UNKNOWN
from sipguard.screening.listspec import ListSpec
from sipguard.service.history import Rulesets
from sipguard.service.listed_calls import told_of
from sipguard.store.edits import ADD, NAME, EditStore
from sipguard.store.in_force import InForce, ListState
from sipguard.store.manifest import Given, Manifest, put
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


def imported(state: Path, version: str, number: str, at: float) -> ListState:
    """An import of the list dnc by eve, whose only member is `number`."""
    lists = state / "lists"
    lists.mkdir(exist_ok=True)
    given = lists / f"{version}.txt"
    given.write_text(f"{number}\n")
    base = f"dnc.{version.ljust(16, '0')}.base"
    compile_list(given, lists / base, "numbers", "plain")
    files = (Given(str(given), "00", 12, at - 60),)
    counts = {"members": 1, "added": 1, "removed": 0}
    put(lists, Manifest("dnc", "numbers", base, version, "plain", "replace", files, at - 60, at, "eve", counts, {}), ())
    files_then = ((str(given), "00"),)
    return ListState("dnc", "numbers", ("callee",), "", "", version, 0.0, files_then, at - 60, 1, at, "eve")


def test_of_an_import_the_state_is_told_that_was_in_force_when_the_call_was_judged(tmp_path: Path) -> None:
    Rulesets(tmp_path).add(replace(ruleset(), lists=(ListSpec("dnc", "numbers", ("callee",), imported=True),)))
    in_force = InForce(tmp_path / "lists")
    in_force.note(AT - 90, [imported(tmp_path, "a1", CALLEE, AT - 100)])
    in_force.note(AT + 90, [imported(tmp_path, "b2", "12025550199", AT + 80)])
    (by,) = told_of(tmp_path, frame(callee=("dnc",)))
    assert (by.by, by.entry) == (IMPORT, CALLEE)
    files = (str(tmp_path / "lists" / "a1.txt"),)
    assert by.base == (AT - 90, AT + 90, "a1", AT - 160, AT - 100, "eve", files, True)
    (tmp_path / "lists" / "dnc.a100000000000000.base").unlink()
    (by,) = told_of(tmp_path, frame(callee=("dnc",)))
    assert by.by == UNKNOWN and by.base is not None and (by.base.version, by.base.as_then) == ("a1", False)


def test_of_a_file_it_is_told_when_it_was_changed(tmp_path: Path) -> None:
    state, given = kept(tmp_path), ((str(tmp_path / "reported.csv"), "00"),)
    InForce(state / "lists").note(
        AT - 90, [ListState("reported", "numbers", ("caller",), "", "", "", 0.0, given, AT - 500, 1)]
    )
    (by,) = told_of(state, frame(caller=("reported",)))
    assert by.by == FILE and by.base is not None
    assert (by.base.from_at, by.base.to_at, by.base.dated_at, by.base.files[0]) == (AT - 90, 0.0, AT - 500, given[0][0])
