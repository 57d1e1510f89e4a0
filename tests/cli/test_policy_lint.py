"""policy lint and check show what is odd about a policy, where it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from sipguard.cli.main import main
from tests.e2e.product import configuration

RULES = """define:
  idle: {lists.shown: dno}
rules:
  - {name: a, when: {lists.shown: dno}, reject: dno}
  - {name: b, when: {lists.shown: dno, identity.result: failed}, reject: dno}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with the policy RULES in a file beside it."""
    settings = configuration(5070)
    settings["policy"] = "policy.yaml"
    settings["lists"] = {"dno": {"members": ["+12025550111"], "bind": ["shown"]}}
    (tmp_path / "policy.yaml").write_text(RULES)
    with (tmp_path / "sipguard.yaml").open("w") as file:
        YAML(typ="safe").dump(settings, file)
    return tmp_path / "sipguard.yaml"


def test_remarks_have_their_places(config: Path) -> None:
    done = CliRunner().invoke(main, ["policy", "lint", "-c", str(config)])
    assert done.exit_code == 1
    lines = done.output.splitlines()
    here = f"{config.parent}/policy.yaml"
    assert lines[0].startswith(f"{here}:5:5: warning: rules[1] (b): every call that matches has matched above")
    assert lines[1].startswith(f"{here}:2:3: warning: define.idle: nothing uses idle")
    found = json.loads(CliRunner().invoke(main, ["policy", "lint", "--json", "-c", str(config)]).output)
    assert [each["line"] for each in found] == [5, 2, 3]


def test_a_list_that_nobody_imported_is_named(config: Path) -> None:
    settings = YAML(typ="safe").load(config)
    settings["lists"]["dno"] = {"bind": ["shown"]}
    YAML(typ="safe").dump(settings, config)
    done = CliRunner().invoke(main, ["policy", "lint", "-c", str(config)])
    assert "rules[0] (a).when: nothing was imported as dno yet" in done.output
    assert "sipguard lists import dno FILE" in done.output


def test_check_warns_of_mistakes_only(config: Path) -> None:
    done = CliRunner().invoke(main, ["check", "-c", str(config)])
    assert done.exit_code == 0
    assert "has matched above, in a" in done.output
    assert "idle" not in done.output


def test_errors_end_it(config: Path) -> None:
    (config.parent / "policy.yaml").write_text("rules: [{name: a, when: {lists.shwn: dno}, reject: dno}]")
    done = CliRunner().invoke(main, ["policy", "lint", "-c", str(config)])
    assert done.exit_code == 2
    assert "did you mean lists.shown?" in done.output


REDRESS = {"url": "https://provider.example"}
SAYS = {  # what of a policy -> the policy, redress, where and what
    "can never match": (
        "rules: [{name: a, when: {all: [{identity.attest: A}, {identity.attest: B}]}, reject: contract}]",
        REDRESS,
        ":1:19: warning: rules[0] (a).when: no call can match: {identity.attest: A} and {identity.attest: B} exclude",
    ),
    "is shadowed": (
        "rules:\n  - {name: a, when: {lists.shown: dno}, allow: true}\n"
        "  - {name: b, when: {lists.shown: dno, call.anonymous: false}, reject: dno}",
        REDRESS,
        ":3:5: warning: rules[1] (b): every call that matches has matched above, in a; put b before a, or take it out",
    ),
    "is shadowed by two": (
        "rules:\n  - {name: a, when: {lists.shown: dno, identity.result: passed}, allow: true}\n"
        "  - {name: b, when: {lists.shown: dno, not: {identity.result: passed}}, allow: true}\n"
        "  - {name: c, when: {lists.shown: dno, identity.result: none}, reject: dno}",
        REDRESS,
        ":4:5: warning: rules[2] (c): every call that matches has matched above, in b; put c before b, or take it out",
    ),
    "names a list that nobody imported": (
        "rules: [{name: a, when: {lists.callee: dnc}, reject: contract}]",
        REDRESS,
        ":1:19: warning: rules[0] (a).when: nothing was imported as dnc yet: no condition on it holds, not even under",
    ),
    "has expired": (
        "rules: [{name: a, when: {lists.shown: dno}, reject: dno, until: 2026-01-31}]",
        REDRESS,
        ":1:58: warning: rules[0] (a).until: the rule acts no more: its last day was 2026-01-31; take it out",
    ),
    "has expired on one trunk": (
        "rules: [{name: a, when: {lists.shown: dno}, reject: dno}]\noverrides: {carrier: {a: {until: 2026-01-31}}}",
        REDRESS,
        ":2:27: warning: overrides.carrier.a.until: on trunk carrier rule a acts no more: its last day was 2026-01-31",
    ),
    "lacks a contact": (
        "rules: [{name: a, when: {lists.shown: dno}, reject: dno}]",
        {},
        ":1:1: warning: rules: calls are rejected, and nobody is named to complain to; write redress: {url: ..., tel:",
    ),
    "lacks a contact for its default": (
        "rules: []\ndefault: reject contract",
        {},
        ":1:1: warning: rules: calls are rejected, and nobody is named to complain to; write redress: {url: ..., tel:",
    ),
}


@pytest.mark.parametrize(("policy", "redress", "says"), SAYS.values(), ids=SAYS)
def test_lint_says_of_a_policy(config: Path, policy: str, redress: dict[str, str], says: str) -> None:
    settings = YAML(typ="safe").load(config)
    settings["redress"] = redress
    settings["lists"]["dnc"] = {"bind": ["callee"]}
    with config.open("w") as file:
        YAML(typ="safe").dump(settings, file)
    (config.parent / "policy.yaml").write_text(policy)
    done = CliRunner().invoke(main, ["policy", "lint", "-c", str(config)])
    assert done.exit_code == 1
    assert f"{config.parent}/policy.yaml{says}" in done.output


WRONG = {  # what no policy may say: an error of all commands
    "a list that there is not": ("{lists.shown: dnoo}, reject: dno", "unknown list dnoo; did you mean dno?"),
    "analytics without a contact": ("{lists.shown: dno}, reject: analytics", "needs a redress contact; write redress:"),
}


@pytest.mark.parametrize(("rule", "says"), WRONG.values(), ids=WRONG)
def test_what_lint_takes_for_an_error(config: Path, rule: str, says: str) -> None:
    (config.parent / "policy.yaml").write_text(f"rules: [{{name: a, when: {rule}}}]")
    done = CliRunner().invoke(main, ["policy", "lint", "-c", str(config)])
    assert done.exit_code == 2
    assert says in done.output
