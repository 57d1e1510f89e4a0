"""Trunks that differ in nothing that matters are called from once, for all of them; any other difference counts."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from sipguard.numbers.rules import NumberRules
from sipguard.proof.emergency import prove_emergencies
from sipguard.proof.states import states
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import OneOf, Rule
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Limits, Trunk, Upstream
from tests.playbook import ruleset as two_trunks
from tests.proof.build import AT

BY_NAME = Rule("one", OneOf("trunk.name", ("t7",)), basis="contract")
ON_ONE = Rule("one", OneOf("call.anonymous", (True,)), basis="contract", on=("t7",))


def many(count: int, *rules: Rule, seventh: dict[str, Any] | None = None, **more: Any) -> Ruleset:
    """Trunks of the same kind, each with a network and an upstream of its own; the seventh with other fields."""
    trunks = [
        Trunk(
            f"t{n}", "gateway", (ip_network(f"10.0.{n}.0/24"),), ("outside",), "hop", upstream=Upstream(f"Carrier {n}")
        )
        for n in range(count)
    ]
    trunks[7] = replace(trunks[7], **(seventh or {}))
    return Ruleset.open(two_trunks(*rules, carrier={"sources": ()}, hop={"sources": ()}, trunks=trunks, **more))


def test_fifty_like_trunks_are_called_from_once() -> None:
    proved = prove_emergencies(many(50), AT)
    assert (proved.trunks, proved.called_from) == (50, 1)
    assert proved.stands_for > 10 * proved.calls
    assert proved.counterexamples == [] and proved.not_done == []


@pytest.mark.parametrize(
    ("rules", "seventh", "more"),
    [
        ((), {"read": NumberRules(strip_prefix="9")}, {}),
        ((), {"limits": Limits(calls=1)}, {}),
        ((), {"emergency_marks_trusted": True}, {}),
        ((BY_NAME,), {}, {}),
        ((ON_ONE,), {}, {}),
        ((), {}, {"lists": (ListSpec("orders", "trunks", ("upstream",), members=("t7",)),)}),
    ],
    ids=["reading", "limit", "marks", "rule by name", "rule on a trunk", "list of trunks"],
)
def test_one_that_differs_is_called_from_by_itself(rules: tuple[Rule, ...], seventh: Any, more: Any) -> None:
    proved = prove_emergencies(many(10, *rules, seventh=seventh, **more), AT)
    assert (proved.trunks, proved.called_from) == (10, 2)


def test_trunks_that_there_is_no_time_for_are_named() -> None:
    turns = iter(range(10_000))
    proved = prove_emergencies(
        many(10, seventh={"limits": Limits(calls=1)}), AT, over=lambda: next(turns) > len(states())
    )
    assert proved.not_done == ["t7"]
    assert proved.counterexamples == []
