"""Starting points: complete where they are shipped and where they are written, proved, written over nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sipguard.cli import init as init_command
from sipguard.cli.main import main
from sipguard.proof.prove import prove
from sipguard.screening.ruleset import Ruleset
from sipguard.service.starting_points import STARTS, Exists, configuration_of, write
from sipguard.settings.load import load
from sipguard.settings.remarks import remarks_on
from sipguard.settings.sources import READ

DAY = 20_783  # 2026-11-26
AT = 1_795_705_200.0
NAMES = tuple(STARTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_start_is_without_errors_and_remarks_where_it_is_shipped(name: str) -> None:
    found = load(configuration_of(name), READ)
    assert found.errors == ()
    assert {problem.path for problem in found.problems} <= {("identity", "anchors")}, "whom to trust is not ours to say"
    assert remarks_on(found, DAY) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_written_start_passes_its_cases_and_each_rule_has_one(name: str, tmp_path: Path) -> None:
    write(name, tmp_path / "etc")
    done = CliRunner().invoke(main, ["policy", "test", "--covered", "-c", str(tmp_path / "etc/sipguard.yaml")])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", NAMES[1:])  # the first is proved in tests/proof
def test_a_start_harms_no_emergency_call(name: str, tmp_path: Path) -> None:
    write(name, tmp_path)
    ruleset = load(tmp_path / "sipguard.yaml").ruleset
    assert ruleset is not None
    proof = prove(Ruleset.open(ruleset), AT, lambda: 0.0, 60.0)
    assert proof.holds and proof.whole


def test_what_is_written_names_nothing_outside(tmp_path: Path) -> None:
    for name in NAMES:
        for file in write(name, tmp_path / name):
            assert "../" not in file.read_text(), file
        assert not (tmp_path / name / "starts").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/dno.txt").write_text("mine")
    with pytest.raises(Exists, match=r"lists/dno\.txt; nothing was written"):
        write("transit", tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["dno.txt", "lists"]
    done = CliRunner().invoke(main, ["init", "--start", "transit", str(tmp_path)])
    assert (done.exit_code, (tmp_path / "lists/dno.txt").read_text()) == (1, "mine")


def test_for_the_system_it_writes_where_the_unit_has_it(tmp_path: Path) -> None:
    write("us-provider", tmp_path / "a", system=True)
    write("gateway", tmp_path / "b", system=True)
    for each in ("a", "b"):
        service = load(tmp_path / each / "sipguard.yaml", READ).service
        assert service is not None
        places = (service.run_directory, service.state_directory, service.journal_directory, service.database)
        assert list(map(str, places)) == [
            "/run/sipguard",
            "/var/lib/sipguard",
            "/var/lib/sipguard/journal",
            "/var/lib/sipguard/records.sqlite",
        ]


def test_the_command_offers_all_of_them_with_what_they_are() -> None:
    assert init_command._NAMES == NAMES
    told = CliRunner().invoke(main, ["init", "--help"]).output
    for name in NAMES:
        assert f"\n    {name} " in told
