"""Cases beside a policy: what passes, what a failure says, and what is wrong with a case, where it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from sipguard.cli.main import main
from tests.e2e.product import ROOT, configuration

CASES = """call: {trunk: carrier, from: "+12025550101", to: "+12125550123"}
tests:
  - name: listed
    facts: {lists.shown: dno}
    expect: {verdict: reject, rule: dno, status: 403, basis: dno, tags: [], label: false}
  - name: held, not listed
    call: {from: "+12025550111"}
    expect: {rule: dno}
  - name: emergency
    call: {to: "911"}
    facts: {lists.shown: dno}
    expect: {verdict: allow, rule: emergency}
  - name: lists missing
    failed: lists
    expect: {verdict: allow, rule: default}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with two rules, and CASES beside it."""
    settings = configuration(5070)
    settings["lists"] = {"dno": {"members": ["+12025550111"], "bind": ["shown"]}}
    settings["policy"] = {
        "rules": [
            {"name": "dno", "when": {"lists.shown": "dno"}, "reject": "dno"},
            {"name": "failed", "when": {"identity.result": "failed"}, "label": {"prefix": "SPAM? "}},
        ]
    }
    with (tmp_path / "sipguard.yaml").open("w") as file:
        YAML(typ="safe").dump(settings, file)
    (tmp_path / "policy_tests.yaml").write_text(CASES)
    return tmp_path / "sipguard.yaml"


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["policy", "test", "-c", str(config), *arguments])


def test_the_shipped_policy_does_what_its_cases_expect_and_each_rule_has_one() -> None:
    done = run(ROOT / "config/sipguard.yaml", "--covered")
    assert done.exit_code == 0, done.output


def test_cases_pass_and_rules_without_one_are_named(config: Path) -> None:
    done = run(config)
    assert done.output.splitlines() == ["not covered: failed", "4 of 4 cases passed; 1 of 2 rules covered"]
    assert (done.exit_code, run(config, "--covered").exit_code) == (0, 1)


def test_a_failure_says_what_came_and_why(config: Path) -> None:
    cases = config.parent / "other.yaml"
    cases.write_text(
        CASES.replace("facts: {lists.shown: dno}\n    expect: {verdict: reject", "expect: {verdict: reject")
    )
    done = run(config, str(cases))
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0] == f"FAILED  listed  ({cases}:3:5)"
    assert "  verdict: expected reject, got allow" in lines
    assert any("{lists.shown: dno}: lists.shown is none" in line for line in lines)
    found = json.loads(run(config, str(cases), "--json").output)
    assert found["ok"] is False
    assert found["cases"][0]["differs"]["rule"] == {"expected": "dno", "got": "default"}
    assert found["coverage"] == {"dno": 1, "failed": 0}


def test_an_invite_in_a_file_says_who_calls(config: Path) -> None:
    (config.parent / "call.txt").write_text(
        "INVITE sip:+12125550123@192.0.2.1 SIP/2.0\nFrom: <sip:+12025550111@a.example>;tag=1\n"
        "To: <sip:+12125550123@192.0.2.1>\n\n"
    )
    (config.parent / "policy_tests.yaml").write_text(
        "tests: [{name: a, call: {trunk: carrier}, invite: call.txt, expect: {rule: dno}}]"
    )
    assert run(config).exit_code == 0


def test_a_case_is_tried_on_each_trunk_that_it_does_not_leave_out(config: Path) -> None:
    settings = YAML(typ="safe").load(config.read_text())
    settings["trunks"]["other"] = {**settings["trunks"]["carrier"], "sources": ["192.0.2.77"]}
    with config.open("w") as file:
        YAML(typ="safe").dump(settings, file)
    cases = config.parent / "each.yaml"
    cases.write_text(
        """call: {from: "+12025550101", to: "+12125550123"}
tests:
  - {name: on all, facts: {lists.shown: dno}, expect: {rule: dno}}
  - {name: on some, call: {trunk: [carrier, elsewhere]}, facts: {lists.shown: dno}, expect: {rule: dno}}
"""
    )
    found = json.loads(run(config, str(cases), "--json").output)
    assert [each["name"] for each in found["cases"]] == [
        "on all, by carrier",
        "on all, by other",
        "on some, by carrier",
    ]
    cases.write_text("tests: [{name: a, call: {trunk: [x, y], from: '1', to: '2'}, expect: {rule: dno}}]")
    assert "tests[0] (a).call.trunk: none of these is a trunk that calls come in" in run(config, str(cases)).output


def test_cases_stand_beside_the_files_that_a_policy_includes(config: Path) -> None:
    settings = YAML(typ="safe").load(config.read_text())
    dno, failed = settings["policy"]["rules"]
    settings["policy"] = {"rules": [{"include": "law.yaml"}, failed]}
    with config.open("w") as file:
        YAML(typ="safe").dump(settings, file)
    with (config.parent / "law.yaml").open("w") as file:
        YAML(typ="safe").dump({"rules": [dno]}, file)
    (config.parent / "policy_tests.yaml").write_text(
        "tests: [{name: own, call: {from: '+12025550101', to: '911'}, expect: {rule: emergency}}]"
    )
    (config.parent / "law_tests.yaml").write_text(
        "tests: [{name: law, call: {from: '+12025550101', to: '+12125550123'}, facts: {lists.shown: dno},"
        " expect: {rule: dno}}]"
    )
    assert run(config).output.splitlines() == [
        "not covered: failed",
        "2 of 2 cases passed; 1 of 2 rules covered",
    ]


WRONG = [
    ("listed\n", "listed\n    fact: {}\n", ":4:5: tests[0] (listed).fact: unknown key fact; did you mean facts?"),
    ("trunk: carrier", "trunk: carier", "tests[0] (listed).call.trunk: carier is no trunk; did you mean carrier?"),
    ("rule: dno,", "rule: dnoo,", "tests[0] (listed).expect.rule: dnoo is no rule; did you mean dno?"),
    ("verdict: reject", "verdict: rejected", "did you mean reject?"),
    ("lists.shown: dno", "lists.shwn: dno", ":4:13: tests[0] (listed).facts.lists.shwn: unknown fact"),
    ("failed: lists", "failed: list", "tests[3] (lists missing).failed: list is no check; did you mean lists?"),
    ("name: emergency", "name: listed", "tests[2] (listed).name: a second case with the name listed"),
    ("status: 403", 'status: "403"', "tests[0] (listed).expect.status: 403 is no SIP status; write 403 without quotes"),
    ("basis: dno", "basis: default", "tests[0] (listed).expect.basis: default is no basis; known are"),
    (
        "lists.shown: dno",
        "lists.shown: dnoo",
        "tests[0] (listed).facts.lists.shown: unknown list dnoo; did you mean dno?",
    ),
    ("trunk: carrier", "trunk: hop", "tests[0] (listed).call.trunk: no calls come in by hop, which has no sources"),
    ("expect: {rule: dno}", "expect: {}", "tests[1] (held, not listed).expect: expects nothing"),
    ("expect: {rule: dno}", "invite: none.txt\n    expect: {rule: dno}", "none.txt cannot be read"),
    ('call: {from: "+12025550111"}', "call: {at: noon}", "tests[1] (held, not listed).call.at: noon is no time"),
    ('from: "+12025550101", ', "", "tests[0] (listed): does not say from whom"),
]


@pytest.mark.parametrize(("text", "instead", "told"), WRONG, ids=[instead for _, instead, _ in WRONG])
def test_what_is_wrong_with_a_case(config: Path, text: str, instead: str, told: str) -> None:
    file = config.parent / "policy_tests.yaml"
    assert text in CASES
    file.write_text(CASES.replace(text, instead, 1))
    done = run(config)
    assert done.exit_code == 2
    assert told in done.output and str(file) in done.output
