"""Edits over the bases of lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.screening.lists import Lists
from sipguard.screening.overlay import ADDED, REMOVED, SILENT, Edit, Edits, Overlay, width_of

TN = "12025550100"
OTHER = "12025550101"
NOW = 1_800_000_000.0


def lists(*edits: Edit) -> Lists:
    overlay = Overlay()
    overlay.take(len(edits), edits)
    base = frozenset((TN,))
    return Lists(
        {"caller": (("blocked", base),), "upstream": (("orders", frozenset(("carrier",))),)},
        (("consent", frozenset(((TN, OTHER),))),),
        overlay,
    )


@pytest.mark.parametrize(
    ("edits", "tn", "is_on"),
    [
        ((), TN, True),
        ((), OTHER, False),
        ((("blocked", OTHER, ADDED, 0.0),), OTHER, True),
        ((("blocked", OTHER, ADDED, 0.0), ("blocked", OTHER, SILENT, 0.0)), OTHER, False),
        ((("blocked", TN, REMOVED, 0.0),), TN, False),
        ((("blocked", TN, REMOVED, 0.0), ("blocked", TN, SILENT, 0.0)), TN, True),
        ((("blocked", TN, REMOVED, NOW),), TN, True),
        ((("blocked", TN, REMOVED, NOW + 1),), TN, False),
        ((("blocked", OTHER, ADDED, NOW),), OTHER, False),
        ((("blocked", OTHER, ADDED, NOW + 1),), OTHER, True),
        ((("blocked", "1202555*", ADDED, 0.0),), OTHER, True),
        ((("blocked", "1202555*", ADDED, NOW),), OTHER, False),
        ((("blocked", "1202555*", ADDED, 0.0), ("blocked", OTHER, REMOVED, 0.0)), OTHER, False),
        ((("blocked", "1202*", ADDED, 0.0), ("blocked", "1202555*", REMOVED, 0.0)), OTHER, False),
        ((("blocked", "1202*", ADDED, 0.0), ("blocked", "1202555*", REMOVED, NOW)), OTHER, True),
        ((("blocked", "1202555*", REMOVED, 0.0),), TN, False),
        ((("blocked", "1202555*", REMOVED, 0.0), ("blocked", "1202555*", SILENT, 0.0)), TN, True),
        ((("other", OTHER, ADDED, 0.0),), OTHER, False),
        ((("blocked", "12025550101-12025550199", ADDED, 0.0),), OTHER, True),
        ((("blocked", "12025550101-12025550199", ADDED, NOW),), OTHER, False),
        ((("blocked", "12025550102-12025550199", ADDED, 0.0),), OTHER, False),
        ((("blocked", "12025550000-12025550199", REMOVED, 0.0),), TN, False),
        ((("blocked", "12025550101-12025550199", ADDED, 0.0), ("blocked", OTHER, REMOVED, 0.0)), OTHER, False),
        ((("blocked", "12025550101-12025550199", ADDED, 0.0), ("blocked", OTHER, REMOVED, NOW)), OTHER, True),
        ((("blocked", "1202555*", REMOVED, 0.0), ("blocked", "12025550101-12025550199", ADDED, 0.0)), OTHER, True),
        ((("blocked", "1202555010*", REMOVED, 0.0), ("blocked", "12025550101-12025550199", ADDED, 0.0)), OTHER, False),
        ((("blocked", "1202555010*", REMOVED, NOW), ("blocked", "12025550101-12025550199", ADDED, 0.0)), OTHER, True),
    ],
)
def test_the_most_specific_edit_speaks_while_it_lasts_then_the_base(
    edits: tuple[Edit, ...], tn: str, is_on: bool
) -> None:
    asked = lists(*edits)
    assert asked.of("caller", tn, NOW) == (("blocked",) if is_on else ())
    assert asked.any_has(("blocked",), tn, NOW) is is_on


def test_pairs_and_trunks_are_edited_as_they_are_written() -> None:
    asked = lists(
        ("consent", f"{TN},{OTHER}", REMOVED, 0.0), ("consent", f"{OTHER},{TN}", ADDED, 0.0), ("orders", "b", ADDED, 0)
    )
    assert asked.of_pair(TN, OTHER, NOW) == ()
    assert asked.of_pair(OTHER, TN, NOW) == ("consent",)
    assert asked.of("upstream", "b", NOW) == asked.of("upstream", "carrier", NOW) == ("orders",)


def test_a_prefix_covers_whole_numbers_only() -> None:
    asked = lists(("blocked", "44*", ADDED, 0.0))
    assert asked.of("caller", "442079460100", NOW) == ("blocked",)
    assert asked.of("caller", "4455010", NOW) == ()


def test_lists_of_two_rulesets_see_what_comes_later() -> None:
    overlay = Overlay()
    first = Lists({"caller": (("blocked", frozenset()),)}, (), overlay)
    second = Lists({"caller": (("blocked", frozenset()),)}, (), overlay)
    overlay.take(7, [("blocked", TN, ADDED, 0.0)])
    assert first.of("caller", TN, NOW) == second.of("caller", TN, NOW) == ("blocked",)
    assert overlay.sequence == 7


def test_lengths_of_prefixes_are_those_that_there_are() -> None:
    edits = Edits()
    for entry in ("1202*", "1202555*", "1212*"):
        edits.take(entry, ADDED, 0.0)
    assert edits.lengths == (7, 4)
    edits.take("1202*", SILENT, 0.0)
    assert edits.lengths == (7, 4)
    edits.take("1212*", SILENT, 0.0)
    edits.take("1212*", SILENT, 0.0)
    assert edits.lengths == (7,)


_NUMBERS = st.integers(12025550000, 12025550129).map(str)
_ENTRIES = (
    _NUMBERS
    | st.sampled_from(("1202555*", "12025550*", "120255501*", "1202555010*", "1202555012*"))
    | st.tuples(_NUMBERS, _NUMBERS).map(lambda ends: f"{min(ends)}-{max(ends)}").filter(lambda e: e[:11] != e[12:])
)
_EDITS = st.tuples(_ENTRIES, st.sampled_from((ADDED, REMOVED, SILENT)), st.sampled_from((0.0, NOW, NOW + 1)))


@given(st.lists(_EDITS, max_size=12), _NUMBERS, st.sampled_from(("", "carrier-b,")))
def test_the_narrowest_edit_speaks_whatever_came_in_between(
    made: list[tuple[str, int, float]], asked: str, trunk: str
) -> None:
    edits, held = Edits(), {}
    for entry, said, expires_at in made:
        edits.take(trunk + entry, said, expires_at)
        held[trunk + entry] = said, expires_at
    lasting = {entry: said for entry, (said, end) in held.items() if said and (not end or end > NOW)}
    over = [(width_of(entry, trunk + asked), entry[-1] == "*", entry) for entry in lasting]
    expected = next((lasting[entry] for width, _, entry in sorted(over) if width), SILENT)
    assert edits.says_number(trunk + asked, NOW) == expected
    for entry in held:
        edits.take(entry, SILENT, 0.0)
    assert not edits.ranges and not edits.lengths and not edits.entries


def test_ranges_speak_of_numbers_only() -> None:
    edits = Edits()
    for entry in ("12025550100-12025550199", "carrier-b,12025550100-12025550199"):
        edits.take(entry, ADDED, 0.0)
    assert edits.says_number("12025550150", NOW) == edits.says_number("carrier-b,12025550150", NOW) == ADDED
    for asked in ("carrier-c,12025550150", "2025550150", "1202555015x", "", "carrier-b,", "12025550200"):
        assert edits.says_number(asked, NOW) == SILENT
    assert edits.says("12025550150", NOW) == SILENT
