"""`sipguard lists`: the lists of a configuration, and what stands on them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sipguard.cli.main import main
from sipguard.settings.load import load
from tests.e2e.product import configuration


@dataclass
class Ground:
    """A configuration with lists beside it."""

    path: Path

    def run(self, *arguments: str) -> Result:
        """`sipguard lists ARGUMENTS`."""
        return CliRunner().invoke(main, ["lists", *arguments, "-c", str(self.path)])

    def json(self, *arguments: str) -> Any:
        """What it prints with --json."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def build(self) -> None:
        """Builds the lists, as a start does."""
        assert not load(self.path).errors


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    (tmp_path / "dno.txt").write_text("+12025550100\n+1202555012*\n")
    os.utime(tmp_path / "dno.txt", (1_700_000_000, 1_700_000_000))
    config = configuration(5060)
    config["policy"] = {"rules": []}
    config["lists"] = {
        "dno": {"file": "dno.txt", "bind": ["shown", "asserted"]},
        "consent": {"members": ["+12025550100,+12125550123"], "kind": "pairs", "bind": ["pair"]},
    }
    path = tmp_path / "sipguard.json"
    path.write_text(json.dumps(config))
    return Ground(path)


def test_ls_shows_every_list(ground: Ground) -> None:
    ground.build()
    lines = ground.run("ls").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["list", "kind"], ["dno", "numbers"], ["consent", "pairs"]]
    assert lines[1].endswith("dno.txt")
    dno, consent = ground.json("ls")
    assert (dno["entries"], dno["changed_at"], dno["bind"]) == (2, 1_700_000_000, ["shown", "asserted"])
    assert (consent["entries"], consent["age_s"], consent["file"]) == (1, None, None)


def test_ls_builds_nothing(ground: Ground) -> None:
    assert ground.json("ls")[0]["entries"] is None
    assert "not built yet" in ground.run("ls").stdout
    assert not (ground.path.parent / "state").exists()


def test_ls_shows_what_is_wrong_with_a_list(ground: Ground) -> None:
    (ground.path.parent / "dno.txt").write_text("alice\n")
    result = ground.run("ls")
    assert result.exit_code == 2
    assert "dno.txt:1:1: alice is no telephone number" in result.stderr
