"""What is shipped beside the program: the systemd unit and its snippets, the image, the locked dependencies."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from click.testing import CliRunner

from sipguard.cli.main import main
from sipguard.settings.load import load
from sipguard.settings.model import Config, DrainShape
from sipguard.settings.sources import READ
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


def test_the_shipped_configuration_lies_below_etc_as_the_readme_says(tmp_path: Path) -> None:
    (line,) = re.findall(r"^    sipguard (init .*) /etc/sipguard$", (ROOT / "README.md").read_text(), re.MULTILINE)
    etc = tmp_path / "etc"
    assert CliRunner().invoke(main, [*line.split(), str(etc)]).exit_code == 0
    loaded = load(etc / "sipguard.yaml", READ)
    assert loaded.errors == ()
    found = loaded.service
    assert found is not None
    config = Config.model_fields
    assert str(found.run_directory) == config["run"].get_default().directory
    assert str(found.state_directory) == config["state"].get_default().directory
    assert str(found.journal_directory) == config["journal"].get_default().directory
    assert str(found.database) == config["records"].get_default().database


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


# ------------------------------------------------------------------------------------------ dependencies


def locked(name: str) -> dict[str, str]:
    """Package -> its lines, with version and hashes."""
    blocks = re.split(r"^(?=\w)", (ROOT / name).read_text(), flags=re.MULTILINE)
    return {block.partition("==")[0]: block for block in blocks if "==" in block}


def test_the_lock_of_the_image_is_a_part_of_the_lock() -> None:
    whole, part = locked("requirements.lock"), locked("requirements.runtime.lock")
    assert part.items() <= whole.items(), "make lock"
    assert all("--hash=sha256:" in block for block in part.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[<>=;]", each)[0].replace(".", "-") for each in project["dependencies"]}
    assert named <= part.keys(), "make lock"
    assert not {"pytest", "mypy", "atheris"} & part.keys()


# ------------------------------------------------------------------------------------------ the image


def instructions() -> list[tuple[str, str]]:
    """(instruction, its arguments) of the Dockerfile."""
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE))
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    """The instructions that make the image itself."""
    found = instructions()
    return found[max(n for n, (what, _) in enumerate(found) if what == "FROM") :]


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out of what is sent to the engine; the last line that matches counts."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if fnmatch(path, pattern) or path.startswith(f"{pattern}/"):
            ignored = not line.startswith("!")
    return ignored


def test_instructions_are_known_and_bases_are_fixed() -> None:
    known = {"FROM", "RUN", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {what for what, _ in instructions()} <= known, "ADD fetches and unpacks, ARG and ENV may leak"
    for base in (arguments.split()[0] for what, arguments in instructions() if what == "FROM"):
        assert re.fullmatch(r"[a-z]+:[a-z0-9.-]+", base)
        assert not base.endswith(":latest")


def test_what_is_copied_exists_and_is_sent() -> None:
    stages = {arguments.split()[-1] for what, arguments in instructions() if what == "FROM" and " AS " in arguments}
    sources: list[str] = []
    for what, arguments in instructions():
        if what == "COPY":
            words = arguments.split()
            if words[0].startswith("--from="):
                assert words[0].removeprefix("--from=") in stages
            else:
                sources += words[:-1]
    assert {"requirements.runtime.lock", "sipguard"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not is_ignored(source), source
    assert is_ignored("tests") and is_ignored("var") and is_ignored(".git")


def test_dependencies_come_by_hash() -> None:
    runs = [arguments for what, arguments in instructions() if what == "RUN"]
    for run in runs:
        if "pip install" in run:
            assert "--require-hashes" in run and "--no-cache-dir" in run and "--only-binary :all:" in run
        if "apt-get install" in run:
            assert "apt-get update" in run and "--no-install-recommends" in run and "rm -rf /var/lib/apt/lists" in run


def test_the_image_is_not_root_and_says_how_it_is() -> None:
    found = dict(last_stage())
    assert re.fullmatch(r"[1-9][0-9]+:[1-9][0-9]+", found["USER"]), (
        "numbers: an orchestrator can see that it is not root"
    )
    order = [what for what, _ in last_stage()]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert not {"RUN", "COPY"} & set(order[order.index("USER") :])
    for what in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(found[what]), list), "a shell would keep the signals"
    assert json.loads(found["HEALTHCHECK"].partition("CMD ")[2])[0] == "sipguard"
    assert found["STOPSIGNAL"] == "SIGTERM"
    directories = {Config.model_fields[key].get_default().directory for key in ("run", "state")}
    assert all(directory in dict(last_stage())["RUN"] for directory in directories)


def test_its_command_is_the_command() -> None:
    script = ROOT / "config/docker/sipguard"
    assert script.read_text().startswith("#!/opt/sipguard/bin/python\n")
    done = subprocess.run(
        [sys.executable, str(script), "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("sipguard ")


def test_make_test_looks_for_load_tests_where_they_are() -> None:
    """It collects this folder only for them: to collect all tests takes longer than some of them."""
    assert "pytest -m load tests/e2e\n" in (ROOT / "Makefile").read_text()
    marked = [
        path for path in (ROOT / "tests").rglob("test_*.py") if re.search(r"pytest\.mark\.load\b", path.read_text())
    ]
    assert marked and all(path.parent == ROOT / "tests/e2e" for path in marked)
