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
    assert lines[0].startswith(f"{here}:5:5: warning: rules[1]: every call that matches has matched above")
    assert lines[1].startswith(f"{here}:2:3: warning: define.idle: nothing uses idle")
    found = json.loads(CliRunner().invoke(main, ["policy", "lint", "--json", "-c", str(config)]).output)
    assert [each["line"] for each in found] == [5, 2, 3]


def test_a_list_that_nobody_imported_is_named(config: Path) -> None:
    settings = YAML(typ="safe").load(config)
    settings["lists"]["dno"] = {"bind": ["shown"]}
    YAML(typ="safe").dump(settings, config)
    done = CliRunner().invoke(main, ["policy", "lint", "-c", str(config)])
    assert "rules[0].when: nothing was imported as dno yet" in done.output
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
