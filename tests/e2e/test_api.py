"""Verification and signing over HTTP, by the running product: token, guarded fetcher, secsipidx, reload, rotation."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MakeProduct, Signer
from tests.e2e.product import Product, free_port, wait_for
from tests.e2e.test_signing import PASSPHRASE, Certified, require_verified
from tests.pki import Holder, identity_value, passport
from tests.wanted import reason

pytestmark = pytest.mark.e2e

CALLER, CALLEE = "12025550101", "12125550123"


def posted(port: int, token: str, what: str, asked: object) -> dict[str, Any]:
    """The answer to a request of that kind. Raises HTTPError."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/stir/v1/{what}",
        json.dumps({f"{what}Request": asked}).encode(),
        {"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)[f"{what}Response"]
    return found


def ask(port: int, token: str, value: str, **more: str) -> dict[str, Any]:
    """The verificationResponse. Raises HTTPError."""
    asked = {"from": {"tn": CALLER}, "to": {"tn": [CALLEE]}, "identity": value, **more}
    return posted(port, token, "verification", asked)


def signed(port: int, attest: str = "A") -> str:
    """The Identity value that is made. Raises HTTPError."""
    asked = {"attest": attest, "orig": {"tn": CALLER}, "dest": {"tn": [CALLEE]}, "iat": int(time.time())}
    asked["origid"] = "de305d54-75b4-431b-adb2-eb6b9e546014"
    value: str = posted(port, "open sesame", "signing", asked)["identity"]
    return value


def signing_product(make_product: MakeProduct, certified: Certified, signer: Signer) -> tuple[Product, int]:
    """A product that signs over HTTP by the certificate that `signer` serves, or by what the directory comes to."""
    port = free_port(kind=socket.SOCK_STREAM)
    certified.install(signer.leaf)
    product = make_product(
        start=False,
        api={"token": "api.token", "port": port, "signers": ["own"], "attest_at_most": "A"},
        identity=signer.identity(),
        signers=certified.signers(signer.x5u),
        screening={"checks": {"identity": {"budget": "5s"}}},
    )
    secret = product.directory / "api.token"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    product.environment = {"SHAKEN_PASSPHRASE": PASSPHRASE}
    return product.start(), port


def test_an_sbc_asks_off_the_call_path(make_product: MakeProduct, signer: Signer) -> None:
    port = free_port(kind=socket.SOCK_STREAM)
    product = make_product(
        start=False,
        api={"token": "api.token", "port": port},
        identity=signer.identity(),
        screening={"checks": {"identity": {"budget": "5s"}}},
    )
    secret = product.directory / "api.token"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    product.start()
    value = identity_value(passport(CALLER, CALLEE, signer.leaf.key, signer.x5u), signer.x5u)
    assert ask(port, "open sesame", value)["verstat"] == "TN-Validation-Passed"
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(port, "open", value)
    assert (refused.value.code, refused.value.read()) == (401, b"")
    assert product.command("reload").returncode == 0
    assert ask(port, "open sesame", value)["verstat"] == "TN-Validation-Passed"
    assert ask(port, "open sesame", value, trunk="carrier")["verstat"] == "TN-Validation-Passed"
    with pytest.raises(urllib.error.HTTPError) as unknown:
        ask(port, "open sesame", value, trunk="nowhere")
    assert unknown.value.code == 400
    (row,) = product.answer("certs", "list", "--host", "127.0.0.1")
    assert row["url"] == signer.x5u, "kept for calls as well"


def test_what_an_sbc_has_signed_is_verified_by_us_and_by_secsipidx(
    make_product: MakeProduct, signer: Signer, tmp_path: Path
) -> None:
    product, port = signing_product(make_product, Certified(tmp_path / "signing"), signer)
    value = signed(port)
    judged = ask(port, "open sesame", value)
    assert (judged["verstat"], judged["attest"]) == ("TN-Validation-Passed", "A")
    assert product.metric("sipguard_api_signatures_total", kind="A") == 1
    wait_for(lambda: '"event": "signed"' in product.log.read_text(), "it is logged")
    (line,) = [json.loads(line) for line in product.log.read_text().splitlines() if '"event": "signed"' in line]
    assert (line["signer"], line["orig"], line["dest"]) == ("own", "1202555****", "1212555****")
    with pytest.raises(urllib.error.HTTPError) as refused:
        posted(port, "open sesame", "signing", {"attest": "A"})
    assert refused.value.code == 422
    program = shutil.which("secsipidx")
    if program is None:
        pytest.skip(reason("secsipidx"))
    public, token = tmp_path / "public.pem", tmp_path / "identity"
    public.write_bytes(signer.leaf.pem)
    token.write_text(value)
    checked = [program, "-check", "-fidentity", str(token), "-fpubkey", str(public), "-expire", "60"]
    done = subprocess.run(checked, capture_output=True, text=True, timeout=10)
    assert (done.returncode, "ok" in done.stdout) == (0, True), done.stdout + done.stderr


def test_keys_that_change_are_taken_up_over_http(make_product: MakeProduct, signer: Signer, tmp_path: Path) -> None:
    certified = Certified(tmp_path / "signing")
    product, port = signing_product(make_product, certified, signer)
    other: Holder = certified.pki.leaf(spc="710J")
    certified.install(other)
    wait_for(lambda: "signing_key_taken" in product.log.read_text(), "the new key is taken up", 20)
    require_verified(signed(port), certified)
    assert product.command("reload").returncode == 0
    require_verified(signed(port), certified)


def test_a_reload_names_what_of_the_api_waits_for_a_restart(make_product: MakeProduct, signer: Signer) -> None:
    port, other = free_port(kind=socket.SOCK_STREAM), free_port(kind=socket.SOCK_STREAM)
    product = make_product(start=False, api={"token": "api.token", "port": port}, identity=signer.identity())
    secret = product.directory / "api.token"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    product.start()
    fetch = {**product.config["identity"]["fetch"], "per_host": 3}
    product.write(api={"token": "api.token", "port": other}, identity={**product.config["identity"], "fetch": fetch})
    done = product.command("reload")
    assert done.returncode == 0
    said = done.stdout + done.stderr
    assert "warning: api.port changed; it takes effect at the next start" in said
    assert "warning: identity.fetch of api changed; it takes effect at the next start" in said
    value = identity_value(passport(CALLER, CALLEE, signer.leaf.key, signer.x5u), signer.x5u)
    assert ask(port, "open sesame", value)["verstat"]
