"""Conditions, policies and facts drawn at random, as objects of the model; and how the same is written.

Enters: nothing. Leaves: strategies of hypothesis; what the naive interpreter reads. Must not: read or compile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from sipguard.screening.finding import FactValue
from sipguard.screening.policy.model import AllOf, AnyOf, Compare, Condition, Not, OneOf, Policy, Rule
from sipguard.screening.verdict import Verdict
from tests.screening.policy import naive
from tests.screening.policy.words import COSTS

VALUES: dict[str, Any] = {
    "trunk.kind": st.sampled_from(["interconnect", "gateway", "origination"]),
    "number.shown.class": st.sampled_from(["ok", "n11", None]),
    "lists.shown": st.sampled_from([(), ("dno",), ("own", "dno"), ("own",)]),
    "lists.caller": st.sampled_from([(), ("blocked",)]),
    "rate.caller.attempts_1h": st.sampled_from([None, 0, 5, 301]),
    "identity.result": st.sampled_from(["passed", "failed", "none"]),
    "identity.attest": st.sampled_from([None, "A", "B", "C"]),
}
WANTED: dict[str, list[str]] = {
    "trunk.kind": ["interconnect", "gateway", "origination"],
    "number.shown.class": ["ok", "n11"],
    "lists.shown": ["dno", "own"],
    "lists.caller": ["blocked"],
    "identity.result": ["passed", "failed", "none"],
    "identity.attest": ["A", "B", "C"],
}
ATOMS = st.one_of(
    st.sampled_from(sorted(WANTED)).flatmap(
        lambda fact: st.lists(st.sampled_from(WANTED[fact]), min_size=1, max_size=2).map(
            lambda values: OneOf(fact, tuple(values))
        )
    ),
    st.sampled_from(sorted(WANTED)).map(lambda fact: OneOf(fact, (), ("*o*",))),
    st.builds(
        Compare,
        st.just("rate.caller.attempts_1h"),
        st.sampled_from(["over", "under", "at_least", "at_most"]),
        st.sampled_from([0.0, 5.0, 300.0]),
    ),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    ATOMS,
    lambda parts: st.one_of(
        parts.map(Not),
        st.lists(parts, min_size=1, max_size=4).map(lambda found: AllOf(tuple(found))),
        st.lists(parts, min_size=1, max_size=4).map(lambda found: AnyOf(tuple(found))),
    ),
    max_leaves=8,
)
FACTS = st.fixed_dictionaries(VALUES)
CHECKS = st.sets(st.sampled_from(sorted(COSTS)))
RULES = st.lists(
    st.tuples(CONDITIONS, st.sampled_from(["reject", "label", "continue", "report", "allow"])),
    min_size=1,
    max_size=8,
)


def policy_of(rules: list[tuple[Condition, str]]) -> Policy:
    """A policy of conditions and what they do."""
    made = []
    for at, (when, what) in enumerate(rules):
        tags = (f"t{at}",) if what == "continue" else ()
        basis = "dno" if what in ("reject", "report") else ""
        made.append(Rule(f"r{at}", when, basis, tags=tags, continues=what == "continue", report=what == "report"))
    return Policy(tuple(made))


def told(verdict: Verdict) -> tuple[Any, ...]:
    """What two verdicts are compared by."""
    return (verdict.action, verdict.rule, verdict.status, verdict.tags, verdict.matched, verdict.reported)


# ------------------------------------------------------------------------------------------ as it is written


def written(condition: Condition) -> dict[str, Any]:
    """A condition of these as a policy writes it."""
    if isinstance(condition, OneOf):
        return {condition.fact: [*condition.values, *condition.patterns]}
    if isinstance(condition, Compare):
        return {condition.fact: {condition.operator: condition.bound}}
    if isinstance(condition, Not):
        return {"not": written(condition.part)}
    assert isinstance(condition, AllOf | AnyOf)
    return {"all" if isinstance(condition, AllOf) else "any": [written(part) for part in condition.parts]}


def call_of(facts: Mapping[str, FactValue], failed: frozenset[str] = frozenset(), trunk: str = "t") -> naive.Call:
    """A call of which these facts are known, all checks having run."""
    return naive.Call(trunk, facts.get("trunk.kind"), facts, frozenset(COSTS), failed)


def document_of(policy: Policy) -> dict[str, Any]:
    """A policy of these as it is written."""
    rules = []
    for rule in policy.rules:
        does: dict[str, Any] = {"reject": rule.basis} if rule.basis else {"tag": [*rule.tags]}
        more = {"continue": rule.continues, "mode": "report" if rule.report else "enforce"}
        rules.append({"name": rule.name, "when": written(rule.when), **does, **more})
    return {"rules": rules}
