"""Rich call data: what a token names the caller, and why they call (RFC 9795 §5 to §7).

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
REASON_LIMIT: Final = 64  # what RFC 9796 §6 recommends for call-reason
_DIGESTS: Final = {"sha256": sha256, "sha384": sha384, "sha512": sha512}


def is_rich(passport: Passport) -> bool:
    """Whether a token has such data: `rcd`, `crn` or both, whatever its type (RFC 9795 §8)."""
    return passport.claims.rcd is not None or passport.claims.crn is not None


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
    """held | broken | unchecked: of `rcdi`, JSON pointers into `rcd` with digests (RFC 9795 §6); None for no digests.

    What stands in the token is compared; a digest of what a URI leads to is not: then `unchecked`.
    """
    if not isinstance(digests, dict) or not digests:
        return None
    result = HELD
    for pointer, wanted in digests.items():
        content = _NOTHING if not isinstance(pointer, str) else _pointed(rcd, pointer)
        if _is_elsewhere(content):
            result = UNFETCHED
        elif not isinstance(wanted, str) or content is _NOTHING or not _matches(content, wanted):
            return BROKEN
    return result


_NOTHING: Final = object()  # what a pointer leads to that leads nowhere; a JSON null is a value
_SCHEMES: Final = ("https:", "http:", "cid:", "data:")


def _pointed(rcd: dict[str, Any], pointer: str) -> object:
    """What a JSON pointer (RFC 6901) leads to; below `jcl`, whose jCard lies elsewhere, its URI (RFC 9795 §6.1.4)."""
    if not pointer.startswith("/"):
        return _NOTHING
    at: object = rcd
    for step in pointer[1:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(at, dict) and name in at:
            at = at[name]
        elif isinstance(at, list) and name.isdecimal() and len(name) < _DIGITS and int(name) < len(at):
            at = at[int(name)]
        else:
            return at if at is rcd.get("jcl") and _is_elsewhere(at) else _NOTHING
    return at


_DIGITS: Final = 5  # more than any index into a token has


def _is_elsewhere(content: object) -> bool:
    """Whether that is a URI, so that the digest is of what it leads to."""
    return isinstance(content, str) and content.lower().startswith(_SCHEMES)


def _matches(content: object, wanted: str) -> bool:
    """Whether a digest, `sha256-BASE64` padded or not, is that of a JSON value in the form of RFC 8225 §9."""
    name, _, digest = wanted.partition("-")
    make = _DIGESTS.get(name)
    if make is None:
        return False
    return b64encode(make(serialized(content)).digest()).decode().rstrip("=") == digest.rstrip("=")
