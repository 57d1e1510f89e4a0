"""How old lists are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sipguard.numbers.plan import PlanDate
from sipguard.screening.listspec import ListSpec
from sipguard.service.list_ages import Dated, dated, rows, stale_lines
from sipguard.service.list_metrics import list_metrics, plan_metrics

WRITTEN_AT = 1_760_000_000
DAY_S = 86_400.0


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "dnc.txt"
    path.write_text("")
    os.utime(path, (WRITTEN_AT, WRITTEN_AT))
    return str(path)


@pytest.mark.parametrize(
    ("max_age_s", "days", "stale"),
    [(0.0, 1000.0, False), (31 * DAY_S, 31.0, False), (31 * DAY_S, 31.1, True), (31 * DAY_S, -1.0, False)],
)
def test_a_list_is_stale_when_it_is_older_than_it_may_be(file: str, max_age_s: float, days: float, stale: bool) -> None:
    assert Dated("dnc", file, max_age_s).stale(WRITTEN_AT + days * DAY_S) is stale


def test_one_whose_file_is_gone_is_stale_if_it_may_be() -> None:
    assert Dated("dnc", "/nowhere", 1.0).stale(0.0)
    assert not Dated("dno", "/nowhere", 0.0).stale(0.0)


def test_metrics_say_how_old_and_how_many(file: str) -> None:
    lists = (Dated("dnc", file, 31 * DAY_S), Dated("dno", file, 0.0), Dated("gone", "/nowhere", 0.0))
    age, stale = list_metrics(lists, WRITTEN_AT + 40 * DAY_S)
    assert {sample.labels["list"]: sample.value for sample in age.samples} == {"dnc": 40 * DAY_S, "dno": 40 * DAY_S}
    assert [sample.value for sample in stale.samples] == [1]


def test_status_names_those_that_are_stale(file: str) -> None:
    found = rows(dated([ListSpec("dnc", file=file, max_age_s=31 * DAY_S), ListSpec("vip", members=("911",))]))
    assert [each["list"] for each in found] == ["dnc"]
    (line,) = stale_lines(found)
    assert line.startswith("dnc is STALE: ") and line.endswith("at most 31 days are allowed")
    (line,) = stale_lines(rows([Dated("dnc", "/nowhere", DAY_S)]))
    assert line == "dnc is STALE: its file is gone, at most 1 days are allowed"


def test_an_imported_list_is_as_old_as_its_data(file: str) -> None:
    (of,) = dated([ListSpec("dnc", path=file, imported=True, dated_at=WRITTEN_AT - 10 * DAY_S, max_age_s=DAY_S)])
    assert (of.age_s(WRITTEN_AT), of.stale(WRITTEN_AT)) == (10 * DAY_S, True)
    (built,) = dated([ListSpec("dno", path=file, file=file, dated_at=1.0)])
    assert built.age_s(WRITTEN_AT) == 0.0


def test_metrics_say_how_old_plan_and_report_are() -> None:
    dates = (PlanDate("plan", WRITTEN_AT, 92 * DAY_S), PlanDate("npa_report", WRITTEN_AT + 60 * DAY_S, 92 * DAY_S))
    age, stale = plan_metrics(dates, WRITTEN_AT + 93 * DAY_S)
    assert {each.labels["source"]: each.value for each in age.samples} == {"plan": 93 * DAY_S, "npa_report": 33 * DAY_S}
    assert [each.value for each in stale.samples] == [1]
