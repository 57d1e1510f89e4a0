"""TNAuthList: the DER of RFC 8226 §9, and who may delegate what (RFC 9060 §4)."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as some

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


AS_SEEN = {
    "IA5String, tagged": (pki.tnauthlist(["709J"]), ()),
    "UTF8String": (pki.tnauthlist(["709J"], string=pki.UTF8), ("tnauthlist_string",)),
    "PrintableString": (pki.tnauthlist(["709J", "1234"], string=pki.PRINTABLE), ("tnauthlist_string",)),
    "a number in UTF8": (pki.tnauthlist(ones=["12025550101"], string=pki.UTF8), ("tnauthlist_string",)),
    "a range in UTF8": (pki.tnauthlist(ranges=[("12025550101", 2)], string=pki.UTF8), ("tnauthlist_string",)),
    "SPC without its tag": (pki.tnauthlist(["709J"], tagged=False), ("spc_untagged",)),
    "neither": (
        pki.tnauthlist(["709J"], string=pki.PRINTABLE, tagged=False),
        ("spc_untagged", "tnauthlist_string"),
    ),
}


@pytest.mark.parametrize(("der", "deviations"), AS_SEEN.values(), ids=AS_SEEN)
def test_lists_are_read_as_they_have_been_seen(der: bytes, deviations: tuple[str, ...]) -> None:
    found = tnauthlist.read(der)
    assert found.deviations == deviations
    assert set(found.spcs) <= {"709J", "1234"}
    assert bool(found.spcs) != bool(found.ranges)


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
    "SPC without its tag, not a string": bytes.fromhex("300602043730394a"),
    "SPC of octets": bytes.fromhex("3008a00604043730394a"),
    "two strings in one entry": bytes.fromhex("300ca00a16023730160239 4a1600"),
    "range that leaves its length": pki.tnauthlist(ranges=[("12025559999", 10**11)]),
    "range without count": bytes.fromhex("3009a1073005160331 3233"),
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


WITHIN = {
    "SPC of the parent": (pki.tnauthlist(["709J"]), pki.tnauthlist(["709J", "1234"]), True),
    "another SPC": (pki.tnauthlist(["818H"]), GOOD, False),
    "numbers of the provider": (pki.tnauthlist(ranges=[("12025550100", 50)]), GOOD, True),
    "SPC and numbers": (pki.tnauthlist(["709J"], ["12025550101"]), GOOD, True),
    "SPC under numbers": (GOOD, pki.tnauthlist(ranges=[("12025550100", 50)]), False),
    "number in a range": (pki.tnauthlist(ones=["12125551824"]), pki.tnauthlist(ranges=[("12125551000", 1000)]), True),
    "range in a range": (
        pki.tnauthlist(ranges=[("12125551500", 100)]),
        pki.tnauthlist(ranges=[("12125551000", 1000)]),
        True,
    ),
    "range over two that touch": (
        pki.tnauthlist(ranges=[("12125551050", 100)]),
        pki.tnauthlist(ranges=[("12125551100", 100), ("12125551000", 100)]),
        True,
    ),
    "range over a gap": (
        pki.tnauthlist(ranges=[("12125551050", 100)]),
        pki.tnauthlist(ranges=[("12125551101", 100), ("12125551000", 100)]),
        False,
    ),
    "range of single numbers": (
        pki.tnauthlist(ranges=[("12125551000", 2)]),
        pki.tnauthlist(ones=["12125551001", "12125551000"]),
        True,
    ),
    "one beyond": (pki.tnauthlist(ranges=[("12125551000", 3)]), pki.tnauthlist(ranges=[("12125551000", 2)]), False),
    "fewer digits": (pki.tnauthlist(ones=["2125551001"]), pki.tnauthlist(ranges=[("12125551000", 100)]), False),
    "star code": (pki.tnauthlist(ones=["*67"]), pki.tnauthlist(ones=["*67", "12125551001"]), True),
    "another star code": (pki.tnauthlist(ones=["*69"]), pki.tnauthlist(ones=["*67"]), False),
}


@pytest.mark.parametrize(("child", "parent", "expected"), WITHIN.values(), ids=WITHIN)
def test_a_parent_encompasses_its_child(child: bytes, parent: bytes, expected: bool) -> None:
    assert tnauthlist.read(child).within(tnauthlist.read(parent)) is expected


# ------------------------------------------------------------------------------------------ properties

SPCS = some.lists(some.text("0123456789ABCDEFGHJ", min_size=1, max_size=5), max_size=3)
SMALL = some.tuples(some.integers(0, 99), some.integers(1, 30)).map(lambda pair: (f"{pair[0]:02}", pair[1]))
RANGES = some.lists(SMALL.filter(lambda pair: int(pair[0]) + pair[1] <= 100), max_size=6)


def encoded(spcs: Iterable[str], ranges: Iterable[tuple[str, int]]) -> bytes:
    """DER with ranges of one as single numbers, these last."""
    listed = list(ranges)
    ones = [start for start, count in listed if count == 1]
    return pki.tnauthlist(spcs, ones, [one for one in listed if one[1] > 1])


def numbers(ranges: Iterable[tuple[str, int]]) -> set[str]:
    """Every number that the ranges hold."""
    return {f"{number:02}" for start, count in ranges for number in range(int(start), int(start) + count)}


@given(SPCS, RANGES)
def test_what_is_encoded_is_read_again(spcs: list[str], ranges: list[tuple[str, int]]) -> None:
    if not spcs and not ranges:
        return
    found = tnauthlist.read(encoded(spcs, ranges))
    assert (found.spcs, sorted(found.ranges), found.deviations) == (tuple(spcs), sorted(ranges), ())


@given(RANGES.filter(bool), RANGES.filter(bool))
def test_covering_and_encompassing_are_those_of_sets(
    child: list[tuple[str, int]], parent: list[tuple[str, int]]
) -> None:
    one, other = tnauthlist.read(encoded([], child)), tnauthlist.read(encoded([], parent))
    assert {f"{n:02}" for n in range(100) if one.covers(f"{n:02}")} == numbers(child)
    assert one.within(other) is (numbers(child) <= numbers(parent))
    assert one.within(one)
    assert not any(one.covers(tn) for tn in ("", "1", "100", "٣٣", "²²", "1*"))


@given(some.one_of(some.binary(max_size=60), some.tuples(some.binary(max_size=8), some.integers(0, 40))))
def test_any_octets_are_a_list_or_refused_as_documented(octets: bytes | tuple[bytes, int]) -> None:
    if isinstance(octets, tuple):
        noise, at = octets
        whole = pki.tnauthlist(["709J"], ["12025550101"], [("12025550100", 100)])
        octets = whole[:at] + noise + whole[at + len(noise) :]
    try:
        found = tnauthlist.read(octets)
    except UnsupportedCredential as error:
        assert (error.reason, error.status) == ("tnauthlist_malformed", 437)
    else:
        assert found.spcs or found.ranges


def test_a_number_of_thousands_of_digits_is_not_covered() -> None:
    """int() raises on it."""
    assert not tnauthlist.read(pki.tnauthlist(ones=["12025550101"])).covers("1" * 4321)
