"""certs csr: key and request (RFC 8226 §9, ATIS-1000080)."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from sipguard.cli.certs_csr import csr_command, of_code
from sipguard.stir import tnauthlist
from sipguard.stir.signer import read as read_signer
from sipguard.stir.signer import read_key
from tests.pki import Pki


def run(directory: Path, *options: str, spc: str = "709J") -> tuple[int, str]:
    done = CliRunner().invoke(
        csr_command, ["--spc", spc, "--organisation", "Example Voice", "-o", str(directory), *options]
    )
    return done.exit_code, done.output


def test_a_code_is_written_as_the_standard_has_it() -> None:
    assert base64.b64encode(of_code("818H")) == b"MAigBhYEODE4SA=="
    assert tnauthlist.read(of_code("709J")).spcs == ("709J",)


def test_key_and_request_are_made(tmp_path: Path) -> None:
    status, said = run(tmp_path / "signing")
    assert status == 0, said
    key_file, request_file = tmp_path / "signing/shaken.key", tmp_path / "signing/shaken.csr"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    key = read_key(key_file.read_bytes())
    request = x509.load_pem_x509_csr(request_file.read_bytes())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=SHAKEN 709J,O=Example Voice,C=US"
    public = request.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public == key.public_key()
    extension = request.extensions.get_extension_for_oid(x509.ObjectIdentifier(tnauthlist.OID))
    assert extension.value.public_bytes() == of_code("709J")
    assert key_file.read_text().split("\n")[1] not in said
    leaf = Pki().leaf(key=key)
    assert read_signer("own", "https://certs.example/709J.pem", leaf.pem, key_file.read_bytes()).spc == "709J"


@pytest.mark.parametrize("organisation", ["", "  "])
def test_a_request_names_somebody(tmp_path: Path, organisation: str) -> None:
    status, said = run(tmp_path / "none", "--organisation", organisation)
    assert status == 2
    assert "--organisation is empty" in said
    assert not (tmp_path / "none").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    assert run(tmp_path)[0] == 0
    before = (tmp_path / "shaken.key").read_bytes()
    status, said = run(tmp_path)
    assert status == 1
    assert "nothing is overwritten" in said
    (tmp_path / "shaken.key").unlink()
    assert run(tmp_path)[0] == 1, "a request of another key is there"
    assert not (tmp_path / "shaken.key").exists()
    assert before


@pytest.mark.parametrize(
    ("spc", "options"),
    [("709j", ()), ("70 9", ()), ("", ()), ("709J", ("--country", "us")), ("709J", ("--country", "USA"))],
)
def test_what_no_authority_would_accept_is_refused(tmp_path: Path, spc: str, options: tuple[str, ...]) -> None:
    status, _ = run(tmp_path / "none", *options, spc=spc)
    assert status == 2
    assert not (tmp_path / "none").exists()
