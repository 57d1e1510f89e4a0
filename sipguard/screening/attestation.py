"""What the provider attests of a call that it signs: rules over facts, first match (RFC 8588 §4).

Enters: the rules of a trunk, the facts of a call. Leaves: attestation and origid, or that there is none.
Must not: run checks (the pipeline does), sign, or know which header the number stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sipguard.screening.policy.compile import reduced
from sipguard.screening.policy.model import AllOf, AnyOf, Condition, OneOf
from sipguard.screening.policy.predicates import Test, check_of, facts_of, truth_of
from sipguard.screening.trunk import SignRules, Trunk

FULL: Final = "A"  # the customer is known, and has the right to the number
PARTIAL: Final = "B"  # the customer is known
GATEWAY: Final = "C"  # only where the call came in is known

SHOWN: Final = "lists.shown"


class AttestStep:
    """One rule for one trunk. `checks` are those that it needs, cheapest first."""

    __slots__ = ("asks_shown", "attest", "checks", "origid", "test")

    def __init__(self, test: Test, checks: tuple[str, ...], attest: str, origid: str, asks_shown: bool) -> None:
        self.test = test
        self.checks = checks
        self.attest = attest
        self.origid = origid
        self.asks_shown = asks_shown


class Attested:
    """What is attested: A, B or C, "" where the call is not signed; which origid; whether From was asked about."""

    __slots__ = ("asks_shown", "attest", "origid")

    def __init__(self, attest: str, origid: str, asks_shown: bool) -> None:
        self.attest = attest
        self.origid = origid
        self.asks_shown = asks_shown


class Attestation:
    """The rules of one trunk, ready to be asked."""

    __slots__ = ("otherwise", "steps")

    def __init__(self, trunk: Trunk, rules: SignRules, costs: Mapping[str, int]) -> None:
        constants = {"trunk.name": trunk.name, "trunk.kind": trunk.kind}
        self.otherwise = Attested(rules.otherwise, rules.origid, False)
        self.steps: list[AttestStep] = []
        for rule in rules.rules:
            here = reduced(rule.when, {**constants})
            if here is False:
                continue
            asked = facts_of(rule.when)
            checks = {check_of(fact) for fact in (frozenset() if here is True else facts_of(here))} - {""}
            test = truth_of(AllOf(()) if here is True else here, costs)
            in_order = tuple(sorted(checks, key=lambda name: (costs.get(name, 0), name)))
            self.steps.append(AttestStep(test, in_order, rule.attest, rule.origid or rules.origid, SHOWN in asked))


def names_the_number(condition: Condition, facts: frozenset[str]) -> bool:
    """Whether a condition holds only for numbers that are on a list: one of `facts`, such as lists.caller."""
    if isinstance(condition, OneOf):
        return condition.fact in facts
    if isinstance(condition, AllOf):
        return any(names_the_number(part, facts) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return bool(condition.parts) and all(names_the_number(part, facts) for part in condition.parts)
    return False
