"""The starting points of `sipguard init`, as they are written into a directory: what each does with a real call."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from ruamel.yaml import YAML

from sipguard.service.starting_points import STARTS, write
from tests.e2e.product import ROOT, Product, free_port, wait_for
from tests.e2e.sipp import Message, Sipp, messages
from tests.wanted import reason

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason("sipp")), reason=reason("sipp") or "sipp is there"),
]

HERE: Final = "127.0.0.1"  # the address that every start listens on and has a trunk for
NEVER_CALLS, COMPLAINED_OF = "+12025550111", "+12025550171"
DOMESTIC, OF_CUSTOMER = "+12025550101", "+12025550141"
REFUSED: Final = ""

# start, caller -> (what B sees before the name, REFUSED for no call; the rule of the record)
CALLS: Final = [
    ("us-provider", NEVER_CALLS, REFUSED, "dno"),
    ("us-provider", COMPLAINED_OF, '"SPAM? Caller"', "reported-caller"),
    ("transit", NEVER_CALLS, REFUSED, "dno"),
    ("transit", DOMESTIC, '"Caller"', "default"),
    ("gateway", NEVER_CALLS, REFUSED, "dno"),
    ("gateway", DOMESTIC, '"ABROAD? Caller"', "domestic-from-abroad"),
    ("origination", DOMESTIC, REFUSED, "not-their-number"),
    ("origination", OF_CUSTOMER, '"Caller"', "default"),
    ("report-only", NEVER_CALLS, '"Caller"', "dno"),
    ("report-only", COMPLAINED_OF, '"Caller"', "reported-caller"),
]


def prepared(start: str, directory: Path) -> tuple[Product, int]:
    """The start, on free ports, and where its next hop is."""
    write(start, directory)
    config = YAML(typ="safe").load(directory / "sipguard.yaml")
    hop = free_port(HERE)
    config["listeners"]["main"]["port"] = free_port(HERE)
    config["metrics"] = {"port": free_port(HERE, socket.SOCK_STREAM)}
    for trunk in config["trunks"].values():
        if "127.0.0.1:5070" in trunk.get("peers", ()):
            trunk["peers"] = [f"{HERE}:{hop}"]
    return Product(directory, config), hop


def call(product: Product, scenario: str, caller: str, hop: int, directory: Path) -> list[Message]:
    """One call by SIPp; what B got."""
    uas = Sipp(f"{scenario}_uas", directory, (HERE, hop), None).start()
    uac = Sipp(f"{scenario}_uac", directory, (HERE, free_port(HERE)), product.address("main"), "-key", "caller", caller)
    try:
        assert uac.start().wait() == 0, uac.complaint()
        if scenario.endswith("lets_pass"):
            assert uas.wait() == 0, uas.complaint()
    finally:
        uac.stop()
        uas.stop()
    return [each for each in messages(uas.log) if not each.sent]


@pytest.mark.parametrize("start", STARTS)
def test_a_start_does_with_calls_what_it_says(start: str, tmp_path: Path) -> None:
    product, hop = prepared(start, tmp_path / start)
    wanted = [each for each in CALLS if each[0] == start]
    try:
        product.start()
        for n, (_, caller, shown, _) in enumerate(wanted):
            scenario = "198_start_lets_pass" if shown else "198_start_refuses"
            directory = tmp_path / str(n)
            directory.mkdir()
            got = call(product, scenario, caller, hop, directory)
            names = {each.values("From")[0].partition(" <")[0] for each in got if each.kind == "INVITE"}
            assert names == ({shown} if shown else set())
        wait_for(lambda: len(product.calls()) == len(wanted), "a record of each call")
        rows = product.calls()[::-1]
        assert [row["rule"] for row in rows] == [rule for *_, rule in wanted]
        assert {row["mode"] for row in rows} == {"report" if start == "report-only" else "enforce"}
    finally:
        product.stop()


def test_what_the_command_prints_can_be_done_next(tmp_path: Path) -> None:
    done = sipguard("init", "--start", "origination", str(tmp_path / "here"))
    assert done.returncode == 0, done.stderr
    told = [line.split() for line in done.stdout.splitlines() if line.startswith("  sipguard ")]
    assert [words[1:-2] for words in told] == [["check"], ["policy", "test"], ["policy", "prove"], ["run"]]
    for words in told[:-1]:
        assert sipguard(*words[1:]).returncode == 0


def sipguard(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sipguard.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
