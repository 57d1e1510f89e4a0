"""Trust list and CRL in a configuration: what they come to, and what is said of mistakes, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipguard.settings.load import Loaded, load
from tests.pki import Pki
from tests.test_settings import GOOD, write

PKI = Pki()
FETCH = "identity: {fetch: {ports: [443, 9443]}}"
CRL_URL = "https://sti-pa.example/crl"


def loaded(directory: Path, identity: str) -> Loaded:
    """The good configuration with another section identity; there is a signer and a password."""
    (directory / "sti-pa.pem").write_bytes(PKI.administrator().pem)
    password = directory / "password"
    password.touch(0o600)
    password.write_text("secret\n")
    assert FETCH in GOOD
    return load(write(directory, GOOD.replace(FETCH, f"identity: {{{identity}}}")))


def test_both_are_settings_of_the_service(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        'trust_list: {api: {url: "https://api.example/", user: us, password: password}, signers: [sti-pa.pem],'
        f' largest_loss: 20%, refresh: 1h}}, crl: {{url: "{CRL_URL}", signers: [sti-pa.pem], when_stale: refuse}},'
        " fetch: {allow_networks: [127.0.0.0/8]}",
    )
    assert found.problems == () and found.service is not None
    trust = found.service.trust
    listed, crl = trust.sources
    assert listed.login is not None and listed.largest_loss == 0.2 and not listed.refuse_stale
    assert listed.place == "https://api.example/api/v1/ca-list"
    assert listed.login.password_file == str(tmp_path / "password")
    assert (crl.place, crl.refuse_stale, crl.refresh_s) == (CRL_URL, True, 86_400.0)
    assert crl.signers == (str(tmp_path / "sti-pa.pem"),)
    assert trust.directory == str(tmp_path / "state" / "trust") and len(trust.guard.allow_networks) == 1


WRONG = {
    "two places": ('trust_list: {file: list.pem, url: "https://sti-pa.example/list"}', "must come from one place"),
    "no place": ("trust_list: {}", "must come from one place"),
    "an API without signers": (
        'trust_list: {api: {url: "https://api.example", user: us, password: password}}', "there are no signers"
    ),
    "a CRL without signers": (f'crl: {{url: "{CRL_URL}"}}', "no signature could be checked"),
    "a CRL of no place": ("crl: {signers: [sti-pa.pem]}", "must come from one place"),
    "no such signers": (f'crl: {{url: "{CRL_URL}", signers: [none.pem]}}', "there is no file or directory"),
    "signers that are none": (f'crl: {{url: "{CRL_URL}", signers: [password]}}', "holds no PEM certificates"),
    "plain http": ('crl: {url: "http://sti-pa.example/crl", signers: [sti-pa.pem]}', "is no https URL"),
    "a password in a URL": ('crl: {url: "https://me:s3cret@sti-pa.example/crl", signers: [sti-pa.pem]}', "a password"),
    "no such word": (f'crl: {{url: "{CRL_URL}", signers: [sti-pa.pem], when_stale: drop}}', "when_stale"),
}  # fmt: skip


@pytest.mark.parametrize(("identity", "what"), WRONG.values(), ids=WRONG)
def test_a_mistake_says_where_it_is(tmp_path: Path, identity: str, what: str) -> None:
    found = loaded(tmp_path, identity)
    told = [str(problem) for problem in found.errors]
    assert len(told) == 1, told
    assert what in told[0] and told[0].startswith(f"{tmp_path}/sipguard.yaml:26:")
    assert "s3cret" not in told[0]


def test_a_file_that_is_not_there_yet_is_a_warning(tmp_path: Path) -> None:
    found = loaded(tmp_path, "crl: {file: crl.der, signers: [sti-pa.pem]}, trust_list: {file: list.pem}")
    assert found.errors == () and found.service is not None
    assert ["there is no file" in str(problem) for problem in found.problems] == [True, True]
