"""Verification over HTTP, by the running product: token, certificates by the guarded fetcher, a reload."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.e2e.conftest import MakeProduct, Signer
from tests.e2e.product import free_port
from tests.pki import identity_value, passport

pytestmark = pytest.mark.e2e

CALLER, CALLEE = "12025550101", "12125550123"


def ask(port: int, token: str, value: str) -> dict[str, Any]:
    """The verificationResponse. Raises HTTPError."""
    asked = {"from": {"tn": CALLER}, "to": {"tn": [CALLEE]}, "identity": value}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/stir/v1/verification",
        json.dumps({"verificationRequest": asked}).encode(),
        {"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)["verificationResponse"]
    return found


def test_an_sbc_asks_off_the_call_path(make_product: MakeProduct, signer: Signer) -> None:
    port = free_port()
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
