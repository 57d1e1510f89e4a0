"""Rich call data: only what a signature vouches for, and nothing that breaks a header (RFC 9795)."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.screening.checks import identity
from sipguard.screening.counters import Counters
from sipguard.screening.finding import Context, Finding
from sipguard.screening.lists import Lists
from sipguard.screening.verification.replays import Replays
from sipguard.screening.verification.rich import fit, integrity
from tests import pki
from tests.screening.verification.test_diversion import CALLER, CERTIFICATES, LEAF, NOW, TARGET, URL, attempt

JCD = ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Q Branch"]]]
DIGEST = (
    "sha256-"
    + b64encode(sha256(b'["vcard",[["version",{},"text","4.0"],["fn",{},"text","Q Branch"]]]').digest()).decode()
)

PRINTED = {
    "jcd": [
        "vcard",
        [
            ["version", {}, "text", "4.0"],
            ["fn", {}, "text", "Q Branch"],
            ["org", {}, "text", "MI6;Q Branch Spy Gadgets"],
            ["photo", {}, "uri", "https://example.com/photos/quartermaster-256x256.png"],
            ["logo", {}, "uri", "https://example.com/logos/mi6-256x256.jpg"],
            ["logo", {}, "uri", "https://example.com/logos/mi6-64x64.jpg"],
        ],
    ],
    "nam": "Q Branch Spy Gadgets",
}
PRINTED_JCD = "sha256-7kdCBZqH0nqMSPsmABvsKlHPhZEStgjojhdSJGRr3rk"
NULL = f"sha256-{b64encode(sha256(b'null').digest()).decode()}"


def value(ppt: str = "shaken", tamper: bool = False, **claims: Any) -> str:
    extra = claims if ppt == "shaken" else {"attest": None, "origid": None, **claims}
    text = pki.passport(CALLER, TARGET, LEAF.key, URL, iat=int(NOW), ppt=ppt, extra=extra, tamper=tamper)
    return pki.identity_value(text, URL, ppt)


def facts(*values: str) -> dict[str, object]:
    found = identity.check(
        attempt(*values), identity.Settings(), Context(Lists({}), Counters(), CERTIFICATES, Replays())
    )
    assert isinstance(found, Finding)
    return {name: found.facts.get(f"identity.{name}") for name in ("result", "rcd_name", "rcd_reason", "rcd_integrity")}


def test_claims_in_a_shaken_token() -> None:
    assert facts(value(rcd={"nam": "Example Bank", "apn": "12025550100"}, crn="Your appointment")) == {
        "result": "passed",
        "rcd_name": "Example Bank",
        "rcd_reason": "Your appointment",
        "rcd_integrity": None,
    }


def test_a_token_of_its_own_type_beside_one_that_says_who_calls() -> None:
    told = facts(value("rcd", rcd={"nam": "Example Bank"}, crn="Hello"), value())
    assert (told["result"], told["rcd_name"], told["rcd_reason"]) == ("passed", "Example Bank", "Hello")


def test_a_token_of_its_own_type_alone_says_not_who_calls() -> None:
    told = facts(value("rcd", rcd={"nam": "Example Bank"}))
    assert (told["result"], told["rcd_name"]) == ("unsupported", "Example Bank")


def test_a_reason_needs_no_name() -> None:
    """RFC 9795 §8: `rcd`, `crn` or both."""
    assert facts(value(crn="Your parcel"))["rcd_reason"] == "Your parcel"
    assert facts(value("rcd", crn="Your parcel"), value())["rcd_reason"] == "Your parcel"


def test_what_is_not_proven_names_nobody() -> None:
    assert facts(value(tamper=True, rcd={"nam": "Example Bank"}))["rcd_name"] is None
    assert facts(value("rcd", tamper=True, rcd={"nam": "Example Bank"}), value())["rcd_name"] is None


@pytest.mark.parametrize("rcd", ["x", 1, [], {}, {"nam": None}, {"nam": ["x"]}, {"nam": "\r\n"}])
def test_malformed_claims_fail_nothing(rcd: object) -> None:
    told = facts(value(rcd=rcd, crn={"x": 1}, rcdi="x"))
    assert (told["result"], told["rcd_name"], told["rcd_reason"], told["rcd_integrity"]) == ("passed", None, None, None)


@pytest.mark.parametrize(
    ("rcd", "digests", "found"),
    [
        ({"nam": "x", "jcd": JCD}, {"/jcd": DIGEST}, "held"),
        ({"nam": "x", "jcd": JCD}, {"/jcd": DIGEST.rstrip("=")}, "held"),
        ({"nam": "x", "jcd": [*JCD, 1]}, {"/jcd": DIGEST}, "broken"),
        ({"nam": "x"}, {"/jcd": DIGEST}, "broken"),
        ({"nam": "x", "jcd": JCD}, {"/jcd": "md5-xyz"}, "broken"),
        ({"nam": "x", "jcd": JCD}, {"/jcd": 5}, "broken"),
        ({"nam": "x", "icn": "https://example.com/i.png"}, {"/icn": DIGEST}, "unchecked"),
        ({"jcd": JCD, "icn": "HTTPS://example.com/i.png"}, {"/jcd": DIGEST, "/icn": DIGEST}, "unchecked"),
        ({"nam": "x", "jcd": []}, {"/icn": DIGEST, "/jcd": DIGEST}, "broken"),
        ({"nam": "x"}, {}, None),
        # the examples of RFC 9795 §6.1.3, §6.1.4 and §8.3
        (PRINTED, {"/jcd": PRINTED_JCD}, "held"),
        (PRINTED, {"/nam": "sha256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY", "/jcd": PRINTED_JCD}, "held"),
        (
            PRINTED,
            {"/jcd": PRINTED_JCD, "/jcd/1/3/3": "sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4"},
            "unchecked",
        ),
        (
            {"jcl": "https://example.com/q.json", "nam": "x"},
            {"/jcl": PRINTED_JCD, "/jcl/1/3/3": PRINTED_JCD},
            "unchecked",
        ),
        ({"nam": "y"}, {"/nam": "sha256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY"}, "broken"),
        # what leads nowhere
        (PRINTED, {"/jcd/1/9/3": PRINTED_JCD}, "broken"),
        (PRINTED, {"/jcd/1/-1": PRINTED_JCD}, "broken"),
        (PRINTED, {"/jcd/1/" + "9" * 5000: PRINTED_JCD}, "broken"),
        (PRINTED, {"/nam/0": PRINTED_JCD}, "broken"),
        (PRINTED, {"jcd": PRINTED_JCD}, "broken"),
        (PRINTED, {"": PRINTED_JCD}, "broken"),
        ({"jcl": 5}, {"/jcl/1": PRINTED_JCD}, "broken"),
        ({}, {"/icn": PRINTED_JCD}, "broken"),
        ({"a/b": {"~": None}}, {"/a~1b/~0": NULL}, "held"),
    ],
)
def test_integrity_of_what_stands_in_the_token(rcd: dict[str, Any], digests: object, found: str | None) -> None:
    assert integrity(rcd, digests) == found


@given(st.text(), st.integers(1, 200))
def test_no_text_breaks_a_quoted_string_or_a_line(text: str, limit: int) -> None:
    found = fit(text, limit)
    if found is not None:
        assert found.isprintable() and len(found) <= limit and found == found.strip()
        assert not set(found) & set('"\\<>')
