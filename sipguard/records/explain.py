"""One decision, step by step, as an operator reads it.

Enters: the row of a call, the frames that its journal still holds, the rules that were in force. Leaves: steps in the
order of time. Must not: say more than was recorded, or than follows from it by the rules of then, without saying so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Final

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
from sipguard.records.checked import checks, guard
from sipguard.records.judged_by import JudgedBy
from sipguard.records.listed import CONFIGURATION, EDIT, FILE, IMPORT, MISSING, UNKNOWN, Base, ListedBy
from sipguard.records.record import Record, ends_call
from sipguard.records.ruled import rules
from sipguard.records.rules import judged_again
from sipguard.records.sent import sent
from sipguard.records.step import Explanation, Step, moment, tn
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.predicates import check_of
from sipguard.screening.verdict import BYPASS, ENFORCE

_MARKED: Final = {  # by the marks of b2bua.peers
    "silent": "was silent in a call before",
    "probed": "does not answer OPTIONS",
    "retry_after": "asked for silence by Retry-After",
    "unresolved": "does not resolve",
}
DELETED: Final = "findings and facts are no longer kept: the journal segment of this call was deleted"
_SIGNED_IN: Final = {"from": "From", "pai": "P-Asserted-Identity", "both": "From and P-Asserted-Identity"}
_BASES: Final = {
    FILE: "its file, as that is now",
    IMPORT: "its import, as that is now",
    CONFIGURATION: "the configuration",
}


def explain(
    record: Record,
    verdict: VerdictFrame | None,
    answer: AnswerFrame | None = None,
    end: EndFrame | None = None,
    by: JudgedBy | None = None,
    listed: Sequence[ListedBy] = (),
    lacks: Sequence[str] = (DELETED,),
) -> Explanation:
    """What happened to a call; only what the row says where its verdict frame is no longer kept.

    `by`: the rules that were in force, or those of now. `listed`: by whose word it was on lists. `lacks`: why frames
    are not here that the row points to.
    """
    if verdict is None:
        steps = list(_from_row(record, lacks))
    else:
        again = judged_again(verdict, by) if by is not None else None
        steps = [
            _arrival(verdict),
            guard(verdict),
            *checks(verdict),
            *(_listed(each, by.lists if by is not None else {}) for each in listed),
            *rules(verdict, by, again),
            _verdict(verdict),
        ]
        if not ends_call(verdict):
            steps.append(_route(verdict, end, _was_sent(end, answer)))
        steps += sent(verdict, again, _was_sent(end, answer), end.further if end is not None else ())
        steps += [_signed(each) for each in (verdict.signed, end.signed if end is not None else None) if each]
        steps += [Step("gap", each) for each in lacks if each != DELETED]
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
    return Step("arrival", text, verdict.at, {"Call-ID": verdict.call_id_a, **facts}, 0)


def _listed(by: ListedBy, lists: Mapping[str, ListSpec]) -> Step:
    """What put the call on a list: the entry, who, when, why; and whose list it is."""
    facts: dict[str, object] = {}
    if by.by == EDIT:
        text = f"{by.which} is on {by.name} by an edit, {_entry(by)}"
        facts["change"] = by.change
    elif by.by == MISSING:
        text = f"whether {by.which} is on {by.name} was not known: the list was missing"
    elif by.by == UNKNOWN:
        text = f"{by.which} is on {by.name}; by which entry cannot be told any more"
    else:
        where = "its import" if by.by == IMPORT and by.base is not None and by.base.as_then else _BASES[by.by]
        text = f"{by.which} is on {by.name} by {where}, {_entry(by)}{f', line {by.line}' if by.line else ''}"
    if by.undone_by:
        text += f"; taken back since, by change {by.undone_by}"
    facts |= {"by": by.who} if by.who else {}
    facts |= {"at": _instant(by.at)} if by.at else {}
    facts |= {"reason": by.why} if by.why else {}
    facts |= {"until": _instant(by.expires_at)} if by.expires_at else {}
    spec = lists.get(by.name)
    for word in ("owner", "purpose", "source", "version") if spec is not None else ():
        if said := getattr(spec, word):
            facts[f"list {word}"] = said
    if by.base is not None and by.by != CONFIGURATION:  # what that held is in the Ruleset, which the verdict names
        facts |= _state(by.base)
    return Step("listed", text, facts=facts)


def _state(base: Base) -> dict[str, object]:
    """Which state of the list was in force: its version, from when, who imported it and when, of what."""
    told: dict[str, object] = {"list version": base.version} if base.version else {}
    told |= {"imported by": base.imported_by} if base.imported_by else {}
    told |= {"imported at": _instant(base.imported_at)} if base.imported_at else {}
    told |= {"data of": _instant(base.dated_at)} if base.dated_at else {}
    told |= {"made of": base.files} if base.files else {}
    told["in force from"] = _instant(base.from_at)
    return told | ({"in force until": _instant(base.to_at)} if base.to_at else {})


def _entry(by: ListedBy) -> str:
    """An entry of a list as it is written for people."""
    if by.which in ("upstream", "signer"):
        return by.entry
    return ",".join([f"+{part}" if part[-1:] == "*" else tn(part) for part in by.entry.split(",")])


def _instant(at: float | str) -> str:
    return at if isinstance(at, str) else moment(at, UTC).isoformat(" ", "seconds")


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
    return Step("verdict", text, verdict.at + verdict.screen_us / 1e6, after_us=verdict.screen_us)


def _was_sent(end: EndFrame | None, answer: AnswerFrame | None) -> bool:
    """Whether an INVITE left for a peer; taken as so where it is not known: the call lasts, or a crash ended it."""
    return end is None or answer is not None or bool(end.forward_us or end.tries) or end.disposition == LOST


def _route(verdict: VerdictFrame, end: EndFrame | None, was_sent: bool) -> Step:
    if not verdict.route:
        return Step("route", "not forwarded: no route, or given back by a redirect listener")
    if not was_sent:
        return Step("route", f"to leave by trunk {verdict.route}; not forwarded: no peer was tried")
    text = f"forwarded by trunk {verdict.route}"
    if verdict.verstat:
        text += f", marked verstat={verdict.verstat}"
    after_us = end.forward_us if end is not None and end.forward_us else None
    return Step("route", text, verdict.at + after_us / 1e6 if after_us else 0.0, after_us=after_us)


def _signed(signed: Signed) -> Step:
    """What was signed of it, and by whom; or why nothing was."""
    facts: dict[str, object] = {}
    if signed.attest:
        where = _SIGNED_IN.get(signed.source, signed.source)
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
        text += f"; it left by trunk {end.route} at last" if end.route and end.further else ""
        if answer is not None:
            text += f"; it lasted {end.at - answer.at:.1f} s"
    elif record.duration_s:
        text += f"; it lasted {record.duration_s:.1f} s"
    return Step("end", text, end.at if end is not None else record.end_at)


def _from_row(record: Record, lacks: Sequence[str]) -> Iterable[Step]:
    yield Step(
        "arrival",
        f"INVITE from {tn(record.shown)} to {tn(record.callee)} on trunk {record.trunk}; caller that counts: "
        f"{tn(record.caller)}",
        record.at,
    )
    yield from (Step("gap", each) for each in lacks)
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
