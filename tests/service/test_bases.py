"""Lists that are imported: missing before, in force once their manifest is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sipguard.screening.lists import Lists
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, Overlay
from sipguard.screening.policy.model import Not, OneOf
from sipguard.screening.policy.predicates import FAILED, FALSE, TRUE, truth_of
from sipguard.screening.ruleset import PlainRuleset
from sipguard.service.bases import Bases
from sipguard.service.damage import damage
from sipguard.service.importing import Asked, Import

CONSENT = ListSpec("consent", "numbers", ("callee",), imported=True)
DNC = ListSpec("dnc", "numbers", ("callee",), members=("12025550100",))


def ruleset(*specs: ListSpec) -> PlainRuleset:
    plain: Any = {"policy": None, "trunks": {}, "listeners": {}, "settings": {}, "on_failure": {}}
    return PlainRuleset(revision="1", lists=specs, **plain)


def import_(tmp_path: Path, text: str) -> None:
    file = tmp_path / "given.txt"
    file.write_text(text)
    Import(Asked(tmp_path / "lists", "consent", (file,), "plain")).run(lambda octets: None, lambda: False)


def test_another_base_is_seen_once(tmp_path: Path) -> None:
    bases = Bases(tmp_path)
    first = bases.current(ruleset(CONSENT, DNC))
    assert bases.problems == {"consent": "nothing was imported yet"}
    assert not bases.has_news(first)
    import_(tmp_path, "2025550100\n")
    assert bases.has_news(first)
    second = bases.current(first)
    assert bases.problems == {}
    assert not bases.has_news(second)
    assert bases.current(second) is second
    assert Lists.open(second.lists).of("callee", "12025550100") == ("consent", "dnc")


def test_a_base_is_read_through_once(tmp_path: Path) -> None:
    bases = Bases(tmp_path)
    import_(tmp_path, "2025550100\n")
    current = bases.current(ruleset(CONSENT, DNC))
    (consent,) = bases.unread(current)
    assert damage(consent) == "" and bases.unread(current) == []
    base = Path(consent.path)
    octets = bytearray(base.read_bytes())
    octets[64] ^= 1
    new = base.with_suffix(".new")
    new.write_bytes(octets)
    new.replace(base)
    assert bases.unread(current) == [consent]
    assert "octet 64" in damage(consent) and "does not fit its checksum" in damage(consent)


@pytest.mark.parametrize("how", ["base", "header", "manifest"])
def test_a_base_that_is_gone_or_damaged_is_missing(tmp_path: Path, how: str) -> None:
    import_(tmp_path, "2025550100\n")
    (base,) = (tmp_path / "lists").glob("*.base")
    if how == "base":
        base.unlink()
    elif how == "header":
        base.write_bytes(bytes(4096))
    else:
        (tmp_path / "lists/consent.manifest.json").write_text("[]")
    bases = Bases(tmp_path)
    assert bases.current(ruleset(CONSENT)).lists == (replace(CONSENT, damaged=True),)
    assert set(bases.problems) == {"consent"}


@pytest.mark.parametrize(
    ("names", "expected", "negated"),
    [(("consent",), FAILED, FAILED), (("dnc",), TRUE, FALSE), (("consent", "dnc"), TRUE, FALSE), (("x",), FALSE, TRUE)],
)
def test_a_missing_list_fails_conditions_on_it_alone(names: tuple[str, ...], expected: int, negated: int) -> None:
    lists = Lists.open([CONSENT, DNC])
    facts: Any = {"lists.callee": lists.of("callee", "12025550100")}
    condition = OneOf("lists.callee", names, ())
    assert truth_of(condition, {}).truth(facts, {"lists": FALSE}) == expected
    assert truth_of(Not(condition), {}).truth(facts, {"lists": FALSE}) == negated


def test_what_was_added_to_a_missing_list_is_known(tmp_path: Path) -> None:
    overlay = Overlay()
    overlay.take(1, [("consent", "12025550101", ADDED, 0.0)])
    lists = Lists.open([CONSENT], overlay)
    assert lists.of("callee", "12025550101") == ("consent", "?consent")
    pairs = Lists.open([replace(CONSENT, kind="pairs", bind=("pair",))])
    assert pairs.of_pair("12025550101", "12025550100") == ("?consent",)
