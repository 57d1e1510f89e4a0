"""One call in plain English, for the person at the phone whose call it was.

Enters: the row of a call, its frames, the rules that were in force. Leaves: whole sentences. Must not: tell what is the
provider's own (who put a number on a list, and why), or a number that the caller does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Final

from sipguard.b2bua import frames
from sipguard.b2bua.frames import EndFrame, VerdictFrame
from sipguard.numbers.canonical import show
from sipguard.records.judged_by import JudgedBy
from sipguard.records.listed import MISSING, ListedBy
from sipguard.records.matched import what_held
from sipguard.records.record import Record
from sipguard.records.rules import JudgedAgain, judged_again
from sipguard.records.step import moment
from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.policy.decide import UNKNOWN as NOT_TOLD
from sipguard.screening.policy.model import BASES, Redress
from sipguard.screening.policy.plain import in_english, joined
from sipguard.screening.policy.predicates import facts_of
from sipguard.screening.verdict import (
    BYPASS,
    ENFORCE,
    LABEL,
    LIMIT_RULE,
    REDIRECT,
    REJECT,
    REPORT,
    UNSCREENED_RULE,
)

_SPECS: Final = {spec.name: spec for spec in ALL_FACTS}
_ENDS: Final = {
    frames.BUSY: "The called party was busy, or declined it.",
    frames.FAILED: "The network behind us did not accept it.",
    frames.CANCELLED: "You hung up before it was answered.",
    frames.NO_ANSWER: "Nobody answered.",
    frames.UNREACHABLE: "It could not be put through, since the network behind us could not be reached.",
    frames.ACK_LOST: "It was answered, but your side did not confirm the connection.",
    frames.DRAINED: "It was ended by maintenance on our side.",
    frames.ADMIN: "It was ended by us.",
    frames.LOST: "It was lost by a fault on our side.",
    frames.OVERTIME: "It was ended because it had reached the longest time that a call may last.",
    frames.EXPIRED: "It was ended because one side gave no sign of life.",
    frames.DEAD: "It was ended because one side gave no sign of life.",
    frames.BROKEN: "It was ended by a fault on our side.",
    frames.REDIRECTED: "It was sent to another destination.",
}
_BLOCKED: Final = "Network Blocked"  # the phrase of a 603+ (ATIS-1000099)
_UNKNOWN_THERE: Final = (404, 410, 604)  # answers of who knows no such number
_FAILED_SINCE: Final = {  # status of a failed verification -> what did not hold, where the signature itself may
    403: "It was signed at another time.",
    436: "The certificate that it was signed with could not be fetched.",
    437: "The certificate that it was signed with is not accepted.",
}
_OF_ANOTHER: Final = ("orig_mismatch", "dest_mismatch", "div_incomplete", "div_orig_mismatch", "replayed")


def in_plain(
    record: Record,
    verdict: VerdictFrame | None,
    end: EndFrame | None,
    by: JudgedBy | None,
    listed: Sequence[ListedBy],
    zone: tzinfo,
) -> str:
    """What became of the call and why, in sentences to the caller."""
    sentences = [f"Your call to {_called(record)} on {_day(record.at, zone)} {_fate(record, verdict)}."]
    if record.emergency:
        sentences.append("It counts as an emergency call; nothing may stop those, and no rule was asked.")
    elif verdict is None:
        sentences.append("Its details are no longer kept, or cannot be read.")
    else:
        sentences += _reasons(verdict, by, listed, zone)
    if record.action == REJECT and record.mode == ENFORCE:
        phrase = verdict.phrase if verdict is not None else ""
        sentences.append(f'Your telephone network was answered "{f"{record.status} {phrase}".strip()}".')
        redress = by.policy.redress if by is not None else Redress()
        if redress:
            contacts = joined([each for each in (redress.url, redress.tel, redress.email) if each], "or")
            sentences.append(
                f"If you think that this is a mistake, turn to {contacts} and give the reference {record.decision_id}."
            )
    else:
        sentences += _ended(record, end)
    return " ".join(sentences)


def _called(record: Record) -> str:
    return show(record.callee) or record.callee or "a number that could not be read"


def _day(at: float, zone: tzinfo) -> str:
    then = moment(at, zone)
    return f"{then.day} {then:%B %Y} at {then:%H:%M} ({then.tzname()})"


def _fate(record: Record, verdict: VerdictFrame | None) -> str:
    if record.mode == ENFORCE and record.rule == LIMIT_RULE:
        return "was not put through, because your carrier had too many calls at that moment"
    if record.mode == ENFORCE and record.action == REJECT:
        return "was rejected"
    if record.mode == ENFORCE and record.action == REDIRECT:
        return "was sent to another destination"
    if record.disposition in (frames.UNREACHABLE, frames.BROKEN) and not record.answer_at:
        return "was let through by us"
    if record.mode == ENFORCE and record.action == LABEL:
        return "was put through, with a mark for the called party"
    return "was put through"


def _reasons(verdict: VerdictFrame, by: JudgedBy | None, listed: Sequence[ListedBy], zone: tzinfo) -> Iterator[str]:
    """Why, as far as a rule decided."""
    if verdict.rule == UNSCREENED_RULE and verdict.action == REJECT:
        yield "A check that every call must pass could not be made."
    if verdict.mode == BYPASS:
        yield "No call was screened at that time."
    again = judged_again(verdict, by) if by is not None else None
    sure = again is not None and (again.agrees or (by is not None and by.as_then))
    rules = {rule.name: rule for rule in by.policy.rules} if by is not None and sure else {}
    rule = rules.get(verdict.rule)
    held = what_held(rule.when, verdict) if rule is not None else None
    if verdict.mode == REPORT and verdict.action != "allow":
        yield f"Screening was only on trial at that time; otherwise it would have been {_would(verdict)}."
    if held is not None:
        yield f"The reason: {in_english(held, _SPECS)}."
        if "identity.result" in facts_of(held):
            yield from _why_failed(verdict)
    elif rule is None and verdict.action in (REJECT, LABEL, REDIRECT) and verdict.matched:
        yield "The rule that decided it is no longer kept."
    if verdict.basis in BASES:
        yield f"The ground: {BASES[verdict.basis].partition(' (')[0]}."
    for each in listed:
        if held is not None and f"lists.{each.which}" in facts_of(held):
            since = each.at if isinstance(each.at, str) else _day(each.at, zone) if each.at else ""
            if since:
                yield f"It has been on the list {each.name} since {since}."
        elif each.by == MISSING and (again is None or _left_open(f"lists.{each.which}", again)):
            yield f"Whether it is on the list {each.name} was not known at that time: the list was missing."
    if verdict.reported:
        would = "A rule that is only on trial" if len(verdict.reported) == 1 else "Rules that are only on trial"
        yield f"{would} would have treated it otherwise, and did not."


def _left_open(fact: str, again: JudgedAgain) -> bool:
    """Whether a rule asked for a fact and could not be told."""
    return any(each.outcome == NOT_TOLD and fact in each.facts for each in again.rules)


def _why_failed(verdict: VerdictFrame) -> Iterator[str]:
    """What did not hold of a signature, where that can be said without words of the trade."""
    facts = verdict.facts
    if facts.get("identity.result") == "failed":
        if facts.get("identity.reason") in _OF_ANOTHER:
            yield "It was signed for another call."
        elif facts.get("identity.status") in _FAILED_SINCE:
            yield _FAILED_SINCE[int(str(facts["identity.status"]))]


def _would(verdict: VerdictFrame) -> str:
    return {REJECT: "rejected", LABEL: "marked for the called party"}.get(verdict.action, "sent elsewhere")


def _ended(record: Record, end: EndFrame | None) -> Iterator[str]:
    disposition = end.disposition if end is not None else record.disposition
    if disposition == frames.ANSWERED:
        lasted = f"{record.duration_s:.0f} seconds" if record.duration_s >= 1.5 else "a second or less"
        yield f"It was answered, and lasted {lasted}."
    elif disposition == frames.BUSY and end is not None and end.final_phrase == _BLOCKED:
        yield "The network behind us blocked it."
    elif disposition == frames.FAILED and record.final_status in _UNKNOWN_THERE:
        yield "The network behind us does not know the number."
    elif disposition in _ENDS and record.rule != LIMIT_RULE:
        yield _ENDS[disposition]
    elif not disposition:
        yield "It still lasts." if record.answer_at else "How it ended is not known yet."
