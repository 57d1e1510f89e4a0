"""Constraints on claims (RFC 8226 §8, RFC 9118)."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as some

from sipguard.stir import constraints, passport
from sipguard.stir.errors import InvalidIdentity, UnsupportedCredential
from sipguard.stir.extensions import Extensions
from tests import pki

KEY = pki.new_key()
# Figure 1 of RFC 9118: "confidence" is required, high or medium; "priority" is excluded.
FIGURE_1 = dedent("""\
    -----BEGIN CERTIFICATE-----
    MIICpzCCAk2gAwIBAgIUH7Zd3rQ5AsvOlzLnzUHhrVhDSlswCgYIKoZIzj0EAwIw
    KTELMAkGA1UEBhMCVVMxGjAYBgNVBAMMEUJPR1VTIFNIQUtFTiBST09UMB4XDTIx
    MDcxNTIxNTIxNVoXDTIyMDcxNTIxNTIxNVowbDELMAkGA1UEBhMCVVMxCzAJBgNV
    BAgMAlZBMRAwDgYDVQQHDAdIZXJuZG9uMR4wHAYDVQQKDBVCb2d1cyBFeGFtcGxl
    IFRlbGVjb20xDTALBgNVBAsMBFZvSVAxDzANBgNVBAMMBlNIQUtFTjBZMBMGByqG
    SM49AgEGCCqGSM49AwEHA0IABNR6C6nBWRA/fXTglV03aXkXy8hx9oBttVLhsTZ1
    IYVRBao4OZhVf/Xv1a3xLsZ6KfdhuylSeAKuCoSbVGojYDGjggEOMIIBCjAMBgNV
    HRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQUDlG3dxHyzKL/FZfS
    PI7rpuueRbswHwYDVR0jBBgwFoAUlToKtrQeFrwwyXpMj1qu3TQEeoEwQgYJYIZI
    AYb4QgENBDUWM1RoaXMgY2VydGlmaWNhdGUgY2Fubm90IGJlIHRydXN0ZWQgZm9y
    IGFueSBwdXJwb3NlLjAWBggrBgEFBQcBGgQKMAigBhYEMTIzNDBOBggrBgEFBQcB
    IQRCMECgDjAMFgpjb25maWRlbmNloSAwHjAcFgpjb25maWRlbmNlMA4MBGhpZ2gM
    Bm1lZGl1baIMMAoWCHByaW9yaXR5MAoGCCqGSM49BAMCA0gAMEUCIQCbNR4QK1um
    +0vq2CE1B1/W3avYeREsPi/7RKHffL+5eQIgarHot+X9Rl7SOyNBq5X5JyEMx0SQ
    hRLkCY3Zoz2OCNQ=
    -----END CERTIFICATE-----
    """).encode()


def enforced(der: bytes, **claims: object) -> str:
    """The reason that a token with these further claims is refused with, "" where it passes."""
    limit = constraints.read(der, enhanced=True)
    assert limit is not None
    token = pki.passport("12025550101", "12125550123", KEY, "https://certs.example/a.pem", extra=claims)
    try:
        constraints.require_allowed(passport.read(token), [limit])
    except InvalidIdentity as error:
        assert error.status == 438
        return f"{error.reason} {error.detail}"
    return ""


def test_the_example_of_rfc_9118_is_read() -> None:
    (found,) = Extensions(x509.load_pem_x509_certificate(FIGURE_1)).constraints
    assert found.required == ("confidence",)
    assert found.values == (("confidence", ("high", "medium")),)
    assert found.excluded == ("priority",)
    der = pki.claim_constraints(["confidence"], {"confidence": ["high", "medium"]}, ["priority"])
    assert enforced(der, confidence="high") == ""
    assert enforced(der) == "constraint_missing confidence"
    assert enforced(der, confidence="low") == "constraint_value confidence"
    assert enforced(der, confidence="high", priority=1) == "constraint_excluded priority"


RCD = {"nam": "Example Bakery", "icn": "https://example.com/logo.png"}
CASES: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "a baseline claim is always there": (pki.claim_constraints(["iat", "orig", "dest"]), {}, ""),
    "attest permitted": (pki.claim_constraints(values={"attest": ["B", "A"]}), {}, ""),
    "attest not permitted": (pki.claim_constraints(values={"attest": ["B", "C"]}), {}, "constraint_value attest"),
    "case matters": (pki.claim_constraints(values={"attest": ["a"]}), {}, "constraint_value attest"),
    "a value for a claim that is absent": (pki.claim_constraints(values={"confidence": ["high"]}), {}, ""),
    "excluded and absent": (pki.claim_constraints(excluded=["rcd"]), {}, ""),
    "excluded": (pki.claim_constraints(excluded=["rcd"]), {"rcd": RCD}, "constraint_excluded rcd"),
    "excluded, though null": (pki.claim_constraints(excluded=["rcd"]), {"rcd": []}, "constraint_excluded rcd"),
    "required and excluded": (pki.claim_constraints(["rcd"], excluded=["rcd"]), {"rcd": {}}, "constraint_excluded rcd"),
    "an object as JSON": (
        pki.claim_constraints(values={"rcd": ['{"icn":"https://example.com/logo.png", "nam":"Example Bakery"}']}),
        {"rcd": RCD},
        "",
    ),
    "another object": (
        pki.claim_constraints(values={"rcd": ['{"nam":"Example Bank"}', "{", "null"]}),
        {"rcd": RCD},
        "constraint_value rcd",
    ),
    "the caller, an object": (pki.claim_constraints(values={"orig": ['{"tn":"12025550101"}']}), {}, ""),
    "a number": (pki.claim_constraints(values={"level": ["1", "2"]}), {"level": 2}, ""),
    "a text is no number": (pki.claim_constraints(values={"level": ["2"]}), {"level": "2"}, ""),
    "a number is no text": (pki.claim_constraints(values={"level": ['"2"']}), {"level": 2}, "constraint_value level"),
    "true": (pki.claim_constraints(values={"ok": ["true"]}), {"ok": True}, ""),
    "not true": (pki.claim_constraints(values={"ok": ["true"]}), {"ok": False}, "constraint_value ok"),
}


@pytest.mark.parametrize(("der", "claims", "reason"), CASES.values(), ids=CASES)
def test_claims_are_held_against_the_constraints(der: bytes, claims: dict[str, Any], reason: str) -> None:
    assert enforced(der, **claims) == reason


GOOD = pki.claim_constraints(["confidence"], {"confidence": ["high"]}, ["priority"])
MALFORMED = {
    "empty": b"",
    "no member": b"\x30\x00",
    "no sequence": b"\x31" + GOOD[1:],
    "truncated": GOOD[:-1],
    "octets behind": GOOD + b"\x00",
    "an unknown member": bytes.fromhex("3007a30530031601 61"),
    "members in another order": bytes.fromhex("300ea2053003160161a0053003160162"),
    "a member twice": bytes.fromhex("300ea0053003160161a0053003160162"),
    "an empty list of names": bytes.fromhex("3004a0023000"),
    "a name in UTF8": bytes.fromhex("3007a00530030c0161"),
    "a name beyond ASCII": bytes.fromhex("3007a0053003160180"),
    "an empty list of values": bytes.fromhex("300ba10930073005160161 3000"),
    "no values": bytes.fromhex("3004a1023000"),
    "a claim without values": bytes.fromhex("3009a10730053003160161"),
    "a value in IA5": bytes.fromhex("300ea10c300a3008160161 3003160162"),
    "a value that is not UTF-8": bytes.fromhex("300ea10c300a3008160161 30030c0180"),
}


@pytest.mark.parametrize("der", MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_read_is_refused(der: bytes) -> None:
    with pytest.raises(UnsupportedCredential) as raised:
        constraints.read(der, enhanced=True)
    assert raised.value.reason == "constraints_malformed"


def test_the_first_form_has_no_exclusions() -> None:
    with pytest.raises(UnsupportedCredential, match="constraints_malformed"):
        constraints.read(GOOD, enhanced=False)
    assert constraints.read(pki.claim_constraints(["a"], {"b": ["c"]}), enhanced=False) is not None


@pytest.mark.parametrize("claim", ["iat", "orig", "dest"])
def test_constraints_that_exclude_what_every_token_has_count_as_absent(claim: str) -> None:
    assert constraints.read(pki.claim_constraints(["rcd"], excluded=["rcd", claim]), enhanced=True) is None


NAMES = some.lists(some.text("abcdefgh", min_size=1, max_size=8), max_size=4)
VALUES = some.dictionaries(
    some.text("abcdefgh", min_size=1), some.lists(some.text(), min_size=1, max_size=3), max_size=3
)


@given(NAMES, VALUES, NAMES)
def test_what_is_encoded_is_read_again(required: list[str], values: dict[str, list[str]], excluded: list[str]) -> None:
    if not required and not values and not excluded:
        return
    found = constraints.read(pki.claim_constraints(required, values, excluded), enhanced=True)
    assert found is not None
    assert (found.required, found.excluded) == (tuple(required), tuple(excluded))
    assert dict(found.values) == {claim: tuple(listed) for claim, listed in values.items()}


@given(some.binary(max_size=12), some.integers(0, len(GOOD)), some.booleans())
def test_any_octets_are_constraints_or_refused_as_documented(noise: bytes, at: int, enhanced: bool) -> None:
    try:
        constraints.read(GOOD[:at] + noise + GOOD[at + len(noise) :], enhanced)
    except UnsupportedCredential as error:
        assert error.reason == "constraints_malformed"
