"""Display-name prefix, verstat, attestation headers as text."""

from __future__ import annotations

import pytest

from sipguard.b2bua.label import attestation_lines, verstat_of, with_prefix, with_verstat
from sipguard.screening.trunk import Trunk


@pytest.mark.parametrize(
    ("style", "result", "attest", "value"),
    [
        ("plain", "passed", "A", "TN-Validation-Passed"),
        ("plain", "failed", None, "TN-Validation-Failed"),
        ("plain", "none", None, "No-TN-Validation"),
        ("plain", "unsupported", None, "No-TN-Validation"),
        ("plain", None, None, "No-TN-Validation"),
        ("suffix_all", "passed", "A", "TN-Validation-Passed-A"),
        ("suffix_all", "passed", "C", "TN-Validation-Passed-C"),
        ("suffix_bc", "passed", "A", "TN-Validation-Passed"),
        ("suffix_bc", "passed", "B", "TN-Validation-Passed-B"),
        ("suffix_bc", "failed", None, "TN-Validation-Failed"),
        ("off", "passed", "A", ""),
        ("suffix_all", "passed", "A\r\nX-Evil: 1", "TN-Validation-Passed"),
        ("suffix_bc", "passed", "\u4e2d", "TN-Validation-Passed"),
    ],
)
def test_verstat_of(style: str, result: str | None, attest: str | None, value: str) -> None:
    assert verstat_of(style, result, attest) == value


@pytest.mark.parametrize(
    ("address", "marked"),
    [
        ("<sip:+1202@h>", "<sip:+1202;verstat=V@h>"),
        ("sip:+1202@h", "<sip:+1202;verstat=V@h>"),  # RFC 3261 §20.10: `;` would end the URI
        ("sip:+1202@h;tag=a", "<sip:+1202;verstat=V@h>;tag=a"),
        ("sip:+1202@h, <tel:+1202>", "<sip:+1202;verstat=V@h>, <tel:+1202>"),
        ("<tel:+1202>", "<tel:+1202;verstat=V>"),
        ("tel:+1202", "<tel:+1202;verstat=V>"),
        ("tel:+1202;phone-context=x", "<tel:+1202;verstat=V>;phone-context=x"),
        ('"a@b" <sip:+1202@h>', '"a@b" <sip:+1202;verstat=V@h>'),
        ('"a<x@b" <sip:+1202@h>', '"a<x@b" <sip:+1202;verstat=V@h>'),
        ("<sip:+1202@h>, <tel:+1202>", "<sip:+1202;verstat=V@h>, <tel:+1202>"),
        ("<urn:service:sos>", "<urn:service:sos>"),
    ],
)
def test_with_verstat(address: str, marked: str) -> None:
    assert with_verstat(address, "V") == marked


@pytest.mark.parametrize(
    ("address", "prefix", "longest", "shown"),
    [
        ("<sip:a@h>", "X ", 0, '"X " <sip:a@h>'),
        ('"Al" <sip:a@h>;p=1', "X ", 0, '"X Al" <sip:a@h>;p=1'),
        ("Al <sip:a@h>", "X ", 0, '"X Al" <sip:a@h>'),
        ('"Alice" <sip:a@h>', "X ", 4, '"X Al" <sip:a@h>'),
        ('"A\\"l" <sip:a@h>', "X ", 4, '"X A" <sip:a@h>'),  # never half of an escape
        ("<sip:a@h>", 'say "no" \\', 0, '"say \\"no\\" \\\\" <sip:a@h>'),
        ('"Zoë"'.encode().decode("latin-1") + " <sip:a@h>", "é", 4, '"éZoë" <sip:a@h>'.encode().decode("latin-1")),
        ('"Zoë"'.encode().decode("latin-1") + " <sip:a@h>", "é", 3, '"éZo" <sip:a@h>'.encode().decode("latin-1")),
        ('"unclosed <sip:a@h>', "X ", 0, '"unclosed <sip:a@h>'),
    ],
)
def test_with_prefix(address: str, prefix: str, longest: int, shown: str) -> None:
    assert with_prefix(address, prefix, longest) == shown


@pytest.mark.parametrize(
    ("names", "attest", "origid", "lines"),
    [
        (None, "A", "o", []),
        (("Attestation-Info", "Origination-ID"), "A", "o", ["Attestation-Info: A", "Origination-ID: o"]),
        (("P-Attestation-Indicator", "P-Origination-Id"), "B", None, ["P-Attestation-Indicator: B"]),
        (("Attestation-Info", "Origination-ID"), None, "o", []),
        (("Attestation-Info", "Origination-ID"), "A\r\nX-Evil: 1", "o", []),
        (("Attestation-Info", "Origination-ID"), "A", "o\r\nX-Evil: 1", ["Attestation-Info: A"]),
        (("Attestation-Info", "Origination-ID"), "A", "\u4e2d", ["Attestation-Info: A"]),
    ],
)
def test_attestation_lines(
    names: tuple[str, str] | None, attest: str | None, origid: str | None, lines: list[str]
) -> None:
    trunk = Trunk("hop", "origination", attestation_headers=names)
    assert attestation_lines(trunk, attest, origid) == lines
