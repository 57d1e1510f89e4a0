"""policy diff in words and as JSON, of files and against the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sipguard.cli.main import main
from tests.e2e.product import ROOT

SHIPPED = ROOT / "config/policy.yaml"


def diff(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["policy", "diff", "-c", str(ROOT / "config/sipguard.yaml"), *arguments])


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """The shipped policy, one of its rules enforced from a lower bound on."""
    file = tmp_path / "policy.yaml"
    text = SHIPPED.read_text()
    rule = "rate.caller.attempts_1m: {over: 60}}\n    mode: report"
    assert rule in text
    file.write_text(text.replace(rule, "rate.caller.attempts_1m: {over: 40}}"))
    return file


def test_what_changes_is_said_with_a_call(edited: Path) -> None:
    done = diff(str(SHIPPED), str(edited))
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0].startswith("rule caller-burst: when: {trunk.kind")
    assert lines[1] == "  mode: report -> enforce"
    assert lines[2:5] == [
        "  a call from +1 202-555-0100 by carrier-a, rate.caller.attempts_1m: 41",
        "    before: allow by the default",
        "    after:  reject by rule caller-burst, basis analytics, answered 603 Network Blocked",
    ]
    assert lines[-1] == "1 change(s)"


def test_without_new_it_is_the_policy_of_the_configuration(edited: Path) -> None:
    (found,) = json.loads(diff(str(edited), "--json").output)
    assert found["about"] == "rule caller-burst"
    assert found["samples"][0]["after"]["action"] == "allow"
    assert diff(str(SHIPPED)).exit_code == 0


def test_a_policy_with_an_error_is_not_compared(edited: Path) -> None:
    edited.write_text("rules: [{name: a, when: {lists.shwn: dno}, reject: dno}]")
    done = diff(str(edited))
    assert done.exit_code == 2
    assert f"{edited}:1:26: rules[0].when.lists.shwn: unknown fact lists.shwn; did you mean" in done.output
