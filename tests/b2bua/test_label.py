"""Display-name prefix, attestation headers as text."""

from __future__ import annotations

import pytest

from sipguard.b2bua.label import attestation_lines, with_prefix
from sipguard.screening.trunk import Trunk


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
