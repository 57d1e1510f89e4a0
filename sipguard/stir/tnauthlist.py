"""TNAuthList: what a certificate authorises its holder for (RFC 8226 §9, OID 1.3.6.1.5.5.7.1.26).

Enters: the DER octets of the extension. Leaves: SPCs and number ranges.
Must not: read more ASN.1 than this one type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sipguard.stir.errors import UnsupportedCredential

OID: Final = "1.3.6.1.5.5.7.1.26"
_SEQUENCE, _INTEGER, _IA5, _SPC, _RANGE, _ONE = 0x30, 0x02, 0x16, 0xA0, 0xA1, 0xA2
_TN: Final = frozenset("0123456789#*")


class TNAuthList:
    """`spcs`: service provider codes; `ranges`: (first TN, how many), a single TN being a range of one."""

    __slots__ = ("ranges", "spcs")

    def __init__(self, spcs: tuple[str, ...], ranges: tuple[tuple[str, int], ...]) -> None:
        self.spcs = spcs
        self.ranges = ranges

    def covers(self, tn: str) -> bool:
        """Whether the list names `tn`: an SPC stands for every number of its provider (RFC 8226 §9)."""
        if self.spcs:
            return True
        return any(_within(tn, start, count) for start, count in self.ranges)


def read(der: bytes) -> TNAuthList:
    """The list in `der`. Raises UnsupportedCredential("tnauthlist_malformed")."""
    body = _only(der, _SEQUENCE)
    spcs: list[str] = []
    ranges: list[tuple[str, int]] = []
    for tag, value in _elements(body):
        if tag == _SPC:
            spcs.append(_text(value))
        elif tag == _ONE:
            ranges.append((_number(value), 1))
        elif tag == _RANGE:
            ranges.append(_range(value))
        else:
            raise _malformed("not a TNEntry")
    if not spcs and not ranges:
        raise _malformed("empty")
    return TNAuthList(tuple(spcs), tuple(ranges))


def _within(tn: str, start: str, count: int) -> bool:
    if not (tn.isdigit() and start.isdigit() and len(tn) == len(start)):
        return tn == start
    return 0 <= int(tn) - int(start) < count


def _range(value: bytes) -> tuple[str, int]:
    parts = list(_elements(_only(value, _SEQUENCE)))
    if [tag for tag, _ in parts] != [_IA5, _INTEGER] or not 1 <= len(parts[1][1]) <= 8:
        raise _malformed("not a range")
    count = int.from_bytes(parts[1][1], "big", signed=True)
    start = _tn(parts[0][1])
    if count < 2 or not start.isdigit():
        raise _malformed("not a range")
    return start, count


def _number(value: bytes) -> str:
    return _tn(_only(value, _IA5))


def _tn(octets: bytes) -> str:
    tn = octets.decode("ascii", "replace")
    if not 1 <= len(tn) <= 15 or not _TN.issuperset(tn):
        raise _malformed("not a telephone number")
    return tn


def _text(value: bytes) -> str:
    text = _only(value, _IA5).decode("ascii", "replace")
    if not 1 <= len(text) <= 64 or not text.isascii() or not text.isalnum():
        raise _malformed("not a service provider code")
    return text


def _only(octets: bytes, tag: int) -> bytes:
    """The value of the one element in `octets`, which has `tag`."""
    elements = list(_elements(octets))
    if len(elements) != 1 or elements[0][0] != tag:
        raise _malformed("unexpected element")
    return elements[0][1]


def _elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each DER element; lengths of one octet, or of one or two more (X.690 §8.1.3)."""
    at, end = 0, len(octets)
    while at < end:
        if end - at < 2:
            raise _malformed("truncated")
        tag, length, at = octets[at], octets[at + 1], at + 2
        if length > 0x82 or length == 0x80:
            raise _malformed("length")
        if length > 0x80:
            wide = length - 0x80
            length = int.from_bytes(octets[at : at + wide], "big")
            at += wide
        if at + length > end:
            raise _malformed("truncated")
        yield tag, octets[at : at + length]
        at += length


def _malformed(what: str) -> UnsupportedCredential:
    return UnsupportedCredential("tnauthlist_malformed", what)
