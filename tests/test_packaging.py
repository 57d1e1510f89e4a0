"""What is shipped beside the program: the systemd unit and its snippets."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sipguard.settings.model import Config, DrainShape
from sipguard.settings.units import seconds

ROOT = Path(__file__).parent.parent
SYSTEMD = ROOT / "config/systemd"


def unit() -> dict[str, str]:
    """The section [Service]."""
    parser = configparser.RawConfigParser(strict=True, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(SYSTEMD / "sipguard.service")
    return dict(parser["Service"])


def test_the_unit_notifies_and_is_watched() -> None:
    service = unit()
    assert service["Type"] == "notify"
    assert seconds(service["WatchdogSec"]) > 10, "sipguard itself starts a hung worker again after 10 s"
    assert service["Restart"] == "always"
    assert seconds(service["TimeoutStopSec"]) > DrainShape().deadline + 40


def test_the_directories_of_the_unit_are_those_of_the_settings() -> None:
    service, config = unit(), Config.model_fields
    assert f"/run/{service['RuntimeDirectory']}" == config["run"].get_default().directory
    assert f"/var/lib/{service['StateDirectory']}" == config["state"].get_default().directory
    made = re.findall(r"^d (\S+) ", (SYSTEMD / "tmpfiles.conf").read_text(), re.MULTILINE)
    assert {"/run/sipguard", "/var/lib/sipguard", "/etc/sipguard", "/etc/sipguard/conf.d"} <= set(made)


def test_the_unit_for_several_differs_in_names_only() -> None:
    one, several = (
        (SYSTEMD / name).read_text().partition("[Unit]")[2] for name in ("sipguard.service", "sipguard@.service")
    )
    for named, plain in (
        (" %i,", ","), ("sipguard/%i.yaml", "sipguard/sipguard.yaml"), ("Directory=sipguard/%i", "Directory=sipguard")
    ):  # fmt: skip
        assert named in several
        several = several.replace(named, plain)
    assert several == one


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
@pytest.mark.parametrize("ask", [["verify", "--man=no"], ["security", "--offline=true", "--threshold=25"]])
def test_systemd_accepts_the_unit(tmp_path: Path, ask: list[str]) -> None:
    """Verified, and below an exposure of 2.5; the program is not where the unit says on this machine."""
    copy = tmp_path / "sipguard.service"
    copy.write_text((SYSTEMD / "sipguard.service").read_text().replace("/opt/sipguard/bin/sipguard", "/bin/true"))
    done = subprocess.run(["systemd-analyze", *ask, str(copy)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is missing")
def test_the_user_can_be_made() -> None:
    done = subprocess.run(
        ["systemd-sysusers", "--dry-run", str(SYSTEMD / "sysusers.conf")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
