"""`sipguard policy prove`: what it prints, as text and as JSON, and its exit statuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from sipguard.cli.main import main

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = tmp_path / "config"
    shutil.copytree(SHIPPED, directory)
    return directory / "sipguard.yaml"


def eaten(path: Path) -> None:
    """The pattern of a trunk's prefix may take the first digits of an emergency number away."""
    text = path.read_text()
    path.write_text(text.replace('      tech_prefix: ""  ', '      tech_prefix: "9?1*"', 1))


def test_the_shipped_configuration_holds(path: Path) -> None:
    done = CliRunner().invoke(main, ["policy", "prove", "-c", str(path)])
    assert done.exit_code == 0, done.output
    assert "no emergency call is harmed" in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "2,580 emergency calls were placed by 4 trunks, in 22 states of sipguard."
    overload = next(line for line in lines if line.startswith("  overload "))
    assert overload.split(maxsplit=5)[1:] == ["120", "4", "of", "4", "the socket is far behind: calls are turned away"]
    assert not [line for line in lines if "/4" in line], "counts are told in words"


def test_a_counterexample_is_a_call_and_names_the_setting(path: Path) -> None:
    eaten(path)
    line = next(n for n, each in enumerate(path.read_text().splitlines(), 1) if '"9?1*"' in each)
    done = CliRunner().invoke(main, ["policy", "prove", "-c", str(path)])
    assert done.exit_code == 1
    assert f"by        {path}:{line}:" in done.stdout and "trunks.carrier-a.read.tech_prefix" in done.stdout
    assert "    | INVITE sip:91112@127.0.0.1:5060 SIP/2.0" in done.stdout
    assert "mend      91112 is not taken for 112 there: write another prefix, or none" in done.stdout
    found = json.loads(CliRunner().invoke(main, ["policy", "prove", "--json", "-c", str(path)]).stdout)
    assert found["holds"] is False and found["whole"] is True
    first = found["counterexamples"][0]
    assert first["kind"] == "digits" and first["at"].startswith(f"{path}:{line}:")
    assert first["invite"][0] == "INVITE sip:91112@127.0.0.1:5060 SIP/2.0"


def test_what_there_was_no_time_for_is_told(path: Path) -> None:
    done = CliRunner().invoke(main, ["policy", "prove", "--within", "0", "-c", str(path)])
    assert done.exit_code == 1
    assert "no time was left for carrier-a" in done.stdout
    assert "not everything was gone through" in done.stdout


def test_a_configuration_that_is_wrong_is_not_proved(path: Path) -> None:
    path.write_text(path.read_text().replace("kind: gateway", "kind: gatevay"))
    done = CliRunner().invoke(main, ["policy", "prove", "-c", str(path)])
    assert done.exit_code == 2
    assert "gatevay" in done.stderr and "nothing was proved" in done.stderr
