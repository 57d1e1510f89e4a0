"""A Policy for the calls of one trunk: rules that can never match there are gone, answers are ready.

Enters: a Policy, a trunk, what each check costs. Leaves: a CompiledPolicy. Must not: see a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sipguard.screening.policy.model import (
    AllOf,
    AnyOf,
    Condition,
    LabelSpec,
    Not,
    Override,
    Policy,
    Redress,
    Response,
    Rule,
    Time,
)
from sipguard.screening.policy.predicates import TRUE, Facts, Test, check_of, facts_of, truth_of
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import (
    ALLOW,
    DECISION_ID,
    DEFAULT_RULE,
    LABEL,
    REDIRECT,
    REJECT,
    UNSCREENED_RULE,
    Label,
    Redirect,
    Verdict,
)

UNSCREENED: Final = "unscreened"  # the basis
IDENTITY: Final = "identity"  # the check that says what `auto` answers


class CompiledRule:
    """One rule as it stands on one trunk. `test` is None where it can never match there."""

    __slots__ = (
        "auto",  # whether its answer is by what verification comes to
        "checks",  # names of the checks it asks, cheapest first
        "continues",
        "facts",  # names of the facts it asks, sorted
        "label",  # Label | None
        "limited",  # whether a rollout or a last day bounds it
        "name",
        "position",  # in CompiledPolicy.steps
        "report",
        "rollout",  # of 10,000 callers
        "tags",
        "test",
        "until_day",  # last day it acts, days since 1970-01-01 UTC, or None
        "verdict",  # Verdict, as it is where no other rule matched before
        "when",  # Condition, as it was written
    )

    def __init__(
        self, rule: Rule, test: Test | None, facts: tuple[str, ...], checks: tuple[str, ...], verdict: Verdict
    ) -> None:
        self.name = rule.name
        self.when = rule.when
        self.test = test
        self.facts = facts
        self.checks = checks
        self.verdict = verdict
        self.label = verdict.label
        self.tags = rule.tags
        self.continues = rule.continues
        self.report = rule.report
        self.rollout = rule.rollout
        self.until_day = rule.until_day
        self.auto = verdict.action == REJECT and not verdict.status
        self.limited = rule.rollout < 10_000 or rule.until_day is not None
        self.position = -1


class CompiledPolicy:
    """The policy of one trunk. Nothing in it changes."""

    __slots__ = (
        "auto",  # whether the answer of the default is by what verification comes to
        "checks",  # names of all checks that its rules may ask, cheapest first
        "default",  # Verdict where no rule stopped the call
        "rules",  # tuple[CompiledRule, ...]: all of the policy, in order
        "steps",  # those that can match on this trunk; each has a test
        "trunk_name",
        "unscreened",  # Verdict where a check failed that must not
        "would",  # dict: name of a rule in mode report -> the action of its verdict, if it were in force
    )

    def __init__(self, trunk_name: str, rules: tuple[CompiledRule, ...], default: Verdict, unscreened: Verdict) -> None:
        self.trunk_name = trunk_name
        self.rules = rules
        self.default = default
        self.auto = default.action == REJECT and not default.status
        self.unscreened = unscreened
        steps: list[CompiledRule] = []
        asked: dict[str, None] = {}
        for rule in rules:
            if rule.test is not None:
                rule.position = len(steps)
                steps.append(rule)
                asked.update(dict.fromkeys(rule.checks))
        self.steps = steps
        self.checks = tuple(asked)
        self.would = {rule.name: rule.verdict.action for rule in steps if rule.report}


def compile_policy(policy: Policy, trunk: Trunk, costs: Mapping[str, int]) -> CompiledPolicy:
    """The policy for calls from `trunk`. `costs` says in what order checks are asked, cheapest first."""
    constants: Facts = {"trunk.name": trunk.name, "trunk.kind": trunk.kind}
    answers = _Answers(policy, trunk)
    others = {each.rule: each for each in policy.overrides if each.trunk == trunk.name}
    rules = tuple(_rule(rule, trunk, constants, costs, answers, others.get(rule.name)) for rule in policy.rules)
    if policy.default_basis:
        default = answers.rejection(DEFAULT_RULE, policy.default_basis)
    else:
        default = Verdict(ALLOW, DEFAULT_RULE)
    return CompiledPolicy(trunk.name, rules, default, answers.rejection(UNSCREENED_RULE, UNSCREENED))


def _rule(
    rule: Rule,
    trunk: Trunk,
    constants: Facts,
    costs: Mapping[str, int],
    answers: _Answers,
    other: Override | None,
) -> CompiledRule:
    """One rule for one trunk, as it is there by `other`."""
    if other is not None:
        rule = overridden(rule, other)
    off = (bool(rule.on) and trunk.name not in rule.on) or (other is not None and other.off)
    here: Condition | bool = False if off else reduced(rule.when, constants)
    asked = sorted(facts_of(rule.when))
    if isinstance(here, bool):
        test = truth_of(AllOf(()), costs) if here else None
        checks: set[str] = set()
    else:
        test = truth_of(here, costs)
        checks = {check_of(fact) for fact in facts_of(here)} - {""}
    in_order = tuple(sorted(checks, key=lambda name: (costs.get(name, 0), name)))
    return CompiledRule(rule, test, tuple(asked), in_order, answers.of(rule))


def overridden(rule: Rule, other: Override) -> Rule:
    """A rule as it stands on the trunk of an override."""
    return replace(
        rule,
        report=rule.report if other.report is None else other.report,
        rollout=rule.rollout if other.rollout is None else other.rollout,
        until_day=rule.until_day if other.until_day is None else other.until_day,
    )


def reduced(condition: Condition, constants: Facts) -> Condition | bool:
    """`condition` with the facts in `constants` put in: True or False where nothing else is asked."""
    if isinstance(condition, Not):
        part = reduced(condition.part, constants)
        return not part if isinstance(part, bool) else Not(part)
    if isinstance(condition, AllOf | AnyOf):
        settles = isinstance(condition, AnyOf)  # what one part settles: any by True, all by False
        parts: list[Condition] = []
        for inner in condition.parts:
            part = reduced(inner, constants)
            if not isinstance(part, bool):
                parts.append(part)
            elif part is settles:
                return settles
        if not parts:
            return not settles
        return parts[0] if len(parts) == 1 else type(condition)(tuple(parts))
    if isinstance(condition, Time) or condition.fact not in constants:
        return condition
    return truth_of(condition, {}).truth(constants, {}) == TRUE


class _Answers:
    """Verdicts of rules on one trunk, ready to be given."""

    def __init__(self, policy: Policy, trunk: Trunk) -> None:
        self._policy = policy
        self._trunk = trunk

    def of(self, rule: Rule) -> Verdict:
        """The verdict of a rule that matched and no other before it."""
        matched = (rule.name,)
        if rule.basis:
            return self.rejection(rule.name, rule.basis, rule.tags, matched)
        label = _label(rule.label)
        if rule.contact:
            return Verdict(
                REDIRECT,
                rule.name,
                status=302,
                phrase="Moved Temporarily",
                headers=(f"Contact: <{rule.contact}>",),
                redirect=Redirect(contact=rule.contact),
                tags=rule.tags,
                matched=matched,
            )
        if rule.route:
            redirect = Redirect(route=rule.route)
            return Verdict(REDIRECT, rule.name, label=label, redirect=redirect, tags=rule.tags, matched=matched)
        return Verdict(ALLOW if label is None else LABEL, rule.name, label=label, tags=rule.tags, matched=matched)

    def rejection(self, name: str, basis: str, tags: tuple[str, ...] = (), matched: tuple[str, ...] = ()) -> Verdict:
        """A rejection with the answer that `responses` gives the basis; status 0 stands for `auto`."""
        response = self._policy.responses.get(basis, Response(403, "Forbidden"))
        headers: tuple[str, ...] = ()
        if response.plus:
            headers = (blocked_reason(self._policy.redress, self._trunk.block_location),)
        return Verdict(
            REJECT,
            name,
            basis=basis,
            status=response.status,
            phrase=response.phrase,
            headers=headers,
            tags=tags,
            matched=matched,
        )


def _label(spec: LabelSpec | None) -> Label | None:
    """The label of a rule."""
    return None if spec is None else Label(spec.prefix, spec.max, spec.headers, spec.verstat)


def blocked_reason(redress: Redress, location: str) -> str:
    """The Reason line of a 603+ (ATIS-1000099; RFC 8606 §4 for the location outside the quotes)."""
    items = ["v=analytics1"]
    for key, value in (
        ("url", redress.url),
        ("tel", redress.tel),
        ("email", redress.email),
        ("id", DECISION_ID),
    ):
        if value:
            items.append(f"{key}={value}")
    return f'Reason: Q.850;cause=21;text="{";".join(items)}";location={location}'
