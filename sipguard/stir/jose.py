"""What tokens and signed lists have in common: base64url without padding, signatures as r || s (RFC 7515, RFC 7518).

Enters: parts of a compact JWS. Leaves: octets. Must not: know what they mean, or raise errors of its own.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Final

# base64url to base64; every octet of the standard alphabet that base64url lacks becomes an illegal one.
TO_BASE64: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_LENGTHS: Final = tuple(bytes((n,)) for n in range(128))
_PADDING: Final = (b"", b"", b"==", b"=")  # a remainder of 1 stays as it is and is refused by the decoder


def octets_of(part: bytes) -> bytes:
    """The octets of one part, translated by TO_BASE64 and without padding. Raises binascii.Error."""
    return a2b_base64(part + _PADDING[len(part) & 3], strict_mode=True)


def der_of(signature: bytes) -> bytes:
    """The 64 octets r || s of an ES256 signature (RFC 7518 §3.4) as `cryptography` takes them: the DER encoding of a
    SEQUENCE of two INTEGERs (RFC 3279 §2.2.3), written here since each verified call needs it."""
    r, s = _integer(signature[:32]), _integer(signature[32:])
    return b"\x30" + _LENGTHS[len(r) + len(s)] + r + s


def _integer(octets: bytes) -> bytes:
    """A DER INTEGER (X.690 §8.3) of at most 33 octets: the shortest form, a zero in front where the sign bit is set."""
    octets = octets.lstrip(b"\0")
    if not octets or octets[0] > 127:
        octets = b"\0" + octets
    return b"\x02" + _LENGTHS[len(octets)] + octets
