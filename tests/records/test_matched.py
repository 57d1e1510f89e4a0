"""The facts that a rule matched on, and only those."""

from __future__ import annotations

import pytest

from sipguard.b2bua.frames import VerdictFrame, decode, encode
from sipguard.records.matched import matched_on, what_held
from sipguard.screening.policy.model import AllOf, AnyOf, Compare, Condition, Not, OneOf
from tests.records import samples

DNO = OneOf("lists.shown", ("dno",))
KIND = OneOf("trunk.kind", ("interconnect",))


@pytest.mark.parametrize(
    ("when", "facts"),
    [
        (AllOf((DNO, KIND)), {"lists.shown": ("dno",), "trunk.kind": "interconnect"}),
        (AnyOf((OneOf("number.shown.class", ("alpha",)), DNO)), {"lists.shown": ("dno",)}),
        (Not(OneOf("lists.pair", ("consent",))), {"lists.pair": None}),
        (OneOf("trunk.name", ("carrier-a",)), {"trunk.name": "carrier-a"}),
        (AllOf(()), {}),
        (OneOf("lists.shown", ("other",)), None),
        (Compare("rate.caller.minute", "over", 5), None),
    ],
    ids=["all", "one of two", "not", "trunk", "always", "no longer", "not asked"],
)
def test_facts_that_made_it_match(when: Condition, facts: dict[str, object] | None) -> None:
    verdict = decode(encode(samples.rejected()))
    assert isinstance(verdict, VerdictFrame)
    assert matched_on(when, verdict) == facts


def test_a_check_that_failed_matches_nothing() -> None:
    verdict = samples.verdict(findings=[("lists", "failed", "late")])
    assert matched_on(Not(OneOf("lists.pair", ("consent",))), verdict) is None


@pytest.mark.parametrize(
    ("when", "held"),
    [
        (AnyOf((OneOf("number.shown.class", ("alpha",)), DNO)), DNO),
        (AllOf((DNO, AnyOf((KIND, OneOf("lists.pair", ("consent",)))))), AllOf((DNO, KIND))),
        (OneOf("lists.shown", ("dno", "other")), DNO),
        (OneOf("trunk.kind", (), ("inter*",)), OneOf("trunk.kind", (), ("inter*",))),
        (KIND, KIND),
        (OneOf("lists.shown", ("other",)), None),
    ],
    ids=["one of two", "nested", "one of several values", "pattern", "one", "none"],
)
def test_what_of_a_condition_held(when: Condition, held: Condition | None) -> None:
    assert what_held(when, samples.rejected()) == held
