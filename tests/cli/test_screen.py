"""What would become of a call, asked without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from sipguard.cli.main import main
from tests import pki
from tests.e2e.product import configuration

PKI = pki.Pki()
LEAF = PKI.leaf()
NOW = int(PKI.now.timestamp())
URL = "https://certs.example/709J.pem"
CALL = ("--from", "+12025550101", "--to", "+12125550123", "--trunk", "carrier")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that trusts PKI, with two rules."""
    settings = configuration(5070)
    (tmp_path / "root.pem").write_bytes(PKI.root.pem)
    (tmp_path / "leaf.pem").write_bytes(LEAF.pem)
    (tmp_path / "dno.txt").write_text("+12025550111\n")
    settings["identity"] = {"anchors": ["root.pem"]}
    settings["lists"] = {"dno": {"file": "dno.txt", "bind": ["shown"]}}
    settings["policy"] = {
        "rules": [
            {"name": "dno", "when": {"lists.shown": "dno"}, "reject": "dno"},
            {"name": "busy", "when": {"rate.caller.attempts_1m": {"over": 60}}, "mode": "report", "reject": "contract"},
            {"name": "signed", "when": {"identity.attest": "A"}, "tag": "signed", "continue": True},
        ]
    }
    with (tmp_path / "sipguard.yaml").open("w") as file:
        YAML(typ="safe").dump(settings, file)
    return tmp_path / "sipguard.yaml"


def screen(config: Path, *arguments: str, text: str = "") -> Result:
    return CliRunner().invoke(main, ["screen", "-c", str(config), *arguments], input=text)


def test_lists_are_asked_that_were_never_built(config: Path) -> None:
    done = screen(config, *CALL[2:], "--from", "+1 202 555 0111")
    assert done.output.splitlines()[0] == "reject by rule dno, basis dno, answered 403 Forbidden"
    assert not list(config.parent.rglob("*.set"))


def test_a_rule_that_did_not_match_says_what_failed_and_what_it_saw(config: Path) -> None:
    lines = screen(config, *CALL, "--fact", "rate.caller.attempts_1m=7").output.splitlines()
    assert lines[0] == "allow by the default"
    at = next(n for n, line in enumerate(lines) if line.split()[:1] == ["busy"])
    assert lines[at + 1].strip() == "{rate.caller.attempts_1m: {over: 60}}: rate.caller.attempts_1m is 7"


def test_json_says_the_same(config: Path) -> None:
    found = json.loads(screen(config, *CALL, "--fact", "rate.caller.attempts_1m=61", "--json").output)
    assert found["verdict"]["reported"] == ["busy"]
    assert found["rules"][0] == {
        "rule": "dno",
        "outcome": "no_match",
        "condition": "{lists.shown: dno}",
        "lacks": [{"condition": "{lists.shown: dno}", "facts": {"lists.shown": []}}],
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "+12025550111"), 'because the number shown is on the list dno. The ground: a number that never'),
        (("--from", "+12025550101", "--fact", "rate.caller.attempts_1m=61"), "The rule busy would act too, but only"),
        (("--from", "anonymous"), "from a withheld number to +1 212-555-0123 would go through. No rule stops it."),
        (("--from", "+12025550111", "--to", "911"), "counts as an emergency call"),
    ],
)  # fmt: skip
def test_plain_english(config: Path, arguments: tuple[str, ...], told: str) -> None:
    done = screen(config, *CALL[2:], *arguments, "--plain")
    assert told in done.output


def test_an_invite_is_verified_with_a_certificate_from_a_file(config: Path) -> None:
    token = pki.passport("12025550101", "12125550123", LEAF.key, URL, iat=NOW - 5)
    invite = (
        "INVITE sip:+12125550123@192.0.2.1 SIP/2.0\r\nFrom: <sip:+12025550101@a.example>;tag=1\r\n"
        f"To: <sip:+12125550123@192.0.2.1>\r\nIdentity: {pki.identity_value(token, URL)}\r\n\r\n"
    )
    asked = ("--identity", "-", "--trunk", "carrier", "--at", str(NOW))
    with_it = screen(config, *asked, "--certificate", str(config.parent / "leaf.pem"), text=invite)
    assert "  tags       signed" in with_it.output.splitlines()
    without = screen(config, *asked, text=invite)
    assert "  check      identity failed: not_at_hand, " in without.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*CALL, "--fact", "rate.caler.attempts_1m=1"), "did you mean rate.caller.attempts_1m?"),
        ((*CALL, "--fact", "lists.shown=dnoo"), "unknown list dnoo; did you mean dno?"),
        ((*CALL, "--fact", "lists.callee=dno"), "list dno is not asked about callee"),
        ((*CALL, "--fact", "number.shown.npa=1202"), 'write "202"'),
        ((*CALL, "--fact", "identity.result=pased"), "did you mean passed?"),
        ((*CALL, "--fact", "rate.caller.attempts_1m=many"), "is a number, not many"),
        ((*CALL, "--fact", "call.anonymous"), "write NAME=VALUE"),
        ((*CALL[:4], "--trunk", "carier"), "did you mean carrier?"),
        ((*CALL[:4], "--trunk", "hop"), "no calls come in by it, as it has no sources; calls come in by carrier"),
        (("--from", "+12025550101"), "--from and --to are needed"),
    ],
)
def test_what_is_wrong_names_its_cure(config: Path, arguments: tuple[str, ...], told: str) -> None:
    done = screen(config, *arguments)
    assert done.exit_code == 2
    assert told in done.output
