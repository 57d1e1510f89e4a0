"""The facts that a rule matched on, and only those."""

from __future__ import annotations

import pytest

from sipguard.b2bua.frames import VerdictFrame, decode, encode
from sipguard.records.explain import explain
from sipguard.records.matched import matched_on
from sipguard.records.record import Batch
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


def test_explain_shows_them() -> None:
    verdict = samples.rejected(reported=["campaign"])
    batch = Batch()
    batch.add("0", 1, 64, verdict)
    record = batch.record("d-1")
    assert record is not None
    lines = explain(record, verdict, None, None, {"dno": DNO, "campaign": Not(KIND), "other": KIND}).lines()
    at = next(n for n, line in enumerate(lines) if line.endswith("rule dno matched on:"))
    assert lines[at + 1].strip() == "lists.shown = dno"
    assert any("rule campaign matched; it has another condition in the present" in line for line in lines)
    assert not any("rule other" in line for line in lines)
