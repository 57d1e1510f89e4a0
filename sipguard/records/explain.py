"""One decision, step by step, as an operator reads it.

Enters: the row of a call and the frames that its journal still holds. Leaves: steps in the order of time.
Must not: decide anything again, or say more than was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from sipguard.b2bua.frames import (
    DISPOSITIONS,
    LOST,
    WHY_LOWERED,
    WHY_UNSIGNED,
    AnswerFrame,
    EndFrame,
    Signed,
    VerdictFrame,
)
from sipguard.records.listed import ListedBy
from sipguard.records.matched import matched_on
from sipguard.records.record import Record, ends_call
from sipguard.screening.finding import CLEAR, FAILED, HIT, FactValue
from sipguard.screening.policy.model import Condition
from sipguard.screening.policy.predicates import check_of
from sipguard.screening.verdict import BYPASS, ENFORCE

_MARKED = {  # by the marks of b2bua.peers
    "silent": "was silent in a call before",
    "probed": "does not answer OPTIONS",
    "retry_after": "asked for silence by Retry-After",
    "unresolved": "does not resolve",
}
_FINDINGS = {CLEAR: "has no objection", HIT: "found something", FAILED: "failed"}


@dataclass(frozen=True)
class Step:
    """One thing that happened. `kind`: arrival, guard, check, listed, not_asked, rules, verdict, route, marked, try,
    ringing, answer, end, gap, signed. `at` is Unix seconds, 0.0 where only the order is known."""

    kind: str
    text: str
    at: float = 0.0
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Explanation:
    """The steps of one call."""

    decision_id: str
    began_at: float
    steps: tuple[Step, ...]
    head: bytes = b""  # start line and headers of the INVITE as received

    def lines(self, zone: tzinfo = UTC) -> list[str]:
        """Text, one step a line, its facts indented below it."""
        began = datetime.fromtimestamp(self.began_at, zone).isoformat(" ", "milliseconds")
        lines = [f"Decision {self.decision_id}, {began}"]
        for number, step in enumerate(self.steps, 1):
            after = f"+{step.at - self.began_at:.3f} s" if step.at else ""
            lines.append(f"{number:3}. {after:>10}  {step.text}")
            lines += [f"{'':17}{name} = {written(value)}" for name, value in step.facts.items()]
        return lines

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        steps = [
            {"kind": step.kind, "text": step.text, "at": step.at or None, "facts": dict(step.facts)}
            for step in self.steps
        ]
        return {
            "decision_id": self.decision_id,
            "began_at": self.began_at,
            "steps": steps,
            "head": self.head.decode("utf-8", "replace"),
        }


def explain(
    record: Record,
    verdict: VerdictFrame | None,
    answer: AnswerFrame | None = None,
    end: EndFrame | None = None,
    conditions: Mapping[str, Condition] | None = None,
    listed: Sequence[ListedBy] = (),
) -> Explanation:
    """What happened to a call; only what the row says where its verdict frame is no longer kept.

    `conditions`: of the rules by name, as the configuration has them now. `listed`: edits that put it on lists.
    """
    if verdict is None:
        steps = list(_from_row(record))
    else:
        steps = [
            _arrival(verdict),
            _guard(verdict),
            *_checks(verdict),
            *map(_listed, listed),
            *_rules(verdict, conditions or {}),
            _verdict(verdict),
        ]
        if not ends_call(verdict):
            steps.append(_route(verdict, _was_sent(end, answer)))
        steps += [_signed(each) for each in (verdict.signed, end.signed if end is not None else None) if each]
    before, last = _tries(record, end, answer)
    steps += before
    ring_at = end.ring_at if end is not None else record.ring_at
    if ring_at:
        steps.append(Step("ringing", "the callee was alerted", ring_at))
    steps += last
    if answer is not None or record.answer_at:
        steps.append(_answered(record, answer))
    steps.append(_ended(record, end, answer))
    return Explanation(record.decision_id, record.at, tuple(steps), verdict.head if verdict is not None else b"")


def _arrival(verdict: VerdictFrame) -> Step:
    text = (
        f"INVITE from {tn(verdict.shown)} to {tn(verdict.callee)} on trunk {verdict.trunk},"
        f" from {verdict.source} ({verdict.transport}, listener {verdict.listener})"
    )
    if verdict.asserted and verdict.asserted != verdict.shown:
        counts = "counts" if verdict.caller == verdict.asserted else "is not trusted on this trunk"
        text += f"; P-Asserted-Identity says {tn(verdict.asserted)} and {counts}"
    checks = {name for name, _, _ in verdict.findings}
    facts = {name: value for name, value in verdict.facts.items() if check_of(name) not in checks}
    return Step("arrival", text, verdict.at, {"Call-ID": verdict.call_id_a, **facts})


def _guard(verdict: VerdictFrame) -> Step:
    if verdict.emergency:
        return Step("guard", f"emergency guard: admitted ({verdict.emergency}); nothing else may stop it")
    return Step("guard", "emergency guard: not an emergency call")


def _checks(verdict: VerdictFrame) -> Iterable[Step]:
    for name, status, reason in verdict.findings:
        facts: dict[str, FactValue] = {fact: value for fact, value in verdict.facts.items() if check_of(fact) == name}
        text = f"check {name} {_FINDINGS.get(status, status)}" + (f": {reason}" if reason else "")
        if status == FAILED:
            text += "; no condition on its facts matches, not even under `not`"
        if facts:
            text += "; what it saw:"
        yield Step("check", text, facts=facts)
    if verdict.not_asked:
        names = ", ".join(verdict.not_asked)
        yield Step("not_asked", f"not asked, since it could not change the verdict: {names}")


def _listed(by: ListedBy) -> Step:
    """By whose word a number of the call was on a list."""
    entry = _entry(by.entry) if by.which != "upstream" else by.entry
    text = f"{by.which} is on {by.name} by an edit, {entry}"
    if by.undone_by:
        text += f"; taken back since, by change {by.undone_by}"
    facts: dict[str, object] = {"change": by.change, "by": by.who, "at": _instant(by.at)}
    if by.why:
        facts["reason"] = by.why
    if by.expires_at:
        facts["until"] = _instant(by.expires_at)
    return Step("listed", text, facts=facts)


def _entry(entry: str) -> str:
    """An entry of a list as it is written for people."""
    return ",".join([f"+{part}" if part[-1:] == "*" else tn(part) for part in entry.split(",")])


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "seconds")


def _rules(verdict: VerdictFrame, conditions: Mapping[str, Condition]) -> Iterable[Step]:
    if verdict.matched:
        yield Step("rules", f"rules that matched: {', '.join(verdict.matched)}")
    if verdict.reported:
        yield Step("rules", f"rules in report mode that would have acted: {', '.join(verdict.reported)}")
    for name in dict.fromkeys((*verdict.matched, *verdict.reported, verdict.rule)):
        if name in conditions:
            facts = matched_on(conditions[name], verdict)
            changed = "; it has another condition in the present configuration, so on what is not known"
            how = changed if facts is None else " on:" if facts else ": it is for every call"
            yield Step("rules", f"rule {name} matched{how}", facts=facts or {})
    if verdict.tags:
        yield Step("rules", f"tags: {', '.join(verdict.tags)}")


def _verdict(verdict: VerdictFrame) -> Step:
    by = f"by rule {verdict.rule}" if verdict.rule else "by the default"
    text = f"verdict {verdict.action} {by}"
    if verdict.basis:
        text += f", basis {verdict.basis}"
    if verdict.status:
        answered = "answered" if verdict.mode == ENFORCE else "would have been answered"
        text += f", {answered} {verdict.status}"
    if verdict.mode == BYPASS:
        text += "; mode bypass: forwarded untouched"
    elif verdict.mode != ENFORCE:
        text += f"; mode {verdict.mode}: recorded only, the call goes on"
    text += f"; Ruleset {verdict.revision}, {verdict.screen_us} us after receipt"
    return Step("verdict", text, verdict.at + verdict.screen_us / 1e6)


def _was_sent(end: EndFrame | None, answer: AnswerFrame | None) -> bool:
    """Whether an INVITE left for a peer; taken as so where it is not known: the call lasts, or a crash ended it."""
    return end is None or answer is not None or bool(end.forward_us or end.tries) or end.disposition == LOST


def _route(verdict: VerdictFrame, sent: bool) -> Step:
    if not verdict.route:
        return Step("route", "not forwarded: no route, or given back by a redirect listener")
    if not sent:
        return Step("route", f"to leave by trunk {verdict.route}; not forwarded: no peer was tried")
    text = f"forwarded by trunk {verdict.route}"
    if verdict.verstat:
        text += f", marked verstat={verdict.verstat}"
    return Step("route", text)


def _signed(signed: Signed) -> Step:
    """What was signed of it, and by whom; or why nothing was."""
    facts: dict[str, object] = {}
    if signed.attest:
        where = {"from": "From", "pai": "P-Asserted-Identity", "both": "From and P-Asserted-Identity"}[signed.source]
        text = f"signed by {signed.signer}, attestation {signed.attest}, for {tn(signed.orig)} in {where}"
        if signed.why:
            text += f"; not A, since {WHY_LOWERED.get(signed.why, signed.why)}"
        facts = {"origid": signed.origid, "dest": signed.dest, "certificate_sha256": signed.certificate_sha256}
    else:
        text = f"not signed: {WHY_UNSIGNED.get(signed.why, signed.why)}"
    for diverting, target in signed.diverted:
        text += f"; diverted from {tn(diverting)} to {tn(target)}, signed by {signed.signer}"
    return Step("signed", text, facts=facts)


def _tries(record: Record, end: EndFrame | None, answer: AnswerFrame | None) -> tuple[list[Step], list[Step]]:
    """Peers that were passed over or tried before it rang, and the last one, which is the one that may have rung."""
    if end is None:
        return [], []
    tried_peers = {peer for peer, _ in end.tries}
    before = [
        Step("marked", f"peer {peer} {_MARKED.get(why, why)}; {'tried' if peer in tried_peers else 'passed over'}")
        for peer, why in end.marked
    ]
    before += [Step("try", f"peer {peer}: {tried or 'no answer'}") for peer, tried in end.tries[:-1]]
    last = []
    for peer, tried in end.tries[-1:]:
        answer_at = (answer.at if answer is not None else record.answer_at) if 200 <= tried < 300 else 0.0
        last = [Step("try", f"peer {peer}: {tried or 'no answer'}", answer_at)]
    return before, last


def _answered(record: Record, answer: AnswerFrame | None) -> Step:
    if answer is None:
        return Step("answer", f"answered by {record.peer or 'a peer'}", record.answer_at)
    a, b = answer.legs
    facts = {"leg a": f"Call-ID {a.call_id}, at {a.address}", "leg b": f"Call-ID {b.call_id}, at {b.address}"}
    return Step("answer", f"answered by {answer.peer}", answer.at, facts)


def _ended(record: Record, end: EndFrame | None, answer: AnswerFrame | None) -> Step:
    if not record.disposition and end is None:
        return Step("end", "it lasts, or its end is not loaded yet")
    disposition = end.disposition if end is not None else record.disposition
    status = end.final_status if end is not None else record.final_status
    text = f"ended, {disposition}: {DISPOSITIONS.get(disposition, 'no more is known')}"
    if status:
        phrase = end.final_phrase if end is not None else ""
        text += f"; final answer {f'{status} {phrase}'.strip()}"
    if end is not None:
        text += f"; Reason: {end.reason}" if end.reason else ""
        text += f"; BYE by leg {end.bye_by}" if end.bye_by else ""
        text += f"; it left by trunk {end.route} at last" if end.route else ""
        if answer is not None:
            text += f"; it lasted {end.at - answer.at:.1f} s"
    elif record.duration_s:
        text += f"; it lasted {record.duration_s:.1f} s"
    return Step("end", text, end.at if end is not None else record.end_at)


def _from_row(record: Record) -> Iterable[Step]:
    yield Step(
        "arrival",
        f"INVITE from {tn(record.shown)} to {tn(record.callee)} on trunk {record.trunk}; caller that counts: "
        f"{tn(record.caller)}",
        record.at,
    )
    yield Step("gap", "findings and facts are no longer kept: the journal segment of this call was deleted")
    if record.emergency:
        yield Step("guard", f"emergency guard: admitted ({record.emergency})")
    by = f"by rule {record.rule}" if record.rule else "by the default"
    basis = f", basis {record.basis}" if record.basis else ""
    status = f", status {record.status}" if record.status else ""
    yield Step(
        "verdict",
        f"verdict {record.action} {by}{basis}{status}; mode {record.mode}, Ruleset {record.revision}, "
        f"identity {record.identity or 'not asked'}",
    )
    if record.route:
        sent = record.forward_us or record.answer_at or not record.disposition or record.disposition == LOST
        yield Step("route", f"{'forwarded' if sent else 'not forwarded; it was to leave'} by trunk {record.route}")


def tn(number: str) -> str:
    """A TN as it is written for people."""
    return f"+{number}" if len(number) > 6 and number.isdigit() else number or "no number"


def written(value: object) -> str:
    """A fact as it is written for people; where a policy may write it, as it is written there."""
    if value is None:
        return "none"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
