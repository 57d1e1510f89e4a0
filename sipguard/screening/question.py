"""A call that somebody asks about in plain words, as the attempt that a trunk would have brought.

Enters: who calls whom and when, in any usual writing. Leaves: a CallAttempt. Must not: judge it, or raise: what is no
number and no URI names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sipguard.numbers import canonical
from sipguard.numbers.rules import NumberRules
from sipguard.screening.attempt import CallAttempt, read_attempt
from sipguard.screening.trunk import Trunk

ASKED_FROM: Final = Trunk("offline", "interconnect")  # numbers are read as NANP
_WITHHELD: Final = ("anonymous", "unavailable", "restricted")


@dataclass(frozen=True, slots=True)
class Question:
    """Who calls whom, and what else the INVITE says. `at` in Unix seconds.

    `request_uri` is the called party where it is "". Numbers may be written as numbers, URIs or header values, all
    others are raw header values.
    """

    caller: str
    called: str
    identity: tuple[str, ...]
    at: float
    asserted: tuple[str, ...] = ()
    request_uri: str = ""
    date: str = ""
    diverting: tuple[str, ...] = ()
    priority: str = ""
    resource_priority: tuple[str, ...] = ()
    source: str = ""  # IP address that the INVITE comes from
    user_agent: str = ""


def attempt_of(question: Question, trunk: Trunk = ASKED_FROM) -> CallAttempt:
    """The call that the question is about, its numbers read by the rules of `trunk`."""
    called = address(question.called)
    uri = question.request_uri or called
    attempt = read_attempt(
        trunk,
        question.at,
        _bare(address(uri)),
        address(question.caller),
        called,
        [address(each) for each in question.asserted],
        [address(each) for each in question.diverting],
        question.identity,
        question.priority,
        question.date,
        "",
    )
    attempt.resource_priority = question.resource_priority
    attempt.source, attempt.user_agent = question.source, question.user_agent
    return attempt


def readings_of(question: Question, trunk: Trunk = ASKED_FROM) -> list[Question]:
    """The question as it is, then with its ambiguous numbers as they are by the standard: with their country code.

    Ten digits without `+` are canonical for +47 22 12 34 56, and are written for +1 472-212-3456 as well. Callers are
    of one kind, called parties too.
    """
    rules = trunk.read.bare
    callers = (_canonical(question.caller, rules), tuple([_canonical(each, rules) for each in question.asserted]))
    called = (_canonical(question.called, rules), _canonical(question.request_uri, rules))
    found = {question: None}
    for caller, asserted in ((question.caller, question.asserted), callers):
        for to, uri in ((question.called, question.request_uri), called):
            found[replace(question, caller=caller, asserted=asserted, called=to, request_uri=uri)] = None
    return list(found)


def _canonical(written: str, rules: NumberRules) -> str:
    """A number with the `+` that it has by the standard, where it can be read in another way too; else what it was."""
    readings = canonical.readings(written.strip(), rules)
    return f"+{readings[0]}" if len(readings) > 1 else written


def address(written: str) -> str:
    """A header value for what was written: that itself, a URI in brackets, or a number or name as a URI."""
    text = written.strip()
    if "<" in text:
        return text
    if ":" in text:
        return f"<{text}>"
    if text.lower() in _WITHHELD:
        return f"<sip:{text.lower()}@anonymous.invalid>"
    return f"<sip:{text}>" if "@" in text else f"<tel:{text}>"


def _bare(value: str) -> str:
    """The URI in a name-addr."""
    return value.partition("<")[2].partition(">")[0]
