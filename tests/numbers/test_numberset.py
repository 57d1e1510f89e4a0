"""Sets of numbers and pairs in mapped files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.numbers import numberset
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.numberset import (
    BITMAP,
    INDEXED_NANP,
    SORTED_NANP,
    NumberSet,
    build,
)
from sipguard.numbers.pairset import PairSet, build_pairs
from sipguard.numbers.setfile import NUMBERS, SetFile

DIGITS = st.text("0123456789", min_size=1, max_size=18)
NANP = st.builds("1{}5550{:03d}".format, st.sampled_from(["202", "212", "000", "999"]), st.integers(0, 999))
TN = NANP | DIGITS


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sets") / "list.set"


@settings(max_examples=60, deadline=None)
@given(members=st.lists(TN, max_size=40), others=st.lists(TN, max_size=20))
def test_it_holds_what_a_plain_set_holds(file: Path, members: list[str], others: list[str]) -> None:
    plain = set(members)
    assert build(file, members) == len(plain)
    mapped = NumberSet.open(file)
    assert len(mapped) == len(plain)
    asked = [*members, *others]
    assert [tn in mapped for tn in asked] == [tn in plain for tn in asked]
    assert sorted(mapped) == sorted(plain)
    assert mapped.damaged() == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TN, TN), max_size=40), st.lists(st.tuples(TN, TN), max_size=20))
def test_pairs_are_those_of_a_plain_set(
    file: Path, members: list[tuple[str, str]], others: list[tuple[str, str]]
) -> None:
    plain = set(members)
    assert build_pairs(file, members) == len(plain)
    mapped = PairSet.open(file)
    asked = [*members, *others, *((b, a) for a, b in members)]
    assert [pair in mapped for pair in asked] == [pair in plain for pair in asked]
    assert sorted(mapped) == sorted(plain)
    assert len(mapped) == len(plain)


@pytest.mark.parametrize(
    ("count", "kind"),
    [(1, SORTED_NANP), (256, SORTED_NANP), (257, INDEXED_NANP), (3000, INDEXED_NANP), (3001, BITMAP)],
)
def test_the_kind_of_block_follows_the_number_of_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, kind: int
) -> None:
    monkeypatch.setattr(numberset, "MANY", 3000)
    members = [f"1202{n * 3331:07d}" for n in range(count)]
    build(tmp_path / "a", members)
    assert [block.kind for block in SetFile(tmp_path / "a", NUMBERS).blocks] == [kind]
    mapped = NumberSet.open(tmp_path / "a")
    assert all(tn in mapped for tn in members)
    assert not any(f"1202{n * 3331 + 1:07d}" in mapped for n in range(count))
    assert "12029999999" not in mapped and "12020000001" not in mapped
    assert list(mapped) == members


@pytest.mark.parametrize("repeats", [1, 5], ids=["exact", "over-full of doubles"])
def test_the_same_members_make_the_same_octets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repeats: int) -> None:
    monkeypatch.setattr(numberset, "_PENDING", 40)
    members = [f"1202555{n:04d}" for n in range(30)] + ["442079460000", "911", "0911"]
    build(tmp_path / "a", members, ["1900", "44"])
    build(tmp_path / "b", reversed(members * repeats), ["44", "1900", "44"])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    build_pairs(tmp_path / "c", pairwise(members))
    build_pairs(tmp_path / "d", reversed(list(pairwise(members)) * repeats))
    assert (tmp_path / "c").read_bytes() == (tmp_path / "d").read_bytes()


@pytest.mark.parametrize(
    ("tn", "held"),
    [
        ("12025550100", True),
        ("12025559999", True),
        ("12025600100", False),
        ("442079460000", True),
        ("4455010", False),
        ("911", True),
        ("0911", False),
        ("", False),
        ("*67", False),
        ("1202555010*", True),
        ("1202556010*", False),
        ("1212555010²", False),
        ("9" * 30, False),
        ("9" * 5000, False),
    ],
    ids=lambda value: str(value)[:14],
)
def test_numbers_and_prefixes(tmp_path: Path, tn: str, held: bool) -> None:
    build(tmp_path / "a", ["911", "12125550100", "999"], ["1202555", "44"])
    mapped = NumberSet.open(tmp_path / "a")
    assert (tn in mapped) is held
    assert mapped.prefixes == ("1202555", "44")
    assert len(mapped) == 3


def test_leading_zeros_count(tmp_path: Path) -> None:
    build(tmp_path / "a", ["0123"])
    assert "0123" in NumberSet.open(tmp_path / "a")
    assert "123" not in NumberSet.open(tmp_path / "a")
    build_pairs(tmp_path / "b", [("01", "2")])
    assert ("1", "2") not in PairSet.open(tmp_path / "b")


@pytest.mark.parametrize("pair", [("", "911"), ("911", ""), ("*67", "911"), ("9" * 40, "911"), ("²", "911")])
def test_no_pair_of_anything_else(tmp_path: Path, pair: tuple[str, str]) -> None:
    build_pairs(tmp_path / "a", [("12025550100", "911")])
    assert pair not in PairSet.open(tmp_path / "a")


@pytest.mark.parametrize("tn", ["", "+12025550100", "*67", "1" * 19, "١٢٣", "202 555"])
def test_only_canonical_numbers_go_in_and_the_old_file_stays(tmp_path: Path, tn: str) -> None:
    path = tmp_path / "a"
    build(path, ["911"])
    for numbers, prefixes in ((["112", tn], []), (["112"], [tn])):
        with pytest.raises(NumberSetError, match="canonical"):
            build(path, numbers, prefixes)
    assert list(NumberSet.open(path)) == ["911"]
    assert [left.name for left in tmp_path.iterdir()] == ["a"]


def test_a_mapping_outlives_the_replacement_of_its_file(tmp_path: Path) -> None:
    build(tmp_path / "a", ["12025550100"])
    old = NumberSet.open(tmp_path / "a")
    build(tmp_path / "a", ["12025550101"])
    assert "12025550100" in old
    assert "12025550100" not in NumberSet.open(tmp_path / "a")


def _cut(octets: bytes) -> bytes:
    return octets[:-1]


def _flip(at: int) -> object:
    def flipped(octets: bytes) -> bytes:
        changed = bytearray(octets)
        changed[at] ^= 1
        return bytes(changed)

    return flipped


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda octets: b"", "0 octets"),
        (lambda octets: octets[:40], "40 octets"),
        (_cut, "instead of"),
        (lambda octets: octets + b"x", "instead of"),
        (lambda octets: b"12025550100\n" * 20, "not a set file"),
        (_flip(8), "header does not fit"),
        (_flip(20), "header does not fit"),
        (_flip(-3), "directory does not fit"),
    ],
    ids=["empty", "header cut", "cut", "longer", "text", "version", "count", "directory"],
)
def test_a_damaged_file_is_refused_with_what_and_where(tmp_path: Path, damage: object, what: str) -> None:
    path = tmp_path / "a"
    build(path, ["12025550100", "442079460000"])
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(NumberSetError, match=what) as caught:
        NumberSet.open(path)
    assert caught.value.where.startswith(f"{path}: octet ")


def test_damage_inside_a_block_is_found_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "a"
    build(path, ["12025550100", "442079460000"])
    octets = bytearray(path.read_bytes())
    octets[64] ^= 1
    path.write_bytes(octets)
    assert [error.where for error in NumberSet.open(path).damaged()] == [f"{path}: octet 64"]


def test_numbers_are_not_pairs(tmp_path: Path) -> None:
    build(tmp_path / "a", ["911"])
    build_pairs(tmp_path / "b", [("911", "112")])
    with pytest.raises(NumberSetError, match="holds numbers, not pairs"):
        PairSet.open(tmp_path / "a")
    with pytest.raises(NumberSetError, match="holds pairs, not numbers"):
        NumberSet.open(tmp_path / "b")
    assert PairSet.open(tmp_path / "b").damaged() == []
