"""The SIP that went out because of a verdict: the answer, or what was written into the INVITE.

Enters: a verdict frame, what its rules come to. Leaves: steps with header lines, as they were recorded; where a frame
of before does not hold them, as they follow from the rules, and the step says so. Must not: show a line that did not
leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sipguard.b2bua.frames import VerdictFrame, Written
from sipguard.records.record import ends_call
from sipguard.records.rules import JudgedAgain
from sipguard.records.step import Step
from sipguard.screening.verdict import ENFORCE
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import name_addr, split_outside, with_host

_RENDERED: Final = "as they follow from the rules, since the record does not hold them"


def sent(
    verdict: VerdictFrame, again: JudgedAgain | None, was_sent: bool, further: Sequence[Written] = ()
) -> Iterator[Step]:
    """What the caller was answered, or what of ours the INVITE carried and what of its own it did not; then the same of
    each `further` trunk that it was tried by."""
    keeps = bool(verdict.received_mono)  # a frame of before holds no lines
    if ends_call(verdict):
        yield _answered(verdict, again, keeps)
        return
    if not was_sent and verdict.route:
        return
    where = "the INVITE that left" if verdict.route else "the answer that gives it back"
    where += f" by trunk {verdict.route}" if further else ""
    if verdict.wrote:
        yield _written(where, verdict.wrote)
    elif not keeps and verdict.mode == ENFORCE and again is not None and again.agrees and again.verdict is not None:
        label = again.verdict.label
        if label is not None:
            facts = {name: tuple(each) if isinstance(each, list) else each for name, each in verdict.facts.items()}
            prefix = f', the name begins with "{label.prefix}"' if label.prefix else ""
            lines = tuple(label.header_lines(facts, verdict.decision_id))
            yield Step("sent", f"written into {where}{prefix}; {_RENDERED}", lines=lines)
    if verdict.removed:
        yield _removed("", verdict.removed)
    if verdict.told:
        lines = tuple(verdict.told.splitlines())
        yield Step("sent", "the first response to the caller carries:", lines=lines)
    for each in further:
        yield from _sent_further(each)


def _sent_further(one: Written) -> Iterator[Step]:
    """What left by a trunk that was tried after others."""
    tried = f"after {one.tries} {'try' if one.tries == 1 else 'tries'} of peers it left by trunk {one.trunk}"
    yield Step("route", tried + (f", marked verstat={one.verstat}" if one.verstat else ""))
    where = f"the INVITE that left by trunk {one.trunk}"
    yield _written(where, one.wrote) if one.wrote else Step("sent", f"nothing else was written into {where}")
    if one.removed:
        yield _removed(f" by trunk {one.trunk}", one.removed)


def _written(where: str, lines: Sequence[str]) -> Step:
    """Header lines of ours. The host in From, and its tag, are ours in any case, other ones at each try."""
    shown = tuple([_shown_as(line) if line.startswith("From:") else _text(line) for line in lines])
    from_is = "; host and tag of From are ours" if any(line.startswith("From:") for line in lines) else ""
    return Step("sent", f"written into {where}{from_is}:", lines=shown)


def _shown_as(line: str) -> str:
    """A From line of the verdict without its host and tag, which each peer is sent other ones of."""
    try:
        display, uri, rest = name_addr(line.partition(":")[2].strip())
    except MalformedMessage:
        return _text(line)
    kept = [each for each in split_outside(rest, ";")[1:] if each.partition("=")[0].strip().lower() != "tag"]
    address = f"<{with_host(uri, '...') if uri[:3].lower() == 'sip' else uri}>"
    return _text(f"From: {' '.join([*filter(None, [display]), address])}{''.join([f';{each}' for each in kept])}")


def _removed(where: str, names: Sequence[str]) -> Step:
    return Step("sent", f"kept from crossing{where}, for Privacy or by the trunk: {', '.join(names)}")


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
