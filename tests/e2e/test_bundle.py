"""An installation without a network, from what `make bundle` collects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sipguard import __version__
from tests.e2e.product import ROOT

pytestmark = pytest.mark.e2e

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run(*command: str | Path, **environment: str) -> str:
    """The standard output of a command that succeeds."""
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_installation_from_the_bundle(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    run("make", "bundle", f"BUNDLE={bundle}")
    assert (tmp_path / "sipguard-bundle.tar.gz").exists()
    assert {"README.md", "LICENSE", "docs", "config"} <= {each.name for each in bundle.iterdir()}
    python = tmp_path / "venv" / "bin" / "python"
    run(getattr(sys, "_base_executable", sys.executable), "-m", "venv", tmp_path / "venv")
    install = ("install", "--quiet", "--no-compile", "--no-index", "--find-links", bundle)  # compiled where it is used
    run(python, "-m", "pip", *install, "sipguard", **OFFLINE)
    command = python.with_name("sipguard")
    assert run(command, "--version") == f"sipguard {__version__}\n"
    run(command, "check", "-c", bundle / "config" / "sipguard.yaml")
