"""What a label and a verification result write into the forwarded INVITE: display-name prefix, headers.

Enters: header values as they would cross, a prefix, the facts of identity. Leaves: the lines to send.
Must not: touch the digits of From, To or P-Asserted-Identity; the downstream verifier compares them.
"""

from __future__ import annotations

from typing import Final

from sipguard.screening.trunk import Trunk
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import name_addr
from sipguard.stir.passport import is_plain

LEVELS: Final = ("A", "B", "C")  # of attestation (RFC 8588 §4); a base token may claim any text


def with_prefix(address: str, prefix: str, longest: int) -> str:
    """An address whose display name begins with `prefix`, cut to `longest` characters (0: uncut)."""
    try:
        display, uri, rest = name_addr(address)
    except MalformedMessage:
        return address
    if display.startswith('"'):
        display = display[1:-1]
    escaped = prefix.replace("\\", "\\\\").replace('"', '\\"')
    shown = escaped.encode().decode("latin-1") + display
    if longest:
        shown = _cut(shown, longest)
    return f'"{shown}" <{uri}>{rest}'


def _cut(shown: str, longest: int) -> str:
    """The first `longest` characters of a quoted text in UTF-8, one character an octet; of other text, octets."""
    try:
        shown = shown.encode("latin-1").decode()[:longest].encode().decode("latin-1")
    except UnicodeDecodeError:
        shown = shown[:longest]
    if (len(shown) - len(shown.rstrip("\\"))) % 2:
        return shown[:-1]  # never end on half of an escape
    return shown


def attestation_lines(trunk: Trunk, attest: object, origid: object) -> list[str]:
    """Attestation-Info and Origination-ID under the names that the egress trunk wants, where they were verified.

    Both are the signer's text: what is no attestation level is not written, nor an origid that is no header text: a
    UUID by RFC 8588 §5, written by others as they please.
    """
    if trunk.attestation_headers is None or attest not in LEVELS:
        return []
    info, origination = trunk.attestation_headers
    lines = [f"{info}: {attest}"]
    if isinstance(origid, str) and origid and is_plain(origid):
        lines.append(f"{origination}: {origid}")
    return lines
