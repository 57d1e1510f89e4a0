"""The verdict on a call, from its facts alone.

Enters: facts, which checks have run, the compiled policy. Leaves: a Verdict, or which check must run first;
and what became of each rule. Must not: ask anything else; the same arguments always give the same answer.

Rules are first-match. One whose facts are not known yet holds back those below it, so asking little never
changes a verdict. A rule with `continue` adds its label and tags, and the rules go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from zlib import crc32

from sipguard.screening.policy.compile import IDENTITY, CompiledPolicy, CompiledRule
from sipguard.screening.policy.predicates import FAILED, FALSE, PENDING, TRUE, Asked, Facts, check_of, compared_times
from sipguard.screening.verdict import ALLOW, LABEL, REJECT, Label, Verdict
from sipguard.stir.errors import NO_IDENTITY_STATUS, NO_SUPPORTED_PHRASE, PHRASES

Names = tuple[str, ...]


class Gathered:
    """What the rules that matched so far have added. Never changed, only replaced."""

    __slots__ = ("label", "matched", "reported", "rule", "tags")

    def __init__(self, rule: str, label: Label | None, tags: Names, matched: Names, reported: Names) -> None:
        self.rule = rule  # that gave the label first, "" for none
        self.label = label
        self.tags = tags
        self.matched = matched
        self.reported = reported


class Pending:
    """The rule at `position` cannot be decided before `check` has run; `gathered` comes from those above."""

    __slots__ = ("check", "gathered", "position")

    def __init__(self, check: str, position: int, gathered: Gathered | None) -> None:
        self.check = check
        self.position = position
        self.gathered = gathered


def decide(
    facts: Facts,
    asked: Asked,
    compiled: CompiledPolicy,
    caller_tn: str,
    unix_day: int,
    since: Pending | None = None,
) -> Verdict | Pending:
    """The verdict, or the check that must run before there is one.

    `asked` maps a check that has run to FALSE, one that failed to FAILED. `caller_tn` and `unix_day` (days
    since 1970-01-01 UTC) serve rollouts and last days. `since` is an earlier answer about the same call, to
    go on from; it saves time and changes nothing.
    """
    steps = compiled.steps
    gathered: Gathered | None = None
    first = 0
    if since is not None:
        gathered = since.gathered
        first = since.position
    for n in range(first, len(steps)):
        rule = steps[n]
        test = rule.test
        assert test is not None
        outcome = test.truth(facts, asked)
        if outcome in (FALSE, FAILED):
            continue
        if rule.limited and not _acts(rule, caller_tn, unix_day):
            continue
        if outcome == PENDING:
            return Pending(_first_unasked(rule, asked), rule.position, gathered)
        if rule.report:
            gathered = _reported(gathered, rule)
        elif rule.continues:
            gathered = _added(gathered, rule)
        else:
            if rule.auto and IDENTITY not in asked:
                return Pending(IDENTITY, n, gathered)
            return _final(rule.verdict, gathered, facts)
    if compiled.auto and IDENTITY not in asked:
        return Pending(IDENTITY, len(steps), gathered)
    return _final(compiled.default, gathered, facts)


def _acts(rule: CompiledRule, caller_tn: str, unix_day: int) -> bool:
    """Whether a rule acts on this day and for this caller; one caller always falls on the same side."""
    if rule.until_day is not None and unix_day > rule.until_day:
        return False
    return rule.rollout >= 10_000 or crc32((rule.name + caller_tn).encode()) % 10_000 < rule.rollout


def _first_unasked(rule: CompiledRule, asked: Asked) -> str:
    """The cheapest check of a rule that has not run. A pending rule has one."""
    for check in rule.checks:
        if check not in asked:
            return check
    raise AssertionError(rule.name)


def _reported(gathered: Gathered | None, rule: CompiledRule) -> Gathered:
    """The rule would have acted."""
    if gathered is None:
        return Gathered("", None, (), (), (rule.name,))
    old = gathered
    return Gathered(old.rule, old.label, old.tags, old.matched, (*old.reported, rule.name))


def _added(gathered: Gathered | None, rule: CompiledRule) -> Gathered:
    """The rule adds its label and tags."""
    if gathered is None:
        return Gathered("" if rule.label is None else rule.name, rule.label, rule.tags, (rule.name,), ())
    old = gathered
    return Gathered(
        old.rule or ("" if rule.label is None else rule.name),
        joined(old.label, rule.label),
        _union(old.tags, rule.tags),
        (*old.matched, rule.name),
        old.reported,
    )


def joined(first: Label | None, second: Label | None) -> Label | None:
    """One label of two: what the first leaves open the second says; headers of both, each name once."""
    if first is None or second is None:
        return first or second
    names = {name.lower() for name, _ in first.headers}
    headers = first.headers + tuple(pair for pair in second.headers if pair[0].lower() not in names)
    chosen = first if first.prefix else second
    return Label(chosen.prefix, chosen.max, headers, first.verstat or second.verstat)


def _union(first: Names, second: Names) -> Names:
    """Both, each name once, in order."""
    if not first or not second:
        return first or second
    return first + tuple(name for name in second if name not in first)


def _final(verdict: Verdict, gathered: Gathered | None, facts: Facts) -> Verdict:
    """The verdict with what was gathered on the way, and with the answer of `auto` filled in."""
    auto = verdict.action == REJECT and not verdict.status
    if gathered is None and not auto:
        return verdict
    status, phrase = _auto(facts) if auto else (verdict.status, verdict.phrase)
    old = gathered or Gathered("", None, (), (), ())
    action, rule, label = verdict.action, verdict.rule, None
    if verdict.goes_on and not auto:
        label = joined(old.label, verdict.label)
        if action == ALLOW and label is not None:
            action = LABEL
            rule = rule if verdict.matched else old.rule
    return Verdict(
        action,
        rule,
        basis=verdict.basis,
        status=status,
        phrase=phrase,
        headers=verdict.headers,
        label=label,
        redirect=verdict.redirect,
        tags=_union(old.tags, verdict.tags),
        reported=old.reported,
        matched=old.matched + verdict.matched,
    )


def _auto(facts: Facts) -> tuple[int, str]:
    """The answer that the verification result asks for (RFC 8224 §6.2.2); 403 where it asks for none."""
    status = facts.get("identity.status")
    if not isinstance(status, int) or status not in PHRASES:
        return 403, "Forbidden"
    if status == NO_IDENTITY_STATUS and facts.get("identity.result") == "unsupported":
        return status, NO_SUPPORTED_PHRASE
    return status, PHRASES[status]


# ------------------------------------------------------------------------------------------ why

MATCHED: Final = "matched"
NO_MATCH: Final = "no_match"
UNKNOWN: Final = "failed"
NOT_KNOWN_YET: Final = "pending"
REPORTED: Final = "reported"
ELSEWHERE: Final = "other_trunks"
EXPIRED: Final = "expired"
NOT_ROLLED_OUT: Final = "not_rolled_out"
NOT_REACHED: Final = "not_reached"


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What became of one rule: `outcome` one of the constants above, and the facts that it asked."""

    rule: str
    outcome: str
    facts: dict[str, object]  # name -> value; "not_asked" or "failed" where there was none


def trace(facts: Facts, asked: Asked, compiled: CompiledPolicy, caller_tn: str, unix_day: int) -> list[RuleOutcome]:
    """What became of every rule of the policy, in order, by the same functions that `decide` calls."""
    outcomes: list[RuleOutcome] = []
    over = False
    for rule in compiled.rules:
        outcome = NOT_REACHED if over else _outcome(rule, facts, asked, caller_tn, unix_day)
        over = over or outcome == NOT_KNOWN_YET or (outcome == MATCHED and not rule.continues)
        saw = {name: seen(name, facts, asked) for name in rule.facts}
        saw.update(compared_times(rule.when, facts))
        outcomes.append(RuleOutcome(rule.name, outcome, saw))
    return outcomes


def _outcome(rule: CompiledRule, facts: Facts, asked: Asked, caller_tn: str, unix_day: int) -> str:
    """What becomes of one rule that is reached."""
    if rule.test is None:
        return ELSEWHERE
    truth = rule.test.truth(facts, asked)
    if truth == FAILED:
        return UNKNOWN
    if truth not in (TRUE, PENDING):
        return NO_MATCH
    if rule.limited and not _acts(rule, caller_tn, unix_day):
        return EXPIRED if rule.until_day is not None and unix_day > rule.until_day else NOT_ROLLED_OUT
    if truth == PENDING:
        return NOT_KNOWN_YET
    return REPORTED if rule.report else MATCHED


def seen(name: str, facts: Facts, asked: Asked) -> object:
    """A fact as the rules saw it."""
    if name in facts:
        return facts[name]
    check = check_of(name)
    if not check:
        return None
    return {PENDING: "not_asked", FAILED: "failed"}.get(asked.get(check, PENDING))
