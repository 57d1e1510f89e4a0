"""Named lists and what they are bound to."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.numberset import build
from sipguard.numbers.pairset import build_pairs
from sipguard.screening.lists import Lists
from sipguard.screening.listspec import BINDINGS, KINDS, WHICH, ListSpec

TN = "12025550100"


@pytest.fixture
def specs(tmp_path: Path) -> tuple[ListSpec, ...]:
    build(tmp_path / "dno", [TN], ["1900"])
    build_pairs(tmp_path / "consent", [(TN, "12125550123")])
    return (
        ListSpec("dno", bind=("shown", "asserted"), path=str(tmp_path / "dno")),
        ListSpec("own", bind=("shown",), members=(TN, "12025550101")),
        ListSpec("consent", "pairs", ("pair",), str(tmp_path / "consent")),
        ListSpec("block", "pairs", ("pair",), members=(f"{TN},12125550123",)),
        ListSpec("orders", "trunks", ("upstream",), members=("carrier",)),
        ListSpec("unbound", members=(TN,)),
        ListSpec("unbound_pairs", "pairs", members=(f"{TN},12125550123",)),
    )


@pytest.mark.parametrize(
    ("which", "tn", "names"),
    [
        ("shown", TN, ("dno", "own")),
        ("shown", "12025550101", ("own",)),
        ("shown", "19005550100", ("dno",)),
        ("shown", "12125550123", ()),
        ("shown", "", ()),
        ("asserted", TN, ("dno",)),
        ("caller", TN, ()),
        ("upstream", "carrier", ("orders",)),
        ("upstream", "other", ()),
    ],
)
def test_a_number_is_on_the_lists_bound_to_it(
    specs: tuple[ListSpec, ...], which: str, tn: str, names: tuple[str, ...]
) -> None:
    assert Lists.open(specs).of(which, tn) == names


@pytest.mark.parametrize(
    ("caller", "callee", "names"),
    [
        (TN, "12125550123", ("consent", "block")),
        ("12125550123", TN, ()),
        ("", "12125550123", ()),
        (TN, "", ()),
    ],
)
def test_pairs_are_asked_as_pairs(
    specs: tuple[ListSpec, ...], caller: str, callee: str, names: tuple[str, ...]
) -> None:
    assert Lists.open(specs).of_pair(caller, callee) == names


def test_the_names_bound_to_each(specs: tuple[ListSpec, ...]) -> None:
    names = Lists.open(specs).names
    assert names["shown"] == ("dno", "own")
    assert names["pair"] == ("consent", "block")
    assert set(names) == set(WHICH)


def test_specs_travel_between_processes(specs: tuple[ListSpec, ...]) -> None:
    assert Lists.open(pickle.loads(pickle.dumps(specs))).of("shown", TN) == ("dno", "own")


def test_no_lists_hold_nothing() -> None:
    lists = Lists.open(())
    assert [lists.of(which, TN) for which in WHICH if which != "pair"] == [()] * (len(WHICH) - 1)
    assert lists.of_pair(TN, TN) == ()


def test_every_binding_belongs_to_a_kind() -> None:
    assert tuple(BINDINGS) == KINDS
    assert tuple(dict.fromkeys(which for kind in KINDS for which in BINDINGS[kind])) == WHICH


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dno").write_text("12025550100\n")
    with pytest.raises(NumberSetError, match="dno"):
        Lists.open([ListSpec("dno", bind=("shown",), path=str(tmp_path / "dno"))])
