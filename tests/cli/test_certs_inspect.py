"""`sipguard certs inspect`: a line for each certificate, whatever the file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.cli.main import main
from tests import pki

PKI = pki.Pki()
LEAF = PKI.leaf()
MIDDLE = PKI.authority()


def inspected(*arguments: str, status: int = 0, given: bytes = b"") -> list[dict[str, Any]]:
    """The lines that the command prints."""
    done = CliRunner().invoke(main, ["certs", "inspect", *arguments], input=given)
    assert done.exit_code == status, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


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
        "issuer": "CN=Example SHAKEN ROOT,O=Example STI-CA,C=US",
        "serial": f"{certificate.serial_number:x}",
        "not_before": f"{certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "valid": "yes",
        "key": "P-256",
        "spc": ["709J"],
        "numbers": [],
        "deviations": [],
    }


def test_directories_der_and_standard_input_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(b"leaf first\n" + LEAF.pem + MIDDLE.pem)
    (tmp_path / "b.der").write_bytes(PKI.root.certificate.public_bytes(Encoding.DER))
    lines = inspected(str(tmp_path), "-", given=MIDDLE.pem)
    assert [line["kind"] for line in lines] == ["leaf", "intermediate", "root", "intermediate"]
    assert [line["line"] for line in lines] == [2, 2 + LEAF.pem.count(b"\n"), 1, 1]


def test_garbage_has_its_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_bytes(
        b"\n-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n" + LEAF.pem[:99] + LEAF.pem
    )
    lines = inspected(str(broken), str(tmp_path / "absent"), "-", status=1, given=b"hello")
    assert [(line.get("line"), line.get("problem", "")[:9]) for line in lines] == [
        (2, "not a cer"),
        (5, "BEGIN CER"),
        (7, ""),
        (None, "No such f"),
        (1, "neither P"),
    ]


def test_validity_is_that_of_the_time() -> None:
    for at, valid in (
        ("2020-01-01", "not yet"),
        ("2099-01-01T00:00:00Z", "expired"),
        (str(PKI.now.timestamp()), "yes"),
    ):
        assert [line["valid"] for line in inspected("-", "--at", at, given=LEAF.pem)] == [valid]
    inspected("-", "--at", "yesterday", status=2)
