"""Policies in several files: their rules in place, each problem where it stands."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sipguard.screening.policy.model import Time
from sipguard.settings.load import load
from sipguard.settings.policytext import PolicyText
from sipguard.settings.sources import READ
from tests.e2e.product import ROOT

MAIN = """rules:
  - {name: first, when: {lists.shown: dno}, reject: dno}
  - include: more/shapes.yaml
  - {name: last, when: {is: outside}, tag: last, continue: true}
"""
SHAPES = """define:
  outside: {trunk.kind: [interconnect, gateway]}
rules:
  - {name: second, when: {is: outside, rate.caller.attempts_1m: {over: 60}}, mode: report, reject: analytics}
  - include: [deeper.yaml]
"""
DEEPER = "rules: [{name: third, when: {identity.result: failed}, label: {prefix: A}}]\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """MAIN, which includes SHAPES, which includes DEEPER, as the policy of the shipped configuration."""
    (tmp_path / "more").mkdir()
    (tmp_path / "anchors").mkdir()
    (tmp_path / "policy.yaml").write_text(MAIN)
    (tmp_path / "more/shapes.yaml").write_text(SHAPES)
    (tmp_path / "more/deeper.yaml").write_text(DEEPER)
    text = (ROOT / "config/sipguard.yaml").read_text()
    text = text.replace("lists/", f"{ROOT}/config/lists/")
    (tmp_path / "sipguard.yaml").write_text(text)
    return tmp_path


def errors(files: Path) -> list[str]:
    return [str(problem).replace(f"{files}/", "") for problem in load(files / "sipguard.yaml", READ).errors]


def test_included_rules_stand_where_the_include_does(files: Path) -> None:
    found = load(files / "sipguard.yaml", READ)
    assert found.errors == ()
    assert [rule.name for rule in found.policy.rules] == ["first", "second", "third", "last"]


def test_an_edit_of_an_included_file_is_another_revision(files: Path) -> None:
    before = load(files / "sipguard.yaml", READ).ruleset
    (files / "more/deeper.yaml").write_text(DEEPER.replace("prefix: A", "prefix: B"))
    after = load(files / "sipguard.yaml", READ).ruleset
    assert before is not None and after is not None
    assert before.revision != after.revision


WRONG = [
    ("more/deeper.yaml", "identity.result: failed", "identity.reslt: failed",
     "more/deeper.yaml:1:30: rules[0] (third).when.identity.reslt: unknown fact identity.reslt; did"),
    ("more/deeper.yaml", "name: third", "name: first", "more/deeper.yaml:1:10: rules[0] (first).name: a second rule"),
    ("more/shapes.yaml", "outside: {trunk.kind:", "outside: {trunk.kid:", "more/shapes.yaml:2:13: define.outside"),
    ("more/shapes.yaml", "define:", "defne:", "more/shapes.yaml:1:1: defne: defne cannot stand in an included"),
    ("policy.yaml", "rules:", "define: {outside: {lists.shown: dno}}\nrules:",
     "more/shapes.yaml:2:3: define.outside: is defined in policy.yaml:1:10 already; write it in one of them"),
    ("more/deeper.yaml", "rules: [", "rules: [{include: shapes.yaml}, ", "more/deeper.yaml:1:10: rules[0].include"),
    ("policy.yaml", "more/shapes.yaml", "more/shape.yaml", "policy.yaml:3:5: rules[1].include: more/shape.yaml cannot"),
    ("policy.yaml", "include: more/shapes.yaml", "include: 7", "policy.yaml:3:5: rules[1].include: 7 is no file"),
    ("policy.yaml", "include: more", "name: x\n    include: more", "policy.yaml:3:5: rules[1] (x).name: name"),
    ("more/deeper.yaml", "rules: [", "rules: {", "more/deeper.yaml"),
    ("more/deeper.yaml", DEEPER, "rules: x", "more/deeper.yaml:1:1: rules: must be a list of rules; begin each with"),
    ("more/deeper.yaml", DEEPER, "[]", "more/deeper.yaml:1:1: an included file is a map; of define and rules"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "instead", "told"), WRONG, ids=[told for _, _, _, told in WRONG])
def test_a_problem_is_told_where_it_stands(files: Path, file: str, text: str, instead: str, told: str) -> None:
    written = (files / file).read_text()
    assert text in written
    (files / file).write_text(written.replace(text, instead, 1))
    assert any(problem.startswith(told) for problem in errors(files)), errors(files)


def test_a_policy_in_a_file_by_itself(files: Path) -> None:
    text = PolicyText.of_file(files / "policy.yaml")
    assert text.problems == []
    assert len(text.plain["rules"]) == 4
    assert len(text.octets) == 3


# ------------------------------------------------------------------------------------------ dates in files

HOLIDAYS = "# when nobody is here\n2027-11-25   # Thanksgiving\n12-25\n\n"
CLOSED = "rules:\n  - {name: closed, when: {time: {zone: utc, dates: %s}}, reject: contract}\n"


def closed(files: Path, dates: str) -> Time:
    """The time of a rule with these dates."""
    (files / "policy.yaml").write_text(CLOSED % dates)
    found = load(files / "sipguard.yaml", READ)
    assert found.errors == ()
    time = found.policy.rules[0].when
    assert isinstance(time, Time)
    return time


def test_dates_may_stand_in_a_file(files: Path) -> None:
    (files / "holidays.txt").write_text(HOLIDAYS)
    (files / "more/deeper.yaml").write_text(CLOSED.replace("closed", "third") % "{file: ../holidays.txt}")
    alone = closed(files, "{file: holidays.txt}")
    assert alone.dates == closed(files, '[2027-11-25, "12-25"]').dates
    assert closed(files, "[{file: holidays.txt}, 2027-07-05]").dates == alone.dates | {day(2027, 7, 5)}
    (files / "policy.yaml").write_text(MAIN)
    found = load(files / "sipguard.yaml", READ)
    assert found.errors == ()
    third = found.policy.rules[2].when
    assert isinstance(third, Time) and third.dates == alone.dates


def test_another_holiday_is_another_revision(files: Path) -> None:
    (files / "policy.yaml").write_text(CLOSED % "{file: holidays.txt}")
    (files / "holidays.txt").write_text(HOLIDAYS)
    before = load(files / "sipguard.yaml", READ).ruleset
    (files / "holidays.txt").write_text(HOLIDAYS + "2027-12-24\n")
    after = load(files / "sipguard.yaml", READ).ruleset
    assert before is not None and after is not None and before.revision != after.revision


WRONG_DATES = [
    ("{file: none.txt}", None, "policy.yaml:2:45: rules[0] (closed).when.time.dates: none.txt cannot be read: No such"),
    ("{file: h.txt}", "2027-13-01\n", "h.txt:1:1: 2027-13-01 is no date; write 2027-01-31, or 12-25 for every year"),
    ("[{file: h.txt}]", "# none\n", "h.txt:1:1: no date stands here; write one in each line"),
    ("{fil: h.txt}", "", "policy.yaml:2:45: rules[0] (closed).when.time.dates: a map is no date; write"),
]


@pytest.mark.parametrize(("dates", "text", "told"), WRONG_DATES, ids=[told[:20] for *_, told in WRONG_DATES])
def test_what_is_wrong_with_dates_in_a_file(files: Path, dates: str, text: str | None, told: str) -> None:
    if text is not None:
        (files / "h.txt").write_text(text)
    (files / "policy.yaml").write_text(CLOSED % dates)
    (found,) = errors(files)
    assert found.startswith(told)


def day(*of: int) -> int:
    return (date(*of) - date(1970, 1, 1)).days


@pytest.mark.parametrize("written", ["2027-02-31", "2027-13-01", "2027-01-31T25:00:00Z"])
def test_a_date_that_no_calendar_has_is_told_where_it_stands(files: Path, written: str) -> None:
    (files / "more/deeper.yaml").write_text(DEEPER.replace("label:", f"until: {written}, label:"))
    (found,) = errors(files)
    assert found.startswith("more/deeper.yaml:1:56: ") and f"{written} is no date; write 2027-01-31" in found


def test_a_number_that_cannot_be_read_is_told(files: Path) -> None:
    (files / "more/deeper.yaml").write_text(DEEPER.replace("failed", "9" * 5000))
    (found,) = errors(files)
    assert "deeper.yaml:1:47: a number that is not finite" in found
