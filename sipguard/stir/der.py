"""The elements of DER, as far as extensions of STIR certificates need them (X.690 §8.1, §10.1).

Enters: octets, the reason to refuse them with. Leaves: tags and values. Must not: recurse, or know a type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sipguard.stir.errors import UnsupportedCredential

SEQUENCE: Final = 0x30
INTEGER: Final = 0x02
IA5: Final = 0x16
UTF8: Final = 0x0C
PRINTABLE: Final = 0x13


def elements(octets: bytes, reason: str) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each element; lengths of one octet, or of one or two more. Raises UnsupportedCredential."""
    at, end = 0, len(octets)
    while at < end:
        if end - at < 2:
            raise UnsupportedCredential(reason, "truncated")
        tag, length, at = octets[at], octets[at + 1], at + 2
        if length > 0x82 or length == 0x80:
            raise UnsupportedCredential(reason, "length")
        if length > 0x80:
            wide = length - 0x80
            length = int.from_bytes(octets[at : at + wide], "big")
            at += wide
        if at + length > end:
            raise UnsupportedCredential(reason, "truncated")
        yield tag, octets[at : at + length]
        at += length


def only(octets: bytes, tag: int, reason: str) -> bytes:
    """The value of the one element in `octets`, which has `tag`. Raises UnsupportedCredential."""
    found = list(elements(octets, reason))
    if len(found) != 1 or found[0][0] != tag:
        raise UnsupportedCredential(reason, "unexpected element")
    return found[0][1]
