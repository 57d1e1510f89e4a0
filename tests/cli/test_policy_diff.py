"""policy diff in words and as JSON, of files and against the configuration."""

from __future__ import annotations

import json
import shutil
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
    for each in SHIPPED.parent.glob("*.yaml"):  # it includes others
        shutil.copy(each, tmp_path)
    file = tmp_path / "policy.yaml"
    text = SHIPPED.read_text()
    rule = "rate.caller.attempts_1m: {over: 60}, rate.caller.short_ratio_1h: {over: 0.45}}\n    mode: report"
    assert rule in text
    file.write_text(text.replace(rule, rule.replace("60", "40").partition("\n")[0]))
    return file


def test_what_changes_is_said_with_a_call(edited: Path) -> None:
    done = diff(str(SHIPPED), str(edited))
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0].startswith("rule caller-burst: when: {trunk.kind")
    assert lines[1] == "  mode: report -> enforce"
    assert lines[2:5] == [
        "  a call from +1 202-555-0100 by carrier-a, rate.caller.attempts_1m: 41, rate.caller.short_ratio_1h: 1",
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
    assert f"{edited}:1:26: rules[0] (a).when.lists.shwn: unknown fact lists.shwn; did you" in done.output


def configuration(directory: Path, **changed: object) -> Path:
    """A whole configuration in a directory of its own."""
    directory.mkdir()
    trunk = {"kind": "interconnect", "sources": ["192.0.2.0/24"], "route": "core"}
    core = {"kind": "interconnect", "peers": ["192.0.2.9:5060"]}
    rule = {"name": "sold", "when": {"trunk.kind": "telemarketing"}, "reject": "contract"}
    written = {
        "site": "dc1",
        "node": "n1",
        "listeners": {"main": {"address": "127.0.0.1"}},
        "trunks": {"customer": trunk, "core": core},
        "policy": {"rules": [rule]},
        **changed,
    }
    (directory / "sipguard.yaml").write_text(json.dumps(written))
    return directory / "sipguard.yaml"


def test_whole_configurations_are_compared(tmp_path: Path) -> None:
    old = configuration(tmp_path / "old")
    trunks = json.loads(old.read_text())["trunks"]
    seller = {**trunks["customer"], "kind": "telemarketing", "verify": False}
    new = configuration(tmp_path / "new", trunks={**trunks, "customer": seller}, node="n2")
    done = CliRunner().invoke(main, ["policy", "diff", str(old), str(new)])
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        "trunks.customer.kind: interconnect -> telemarketing",
        "  a call from +1 202-555-0100 by customer, whatever else it is",
        "    before: allow by the default",
        "    after:  reject by rule sold, basis contract, answered 403 Forbidden",
        "node: n1 -> n2",
        "trunks.customer.verify: added: false",
        "3 change(s)",
    ]
    assert CliRunner().invoke(main, ["policy", "diff", str(old), str(old)]).exit_code == 0


def test_a_policy_beside_a_configuration_is_read_by_its_words(tmp_path: Path) -> None:
    whole = configuration(tmp_path / "whole")
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        json.dumps({"rules": [{"name": "sold", "when": {"trunk.name": "customer"}, "reject": "contract"}]})
    )
    done = CliRunner().invoke(main, ["policy", "diff", str(policy), str(whole)])
    assert done.exit_code == 1, done.output
    assert "rule sold: when: {trunk.name: customer} -> {trunk.kind: telemarketing}" in done.output


def test_a_configuration_with_an_error_is_not_compared(tmp_path: Path) -> None:
    old, new = configuration(tmp_path / "old"), configuration(tmp_path / "new", mode="sometimes")
    done = CliRunner().invoke(main, ["policy", "diff", str(old), str(new)])
    assert done.exit_code == 2
    assert f"{new}:1:" in done.output
