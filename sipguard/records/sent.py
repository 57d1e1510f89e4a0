"""The SIP that went out because of a verdict: the answer, or what was written into the INVITE.

Enters: a verdict frame, what its rules come to. Leaves: steps with header lines, as they were recorded; where a frame
of before does not hold them, as they follow from the rules, and the step says so. Must not: show a line that did not
leave.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sipguard.b2bua.frames import VerdictFrame
from sipguard.records.record import ends_call
from sipguard.records.rules import JudgedAgain
from sipguard.records.step import Step
from sipguard.screening.verdict import ENFORCE

_RENDERED: Final = "as they follow from the rules, since the record does not hold them"


def sent(verdict: VerdictFrame, again: JudgedAgain | None, was_sent: bool) -> Iterator[Step]:
    """What the caller was answered, or what of ours the INVITE carried; then what of its own it did not."""
    keeps = bool(verdict.received_mono)  # a frame of before holds no lines
    if ends_call(verdict):
        yield _answered(verdict, again, keeps)
        return
    if not was_sent and verdict.route:
        return
    where = "the INVITE that left" if verdict.route else "the answer that gives it back"
    if verdict.wrote:
        yield Step("sent", f"written into {where}:", lines=tuple(map(_text, verdict.wrote)))
    elif not keeps and verdict.mode == ENFORCE and again is not None and again.agrees and again.verdict is not None:
        label = again.verdict.label
        if label is not None:
            facts = {name: tuple(each) if isinstance(each, list) else each for name, each in verdict.facts.items()}
            prefix = f', the name begins with "{label.prefix}"' if label.prefix else ""
            lines = tuple(label.header_lines(facts, verdict.decision_id))
            yield Step("sent", f"written into {where}{prefix}; {_RENDERED}", lines=lines)
    if verdict.removed:
        yield Step("sent", f"kept from crossing, for Privacy or by the trunk: {', '.join(verdict.removed)}")
    if verdict.told:
        lines = tuple(verdict.told.splitlines())
        yield Step("sent", "the first response to the caller carries:", lines=lines)


def _answered(verdict: VerdictFrame, again: JudgedAgain | None, keeps: bool) -> Step:
    """The final response of ours."""
    told = tuple(verdict.told.splitlines())
    if keeps:
        return Step("sent", _line(verdict.status, verdict.phrase), lines=(*verdict.wrote, *told))
    if again is not None and again.agrees and again.verdict is not None:
        lines = tuple(again.verdict.header_lines(verdict.decision_id))
        return Step("sent", f"{_line(verdict.status, again.verdict.phrase)}; {_RENDERED}", lines=lines)
    return Step("sent", f"{_line(verdict.status, '')}; its header lines were not recorded")


def _text(line: str) -> str:
    """A line of the wire as the text that it is; the engine holds an octet of it as a character."""
    try:
        return line.encode("latin-1").decode()
    except UnicodeError:
        return line


def _line(status: int, phrase: str) -> str:
    return f"answered SIP/2.0 {status} {phrase}".rstrip()
