"""What the rules made of a call: what was recorded of them, and each with what becomes of it when it is asked again.

Enters: a verdict frame, the rules in force, what they come to. Leaves: steps. Must not: ask a rule itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from sipguard.b2bua.frames import VerdictFrame
from sipguard.records.checked import between
from sipguard.records.judged_by import JudgedBy
from sipguard.records.rules import JudgedAgain, was_judged
from sipguard.records.step import Step
from sipguard.screening.policy.decide import MATCHED, NOT_REACHED, REPORTED
from sipguard.screening.policy.decide import UNKNOWN as NOT_TOLD
from sipguard.screening.policy.wording import OUTCOMES


def rules(verdict: VerdictFrame, by: JudgedBy | None, again: JudgedAgain | None) -> Iterator[Step]:
    """What matched as recorded; then each rule with what became of it, and whether that leads to the same verdict."""
    asked = between(verdict) if was_judged(verdict) else None
    if asked is not None:
        yield asked
    if verdict.matched:
        yield Step("rules", f"rules that matched: {', '.join(verdict.matched)}")
    if verdict.reported:
        yield Step("rules", f"rules in report mode that would have acted: {', '.join(verdict.reported)}")
    if again is not None and by is not None:
        whose = f"Ruleset {verdict.revision}, as kept" if by.as_then else "the present configuration"
        lacking = "" if by.as_then else f"; those of Ruleset {verdict.revision} are not kept"
        yield Step("rules", f"each rule, asked again by the facts above; rules of {whose}{lacking}")
        yield from _fates(again)
        yield _agreed(again, by)
    elif was_judged(verdict) and by is not None:
        yield Step("rules", f"what became of each rule is not known: trunk {verdict.trunk} is not in its configuration")
    if verdict.tags:
        yield Step("rules", f"tags: {', '.join(verdict.tags)}")


def _fates(again: JudgedAgain) -> Iterator[Step]:
    """A step for each rule that was reached, one for all others."""
    below = [each.rule for each in again.rules if each.outcome == NOT_REACHED]
    for each in again.rules:
        if each.outcome == NOT_REACHED:
            continue
        text = f"rule {each.rule}: {OUTCOMES.get(each.outcome, each.outcome)}"
        if each.outcome in (MATCHED, REPORTED):
            text = f"rule {each.rule} {'matched' if each.outcome == MATCHED else 'would have acted; it matched'}"
            text += " on:" if each.facts else ": it is for every call"
        elif each.lacks:
            known = "is not known" if each.outcome == NOT_TOLD else "does not hold"
            text += f", {' and '.join(each.lacks)} {known if len(each.lacks) == 1 else known.replace('does', 'do')}"
        yield Step("rule", text, facts=each.facts, rule=each.rule, outcome=each.outcome)
    if below:
        yield Step("rules", f"not reached: {', '.join(below)}")


def _agreed(again: JudgedAgain, by: JudgedBy) -> Step:
    if again.agrees:
        return Step("judged", "they lead to the verdict that was recorded")
    other = f"{again.verdict.action} by {again.verdict.rule}" if again.verdict is not None else "no verdict"
    why = "this version judges otherwise, or something broke" if by.as_then else "the rules have changed since"
    if again.verdict is None:
        why = "they ask a check that did not run"
    return Step("judged", f"they lead to {other}, which is not what was recorded: {why}")
