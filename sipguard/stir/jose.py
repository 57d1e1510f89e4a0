"""What tokens and signed lists have in common: base64url without padding, signatures as r || s (RFC 7515, RFC 7518).

Enters: parts of a compact JWS. Leaves: octets. Must not: know what they mean, or raise errors of its own.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

# base64url to base64; every octet of the standard alphabet that base64url lacks becomes an illegal one.
TO_BASE64: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING: Final = (b"", b"", b"==", b"=")  # a remainder of 1 stays as it is and is refused by the decoder


def octets_of(part: bytes) -> bytes:
    """The octets of one part, translated by TO_BASE64 and without padding. Raises binascii.Error."""
    return a2b_base64(part + _PADDING[len(part) & 3], strict_mode=True)


def der_of(signature: bytes) -> bytes:
    """The 64 octets r || s of an ES256 signature as `cryptography` takes them (RFC 7518 §3.4)."""
    number = int.from_bytes
    return encode_dss_signature(number(signature[:32], "big"), number(signature[32:], "big"))
