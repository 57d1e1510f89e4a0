"""What would become of a call, in words: for operators, and in plain English for whoever has the caller on the phone.

Enters: what was tried, the policy that it was tried under. Leaves: lines, members of JSON documents. Must not: find
anything out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sipguard.cli.escaping import escaped
from sipguard.numbers.canonical import show
from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.finding import FAILED
from sipguard.screening.pipeline import Screening
from sipguard.screening.policy import decide
from sipguard.screening.policy.model import BASES, Policy, Redress, Rule
from sipguard.screening.policy.plain import in_english, joined, seen
from sipguard.screening.policy.predicates import facts_of
from sipguard.screening.policy.wording import OUTCOMES, lacking, written
from sipguard.screening.trial import Tried
from sipguard.screening.verdict import ALLOW, DEFAULT_RULE, LABEL, REJECT, UNSCREENED_RULE, Verdict

_LOOKED_AT: Final = (decide.NO_MATCH, decide.UNKNOWN)
_SOURCES: Final = {"from": "From", "pai": "P-Asserted-Identity"}
_SPECS: Final = {spec.name: spec for spec in ALL_FACTS}
_TOLD: Final = "DECISION-ID"  # stands where the id of a decision would


def verdict_line(verdict: Verdict) -> str:
    """`reject by rule dno, basis dno, answered 403 Forbidden`."""
    line = f"{verdict.action} by {'the default' if verdict.rule == DEFAULT_RULE else f'rule {verdict.rule}'}"
    line += f", basis {verdict.basis}" if verdict.basis else ""
    return f"{line}, answered {verdict.status} {verdict.phrase}" if verdict.status else line


def trial_lines(found: Tried, policy: Policy) -> Iterator[str]:
    """The verdict, the checks, then each rule."""
    verdict, attempt = found.verdict, found.attempt
    yield verdict_line(verdict)
    told = [("caller", f"{show(attempt.caller.tn) or attempt.caller.form} in {_SOURCES[attempt.caller_source]}")]
    told.append(("called", show(attempt.callee.tn) or attempt.callee.raw))
    told += (
        [("emergency", f"passes before all rules: {found.screening.emergency}")] if found.screening.emergency else []
    )
    told += [("header", line) for line in verdict.header_lines(_TOLD)] if verdict.status else []
    told += [("matched", ", ".join(verdict.matched)), ("reported", ", ".join(verdict.reported))]
    told.append(("tags", ", ".join(verdict.tags)))
    if verdict.label is not None:
        told.append(("prefix", f'"{verdict.label.prefix}"' if verdict.label.prefix else ""))
        told += [("header", line) for line in verdict.label.header_lines(found.screening.facts, _TOLD)]
    took = took_us(found.screening)
    for name, finding in found.screening.findings.items():
        if name in took or finding.status == FAILED:
            text = f"{name} {finding.status}" + (f": {finding.reason}" if finding.reason else "")
            told.append(("check", text + (f", {took[name]} us" if name in took else "")))
    for key, text in told:
        if text:
            yield f"  {key:<10} {escaped(text)}"
    yield from rule_lines(found, policy)


def took_us(screening: Screening) -> dict[str, int]:
    """What each check took in microseconds, all its runs together; none where there was no stopwatch."""
    took: dict[str, float] = {}
    for name, begin, end in screening.runs:
        took[name] = took.get(name, 0.0) + end - begin
    return {name: int(seconds * 1e6) for name, seconds in took.items()}


def rule_lines(found: Tried, policy: Policy) -> Iterator[str]:
    """Each rule with what became of it; under one that did not match the conditions that failed, with what they saw."""
    if found.rules:
        yield "rules"
    width = max((len(each.rule) for each in found.rules), default=0)
    for each, rule in zip(found.rules, policy.rules, strict=True) if found.rules else ():
        yield f"  {each.rule:<{width}}  {OUTCOMES.get(each.outcome, each.outcome)}"
        if each.outcome in _LOOKED_AT:
            for part, facts in _lacks(found, rule):
                saw = "; ".join(f"{name} is {seen(value)}" for name, value in facts.items())
                yield f"  {'':<{width}}  {written(part)}: {escaped(saw)}"


def _lacks(found: Tried, rule: Rule) -> Iterator[tuple[Any, dict[str, object]]]:
    """(condition that does not hold, facts that it saw)."""
    facts, asked = found.screening.facts, found.screening.asked
    for part in lacking(rule.when, facts, asked):
        yield part, {name: decide.seen(name, facts, asked) for name in sorted(facts_of(part))}


def trial_document(found: Tried, policy: Policy) -> dict[str, Any]:
    """The same for programs."""
    verdict, screening = found.verdict, found.screening
    took = took_us(screening)
    rules = []
    for each, rule in zip(found.rules, policy.rules, strict=True) if found.rules else ():
        lacks = [
            {"condition": written(part), "facts": facts}
            for part, facts in (_lacks(found, rule) if each.outcome in _LOOKED_AT else ())
        ]
        rules.append({"rule": each.rule, "outcome": each.outcome, "condition": written(rule.when), "lacks": lacks})
    return {
        "verdict": verdict_document(verdict),
        "emergency": screening.emergency,
        "caller": found.attempt.caller.tn,
        "callee": found.attempt.callee.tn,
        "trunk": found.attempt.trunk.name,
        "findings": [
            {"check": name, "status": finding.status, "reason": finding.reason, "took_us": took.get(name)}
            for name, finding in screening.findings.items()
        ],
        "facts": screening.facts,
        "rules": rules,
    }


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """A verdict for programs; `label` is None where there is none."""
    label = verdict.label
    return {
        "action": verdict.action,
        "rule": verdict.rule,
        "basis": verdict.basis,
        "status": verdict.status,
        "phrase": verdict.phrase,
        "matched": verdict.matched,
        "reported": verdict.reported,
        "tags": verdict.tags,
        "label": None if label is None else {"prefix": label.prefix, "max": label.max, "verstat": label.verstat},
        "redirect": None
        if verdict.redirect is None
        else {"contact": verdict.redirect.contact, "route": verdict.redirect.route},
    }


# ------------------------------------------------------------------------------------------ plain English


def plain_text(found: Tried, policy: Policy, mode: str) -> str:
    """What somebody without this program in mind needs to know, in whole sentences."""
    attempt, verdict = found.attempt, found.verdict
    caller = show(attempt.caller.tn) or ("a withheld number" if attempt.shown.form == "anonymous" else "no number")
    sentences = [f"A call from {caller} to {show(attempt.callee.tn) or attempt.callee.raw} {_fate(verdict, mode)}."]
    if found.screening.emergency:
        sentences.append("It counts as an emergency call, and nothing may stop those.")
        return escaped(" ".join(sentences))
    sentences += _because(verdict, policy)
    if verdict.status:
        sentences.append(f'The caller\'s side is answered "{verdict.status} {verdict.phrase}".')
    sentences += _for_now(verdict, policy)
    for name, finding in found.screening.findings.items():
        if finding.status == FAILED:
            why = finding.reason.replace("_", " ")
            sentences.append(f"The check {name} could not tell anything here ({why}), so no rule went by it.")
    if verdict.action == REJECT and policy.redress:
        sentences.append(f"Who thinks that this is a mistake may turn to {_contacts(policy.redress)}.")
    return escaped(" ".join(sentences))


def _fate(verdict: Verdict, mode: str) -> str:
    if verdict.action == REJECT:
        return "would be rejected" if mode == "enforce" else f"would be rejected, but screening is in mode {mode} now"
    if verdict.redirect is not None:
        return f"would be sent to {verdict.redirect.contact or f'the carrier {verdict.redirect.route}'}"
    if verdict.action == LABEL and verdict.label is not None and verdict.label.prefix:
        return f'would go through, with "{verdict.label.prefix.strip()}" before the caller\'s name'
    return "would go through" if verdict.action == ALLOW else "would go through, marked"


def _because(verdict: Verdict, policy: Policy) -> Iterator[str]:
    """What decided."""
    if verdict.rule == DEFAULT_RULE:
        yield "No rule stops it." if verdict.goes_on else "No rule lets it through."
    elif verdict.rule == UNSCREENED_RULE:
        yield "A check that must not fail has failed."
    for rule in policy.rules:
        if rule.name == verdict.rule:
            basis = f" The ground: {BASES[rule.basis].partition(' (')[0]}." if rule.basis else ""
            yield f"That is by the rule {rule.name}, because {in_english(rule.when, _SPECS)}.{basis}"


def _for_now(verdict: Verdict, policy: Policy) -> Iterator[str]:
    """Rules that only report."""
    would = [rule.name for rule in policy.rules if rule.name in verdict.reported]
    if would:
        rules, report = ("The rule", "reports") if len(would) == 1 else ("The rules", "report")
        yield f"{rules} {joined(would, 'and')} would act too, but only {report} yet."


def _contacts(redress: Redress) -> str:
    return joined([each for each in (redress.url, redress.tel, redress.email) if each], "or")
