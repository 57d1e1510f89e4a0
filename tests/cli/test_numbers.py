"""The command numbers, on a configuration of its own."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from sipguard.cli.main import main

CONFIG = """
site: lab
node: lab-1
listeners: {udp: {bind: 127.0.0.1}}
trunks: {a: {kind: interconnect, peers: [{host: 192.0.2.1}]}}
policy: {default: allow}
state: {directory: state}
"""


def test_it_shows_class_place_and_zones(tmp_path: Path) -> None:
    (tmp_path / "sipguard.yaml").write_text(CONFIG)
    arguments = ["numbers", "-c", str(tmp_path / "sipguard.yaml"), "212-555-0100", "18005550100", "+15555550100"]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    home, free, unassigned = json.loads(done.stdout)["numbers"]
    assert (home["class"], home["country"], home["region"], home["line"]) == (
        "fictional_555",
        "US",
        "NY",
        "fixed_or_mobile",
    )
    assert home["zones"][0].startswith("America/New_York, now ")
    assert (free["class"], free["line"], free["zones"]) == ("tollfree", "tollfree", [])
    assert unassigned["class"] == "fictional_555"
    text = CliRunner().invoke(main, arguments).stdout
    assert "+1 212-555-0100\n  class    fictional_555\n  country  US\n" in text


def test_a_configuration_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["numbers", "-c", str(tmp_path / "none.yaml"), "12125550100"])
    assert done.exit_code == 1
    assert "none.yaml" in done.stderr


def test_a_plan_is_written_for_other_machines(tmp_path: Path) -> None:
    (tmp_path / "sipguard.yaml").write_text(CONFIG)
    arguments = ["numbers", "-c", str(tmp_path / "sipguard.yaml")]
    done = CliRunner().invoke(main, [*arguments, "--compile", str(tmp_path / "plan.json")])
    assert done.exit_code == 0 and "plan: phonenumbers " in done.stdout
    (tmp_path / "sipguard.yaml").write_text(CONFIG + "numbering: {plan: plan.json}\n")
    written = (tmp_path / "plan.json").read_text()
    assert json.loads(written)["format"] == 1
    dated = f'"dated_at":{json.loads(written)["dated_at"]}'
    assert dated in written
    (tmp_path / "plan.json").write_text(written.replace(dated, '"dated_at":1767225600.0'))
    done = CliRunner().invoke(main, [*arguments, "212-555-0100", "--json"])
    told = json.loads(done.stdout)
    assert (told["numbers"][0]["region"], told["plan_of"]) == ("NY", "2026-01-01")
    assert ", plan of 2026-01-01\n" in CliRunner().invoke(main, [*arguments, "212-555-0100"]).stdout
    assert CliRunner().invoke(main, arguments).exit_code == 2
