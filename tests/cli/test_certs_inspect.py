"""`sipguard certs inspect`: a line for each certificate, whatever the file holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import (
    CertificateRevocationList,
    CertificateSigningRequestBuilder,
    load_der_x509_crl,
    load_pem_x509_crl,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from sipguard.cli import certs_files
from sipguard.cli.main import main
from sipguard.stir import chain
from sipguard.stir.chain import NO_ANCHORS, Anchors, Seen
from sipguard.stir.credential import read_chain, validate
from sipguard.stir.errors import UnsupportedCredential
from sipguard.stir.inspection import certificates_in, describe, fingerprinted
from sipguard.stir.profile import DEVIATIONS, KINDS
from sipguard.stir.reasons import REASONS
from tests import pki

PKI = pki.Pki()
LEAF = PKI.leaf()
MIDDLE = PKI.authority()
UNDER_MIDDLE = PKI.leaf(issuer=MIDDLE)
PROVIDER = PKI.provider("709J")
NUMBERS = pki.tnauthlist(ones=["12025550199"], ranges=[("12025550100", 50)])
LIMITS = pki.constrained(pki.claim_constraints(["attest"], {"attest": ["B"]}, ["rcd"]), enhanced=True)
DELEGATE = PKI.delegate(PROVIDER, NUMBERS, extensions=[LIMITS])
ROOT_NAME = "CN=Example SHAKEN ROOT,O=Example STI-CA,C=US"
NOW = PKI.now.timestamp()


def run(*arguments: str, given: bytes = b"") -> Result:
    """The command, done."""
    return CliRunner().invoke(main, ["certs", "inspect", *arguments], input=given)


def inspected(*arguments: str, status: int = 0, given: bytes = b"") -> list[dict[str, Any]]:
    """The lines that the command prints."""
    done = run(*arguments, given=given)
    assert done.exit_code == status, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def anchors(tmp_path: Path) -> str:
    """A file with the root, the one anchor."""
    file = tmp_path / "anchors.pem"
    file.write_bytes(PKI.root.pem)
    return str(file)


def test_a_leaf_is_described(tmp_path: Path) -> None:
    file = tmp_path / "leaf.pem"
    file.write_bytes(LEAF.pem)
    (line,) = inspected(str(file))
    certificate = LEAF.certificate
    assert line == {
        "file": str(file),
        "line": 1,
        "kind": "leaf",
        "sha256": line["sha256"],
        "subject": "CN=SHAKEN 709J,O=Example Voice,C=US",
        "issuer": ROOT_NAME,
        "serial": f"{certificate.serial_number:x}",
        "not_before": f"{certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "valid": "yes",
        "key": "P-256",
        "spc": ["709J"],
        "numbers": [],
        "authority": None,
        "chain": None,
        "deviations": [],
    }


def test_the_authority_is_told_and_what_verification_would_say(anchors: str) -> None:
    lines = inspected("-", "--anchors", anchors, given=UNDER_MIDDLE.pem + MIDDLE.pem + PKI.root.pem)
    assert [(line["kind"], line["authority"], line["chain"]) for line in lines] == [
        ("leaf", ROOT_NAME, "anchored"),
        ("intermediate", ROOT_NAME, "anchored"),
        ("root", ROOT_NAME, "anchored"),
    ]
    (alone,) = inspected("-", "--anchors", anchors, given=UNDER_MIDDLE.pem)
    assert (alone["authority"], alone["chain"]) == (None, "chain_untrusted")
    (old,) = inspected("-", "--anchors", anchors, "--at", "2099-01-01", given=LEAF.pem)
    assert (old["authority"], old["chain"], old["valid"]) == (ROOT_NAME, "certificate_expired", "expired")
    beside = inspected("-", given=UNDER_MIDDLE.pem + MIDDLE.pem)
    assert beside[0]["authority"] == "CN=Example SHAKEN CA 1,O=Example STI-CA,C=US"
    assert [line["chain"] for line in beside] == [None, None]


def test_an_expired_issue_of_an_authority_gives_way_to_a_valid_one(anchors: str) -> None:
    old = PKI.issue(
        PKI.root, MIDDLE.certificate.subject, MIDDLE.key, pki.authority_extensions(), PKI.now - 90 * pki.DAY, 30
    )
    lines = inspected("-", "--anchors", anchors, given=UNDER_MIDDLE.pem + old.pem + MIDDLE.pem)
    assert [line["chain"] for line in lines] == ["anchored", "certificate_expired", "anchored"]
    (line, _) = inspected("-", "--anchors", anchors, given=UNDER_MIDDLE.pem + old.pem)
    assert (line["valid"], line["chain"]) == ("yes", "certificate_expired")


def test_a_delegate_names_its_scope_its_limits_and_its_provider(anchors: str) -> None:
    delegate, provider = inspected("-", "--anchors", anchors, given=DELEGATE.pem + PROVIDER.pem)
    assert (delegate["kind"], provider["kind"]) == ("delegate", "intermediate")
    assert delegate["delegated_by"] == "Example Voice"
    assert (delegate["spc"], delegate["numbers"]) == ([], [["12025550100", 50], ["12025550199", 1]])
    assert delegate["constraints"] == [
        {"mustInclude": ["attest"], "permittedValues": {"attest": ["B"]}, "mustExclude": ["rcd"]}
    ]
    assert delegate["deviations"] == []
    wider = PKI.delegate(PROVIDER, pki.tnauthlist(["818H"]))
    assert inspected("-", "--anchors", anchors, given=wider.pem + PROVIDER.pem)[0]["chain"] == "delegate_scope"


def test_directories_der_and_standard_input_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(b"leaf first\n" + LEAF.pem + MIDDLE.pem)
    (tmp_path / "b.der").write_bytes(PKI.root.certificate.public_bytes(Encoding.DER))
    lines = inspected(str(tmp_path), "-", given=MIDDLE.pem)
    assert [line["kind"] for line in lines] == ["leaf", "intermediate", "root", "intermediate"]
    assert [line["line"] for line in lines] == [2, 2 + LEAF.pem.count(b"\n"), 1, 1]


def test_garbage_has_its_line(tmp_path: Path) -> None:
    broken = tmp_path / os.fsdecode(b"br\xffken.pem")
    broken.write_bytes(
        b"\n-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n" + LEAF.pem[:99] + LEAF.pem
    )
    malformed = PKI.leaf(extensions=pki.leaf_extensions(b"\x30\x00")).pem
    lines = inspected(str(broken), str(tmp_path / "absent"), "-", status=1, given=b"hello\n")
    lines += inspected("-", status=1, given=b"") + inspected("-", status=1, given=malformed)
    assert [(line.get("line"), line.get("problem", "")[:9]) for line in lines] == [
        (2, "not a cer"),
        (5, "BEGIN CER"),
        (7, ""),
        (None, "No such f"),
        (1, "no certif"),
        (1, "empty"),
        (1, "tnauthlis"),
    ]
    assert lines[0]["file"].endswith("br\ufffdken.pem")


def test_a_file_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certs_files, "FILE_LIMIT", len(LEAF.pem))
    assert len(inspected("-", given=LEAF.pem)) == 1
    assert inspected("-", status=1, given=LEAF.pem + b"\n") == [
        {"file": "-", "problem": f"longer than {len(LEAF.pem)} octets"}
    ]


def test_many_files_are_spread_and_said_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(12):
        (tmp_path / f"{at % 3}").mkdir(exist_ok=True)
        octets = b"hello" if at == 5 else PKI.leaf(f"70{at:02d}", issuer=MIDDLE).pem + MIDDLE.pem
        (tmp_path / f"{at % 3}" / f"{at}.pem").write_bytes(octets)
    (tmp_path / "1-of-a-directory.pem").write_bytes(PKI.root.pem)
    (tmp_path / "link").symlink_to(tmp_path / "2")
    alone = run(str(tmp_path), "absent", str(tmp_path / "link"))
    monkeypatch.setattr(certs_files, "MANY", 2)
    monkeypatch.setattr(certs_files, "_BATCH", 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    spread = run(str(tmp_path), "absent", str(tmp_path / "link"))
    assert (spread.stdout, spread.stderr, spread.exit_code) == (alone.stdout, alone.stderr, alone.exit_code)
    found = list(dict.fromkeys(json.loads(line)["file"] for line in spread.stdout.splitlines()))
    below = [str(one) for one in sorted(tmp_path.rglob("*")) if one.is_file()]
    assert found == [*below, "absent", *(str(one) for one in sorted((tmp_path / "link").iterdir()))]
    assert alone.stderr.endswith("; 3 problems\n")


def test_a_process_that_is_killed_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, read = os.getpid(), certs_files._read
    monkeypatch.setattr(certs_files, "MANY", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(certs_files, "_read", lambda name: read(name) if os.getpid() == own else os._exit(9))
    (tmp_path / "leaf.pem").write_bytes(LEAF.pem)
    done = run(str(tmp_path))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "ended early: one of the processes was killed\n"


def test_ctrl_c_ends_all_processes_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "0.pem").write_bytes(LEAF.pem)
    for at in range(1, 2 * certs_files.MANY):
        (tmp_path / f"{at}.pem").hardlink_to(tmp_path / "0.pem")
    command = [sys.executable, "-m", "sipguard.cli.main", "certs", "inspect", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as running:
        assert running.stdout is not None
        running.stdout.readline()  # more is written than a pipe holds: it waits for us
        os.killpg(running.pid, signal.SIGINT)
        try:
            stderr = running.communicate(timeout=60)[1]
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            raise
    assert (running.returncode, stderr.strip()) == (1, b"Aborted!")
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


def test_a_fingerprint_is_that_of_the_certificate(anchors: str) -> None:
    wrapped = LEAF.pem.replace(b"\n", b"\r\n")
    spaced = LEAF.pem.replace(b"\n", b" \n")
    for octets in (LEAF.pem, wrapped, spaced, LEAF.certificate.public_bytes(Encoding.DER)):
        (line,) = inspected("-", given=octets)
        assert line["sha256"] == LEAF.certificate.fingerprint(SHA256()).hex()


def test_an_authority_that_was_seen_is_read_and_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []
    require = chain._require_signed
    monkeypatch.setattr(
        chain,
        "_require_signed",
        lambda child, issuer: (checked.append(child.tbs_certificate_bytes), require(child, issuer)),
    )
    seen, anchors = Seen(), Anchors([PKI.root.certificate])
    for _ in range(3):
        beside = [one for _, one in certificates_in(UNDER_MIDDLE.pem + MIDDLE.pem) if not isinstance(one, str)]
        assert describe(beside[0], beside, anchors, NOW, seen)["chain"] == "anchored"
    middle = MIDDLE.certificate.tbs_certificate_bytes
    assert (len(checked), checked.count(middle)) == (4, 1)


def test_validity_is_that_of_the_time() -> None:
    for at, valid in (("2020-01-01", "not yet"), ("2099-01-01T00:00:00Z", "expired"), (str(NOW), "yes")):
        assert [line["valid"] for line in inspected("-", "--at", at, given=LEAF.pem)] == [valid]
    inspected("-", "--at", "yesterday", status=2)


def test_people_read_a_line_each(anchors: str) -> None:
    done = run("-", "--human", "--anchors", anchors, given=DELEGATE.pem + PROVIDER.pem + b"-----BEGIN CERTIFICATE-----")
    first, second, third = done.stdout.splitlines()
    assert first.startswith(
        "-:1: delegate CN=SHAKEN delegate,O=Example Bakery,C=US; numbers 12025550100x50 12025550199;"
    )
    assert "delegated by Example Voice; P-256, " in first
    assert first.endswith(f"valid: yes; chain anchored by {ROOT_NAME}")
    assert "SPC 709J" in second
    assert third.endswith("BEGIN CERTIFICATE without its END")
    assert done.stderr == "2 certificates: 1 delegate, 1 intermediate; 0 not valid; 1 problems\n"
    assert done.exit_code == 1


def test_what_a_stranger_wrote_into_a_name_does_not_reach_the_terminal() -> None:
    name = "evil\x1b[31mRED\x07\r\nOK: trusted\u202egnp\u2066"
    leaf = PKI.issue(PKI.root, pki.name("x", name), pki.new_key(), pki.leaf_extensions(None), PKI.now, 30)
    done = run("-", "--human", given=leaf.pem)
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.rstrip("\n").isprintable()
    assert "evil\\u001b[31mRED" in done.stdout
    done = run("-", given=leaf.pem)
    assert done.stdout.rstrip("\n").isprintable()
    assert json.loads(done.stdout)["subject"] == x509_name(leaf.pem)


def x509_name(pem: bytes) -> str:
    """The subject as the library writes it."""
    return read_chain(pem)[0].subject.rfc4514_string()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert inspected(str(tmp_path / "pipe"), status=1) == [
        {"file": str(tmp_path / "pipe"), "problem": "not a regular file"}
    ]


def others() -> dict[str, bytes]:
    """Files as they lie beside certificates."""
    key = pki.new_key()
    request = CertificateSigningRequestBuilder().subject_name(pki.name("x")).sign(key, SHA256())
    crl = x509_crl(pki.crl(PKI.administrator(), []))
    return {
        "a private key": LEAF.key_pem,
        "a certificate request": request.public_bytes(Encoding.PEM),
        "a certificate request, DER": request.public_bytes(Encoding.DER),
        "a CRL": crl.public_bytes(Encoding.PEM),
        "a CRL, DER": crl.public_bytes(Encoding.DER),
        "a public key": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    }


def x509_crl(octets: bytes) -> CertificateRevocationList:
    """A CRL in DER or PEM."""
    return load_pem_x509_crl(octets) if octets[:1] == b"-" else load_der_x509_crl(octets)


@pytest.mark.parametrize("what", others())
def test_what_lies_beside_certificates_is_named_and_no_failure(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.pem").write_bytes(others()[what])
    alone = inspected(str(tmp_path), status=1)
    assert [line["other"] for line in alone] == [what.removesuffix(", DER") + ", no certificate"]
    (tmp_path / "b.pem").write_bytes(LEAF.pem)
    done = run(str(tmp_path))
    assert (done.exit_code, done.stderr) == (0, "1 certificates: 1 leaf; 0 not valid; 0 problems; 1 other files\n")
    assert run(str(tmp_path), "--human").stdout.splitlines()[0].endswith("no certificate")


@pytest.mark.parametrize("octets", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----"])
def test_an_anchor_that_is_none_ends_the_command(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "anchors.pem").write_bytes(octets)
    done = run("-", "--anchors", str(tmp_path), given=LEAF.pem)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--anchors" in done.stderr


def test_slugs_of_deviations_are_all_described() -> None:
    source = (Path(__file__).parents[2] / "sipguard" / "stir" / "profile.py").read_text()
    rest = source[source.index("_PROFILE") :]
    told = set(DEVIATIONS) - {"chain_order", "spc_untagged", "tnauthlist_string"}  # these are given elsewhere
    assert {slug for slug in told if f'"{slug}"' not in rest} == set()
    assert set(KINDS) == {"leaf", "delegate", "intermediate", "root"}


def test_all_real_certificates_are_described(vectors: Path) -> None:
    folder = vectors / "shaken-certificates"
    lines = inspected(str(folder), "--anchors", str(folder / "authorities"), "--at", "2025-06-01")
    assert len(lines) == 349
    assert {line["kind"] for line in lines} == {"leaf", "intermediate", "root"}
    assert all(line["authority"] for line in lines)
    assert {slug for line in lines for slug in line["deviations"]} <= set(DEVIATIONS)
    assert {line["chain"] for line in lines} <= {"anchored", "certificate_expired", "certificate_not_yet_valid"}


# ------------------------------------------------------------------------------------------ any octets

WHOLE = DELEGATE.certificate.public_bytes(Encoding.DER)
ANCHORS = Anchors([PKI.root.certificate])


def judged(octets: bytes) -> None:
    """Reads octets in every way there is; fails where an error is none of the documented ones."""
    try:
        validate(read_chain(octets), ANCHORS, NOW)
    except UnsupportedCredential as error:
        assert REASONS[error.reason][0] == 437
    for _, found, sha256 in fingerprinted(octets):
        if not isinstance(found, str):
            assert sha256 == found.fingerprint(SHA256()).hex()
            json.dumps(describe(found, [], NO_ANCHORS, NOW))
            describe(found, [PROVIDER.certificate], ANCHORS, NOW)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(some.lists(some.tuples(some.integers(0, len(WHOLE) - 1), some.integers(0, 255)), min_size=1, max_size=4))
def test_changed_octets_of_a_certificate_end_in_a_documented_reason(changes: list[tuple[int, int]]) -> None:
    octets = bytearray(WHOLE)
    for at, octet in changes:
        octets[at] = octet
    judged(bytes(octets))


@given(some.binary(max_size=40), some.integers(0, len(DELEGATE.pem)), some.integers(0, 40))
def test_changed_files_end_in_a_documented_reason(noise: bytes, at: int, gone: int) -> None:
    whole = DELEGATE.pem + PROVIDER.pem
    judged(whole[:at] + noise + whole[at + gone :])
