"""The desk tool: Identity headers offline, as of any instant, out of whatever was pasted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sipguard.cli.main import main
from sipguard.service import pasted
from sipguard.stir.reasons import REASONS
from tests import pki
from tests.e2e.product import configuration

PKI = pki.Pki()
LEAF, OTHER = PKI.leaf(), PKI.leaf("1234")
NOW = int(PKI.now.timestamp())
URL = "https://certs.example/709J.pem"
CALLER, CALLEE = "12025550101", "12125550123"
PARTIES = ("--from", "+12025550101", "--to", "2125550123")


def value(orig: str = CALLER, **knobs: object) -> str:
    """An Identity value of these tests."""
    token = pki.passport(orig, CALLEE, LEAF.key, URL, iat=NOW - 5, **knobs)  # type: ignore[arg-type]
    return pki.identity_value(token, URL)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the certificates, where there is no configuration."""
    monkeypatch.setenv("SIPGUARD_CONFIG", "")
    (tmp_path / "root.pem").write_bytes(PKI.root.pem)
    (tmp_path / "leaf.pem").write_bytes(LEAF.pem)
    (tmp_path / "other.pem").write_bytes(OTHER.pem)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verify(text: str, *arguments: str, certificates: tuple[str, ...] = ("other.pem", "leaf.pem")) -> Result:
    """`identity verify` of a pasted text."""
    given = [part for file in certificates for part in ("--certificate", file)]
    return CliRunner().invoke(
        main,
        ["identity", "verify", "--identity", "-", "--at", str(NOW), "--anchors", "root.pem", *given, *arguments],
        input=text,
    )


def invite(identity: str) -> str:
    """An INVITE as it stands in a log, without a Content-Length that fits."""
    return (
        f"INVITE sip:+{CALLEE}@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\n"
        f'f: "A" <sip:+{CALLER}@a.example>;tag=1\nTo: <sip:+{CALLEE}@192.0.2.1>\n'
        f"P-Asserted-Identity: <tel:+{CALLER}>\nCall-ID: 1\nCSeq: 1 INVITE\n"
        f"y: {identity}\n\nv=0\nIdentity: none.of.this\n"
    )


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (value(), PARTIES),
        (f"Identity: {value()}", PARTIES),
        (f"  identity : {value()}\n", PARTIES),
        (value().replace(";info", "\n ;info"), PARTIES),
        (value().partition(";")[0], PARTIES),
        (f"garbage.in.it\n{value()}", PARTIES),
        (f"{value()}, {value(ppt='rph')}", PARTIES),
        (invite(value()), ()),
        (invite(value()).replace("\n", "\r\n"), ()),
    ],
    ids=["value", "header", "indented", "folded", "bare token", "two lines", "comma", "INVITE", "INVITE with CRLF"],
)
def test_a_value_passes_however_it_was_pasted(text: str, arguments: tuple[str, ...]) -> None:
    done = verify(text, *arguments)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("PASSED")
    found = json.loads(verify(text, *arguments, "--json").stdout)
    assert found["verdict"] == "passed"
    assert found["results"][found["judged"] - 1]["signature_ok"] is True


FAILS = {
    "another caller": (value("13125550199"), (), "orig_mismatch", "token says +1 312-555-0199; From +1 202-555-0101"),
    "changed": (value(tamper=True), (), "signature", "it does not hold over the octets received"),
    "old": (value(), ("--at", str(NOW + 600)), "iat_expired", "605 s before the call; 60 s are allowed"),
    "before it was made": (value(), ("--at", "2026-11-20T00:00:00"), "iat_future", "after the call"),
    "strict": (value(extra={"iat": str(NOW)}), ("--strict",), "deviations", "leaves the standard"),
    "garbage": ("garbage.in.it", (), "info_missing", "there is no `info`"),
}


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("text", "arguments", "reason", "words"), FAILS.values(), ids=FAILS)
def test_what_fails_is_told_in_words(text: str, arguments: tuple[str, ...], reason: str, words: str) -> None:
    done = verify(text, *PARTIES, *arguments)
    assert done.exit_code == 1, done.output
    assert reason in done.stdout
    assert words in done.stdout
    assert "what to do" in done.stdout
    result = json.loads(verify(text, *PARTIES, *arguments, "--json").stdout)["results"][0]
    assert (result["reason"], result["status"]) == (reason, REASONS[reason][0])


@pytest.mark.usefixtures("files")
def test_p_asserted_identity_and_request_uri_count() -> None:
    parties = ("--from", "+13125550199", "--pai", f"+{CALLER}", "--to", "8005550199", "--ruri", f"sip:+{CALLEE}@h")
    result = json.loads(verify(value(), *parties, "--json").stdout)["results"][0]
    assert (result["outcome"], result["orig_source"], result["dest_source"]) == ("passed", "pai", "request_uri")
    assert result["orig_tn"] == CALLER


@pytest.mark.usefixtures("files")
def test_a_missing_certificate_is_named_and_not_fetched() -> None:
    done = verify(value(), *PARTIES, certificates=())
    assert done.exit_code == 1
    assert done.stdout.startswith("NOT DECIDED")
    assert URL in done.stdout
    assert "--fetch" in done.stdout


@pytest.mark.usefixtures("files")
def test_fetching_is_guarded() -> None:
    text = pki.identity_value(
        pki.passport(CALLER, CALLEE, LEAF.key, "https://127.0.0.1/a", iat=NOW), "https://127.0.0.1/a"
    )
    done = verify(text, *PARTIES, "--fetch", certificates=())
    assert done.exit_code == 1
    assert "x5u_address_refused (436)" in done.stdout


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("", PARTIES, "holds no Identity value"),
        (value(), (), "--from and --to are needed"),
        (value(), (*PARTIES, "--at", "yesterday"), "not a time"),
        (value(), (*PARTIES, "--certificate", "nowhere.pem"), "nowhere.pem: No such file"),
        (value(), (*PARTIES, "-c", "nowhere.yaml"), "cannot be read"),
    ],
)
def test_what_is_wrong_with_the_command(files: Path, text: str, arguments: tuple[str, ...], words: str) -> None:
    done = verify(text, *arguments)
    assert done.exit_code == 2, done.output
    assert words in done.stderr


def test_numbers_are_read_by_the_rules_of_a_trunk(files: Path) -> None:
    config = configuration(5090)
    name = next(iter(config["trunks"]))
    config["trunks"][name]["read"] = {"tech_prefix": "^77[0-9]{2}", "local_area": "202"}
    config["identity"] = {"anchors": ["root.pem"]}
    (files / "sipguard.yaml").write_text(json.dumps(config))
    common = ("identity", "verify", "--identity", "-", "--at", str(NOW), "--certificate", "leaf.pem", "--json")
    asked = (*common, "-c", "sipguard.yaml", "--from", "5550101", "--to", f"7712{CALLEE}")

    def run(*more: str) -> Result:
        return CliRunner().invoke(main, [*asked, *more], input=value())

    first = run()
    assert first.exit_code == 1, first.output
    assert json.loads(first.stdout)["results"][0]["reason"] == "orig_mismatch"
    done = run("--trunk", name)
    assert done.exit_code == 0, done.output
    unknown = run("--trunk", "nowhere")
    assert unknown.exit_code == 2
    assert f"there are {name}" in unknown.stderr


def test_decode_shows_many_and_broken_ones(files: Path) -> None:
    (files / "many.txt").write_text(f"{value()}\n{value().partition(';')[0]}\nIdentity: {value(ppt='rph')}\n")
    done = CliRunner().invoke(main, ["identity", "decode", "many.txt", "-", "--json"], input="e30.bm90IGpzb24.AA")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [each["problem"] for each in found[:2]] == ["", ""]
    assert found[0]["parameters"] == {"info": URL, "alg": "ES256", "ppt": "shaken"}
    assert found[1]["parameters"] is None
    assert (found[0]["claims"]["orig"]["tn"], found[0]["signature_octets"]) == (CALLER, 64)
    assert found[2]["claims"]["attest"] == "A"
    assert found[3]["problem"] and (found[3]["header"], found[3]["claims"]) == ({}, "not json")
    text = CliRunner().invoke(main, ["identity", "decode", "many.txt"]).stdout
    assert '"orig": {' in text
    assert "64 octets" in text


def test_examples_of_the_standards_can_be_decoded() -> None:
    folder = os.environ.get("SIPGUARD_VECTORS")
    if not folder:
        pytest.skip("SIPGUARD_VECTORS names no folder")
    for each in json.loads((Path(folder) / "passport" / "examples.json").read_text()):
        done = CliRunner().invoke(
            main, ["identity", "decode", "-", "--json"], input=each.get("identity", each["token"])
        )
        (found,) = json.loads(done.stdout)
        assert found["signature_octets"] == 64
        assert isinstance(found["claims"], dict), each["name"]


@pytest.mark.parametrize(
    "text", ["", "\n\n", ":", "INVITE", "INVITE  SIP/2.0", " \tfolded", "Identity:", "\x00.\x00.\x00"]
)
def test_no_paste_is_too_strange(text: str) -> None:
    pasted.read(text)


def test_anchors_may_lie_in_a_directory_and_no_library_is_quoted(files: Path) -> None:
    (files / "anchors").mkdir()
    (files / "anchors" / "root.pem").write_bytes(PKI.root.pem)
    (files / "call.txt").write_text(value())
    line = ["identity", "verify", "--identity", "call.txt", *PARTIES, "--at", str(NOW), "--certificate", "leaf.pem"]
    done = CliRunner().invoke(main, [*line, "--anchors", "anchors"])
    assert done.exit_code == 0, done.output
    (files / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
    bad = CliRunner().invoke(main, [*line, "--anchors", "bad.pem"])
    assert bad.exit_code == 2
    assert "http" not in bad.output


STI_PA = PKI.administrator()


def asked(files: Path, *arguments: str) -> tuple[Result, dict[str, object]]:
    """`identity verify` of a good value by a certificate that the CRL names: in text, and `revocation` of the JSON."""
    (files / "crl.der").write_bytes(pki.crl(STI_PA, pki.revoked(LEAF)))
    (files / "crl2.pem").write_bytes(pki.crl(STI_PA, pki.revoked(OTHER)))
    (files / "sti-pa.pem").write_bytes(STI_PA.pem)
    line = [
        "identity",
        "verify",
        "--identity",
        "-",
        *PARTIES,
        "--at",
        str(NOW),
        "--certificate",
        "leaf.pem",
        *arguments,
    ]
    found = json.loads(CliRunner().invoke(main, [*line, "--json"], input=value()).stdout)["revocation"]
    return CliRunner().invoke(main, line, input=value()), found


def configured(files: Path, **crl: object) -> str:
    """A configuration with these anchors and a CRL, "" for none."""
    config = configuration(5090)
    config["identity"] = {"anchors": ["root.pem"], **({"crl": crl} if crl else {})}
    (files / "sipguard.yaml").write_text(json.dumps(config))
    return "sipguard.yaml"


GIVEN = ("--crl", "crl2.pem", "--crl", "crl.der", "--crl-signers", "sti-pa.pem")


@pytest.mark.parametrize(
    ("crl", "arguments"),
    [
        (None, ("--anchors", "root.pem", *GIVEN)),
        ({}, GIVEN),
        ({"file": "crl.der", "signers": ["sti-pa.pem"]}, ()),
        ({"file": "crl.der", "signers": ["sti-pa.pem"]}, ("--anchors", "root.pem")),
        ({"file": "crl2.pem", "signers": ["sti-pa.pem"]}, ("--crl", "crl.der")),
    ],
    ids=["no configuration", "given", "configured", "configured, with --anchors", "given, signers configured"],
)
def test_a_revoked_certificate_passes_under_no_way_of_asking(
    files: Path, crl: dict[str, object] | None, arguments: tuple[str, ...]
) -> None:
    config = () if crl is None else ("-c", configured(files, **crl))
    done, revocation = asked(files, *config, *arguments)
    assert done.exit_code == 1, done.output
    assert "certificate_revoked (437)" in done.stdout
    assert "revocation checked: CRL of " in done.stdout
    assert revocation["checked"] is True and revocation["stale"] is False


@pytest.mark.parametrize(
    ("crl", "arguments", "why"),
    [
        (None, ("--anchors", "root.pem"), "no CRL was given, and none is configured"),
        ({}, (), "no CRL was given, and none is configured"),
        ({"file": "absent.der", "signers": ["sti-pa.pem"]}, (), "there is none that can be used"),
        ({"file": "absent.der", "signers": ["sti-pa.pem"]}, ("--anchors", "root.pem"), "there is none that can be"),
    ],
)
def test_where_no_crl_is_asked_that_is_said(
    files: Path, crl: dict[str, object] | None, arguments: tuple[str, ...], why: str
) -> None:
    config = () if crl is None else ("-c", configured(files, **crl))
    done, revocation = asked(files, *config, *arguments)
    assert done.exit_code == 0, done.output
    assert "revocation was NOT checked: " in done.stdout and why in done.stdout
    assert revocation["checked"] is False and why in str(revocation["why"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--crl", "crl.der"), "--crl-signers FILE whose signature"),
        (("--crl", "crl.der", "--crl-signers", "root.pem"), "--crl: crl.der: crl_issuer"),
        (("--crl", "leaf.pem", "--crl-signers", "sti-pa.pem"), "--crl: leaf.pem: crl_malformed"),
        (("--crl", "nowhere", "--crl-signers", "sti-pa.pem"), "nowhere: No such file"),
        (("--crl", "crl.der", "--crl-signers", "nowhere"), "signers_unreadable"),
        (("--crl-signers", "sti-pa.pem"), "say by --crl which CRL"),
    ],
)
def test_a_crl_that_cannot_be_verified_is_no_crl(files: Path, arguments: tuple[str, ...], words: str) -> None:
    (files / "crl.der").write_bytes(pki.crl(STI_PA, pki.revoked(LEAF)))
    (files / "sti-pa.pem").write_bytes(STI_PA.pem)
    done = verify(value(), *PARTIES, *arguments)
    assert done.exit_code == 2, done.output
    assert words in done.stderr
