"""What became of each rule, found again from the facts that a call left and the rules that were in force.

Enters: a verdict frame, an JudgedBy. Leaves: what each rule came to, the verdict that follows. Must not: judge by
anything but what the call was judged by, or hide that another verdict comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sipguard.b2bua.frames import VerdictFrame
from sipguard.records.judged_by import JudgedBy
from sipguard.records.matched import heard_of, matched_on
from sipguard.screening.checks import CHECKS
from sipguard.screening.policy.compile import compile_policy
from sipguard.screening.policy.decide import (
    MATCHED,
    NO_MATCH,
    NOT_KNOWN_YET,
    REPORTED,
    UNKNOWN,
    decide,
    seen,
    trace,
)
from sipguard.screening.policy.model import Rule
from sipguard.screening.policy.predicates import Asked, Facts, compared_times, facts_of
from sipguard.screening.policy.times import day_of
from sipguard.screening.policy.wording import lacking, written
from sipguard.screening.verdict import BYPASS, EMERGENCY_RULE, LIMIT_RULE, REJECT, UNSCREENED_RULE, Verdict, unscreened

_COSTS: Final = {name: check.COST for name, check in CHECKS.items()}
_LOOKED_AT: Final = (NO_MATCH, UNKNOWN, NOT_KNOWN_YET)


@dataclass(frozen=True, slots=True)
class RuleFate:
    """What became of one rule: `outcome` of `decide`; `lacks` the conditions that did not hold, as they are written;
    the facts that these saw, or that it matched on."""

    rule: str
    outcome: str
    lacks: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgedAgain:
    """The rules in order, and the verdict: None where a check would have to run that did not."""

    rules: tuple[RuleFate, ...]
    verdict: Verdict | None
    agrees: bool  # it is the recorded one


def was_judged(verdict: VerdictFrame) -> bool:
    """Whether rules decided: not of an emergency, in bypass, above a limit, or where screening itself broke."""
    if verdict.emergency or verdict.mode == BYPASS or verdict.rule in (EMERGENCY_RULE, LIMIT_RULE):
        return False
    return verdict.rule != UNSCREENED_RULE or verdict.action == REJECT


def judged_again(verdict: VerdictFrame, by: JudgedBy) -> JudgedAgain | None:
    """What the rules of `by` make of the facts of a call; None where no rule decided, or its trunk is not there."""
    trunk = by.trunks.get(verdict.trunk)
    if trunk is None or not was_judged(verdict):
        return None
    facts, asked = heard_of(verdict)
    compiled = compile_policy(by.policy, trunk, _COSTS)
    day = day_of(verdict.at)
    outcomes = trace(facts, asked, compiled, verdict.caller, day)
    found = decide(facts, asked, compiled, verdict.caller, day)
    again = found if isinstance(found, Verdict) else None
    if again is not None and again.goes_on and not by.closed.isdisjoint(verdict.unscreened):
        again = unscreened(again, compiled.unscreened)
    pairs = zip(outcomes, by.policy.rules, strict=True)
    rules = tuple([_fate(each.outcome, rule, verdict, facts, asked) for each, rule in pairs])
    return JudgedAgain(rules, again, again is not None and _told(again) == _told(verdict))


def _fate(outcome: str, rule: Rule, verdict: VerdictFrame, facts: Facts, asked: Asked) -> RuleFate:
    if outcome in (MATCHED, REPORTED):
        return RuleFate(rule.name, outcome, (), matched_on(rule.when, verdict) or {})
    if outcome not in _LOOKED_AT:
        return RuleFate(rule.name, outcome)
    lacks = list(lacking(rule.when, facts, asked))
    saw: dict[str, object] = {}
    for part in lacks:
        saw |= {name: seen(name, facts, asked) for name in sorted(facts_of(part))} | compared_times(part, facts)
    return RuleFate(rule.name, outcome, tuple(map(written, lacks)), saw)


def _told(verdict: Verdict | VerdictFrame) -> tuple[object, ...]:
    return (
        verdict.action,
        verdict.rule,
        verdict.basis,
        verdict.status,
        tuple(verdict.matched),
        tuple(verdict.reported),
        frozenset(verdict.tags),
    )
