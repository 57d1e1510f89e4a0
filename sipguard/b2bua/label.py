"""What a label and a verification result write into the forwarded INVITE: display-name prefix, verstat, headers.

Enters: header lines as they would cross, a verdict's label, the facts of identity. Leaves: the lines to send.
Must not: touch the digits of From, To or P-Asserted-Identity; the downstream verifier compares them.
"""

from __future__ import annotations

from typing import Final

from sipguard.screening.trunk import Trunk
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import name_addr, quoted_end

PASSED: Final = "TN-Validation-Passed"
FAILED: Final = "TN-Validation-Failed"
NONE: Final = "No-TN-Validation"
LEVELS: Final = ("A", "B", "C")  # of attestation (RFC 8588 §4); a base token may claim any text
_ORIGID: Final = frozenset(map(chr, range(0x21, 0x7F)))  # a UUID by RFC 8588 §5, written by others as they please

_BARE_ENDS: Final = (";", ",")  # of a URI without brackets
_BRACKETED: Final = ("<", '"')  # what an address begins with that has brackets, mostly


def verstat_of(style: str, result: object, attest: object) -> str:
    """The verstat value in a trunk's spelling, "" where the trunk wants none (facts of 3GPP TS 24.229 §7.2A.20).

    `style`: off | plain | suffix_all (-A, -B, -C) | suffix_bc (-B, -C only); `result` and `attest` are facts.
    """
    if style == "off":
        return ""
    if result == "passed":
        if attest in LEVELS and (style == "suffix_all" or (style == "suffix_bc" and attest != "A")):
            return f"{PASSED}-{attest}"
        return PASSED
    return FAILED if result == "failed" else NONE


def with_verstat(address: str, verstat: str) -> str:
    """An address (name-addr or addr-spec) with `verstat` as a parameter of its number.

    An addr-spec gets brackets, without which every `;` would end its URI (RFC 3261 §20.10).
    """
    if address[:1] not in _BRACKETED:
        bare = min((i for i in map(address.find, _BARE_ENDS) if i >= 0), default=len(address))
        if not 0 <= address.find("<") < bare:
            return with_verstat(f"<{address[:bare].rstrip()}>{address[bare:]}", verstat)
    start = max(quoted_end(address, 0), 0) if address.startswith('"') else 0
    at = address.find("@", start)
    if at >= 0:
        return f"{address[:at]};verstat={verstat}{address[at:]}"
    tel = address.find("tel:", start)
    if tel < 0:
        return address
    close = address.find(">", tel)
    if close < 0:
        return address
    return f"{address[:close]};verstat={verstat}{address[close:]}"


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

    Both are the signer's text: what is no attestation level is not written, nor an origid that is no header text.
    """
    if trunk.attestation_headers is None or attest not in LEVELS:
        return []
    info, origination = trunk.attestation_headers
    lines = [f"{info}: {attest}"]
    if isinstance(origid, str) and origid and _ORIGID.issuperset(origid):
        lines.append(f"{origination}: {origid}")
    return lines
