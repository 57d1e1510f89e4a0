"""The numbering plan compiled out of its library, and the report of area codes."""

from __future__ import annotations

import json
import re
from datetime import date
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.numbers.plan import LINES, Place, Plan, PlanDate
from sipguard.settings import numbering
from sipguard.settings.digits import Pattern, prefixes_of
from sipguard.settings.load import Loaded, load


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The plan as a process of its own compiles it."""
    directory = tmp_path_factory.mktemp("numbering")
    (directory / "plan-0-1.json").write_text("of an old version")
    file = numbering.compiled(directory)
    assert [each.name for each in directory.iterdir()] == [file.name]
    return Plan.open(str(file))


def shown(place: Place) -> tuple[str, str, str, tuple[str, ...]]:
    return place.country, place.region, place.line, place.zones


@pytest.mark.parametrize(
    ("tn", "place"),
    [
        ("12125550100", ("US", "NY", "fixed_or_mobile", ("America/New_York",))),
        ("12195550100", ("US", "IN", "fixed_or_mobile", ("America/Chicago", "America/New_York"))),
        ("18125550100", ("US", "IN", "fixed_or_mobile", ("America/Chicago", "America/New_York"))),
        ("16025550100", ("US", "AZ", "fixed_or_mobile", ("America/Phoenix",))),
        ("19285550100", ("US", "AZ", "fixed_or_mobile", ("America/Denver", "America/Phoenix"))),
        ("18085550100", ("US", "HI", "fixed_or_mobile", ("Pacific/Honolulu",))),
        ("14165550100", ("CA", "ON", "fixed_or_mobile", ("America/Toronto",))),
        ("17875550100", ("PR", "", "fixed_or_mobile", ("America/Puerto_Rico",))),
        ("18005550100", ("", "", "tollfree", ())),
        ("18885550100", ("", "", "tollfree", ())),
        ("19005550100", ("", "", "premium", ())),
        ("442079460000", ("GB", "", "fixed", ("Europe/London",))),
        ("33612345678", ("FR", "", "mobile", ("Europe/Paris",))),
    ],
)
def test_places_of_numbers(plan: Plan, tn: str, place: tuple[str, str, str, tuple[str, ...]]) -> None:
    assert shown(plan.place(tn)) == place


def test_every_place_is_of_known_words(plan: Plan) -> None:
    places = set(map(shown, plan._places.values()))
    zones = set(numbering.zone_names())
    for country, region, line, of in places:
        assert country == "" or re.fullmatch("[A-Z]{2}", country)
        assert region == "" or country in ("US", "CA")
        assert line in ("", *LINES)
        assert zones.issuperset(of)


def test_every_area_code_of_a_state_has_zones(plan: Plan) -> None:
    for npa in plan.npas:
        place = plan.place(f"1{npa}5550100")
        assert place.zones or place.line not in ("fixed", "mobile", "fixed_or_mobile")


def test_area_codes_in_service(plan: Plan) -> None:
    assert {"212", "416", "787", "800", "900", "700"} <= plan.npas
    assert not {"555", "222", "411"} & plan.npas


def test_it_is_compiled_once(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / f"plan-{numbering.FORMAT}-{numbering.library_version()}.json"
    there.write_text("{}")
    monkeypatch.setattr(numbering.subprocess, "run", None)
    assert numbering.compiled(tmp_path) == there


# ------------------------------------------------------------------------------------------ patterns


PIECES = [
    "1",
    "[2-4]",
    r"\d",
    "(?:5|6[78])",
    "(?:9[01])?",
    "2{2,3}",
    "[13]{1,2}",
    "(?:4(?:5|6)|7)",
    r"[\d]?",
    "8{0}",
    "6?",
]
SHORT = ["".join(digits) for length in range(4) for digits in product("0123456789", repeat=length)]
WORDS = {piece: [text for text in SHORT if re.fullmatch(piece, text)] for piece in PIECES}


def alive(pattern: Pattern, digits: str) -> bool:
    """Whether a number may go on so."""
    states = pattern.start
    for digit in digits:
        states = pattern.after(states, digit)
    return bool(states)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3), st.text("0123456789", min_size=1, max_size=8))
def test_a_number_may_go_on_where_the_expression_fits_one_that_begins_so(pieces: list[str], digits: str) -> None:
    fitting = {"".join(words) for words in product(*(WORDS[piece] for piece in pieces))}
    assert all(re.fullmatch("".join(pieces), each) for each in list(fitting)[:20]), "as the standard library reads it"
    pattern = Pattern("".join(pieces))
    assert alive(pattern, digits) == any(each.startswith(digits) for each in fitting)
    assert all(alive(pattern, each) for each in list(fitting)[:50])


@pytest.mark.parametrize("wrong", ["(?!1)2", "1)", "(?:1", "[1", "2{", "2{a}", "[a]", "^1", "(1)", "*", "3{2,x}"])
def test_what_is_no_such_pattern_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="in a pattern of numbers: "):
        Pattern(wrong)


def test_prefixes_are_as_short_as_they_can_be() -> None:
    found = prefixes_of({"a": Pattern(r"2\d{3}|31\d\d"), "b": Pattern(r"3[01]\d\d|4\d{3}")}, 3)
    assert found == {"2": {"a"}, "30": {"b"}, "4": {"b"}} | {f"31{n}": {"a", "b"} for n in ""} | {"31": {"a", "b"}}


# ------------------------------------------------------------------------------------------ reports


def report(rows: int = 350, first: str = "File Date,11/02/2026", header: str = "NPA_ID,USE,IN_SERVICE?") -> str:
    lines = [f"{200 + n},G,{'N' if n == 5 else 'Y'}" for n in range(rows)]
    return "\r\n".join(["\ufeff" + first, header, *lines, "", "999"])


def test_a_report_names_the_area_codes_in_service(tmp_path: Path) -> None:
    file = tmp_path / "npa.csv"
    file.write_text(report(), encoding="utf-8", newline="")
    found = numbering.read_report(file)
    assert found.day == date(2026, 11, 2)
    assert len(found.npas) == 349
    assert "205" not in found.npas


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "File Date"),
        ("<html>", "File Date"),
        (report(first="File Date,soon"), "soon"),
        (report(header="NPA,USE"), "columns"),
        (report(rows=10), "9 area codes"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "npa.csv"
    file.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(ValueError, match=what):
        numbering.read_report(file)


def test_the_file_is_json_that_a_worker_opens_quickly(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    numbering.write(file)
    assert file.stat().st_size < 1_000_000
    assert json.loads(file.read_text())["version"] == numbering.library_version()


# ------------------------------------------------------------------------------------------ in a configuration

CONFIG = """\
site: dc1
node: n1
listeners: {main: {address: 127.0.0.1, port: 5060}}
trunks: {core: {kind: interconnect, peers: ["127.0.0.1:5070"]}}
run: {directory: run}
state: {directory: state}
journal: {directory: journal}
records: {database: records.sqlite}
policy: {rules: [{name: r, when: {WHEN}, reject: contract}]}
numbering: {npa_report: npa.csv, max_age: 92d}
"""
ASKED = [
    ("time: {zone: callee, outside: '08:00-21:00'}", True),
    ("not: {any: [{plan.caller.line: premium}]}", True),
    ("number.shown.class: [n11, unassigned_npa]", True),
    ("number.shown.class: n11", False),
    ("time: {zone: America/New_York, outside: '08:00-21:00'}", False),
]


def configured(directory: Path, when: str = ASKED[3][0], text: str = "") -> Loaded:
    (directory / "sipguard.yaml").write_text(CONFIG.replace("WHEN", when))
    if text:
        (directory / "npa.csv").write_text(text, encoding="utf-8", newline="")
    return load(directory / "sipguard.yaml")


@pytest.mark.parametrize(("when", "asks"), ASKED)
def test_the_plan_is_compiled_where_a_rule_asks_for_it(
    tmp_path: Path, when: str, asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state/numbering").mkdir(parents=True)
    (tmp_path / "state/numbering/plan.json").write_text('{"dated_at": 1000000}')
    monkeypatch.setattr(numbering, "compiled", lambda directory: directory / "plan.json")
    plain = configured(tmp_path, when, report(first="File Date,11/02/2199")).ruleset
    assert plain is not None
    assert plain.plan_file == (str(tmp_path / "state/numbering/plan.json") if asks else "")
    assert len(plain.npas) == 349
    assert [each.source for each in plain.plan_dates] == (["npa_report", "plan"] if asks else ["npa_report"])


PLAN = {
    "format": 1, "version": "99.1", "dated_at": 4_000_000_000, "npas": ["202"],
    "places": [["US", "DC", "fixed", ["America/New_York"]]], "prefixes": {"1202": 0},
}  # fmt: skip


def test_a_plan_is_updated_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    path = tmp_path / "sipguard.yaml"
    path.write_text(CONFIG.replace("WHEN", ASKED[0][0]).replace("npa_report: npa.csv", "plan: plan.json"))
    first = load(path).ruleset
    assert first is not None and first.plan_dates == (PlanDate("plan", 4_000_000_000.0, 92 * 86_400.0),)
    opened = Plan.open(first.plan_file, first.npas)
    assert (opened.version, opened.place("12025550100").region, opened.is_unassigned("203")) == ("99.1", "DC", True)
    assert not (tmp_path / "state/numbering").exists()
    (tmp_path / "plan.json").write_text(json.dumps(PLAN | {"version": "99.2", "dated_at": 1_000_000_000}))
    second = load(path)
    assert second.ruleset is not None and second.ruleset.revision != first.revision
    assert any("plan.json is" in each.what and "days old" in each.what for each in second.problems)
    (tmp_path / "plan.json").write_text(json.dumps(PLAN | {"format": 7}))
    (problem,) = load(path).errors
    assert problem.path == ("numbering", "plan") and "format 7, not 1" in problem.what


def test_a_compiled_plan_says_when_its_library_was_installed(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    numbering.compile_into(file)
    assert numbering.dated_at(file) == numbering.installed_at() > 0
    file.write_text("{}")
    assert numbering.dated_at(file) == file.stat().st_mtime


def test_a_report_that_is_old_is_warned_of(tmp_path: Path) -> None:
    loaded = configured(tmp_path, text=report(first="File Date,11/02/2020"))
    (problem,) = [each for each in loaded.problems if each.path == ("numbering", "npa_report")]
    assert (problem.level, loaded.errors) == ("warning", ())
    assert "days old" in problem.what


@pytest.mark.parametrize("text", ["", "<html>"])
def test_a_report_that_cannot_be_used_is_an_error(tmp_path: Path, text: str) -> None:
    (problem,) = configured(tmp_path, text=text).errors
    assert problem.path == ("numbering", "npa_report")
    assert "npa.csv cannot be used" in problem.what


def test_a_plan_that_cannot_be_compiled_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering.sys, "executable", "/bin/false")
    (problem,) = configured(tmp_path, ASKED[0][0], report(first="File Date,11/02/2199")).errors
    assert "the numbering plan cannot be compiled" in problem.what
