"""A password that systemd hands over is used, and stands nowhere: logs, state, journal, backup, bundle, processes."""

from __future__ import annotations

import re
import tarfile
from hashlib import md5
from pathlib import Path
from typing import Final
from urllib.error import HTTPError

import pytest

from tests.e2e.calls import Calls, own_rows
from tests.e2e.conftest import MakeProduct, Signer
from tests.e2e.product import HOP_HOST, Product, shown_outside
from tests.e2e.test_api import posted, signed, signing_product
from tests.e2e.test_signing import PASSPHRASE, Certified
from tests.standin import NextHop, header, reply

pytestmark = pytest.mark.e2e

PASSWORD: Final = "correct-horse-battery-staple"
CHALLENGE: Final = 'Digest realm="hop.example", nonce="n1", algorithm=MD5'


class Challenging(NextHop):
    """Answers 407 until an INVITE shows that the caller has the password (RFC 7616)."""

    def __init__(self) -> None:
        self.authorized = 0
        super().__init__(HOP_HOST)

    def _invited(self, message: str, source: tuple[str, int], at: float) -> None:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', header(message, "Proxy-Authorization")))
        uri = message.split(" ")[1]
        secret = md5(f"guard:hop.example:{PASSWORD}".encode()).hexdigest()
        wanted = md5(f"{secret}:n1:{md5(f'INVITE:{uri}'.encode()).hexdigest()}".encode()).hexdigest()
        if given.get("response") == wanted:
            self.authorized += 1
            super()._invited(message, source, at)
        else:
            more = f"Proxy-Authenticate: {CHALLENGE}"
            self.send(reply(message, "407 Proxy Authentication Required", "challenge", more=more), source)


def test_a_password_is_used_and_shown_nowhere(make_product: MakeProduct, tmp_path: Path) -> None:
    hop = Challenging()
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    (credentials / "hop").write_text(PASSWORD + "\n")
    (credentials / "hop").chmod(0o400)
    product = make_product(start=False)
    trunk = {**product.config["trunks"]["hop"], "peers": [f"{HOP_HOST}:{hop.port}"]}
    trunk["credentials"] = {"username": "guard", "password": "credential:hop"}
    product.write(trunks={**product.config["trunks"], "hop": trunk})
    outside = product.command("check")
    assert outside.returncode == 0, "only the service is given credentials"
    assert "warning" in outside.stdout + outside.stderr
    assert product.command("run").returncode == 2, "it does not start without them"
    product.environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    product.start()
    calls = Calls(product)
    assert calls.status() == 200
    assert hop.authorized == 1
    assert product.command("reload").returncode == 0
    assert calls.status() == 200
    own_rows(product, 2)
    command_lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in product.pids()]
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in product.pids()]
    assert not [each for each in (*command_lines, *environments) if PASSWORD.encode() in each]
    _assert_archives_are_clean(product, tmp_path)
    assert product.stop() == 0
    for path in product.directory.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
    calls.caller.close()
    hop.close()


def _assert_archives_are_clean(product: Product, tmp_path: Path) -> None:
    """Backup and bundle for support do not hold it."""
    backup, bundle = tmp_path / "backup.tar.gz", tmp_path / "bundle.tar.gz"
    assert product.command("backup", str(backup)).returncode == 0
    product.command("doctor", "--bundle", str(bundle))
    for archive in (backup, bundle):
        with tarfile.open(archive) as found:
            for member in found.getmembers():
                octets = found.extractfile(member)
                assert octets is None or PASSWORD.encode() not in octets.read(), member.name


def test_keys_of_signers_reach_the_desk_and_are_shown_nowhere(
    make_product: MakeProduct, signer: Signer, tmp_path: Path
) -> None:
    certified = Certified(tmp_path / "signing")
    product, port = signing_product(make_product, certified, signer)
    assert signed(port)
    with pytest.raises(HTTPError):
        posted(port, "open sesame", "signing", {"attest": "A", "signer": PASSPHRASE})
    assert product.command("reload").returncode == 0
    assert signed(port)
    secret = signer.leaf.key.private_numbers().private_value.to_bytes(32, "big")
    kept = (PASSPHRASE.encode(), secret, secret.hex().encode(), signer.leaf.key_pem.split(b"\n")[1], b"open sesame")
    shown = shown_outside(product, tmp_path)
    assert product.stop() == 0
    own = product.directory / "api.token"
    shown += [path.read_bytes() for path in product.directory.rglob("*") if path.is_file() and path != own]
    for octets in shown:
        assert not [each for each in kept if each in octets]
