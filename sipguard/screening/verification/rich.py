"""Rich call data: what a token names the caller, and why they call (RFC 9795).

Enters: a token that was proven. Leaves: facts. Texts are made fit for a header line: one line, no quotes, bounded.
Must not: fetch what a claim points at; digests over such content stay unchecked.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256, sha384, sha512
from typing import Any, Final

from sipguard.screening.finding import FactValue
from sipguard.stir.claims import serialized
from sipguard.stir.passport import Passport

RCD: Final = "rcd"
HELD: Final = "held"
BROKEN: Final = "broken"
UNFETCHED: Final = "unchecked"
NAME_LIMIT: Final = 128  # characters
REASON_LIMIT: Final = 64  # what RFC 9796 recommends for call-reason
_DIGESTS: Final = {"sha256": sha256, "sha384": sha384, "sha512": sha512}


def rich_call_data(passport: Passport) -> dict[str, FactValue]:
    """`identity.rcd_*` of a token; what is not as RFC 9795 has it is absent."""
    claims = passport.claims
    rcd = claims.rcd if isinstance(claims.rcd, dict) else {}
    return {
        "identity.rcd_name": fit(rcd.get("nam"), NAME_LIMIT),
        "identity.rcd_reason": fit(claims.crn, REASON_LIMIT),
        "identity.rcd_integrity": integrity(rcd, claims.rcdi),
    }


def fit(text: object, limit: int) -> str | None:
    """A text of a stranger as one line of at most `limit` characters that cannot end a quoted string or a URI."""
    if not isinstance(text, str):
        return None
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line.translate(_UNQUOTED)[:limit].rstrip() or None


_UNQUOTED: Final = str.maketrans({'"': "'", "\\": "/", "<": "(", ">": ")"})


def integrity(rcd: dict[str, Any], digests: object) -> str | None:
    """held | broken | unchecked: of `rcdi`, JSON pointers into `rcd` with digests; None where there is none.

    Only a jCard that stands in the token is at hand; a digest over anything else may be of what a URI leads to.
    """
    if not isinstance(digests, dict) or not digests:
        return None
    result = HELD
    for pointer, wanted in digests.items():
        if pointer != "/jcd":
            result = UNFETCHED if result == HELD else result
        elif not isinstance(wanted, str) or not _matches(rcd.get("jcd"), wanted):
            return BROKEN
    return result


def _matches(content: object, wanted: str) -> bool:
    """Whether a digest, as `sha256-BASE64`, is that of `content` in the form of RFC 8225 §9."""
    name, _, digest = wanted.partition("-")
    make = _DIGESTS.get(name)
    if make is None or content is None:
        return False
    return b64encode(make(serialized(content)).digest()).decode().rstrip("=") == digest.rstrip("=")
