"""Calls that the running product signs, verified by others and by itself; keys that change under calls."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from sipguard.stir import identity, passport
from sipguard.stir.certificate import Anchors, read_chain, validate
from sipguard.stir.errors import InvalidIdentity
from tests.e2e.calls import CALLEE, CALLER, Calls, own_rows
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import Product, shown_outside, wait_for
from tests.pki import Holder, Pki
from tests.standin import NextHop, header
from tests.wanted import reason

pytestmark = pytest.mark.e2e

PASSPHRASE: Final = "correct-horse-battery-staple"
URL: Final = "https://certs.example/709J.pem"


class Certified:
    """A directory with the certificate and the encrypted key of a signer."""

    def __init__(self, directory: Path) -> None:
        self.pki = Pki()
        self.directory = directory
        directory.mkdir()
        self.install(self.pki.leaf(spc="709J"))

    def install(self, leaf: Holder, key: Holder | None = None) -> None:
        """Another certificate, with its key or one that is not its own."""
        self.leaf = leaf
        (self.directory / "shaken.pem").write_bytes(leaf.pem)
        file = self.directory / "shaken.key"
        file.touch(0o600)
        how = BestAvailableEncryption(PASSPHRASE.encode())
        file.write_bytes((key or leaf).key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))

    def signers(self, x5u: str = URL) -> dict[str, Any]:
        """The section `signers` of a configuration."""
        files = {"certificate": str(self.directory / "shaken.pem"), "key": str(self.directory / "shaken.key")}
        return {"own": {**files, "passphrase_env": "SHAKEN_PASSPHRASE", "x5u": x5u}}


def signing(make_product: MakeProduct, certified: Certified, sign: dict[str, Any] | None = None) -> Product:
    """A product whose carrier is a customer with one number; started."""
    product = make_product(start=False)
    rules = {"by": "own", "attest": [{"when": {"lists.caller": "customers"}, "attest": "A"}], "otherwise": "B"}
    trunks = product.config["trunks"]
    carrier = {**trunks["carrier"], "kind": "origination", "sign": rules if sign is None else sign}
    lists = {**product.config["lists"], "customers": {"members": [CALLER], "bind": ["caller"]}}
    product.write(trunks={**trunks, "carrier": carrier}, lists=lists, signers=certified.signers())
    product.environment = {"SHAKEN_PASSPHRASE": PASSPHRASE}
    return product.start()


def sent_to(hop: NextHop, callee: str = CALLEE) -> str:
    """The INVITE that arrived last for a number."""
    arrived = hop.invite_for(callee.lstrip("+"))
    assert arrived is not None
    return arrived[0]


def require_verified(value: str, certified: Certified) -> passport.Passport:
    """The token of a value, by our own verification under the authority of the signer."""
    read = passport.read(identity.read(value).token)
    anchors = Anchors([certified.pki.root.certificate])
    credential = validate(read_chain(certified.leaf.pem), anchors, read.iat)
    passport.verify(read, credential, read.iat)
    return read


def test_what_is_signed_is_verified_by_us_and_by_secsipidx(
    make_product: MakeProduct, hop: NextHop, tmp_path: Path
) -> None:
    certified = Certified(tmp_path / "signing")
    product = signing(make_product, certified)
    calls = Calls(product)
    assert calls.status() == 200
    value = header(sent_to(hop), "Identity")
    read = require_verified(value, certified)
    assert (read.attest, read.orig_tn, read.dest_tns) == ("A", CALLER[1:], (CALLEE[1:],))
    (row,) = own_rows(product, 1)
    assert (row["signed"]["signer"], row["signed"]["attest"], row["signed"]["orig"]) == ("own", "A", CALLER[1:])
    said = product.command("explain", row["decision_id"]).stdout
    assert f"signed by own, attestation A, for {CALLER} in From" in said
    assert product.metric("sipguard_signatures_total", kind="A") == 1
    calls.caller.close()
    program = shutil.which("secsipidx")
    if program is None:
        pytest.skip(reason("secsipidx"))
    public = tmp_path / "public.pem"
    public.write_bytes(certified.leaf.pem)
    token = tmp_path / "identity"
    token.write_text(value)
    checked = [program, "-check", "-fidentity", str(token), "-fpubkey", str(public), "-expire", "60"]
    done = subprocess.run(checked, capture_output=True, text=True, timeout=10)
    assert (done.returncode, "ok" in done.stdout) == (0, True), done.stdout + done.stderr
    token.write_text(value.replace(value[100], "A" if value[100] != "A" else "B", 1))
    assert subprocess.run(checked, capture_output=True, timeout=10).returncode != 0


def test_a_key_that_changes_is_taken_up_and_a_broken_one_is_not(
    make_product: MakeProduct, hop: NextHop, tmp_path: Path
) -> None:
    certified = Certified(tmp_path / "signing")
    product = signing(make_product, certified)
    calls = Calls(product)
    first = certified.leaf
    assert calls.status() == 200
    require_verified(header(sent_to(hop), "Identity"), certified)
    certified.install(certified.pki.leaf(spc="709J"), certified.pki.leaf(spc="709J"))
    wait_for(lambda: "is not the key of the certificate" in product.log.read_text(), "the broken pair is named", 20)
    assert calls.status() == 200
    certified.leaf = first
    require_verified(header(sent_to(hop), "Identity"), certified)
    certified.install(certified.pki.leaf(spc="709J"))
    wait_for(lambda: "signing_key_taken" in product.log.read_text(), "the new key is taken up", 20)
    assert calls.status() == 200
    require_verified(header(sent_to(hop), "Identity"), certified)
    assert product.command("reload").returncode == 0
    assert calls.status() == 200
    require_verified(header(sent_to(hop), "Identity"), certified)
    calls.caller.close()


def test_a_start_without_a_usable_key_forwards_unsigned_and_says_so(
    make_product: MakeProduct, hop: NextHop, tmp_path: Path
) -> None:
    certified = Certified(tmp_path / "signing")
    whole = certified.leaf
    certified.install(whole, certified.pki.leaf(spc="709J"))  # a rotation that was left half done
    product = signing(make_product, certified)
    calls = Calls(product)
    assert calls.status() == 200
    assert not header(sent_to(hop), "Identity")
    assert "signing_key_unusable" in product.log.read_text()
    wait_for(lambda: product.metric("sipguard_signers_unusable") == 1, "the metric says so")
    said = product.command("status").stdout
    assert "signer    own: unusable: " in said
    assert "calls go on unsigned" in said
    assert product.command("check").returncode == 2
    assert "own: unusable: " in product.command("doctor").stdout
    product.write(policy={**product.config["policy"], "default": "allow"})
    assert product.command("reload").returncode == 0, "other changes are not held up"
    certified.install(whole)
    wait_for(lambda: "signing_key_taken" in product.log.read_text(), "the key is taken up", 20)
    assert calls.status() == 200
    require_verified(header(sent_to(hop), "Identity"), certified)
    calls.caller.close()


def test_a_key_changes_under_constant_calls(make_product: MakeProduct, hop: NextHop, tmp_path: Path) -> None:
    certified = Certified(tmp_path / "signing")
    product = signing(make_product, certified)
    calls = Calls(product)
    old, new = certified.leaf, certified.pki.leaf(spc="709J")
    signed_by: list[Holder] = []

    def call() -> None:
        assert calls.status() == 200
        certified.leaf = new if signed_by and signed_by[-1] is new else old
        value = header(sent_to(hop), "Identity")
        if certified.leaf is old and not holds(value, certified):
            certified.leaf = new
        assert holds(value, certified), "no call leaves unsigned, none by the old key after one by the new"
        signed_by.append(certified.leaf)

    for _ in range(5):
        call()
    certified.install(new)
    until = time.monotonic() + 20
    while signed_by[-1] is old and time.monotonic() < until:
        call()
    for _ in range(5):
        call()
    assert signed_by[0] is old and signed_by[-1] is new
    assert product.metric("sipguard_signatures_total", kind="A") == len(signed_by)
    calls.caller.close()


def holds(value: str, certified: Certified) -> bool:
    """Whether the certificate that is installed vouches for a value."""
    try:
        require_verified(value, certified)
    except InvalidIdentity:
        return False
    return True


def test_key_and_passphrase_stand_nowhere(make_product: MakeProduct, hop: NextHop, tmp_path: Path) -> None:
    certified = Certified(tmp_path / "signing")
    product = signing(make_product, certified)
    calls = Calls(product)
    assert calls.status() == 200
    own_rows(product, 1)
    secret = certified.leaf.key.private_numbers().private_value.to_bytes(32, "big")
    pem = certified.leaf.key_pem.split(b"\n")[1]
    shown = shown_outside(product, tmp_path)
    assert product.stop() == 0
    shown += [path.read_bytes() for path in product.directory.rglob("*") if path.is_file()]
    for octets in shown:
        assert PASSPHRASE.encode() not in octets
        assert secret not in octets
        assert pem not in octets
    calls.caller.close()


def test_a_trunk_may_sign_diversions_only(make_product: MakeProduct, hop: NextHop, tmp_path: Path) -> None:
    certified = Certified(tmp_path / "signing")
    product = signing(make_product, certified, {"by": "own", "otherwise": "none", "divert_for": ["customers"]})
    calls = Calls(product)
    assert calls.status() == 200
    assert not header(sent_to(hop), "Identity")
    (row,) = own_rows(product, 1)
    assert (row["signed"]["why"], row["signed"]["signer"]) == ("no_rule", "")
    calls.caller.close()
