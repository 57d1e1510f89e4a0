"""TNAuthList: the DER of RFC 8226 §9."""

import pytest

from sipguard.stir import tnauthlist
from sipguard.stir.errors import UnsupportedCredential
from tests import pki

LISTS = {
    "SPC, octets published": (bytes.fromhex("3008a00616043831 3848"), ("818H",), ()),
    "two SPCs": (pki.tnauthlist(["709J", "1234"]), ("709J", "1234"), ()),
    "one number": (pki.tnauthlist(ones=["12025550101"]), (), (("12025550101", 1),)),
    "a range": (pki.tnauthlist(ranges=[("12025550100", 100)]), (), (("12025550100", 100),)),
    "mixed": (pki.tnauthlist(["709J"], ["12025550101"]), ("709J",), (("12025550101", 1),)),
    "long form of length": (pki.tnauthlist(["709J"] * 40), ("709J",) * 40, ()),
}


@pytest.mark.parametrize(("der", "spcs", "ranges"), LISTS.values(), ids=LISTS)
def test_lists_are_read(der: bytes, spcs: tuple[str, ...], ranges: tuple[tuple[str, int], ...]) -> None:
    found = tnauthlist.read(der)
    assert (found.spcs, found.ranges) == (spcs, ranges)


GOOD = pki.tnauthlist(["709J"])
MALFORMED = {
    "empty": b"",
    "no entry": b"\x30\x00",
    "truncated": GOOD[:-1],
    "octets behind it": GOOD + b"\x00",
    "no sequence": b"\x31" + GOOD[1:],
    "entry without its tag": bytes.fromhex("300613043730394a"),
    "implicit tag": bytes.fromhex("300680043730394a"),
    "indefinite length": b"\x30\x80" + GOOD[2:] + b"\x00\x00",
    "length of four octets": b"\x30\x84\x00\x00\x00\x08" + GOOD[2:],
    "length alone": b"\x30",
    "SPC empty": pki.tnauthlist([""]),
    "SPC with a space": pki.tnauthlist(["70 J"]),
    "number with letters": pki.tnauthlist(ones=["1202555CALL"]),
    "number of 16 digits": pki.tnauthlist(ones=["1" * 16]),
    "range of one": pki.tnauthlist(ranges=[("12025550100", 1)]),
    "range from a star code": pki.tnauthlist(ranges=[("*67", 5)]),
}


@pytest.mark.parametrize("der", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_list_is_refused(der: bytes) -> None:
    with pytest.raises(UnsupportedCredential) as raised:
        tnauthlist.read(der)
    assert raised.value.reason == "tnauthlist_malformed"


COVERS = {
    "SPC covers all": (GOOD, "13125550199", True),
    "the number": (pki.tnauthlist(ones=["12025550101"]), "12025550101", True),
    "another number": (pki.tnauthlist(ones=["12025550101"]), "12025550102", False),
    "first of a range": (pki.tnauthlist(ranges=[("12025550100", 10)]), "12025550100", True),
    "last of a range": (pki.tnauthlist(ranges=[("12025550100", 10)]), "12025550109", True),
    "behind a range": (pki.tnauthlist(ranges=[("12025550100", 10)]), "12025550110", False),
    "before a range": (pki.tnauthlist(ranges=[("12025550100", 10)]), "12025550099", False),
    "shorter than a range": (pki.tnauthlist(ranges=[("12025550100", 10)]), "2025550101", False),
    "no digits": (pki.tnauthlist(ranges=[("12025550100", 10)]), "1202555*101", False),
    "star code": (pki.tnauthlist(ones=["*67"]), "*67", True),
    "nothing": (pki.tnauthlist(ones=["12025550101"]), "", False),
}


@pytest.mark.parametrize(("der", "tn", "expected"), COVERS.values(), ids=COVERS)
def test_a_list_covers_its_numbers(der: bytes, tn: str, expected: bool) -> None:
    assert tnauthlist.read(der).covers(tn) is expected
