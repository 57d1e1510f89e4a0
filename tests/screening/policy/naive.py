"""The policy language once more, as plainly as it can be said, to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from sipguard.screening.finding import FactValue
from sipguard.screening.policy.model import AllOf, AnyOf, Compare, Condition, Not, OneOf, Policy

TRUTHS = ("false", "true", "pending", "failed")


def truth(condition: Condition, facts: Mapping[str, FactValue], failed: frozenset[str], ran: frozenset[str]) -> str:
    """false, true, pending or failed."""
    if isinstance(condition, OneOf | Compare):
        check = condition.fact.partition(".")[0]
        if check not in ("trunk", "call"):
            if check in failed:
                return "failed"
            if check not in ran:
                return "pending"
        return "true" if _holds(condition, facts.get(condition.fact)) else "false"
    if isinstance(condition, Not):
        inner = truth(condition.part, facts, failed, ran)
        return {"true": "false", "false": "true"}.get(inner, inner)
    parts = [truth(part, facts, failed, ran) for part in condition.parts]
    strong, weak = ("false", "true") if isinstance(condition, AllOf) else ("true", "false")
    assert isinstance(condition, AllOf | AnyOf)
    return next((each for each in (strong, "pending", "failed") if each in parts), weak)


def _holds(condition: OneOf | Compare, value: FactValue) -> bool:
    if value is None:
        return False
    if isinstance(condition, Compare):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return {
            "over": value > condition.bound,
            "under": value < condition.bound,
            "at_least": value >= condition.bound,
            "at_most": value <= condition.bound,
        }[condition.operator]
    values = value if isinstance(value, tuple) else (value,)
    for one in values:
        if any(one == wanted and type(one) is type(wanted) for wanted in condition.values):
            return True
        if isinstance(one, str) and any(fnmatchcase(one, pattern) for pattern in condition.patterns):
            return True
    return False


def first(
    policy: Policy, trunk: str, facts: Mapping[str, FactValue], failed: frozenset[str], ran: frozenset[str]
) -> str:
    """The rule that decides when all is known: its name, or default. Rollouts and last days are left out."""
    for rule in policy.rules:
        if rule.on and trunk not in rule.on:
            continue
        outcome = truth(rule.when, facts, failed, ran)
        assert outcome != "pending"
        if outcome == "true" and not rule.report and not rule.continues:
            return rule.name
    return "default"
