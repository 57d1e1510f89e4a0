"""Entries given one by one, of every kind of list; and that edits of them are heeded."""

from __future__ import annotations

from typing import Any

import pytest

from sipguard.screening.lists import Lists
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, REMOVED, Overlay
from sipguard.settings.entries import BY_TRUNK, read_entries

KINDS = {"own": BY_TRUNK}
NOW = 1_800_000_000.0
TRUNKS = ("carrier-a", "carrier-b")
SPECS: dict[str, dict[str, Any]] = {
    "numbers": {"bind": ("caller",)},
    "own": {"kind": "numbers", "bind": ("caller",), "per_trunk": True},
    "pairs": {"bind": ("pair",)},
    "networks": {"bind": ("upstream",)},
    "texts": {"bind": ("upstream",)},
    "trunks": {"bind": ("upstream",)},
}


def spec(kind: str) -> ListSpec:
    return ListSpec("l", **{"kind": kind, **SPECS[kind]})


@pytest.mark.parametrize(
    ("kind", "written", "entry"),
    [
        ("numbers", "(202) 555-0101", "12025550101"),
        ("numbers", "+1202555*", "1202555*"),
        ("numbers", "2025550100-2025550199", "12025550100-12025550199"),
        ("numbers", "202555*", "1202555*"),
        ("own", "carrier-a,+12025550100-+12025550199", "carrier-a,12025550100-12025550199"),
        ("own", "carrier-a,2025550101", "carrier-a,12025550101"),
        ("own", "carrier-a,+1202555*", "carrier-a,1202555*"),
        ("pairs", "2025550101, 2025550131", "12025550101,12025550131"),
        ("pairs", "brand:Acme,2025550131", "acme,12025550131"),
        ("networks", "192.0.2.0/24", "192.0.2.0/24"),
        ("networks", "192.0.2.7", "192.0.2.7/32"),
        ("texts", " Friendly-Scanner ", "friendly-scanner"),
        ("texts", "7099999*", "7099999*"),
        ("trunks", "carrier-a", "carrier-a"),
    ],
)
def test_an_entry_has_one_form(kind: str, written: str, entry: str) -> None:
    assert read_entries(KINDS.get(kind, kind), [written], TRUNKS) == ([entry], [])


@pytest.mark.parametrize(
    ("kind", "written", "what"),
    [
        ("numbers", "alice", "alice is no telephone number"),
        ("numbers", "+12025550199-+12025550100", "+12025550199-+12025550100 is no range: from"),
        ("numbers", "# nothing", "there is nothing in it"),
        ("own", "carrier,2025550101", "carrier is no trunk; did you mean carrier-"),
        ("pairs", "2025550101,2025550131,2027-01-31", "the last day of an entry is said with --until"),
        ("networks", "192.0.2.300", "192.0.2.300 is no IP address"),
        ("texts", "a*b", "a * may stand at the end only"),
        ("trunks", "carrier", "carrier is no trunk; did you mean carrier-"),
    ],
)
def test_what_is_none_is_told(kind: str, written: str, what: str) -> None:
    _, problems = read_entries(KINDS.get(kind, kind), [written], TRUNKS)
    assert len(problems) == 1 and problems[0].startswith(f"entry 1, {written!r}: {what}"), problems


@pytest.mark.parametrize("said", [ADDED, REMOVED])
@pytest.mark.parametrize(
    ("kind", "entry", "number", "address", "agent"),
    [
        ("numbers", "1202555*", "12025550101", "", ""),
        ("own", "carrier-a,12025550101", "12025550101", "", ""),
        ("own", "carrier-a,1202555*", "12025550101", "", ""),
        ("pairs", "12025550101,12025550131", "12025550101", "", ""),
        ("pairs", "acme,12025550131", "acme", "", ""),
        ("networks", "192.0.2.0/24", "", "192.0.2.7", ""),
        ("texts", "friendly-scanner", "", "", "Friendly-Scanner"),
        ("texts", "bot*", "", "", "Bot/1"),
        ("trunks", "carrier-a", "carrier-a", "", ""),
    ],
)
def test_an_edit_of_any_kind_is_heeded(kind: str, entry: str, number: str, address: str, agent: str, said: int) -> None:
    of = spec(kind)
    members = (entry,) if said == REMOVED and entry[-1] != "*" else ()
    overlay = Overlay()
    lists = Lists.open([ListSpec("l", of.kind, of.bind, members=members, per_trunk=of.per_trunk)], overlay)

    def found() -> tuple[str, ...]:
        if kind == "own":
            return lists.of_trunk("caller", "carrier-a", number, NOW)
        if kind == "pairs":
            return lists.of_pair(number, "12025550131", NOW)
        if address or agent:
            assert lists.upstream is not None
            return lists.upstream.of((agent,), address, NOW)
        return lists.of(of.bind[0], number, NOW)

    assert found() == (("l",) if members else ())
    overlay.take(1, [("l", entry, said, 0.0)])
    assert found() == (("l",) if said == ADDED else ())
