"""A compiled numbering plan, asked by number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sipguard.numbers.errors import PlanError
from sipguard.numbers.plan import FORMAT, NOWHERE, Plan

WRITTEN = {
    "format": FORMAT,
    "version": "9",
    "npas": ["212"],
    "places": [["", "", "", []], ["US", "NY", "fixed_or_mobile", ["America/New_York"]], ["GB", "", "", []]],
    "prefixes": {"1": 0, "1212": 1, "44": 2},
}


def test_the_longest_prefix_counts(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(WRITTEN), encoding="utf-8")
    plan = Plan.open(str(file))
    assert plan.version == "9"
    assert plan.place("12125550100").region == "NY"
    assert plan.place("12025550100").country == ""
    assert plan.place("442079460000").country == "GB"
    assert plan.place("4").country == plan.place("").country == NOWHERE.country
    assert not plan.is_unassigned("212")
    assert plan.is_unassigned("202")
    assert Plan.open(str(file), frozenset({"202"})).is_unassigned("212")


def test_without_a_file_nothing_is_known() -> None:
    assert Plan.open("").place("12125550100") is NOWHERE
    assert not Plan.open("").is_unassigned("212")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", json.dumps(WRITTEN | {"format": 0}), json.dumps(WRITTEN | {"prefixes": {"1": 9}}), '{"format": 1'],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError):
        Plan.open(str(file))
