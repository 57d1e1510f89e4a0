"""Alert rules and board: each metric, label and value that they name exists; each alarm of the README has a rule."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sipguard.screening.verdict import MODES
from sipguard.service.metric_table import METRICS
from sipguard.service.metrics import render
from tests.test_docs import cells, table

ROOT = Path(__file__).parent.parent
RULES = ROOT / "config/prometheus/sipguard.rules.yaml"
BOARD = ROOT / "config/grafana/sipguard.json"
FRONT = ROOT / "config/recipes/kamailio/kamailio.cfg"
ADDED = {"instance", "job"}  # by Prometheus
OTHERS = {  # metrics without cells of their own: label -> its values, None where they are open
    "sipguard_setup_seconds": {"process": None, "le": None},
    "sipguard_certificate_request_seconds": {"process": None, "le": None},
    "sipguard_ruleset_info": {"process": None, "revision": None},
    "sipguard_mode": {"trunk": None, "mode": set(MODES)},
    "sipguard_peer_up": {"trunk": None, "peer": None},
    "sipguard_list_age_seconds": {"list": None},
    "sipguard_lists_stale": {},
    "sipguard_numbering_plan_age_seconds": {"source": None},
    "sipguard_numbering_plan_stale": {},
    "sipguard_trust_info": {"source": {"trust_list", "crl"}, "version": None},
    **{
        f"sipguard_trust_{name}": {"source": {"trust_list", "crl"}}
        for name in ("entries", "age_seconds", "left_seconds", "stale", "failures_total")
    },
    "sipguard_reported_rules_total": {"rule": None, "verdict": {"allow", "label", "reject", "redirect"}},
    "sipguard_peer_tries_total": {"peer": None, "outcome": {"answered", "refused", "failed", "silent"}},
}  # fmt: skip


@cache
def known() -> dict[str, dict[str, set[str] | None]]:
    """Every metric -> its labels -> their values."""
    found: dict[str, dict[str, set[str] | None]] = {name: dict(labels) for name, labels in OTHERS.items()}
    for family in METRICS:
        found[family.name] = {"process": None}
        if family.label:
            found[family.name][family.label] = {value for value, _ in family.cells}
    rendered = set(re.findall(r"^# TYPE (\S+)", render((), {}).decode(), re.MULTILINE))
    assert found.keys() == rendered, "OTHERS is out of date"
    front = FRONT.read_text()
    for name, label in re.findall(r'"prom_counter", "name=(\w+);(?: label=(\w+))?', front):
        ways = set(re.findall(rf'prom_counter_inc\("{name}", "1", "(\w+)"\)', front))
        found[f"kamailio_{name}"] = {label: ways} if label else {}
    return found


def rules() -> list[dict[str, Any]]:
    """All alert rules."""
    groups = YAML(typ="safe").load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """All panels of the board."""
    found: list[dict[str, Any]] = json.loads(BOARD.read_text())["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """(where it stands, expression) of rules and panels."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


EXPRESSIONS = [pytest.param(text, id=f"{where}-{n}") for n, (where, text) in enumerate(expressions())]


def named(expression: str) -> Iterator[tuple[str, str]]:
    """(metric, its selectors) of an expression."""
    for name, selectors in re.findall(r"\b((?:sipguard|kamailio)_\w+)(?:\{([^}]*)\})?", expression):
        yield re.sub(r"_(bucket|sum|count)$", "", name) if "seconds_" in name else name, selectors


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_metrics_and_labels_exist(expression: str) -> None:
    metrics = dict(named(expression))
    assert metrics or "up{" in expression
    labels = set(ADDED)
    for metric, selectors in metrics.items():
        assert metric in known()
        labels |= known()[metric].keys()
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selectors):
            if label in ADDED:
                continue
            assert label in known()[metric], label
            values = known()[metric][label]
            assert values is None or "~" in operator or value in values, value
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        assert set(grouped.split(", ")) <= labels


@pytest.mark.parametrize("metric", [row[0] for row in table("README.md", "metric") if "alarm" in row[1]])
def test_every_alarm_of_the_readme_has_a_rule(metric: str) -> None:
    assert metric in {name for rule in rules() for name, _ in named(rule["expr"])}


def test_rules_say_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "action"} == rule["annotations"].keys()
        used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        kept = re.findall(r"\bby \(([^)]*)\)", rule["expr"])
        assert used <= (set(kept[0].split(", ")) if kept else {*ADDED, "process", "mode", "trunk"})


def test_the_board_can_be_laid_out() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        squares = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not squares & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= squares
        assert panel["type"] == "row" or (panel["targets"] and panel["description"])
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= set(
                re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"])))
            )


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing")
def test_prometheus_accepts_them() -> None:
    place = ROOT / "config/prometheus"
    for ask in (["rules", "sipguard.rules.yaml"], ["config", "scrape.yaml"]):
        done = subprocess.run(["promtool", "check", *ask], cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_tells_of_labels_that_exist() -> None:
    for row in table("README.md", "metric"):
        assert cells("|".join(row))[0] in known()
