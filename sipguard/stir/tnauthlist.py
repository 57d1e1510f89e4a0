"""TNAuthList: what a certificate authorises its holder for (RFC 8226 §9, OID 1.3.6.1.5.5.7.1.26).

Enters: the DER octets of the extension. Leaves: SPCs and number ranges, and what of them is not as the standard has it.
Must not: ask which numbers are a provider's; an SPC stands for all of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from sipguard.stir.der import IA5, INTEGER, PRINTABLE, SEQUENCE, UTF8, elements, only
from sipguard.stir.errors import UnsupportedCredential

OID: Final = "1.3.6.1.5.5.7.1.26"
OTHER_STRING: Final = "tnauthlist_string"
UNTAGGED: Final = "spc_untagged"
_MALFORMED: Final = "tnauthlist_malformed"
_SPC, _RANGE, _ONE = 0xA0, 0xA1, 0xA2
_STRINGS: Final = (IA5, UTF8, PRINTABLE)  # the first by the standard, the others as they have been seen
_SPC_LIMIT: Final = 64  # characters
_TN: Final = frozenset("0123456789#*")


class TNAuthList:
    """`spcs`: service provider codes; `ranges`: (first TN, how many), a single TN being a range of one."""

    __slots__ = ("_codes", "_spans", "deviations", "ranges", "spcs")

    def __init__(
        self, spcs: tuple[str, ...], ranges: tuple[tuple[str, int], ...], deviations: tuple[str, ...] = ()
    ) -> None:
        self.spcs = spcs
        self.ranges = ranges
        self.deviations = deviations  # tnauthlist_string, spc_untagged
        self._spans = _spans(ranges)
        self._codes = frozenset(start for start, _ in ranges if not start.isdecimal())  # star codes and the like

    def covers(self, tn: str) -> bool:
        """Whether the list names `tn`: an SPC stands for every number of its provider (RFC 8226 §9)."""
        if self.spcs:
            return True
        if not (tn.isdecimal() and tn.isascii()):
            return tn in self._codes
        if len(tn) not in self._spans:  # also: int() refuses thousands of digits
            return False
        number = int(tn)
        return self._holds(len(tn), number, number + 1)

    def within(self, parent: TNAuthList) -> bool:
        """Whether `parent` encompasses this list (RFC 9060 §4): no SPC that it lacks, and no number beyond its own.

        An SPC of the parent stands for numbers that only the industry's databases know (§12), so under it every
        number is taken for one of its provider.
        """
        if not set(parent.spcs).issuperset(self.spcs):
            return False
        if parent.spcs:
            return True
        return self._codes <= parent._codes and all(
            parent._holds(length, start, end)
            for length, (starts, ends) in self._spans.items()
            for start, end in zip(starts, ends, strict=True)
        )

    def _holds(self, length: int, start: int, end: int) -> bool:
        """Whether all numbers of `length` digits from `start` to before `end` are listed."""
        if length not in self._spans:
            return False
        starts, ends = self._spans[length]
        at = bisect_right(starts, start) - 1
        return at >= 0 and end <= ends[at]


_Spans = dict[int, tuple[list[int], list[int]]]


def _spans(ranges: Iterable[tuple[str, int]]) -> _Spans:
    """By number of digits: where stretches without a gap begin, and where they have ended, in order."""
    by_length: dict[int, list[tuple[int, int]]] = {}
    for start, count in ranges:
        if start.isdecimal():
            by_length.setdefault(len(start), []).append((int(start), int(start) + count))
    spans: _Spans = {}
    for length, pairs in by_length.items():
        starts: list[int] = []
        ends: list[int] = []
        for start_at, end_at in sorted(pairs):
            if ends and start_at <= ends[-1]:
                ends[-1] = max(ends[-1], end_at)
            else:
                starts.append(start_at)
                ends.append(end_at)
        spans[length] = (starts, ends)
    return spans


def read(der: bytes) -> TNAuthList:
    """The list in `der`. Raises UnsupportedCredential("tnauthlist_malformed").

    Strings of another type than IA5String, and an SPC without its tag, occur in certificates that are in use.
    """
    spcs: list[str] = []
    ranges: list[tuple[str, int]] = []
    found: dict[str, None] = {}  # deviations, each once
    for tag, value in elements(only(der, SEQUENCE, _MALFORMED), _MALFORMED):
        if tag == _SPC:
            spcs.append(_spc(_string(value, found)))
        elif tag == _ONE:
            ranges.append((_tn(_string(value, found)), 1))
        elif tag == _RANGE:
            ranges.append(_range(value, found))
        elif tag in _STRINGS:
            found[UNTAGGED] = None
            spcs.append(_spc(_text(tag, value, found)))
        else:
            raise _malformed("not a TNEntry")
    if not spcs and not ranges:
        raise _malformed("empty")
    return TNAuthList(tuple(spcs), tuple(ranges), tuple(found))


def _range(value: bytes, found: dict[str, None]) -> tuple[str, int]:
    """(first TN, count). What a later version may append is passed over: the type is extensible."""
    parts = list(elements(only(value, SEQUENCE, _MALFORMED), _MALFORMED))
    if len(parts) < 2 or parts[1][0] != INTEGER or not 1 <= len(parts[1][1]) <= 8:
        raise _malformed("not a range")
    start = _tn(_text(*parts[0], found))
    count = int.from_bytes(parts[1][1], "big", signed=True)
    if count < 2 or not start.isdecimal():
        raise _malformed("not a range")
    if int(start) + count > 10 ** len(start):
        raise _malformed("a range that makes its number longer")
    return start, count


def _string(value: bytes, found: dict[str, None]) -> bytes:
    """The octets of the one string in `value`."""
    parts = list(elements(value, _MALFORMED))
    if len(parts) != 1:
        raise _malformed("unexpected element")
    return _text(*parts[0], found)


def _text(tag: int, value: bytes, found: dict[str, None]) -> bytes:
    if tag != IA5:
        if tag not in _STRINGS:
            raise _malformed("not a string")
        found[OTHER_STRING] = None
    return value


def _tn(octets: bytes) -> str:
    tn = octets.decode("ascii", "replace")
    if not 1 <= len(tn) <= 15 or not _TN.issuperset(tn):
        raise _malformed("not a telephone number")
    return tn


def _spc(octets: bytes) -> str:
    spc = octets.decode("ascii", "replace")
    if not 1 <= len(spc) <= _SPC_LIMIT or not spc.isascii() or not spc.isalnum():
        raise _malformed("not a service provider code")
    return spc


def _malformed(what: str) -> UnsupportedCredential:
    return UnsupportedCredential("tnauthlist_malformed", what)
