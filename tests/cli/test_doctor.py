"""`sipguard doctor`: lines, JSON, exit status; and a bundle that holds no secret, wherever one was planted."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from sipguard.cli.main import main
from tests.e2e.product import configuration

SECRETS = ("hunter2-in-a-file", "hunter3-misplaced", "hunter4-in-a-comment", "hunter5-in-a-url", "hunter6-in-the-log")
NUMBERS = ("12025550121", "2025550121", "(202) 555-0121", "202-555-0131", "2025550131")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration with numbers, and with secrets where they belong and where they do not."""
    (tmp_path / "hep.password").write_text("hunter2-in-a-file\n")
    (tmp_path / "hep.password").chmod(0o600)
    (tmp_path / "blocked.txt").write_text("202-555-0131\n")
    config = configuration(5090)
    config["hep"] = {"address": "127.0.0.1", "password": "hep.password", "node": "hunter2-in-a-file"}
    config["lists"]["blocked"] = {"file": "blocked.txt", "bind": ["caller"]}
    config["trunks"]["carrier"]["upstream"] = {
        "contact": "https://desk:hunter5-in-a-url@carrier.example/ (202) 555-0121"
    }
    file = tmp_path / "sipguard.yaml"
    file.write_text("# password: hunter4-in-a-comment\n" + json.dumps(config, indent=1))
    return file


def misplaced(path: Path) -> None:
    """Writes the secret itself where the path of its file belongs."""
    path.write_text(path.read_text().replace('"password": "hep.password"', '"password": "hunter3-misplaced"'))


def bundled(path: Path) -> dict[str, str]:
    """The parts of the bundle."""
    log = path.with_name("product.log")
    log.write_text(
        '{"event": "trouble", "what": "ValueError: digest of hunter2-in-a-file, +12025550121 to 2025550131"}\n'
        "-----BEGIN PRIVATE KEY-----\nhunter6-in-the-log\n-----END PRIVATE KEY-----\n"
    )
    target = path.with_name("support.tar.gz")
    CliRunner().invoke(main, ["doctor", "-c", str(path), "--bundle", str(target), "--log", str(log)])
    assert target.stat().st_mode & 0o077 == 0
    with tarfile.open(target) as archive:
        return {
            member.name.rpartition("/")[2]: archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }


@pytest.mark.parametrize("broken", [False, True], ids=["as it should be", "a secret in the wrong place"])
def test_no_secret_and_no_number_leaves(path: Path, broken: bool) -> None:
    if broken:
        misplaced(path)
    parts = bundled(path)
    assert {"diagnoses.txt", "configuration.json", "status.json", "metrics.txt", "log.txt"} <= set(parts)
    for name, text in parts.items():
        for planted in (*SECRETS[broken:], *NUMBERS):  # a file that nothing names is not known to hold a secret
            assert planted not in text, f"{name} holds {planted}"
    assert json.loads(parts["configuration.json"])["site"] == "test"
    assert "trouble" in parts["log.txt"]
    assert json.loads(parts["versions.json"])["sipguard"]


def test_what_stands_in_conf_d_is_masked_too(path: Path) -> None:
    (path.parent / "conf.d").mkdir()
    (path.parent / "conf.d" / "more.yaml").write_text('lists: {vip: {members: ["2025550131"], bind: [callee]}}\n')
    parts = bundled(path)
    assert json.loads(parts["configuration.json"])["lists"]["vip"]["members"] == ["202xxxxxxx"]
    assert "2025550131" not in "".join(parts.values())


def test_cases_go_with_the_policy(path: Path) -> None:
    config = json.loads(path.read_text().partition("\n")[2])
    path.write_text(json.dumps(config | {"policy": "policy.yaml"}))
    path.with_name("policy.yaml").write_text("rules: []\n")
    path.with_name("policy_tests.yaml").write_text(
        "tests: [{name: one, call: {from: 12025550121, to: '2025550131'}}]\n"
    )
    parts = bundled(path)
    call = json.loads(parts["policy_tests.json"])["tests"][0]["call"]
    assert call == {"from": "120xxxxxxxx", "to": "202xxxxxxx"}


def test_of_a_configuration_that_is_no_yaml_only_the_problems_leave(path: Path) -> None:
    path.write_text("password: [hunter3-misplaced\n")
    parts = bundled(path)
    assert not any("hunter3-misplaced" in text for text in parts.values())
    assert json.loads(parts["configuration.json"])["problems"]


def test_lines_and_exit_status(path: Path) -> None:
    good = CliRunner().invoke(main, ["doctor", "-c", str(path)])
    assert all(line.split()[0] in ("ok", "warning", "unknown", "problem") for line in good.stdout.splitlines())
    found = json.loads(CliRunner().invoke(main, ["doctor", "--json", "-c", str(path)]).stdout)
    assert {each["subject"] for each in found} >= {"clock", "listener outer", "metrics", "list" + "s", "receive buffer"}
    assert all(each["advice"] for each in found if each["level"] == "problem" and each["subject"] != "configuration")
    assert good.exit_code == any(each["level"] == "problem" for each in found)
    misplaced(path)
    assert CliRunner().invoke(main, ["doctor", "-c", str(path)]).exit_code == 1


def test_a_bundle_that_cannot_be_written(path: Path) -> None:
    done = CliRunner().invoke(main, ["doctor", "-c", str(path), "--bundle", "/proc/none.tar.gz"])
    assert done.exit_code == 1
    assert "/proc/none.tar.gz" in done.stderr
