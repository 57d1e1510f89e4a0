"""Tokens that another implementation signed (secsipidx), verified by the running product."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest

from tests.e2e.conftest import Signer
from tests.e2e.product import Product
from tests.pki import identity_value
from tests.standin import Caller, NextHop, header
from tests.wanted import reason

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason("secsipidx")), reason=reason("secsipidx") or "secsipidx is there"),
]

CALLER = "12025550101"
CALLEE = "12025550181"  # wants verified callers only
ORIGID = "8f3b2a52-4b5e-4c5f-9a3e-0d5c2f6f7a11"


def signed(signer: Signer, *, callee: str = CALLEE, iat: int = 0) -> str:
    """An Identity value made by secsipidx with the signer's key; `iat` 0 is now (-sign-full knows no other)."""
    program = shutil.which("secsipidx")
    assert program is not None
    done = subprocess.run(
        [
            program, "-sign" if iat else "-sign-full", "-orig-tn", CALLER, "-dest-tn", callee, "-attest", "A",
            "-orig-id", ORIGID, "-x5u", signer.x5u, "-k", str(signer.key_file), "-iat", str(iat),
        ],
        capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    value = done.stdout.strip()
    return identity_value(value, signer.x5u) if iat else value


def tampered(value: str) -> str:
    """The value with one character of its claims changed: they are still JSON, the signature no longer holds."""
    head, claims, rest = value.split(".", 2)
    at = len(claims) // 4 * 3
    return f"{head}.{claims[:at]}{'A' if claims[at] != 'A' else 'B'}{claims[at + 1 :]}.{rest}"


def test_what_secsipidx_signs_is_verified(caller: Caller, hop: NextHop, product: Product, signer: Signer) -> None:
    value = signed(signer)
    began_at = time.time()
    outcome = caller.call(caller.invite(f"+{CALLER}", f"+{CALLEE}", extra=(f"Identity: {value}",)))
    assert outcome.status == 200
    assert outcome.bye_status == 200
    arrived = hop.invite_for(CALLEE)
    assert arrived is not None
    assert header(arrived[0], "Identity") == value, "it crosses byte for byte"
    assert "verstat=TN-Validation-Passed" in header(arrived[0], "From")
    row = product.call_of(CALLEE, began_at)
    assert (row["identity"], row["attest"], row["action"]) == ("passed", "A", "allow")


def broken(signer: Signer, how: str) -> str:
    """An Identity value that does not hold, "" for none at all."""
    if how == "tampered":
        return tampered(signed(signer))
    if how == "stale":
        return signed(signer, iat=int(time.time()) - 120)
    return signed(signer, callee="12025550182") if how == "of_another_call" else ""


@pytest.mark.parametrize(
    ("how", "status"),
    [("tampered", 438), ("stale", 403), ("of_another_call", 438), ("absent", 428)],
)
def test_what_does_not_hold_is_refused(
    caller: Caller, hop: NextHop, product: Product, signer: Signer, how: str, status: int
) -> None:
    value = broken(signer, how)
    reached = len(hop.invites)
    began_at = time.time()
    extra = (f"Identity: {value}",) if value else ()
    outcome = caller.call(caller.invite(f"+{CALLER}", f"+{CALLEE}", extra=extra))
    assert outcome.status == status
    assert len(hop.invites) == reached
    row = product.call_of(CALLEE, began_at)
    assert (row["rule"], row["identity"]) == ("verified-only", "failed" if value else "none")


def test_a_failed_verification_alone_rejects_nothing(caller: Caller, hop: NextHop, signer: Signer) -> None:
    value = tampered(signed(signer, callee="12025550131"))
    outcome = caller.call(caller.invite(f"+{CALLER}", "+12025550131", extra=(f"Identity: {value}",)))
    assert outcome.status == 200
    arrived = hop.invite_for("12025550131")
    assert arrived is not None
    assert "verstat=TN-Validation-Failed" in header(arrived[0], "From")
    assert header(arrived[0], "Identity") == value
