"""Octets of lists: the same as ListReader says of each line, whichever way they are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.numbers.bulk import Bulk
from sipguard.numbers.formats import ListReader
from sipguard.numbers.tally import KEPT, Tally


class Bits(dict[int, int]):
    """Octets that are 0 where nothing was written."""

    def __missing__(self, at: int) -> int:
        return 0

    def numbers(self) -> set[str]:
        """The TNs whose bits are set."""
        return {f"1{8 * at + bit:010d}" for at, octet in self.items() for bit in range(8) if octet >> bit & 1}


def bulk(form: str = "plain", strict: bool = False) -> tuple[Bulk, Bits, list[str]]:
    """A reader, and where its numbers go."""
    bits, others = Bits(), list[str]()
    return Bulk(form, bits, others.append, strict, Tally()), bits, others


digits = st.text("0123456789", min_size=1, max_size=13)
national = st.from_regex(r"\A[2-9][0-9]{9}\Z")
lines = st.one_of(
    national,
    national.map(lambda tn: f"{tn[:3]},{tn[3:]}"),
    national.map(lambda tn: "1" + tn),
    national.map(lambda tn: "+1" + tn),
    digits,
    digits.map(lambda tn: "+" + tn),
    st.sampled_from(
        ["", "  ", "# a comment", "+1202555*", "44*", "812", "alice", "(202) 555-0100 # seen", "011442079460000"]
    ),
    st.text(st.characters(blacklist_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", codec="utf-8"), max_size=14),
)
lists = st.one_of(
    st.lists(lines, max_size=40),
    st.sampled_from(["{}", "1{}", "+1{}", "{:.3},{}"]).flatmap(
        lambda form: st.lists(national, min_size=1, max_size=20).map(
            lambda tns: [form.format(tn, tn[3:]) if "," in form else form.format(tn) for tn in tns]
        )
    ),
    st.lists(st.from_regex(r"\A[0-9]{10}\Z"), max_size=20),
    st.lists(st.from_regex(r"\A[0-9]{3},[0-9]{7}\Z"), max_size=20),
)


@given(lists, st.sampled_from(["plain", "ftc"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_list_reads_as_line_by_line(entries: list[str], form: str, end: str, ended: bool) -> None:
    reader = ListReader(form)
    expected = set(reader.numbers(["", *entries]))
    found, bits, others = bulk(form)
    found.feed((end.join(entries) + (end if ended else "")).encode())
    assert bits.numbers() | set(others) == expected
    assert found.prefixes == set(reader.prefixes)
    assert found.tally.refusals == reader.problem_count
    assert [(each.line, each.column, each.what) for each in found.tally.told] == [
        (problem.line - 1, problem.column, problem.what) for problem in reader.problems
    ]


@given(lists, st.sampled_from(["plain", "ftc"]))
def test_every_line_is_counted_once(entries: list[str], form: str) -> None:
    found, _, _ = bulk(form, strict=True)
    found.feed("".join(f"{entry}\n" for entry in entries).encode())
    tally = found.tally
    assert tally.lines == len(entries) == tally.accepted + tally.empty + tally.refusals


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("812", "invalid_format"),
        ("5550100", "short"),
        ("0125550100", "invalid_npa"),
        ("1125550100", "invalid_npa"),
        ("1111111111", "invalid_npa"),
        ("2915550100", "invalid_npa"),
        ("3705550100", "invalid_npa"),
        ("2115550100", "n11"),
        ("2029110100", "n11"),
        ("2021550100", "invalid_format"),
        ("+12021550100", "invalid_format"),
        ("201,1550100", "invalid_format"),
        ("291,5550100", "invalid_npa"),
        ("+44", "invalid_format"),
        ("442079460000", "invalid_format"),
        ("alice", "alpha"),
        ("201,555,0100", "extra_field"),
        ("2025550100\0", "not_text"),
        ("44*", "no_prefix"),
    ],
)
def test_what_a_registry_cannot_hold_is_refused(entry: str, reason: str) -> None:
    found, bits, others = bulk("ftc", strict=True)
    found.feed(f"201,5550100\n{entry}\n".encode())
    assert (bits.numbers(), others) == ({"12015550100"}, [])
    assert dict(found.tally.refused) == {reason: 1}
    assert (found.tally.told[0].line, found.tally.told[0].column) == (2, 1)


@pytest.mark.parametrize("form", ["{}", "1{}", "+1{}", "{:.3},{}"])
def test_an_impossible_number_among_many_is_told_with_its_line(form: str) -> None:
    found, bits, _ = bulk("ftc", strict=True)
    tns = [f"201555{n:04d}" for n in range(50)]
    tns[17] = "2010550100"
    written = [form.format(tn, tn[3:]) if "," in form else form.format(tn) for tn in tns]
    found.feed("".join(f"{each}\n" for each in written).encode())
    assert len(bits.numbers()) == 49
    assert [(each.line, each.reason) for each in found.tally.told] == [(18, "invalid_format")]


def test_foreign_toll_free_and_fictional_numbers_are_taken() -> None:
    found, bits, others = bulk("ftc", strict=True)
    found.feed(b"+442079460000\n8005550100\n900,2345678\n202,5550100\n")
    assert bits.numbers() == {"18005550100", "19002345678", "12025550100"}
    assert others == ["442079460000"]


def test_a_plain_list_may_hold_impossible_numbers_and_says_so() -> None:
    found, bits, others = bulk()
    found.feed(b"1111111111\n2115550100\n2025550100\n")
    assert (bits.numbers(), others) == ({"12025550100"}, ["1111111111", "2115550100"])
    assert found.tally.odd == {"invalid_npa": 1, "n11": 1}


def test_all_refusals_are_counted_and_the_first_are_told() -> None:
    found, _, _ = bulk()
    found.feed(b"812\n" * (KEPT + 500))
    assert (found.tally.refusals, len(found.tally.told), found.tally.told[-1].line) == (KEPT + 500, KEPT, KEPT)


def test_a_tally_can_be_kept() -> None:
    found, _, _ = bulk("ftc", strict=True)
    found.feed(b"812\n2025550100\n\n")
    assert Tally.of(found.tally.plain()).plain() == found.tally.plain()
