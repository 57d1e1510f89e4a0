"""Calls for help whose messages break the rules of SIP, and all others that do.

One row for each reason for which the parser refuses a request. A usual call is refused, an emergency call with the same
fault in all of its messages is placed, answered and hung up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pytest

from sipguard.b2bua.admission import attempt_of
from sipguard.numbers.rules import NumberRules
from sipguard.screening import guard
from sipguard.sip.message import Request
from sipguard.sip.parse import parse
from sipguard.sip.uri import user_of
from tests.playbook import ANSWER_SDP, OUTSIDE, SDP, Play, Playbook, value, values

Spoil = Callable[[str], str]


def line(pattern: str, written: str) -> Spoil:
    """Header lines that match, written so; `\\g<0>` is what stood there."""
    return lambda text: re.sub(rf"(?m)^{pattern}", written, text)


def start(pattern: str, written: str) -> Spoil:
    """The start line, written so."""
    return lambda text: re.sub(pattern, written, text, count=1)


def more(*headers: str) -> Spoil:
    """With these lines as well."""
    return lambda text: text.replace("\r\n\r\n", "".join(f"\r\n{each}" for each in headers) + "\r\n\r\n", 1)


FAULTS: Final[dict[str, tuple[str, Spoil]]] = {  # what is wrong -> (how a usual call is refused, who writes so)
    "header section without end": ("400 Bad Request - the header", lambda text: text.partition("\r\n\r\n")[0]),
    "body that is cut off": ("400 Bad Request - the body", line("Content-Length: .*(?=\r)", "Content-Length: 900")),
    "Content-Length in words": ("400 Bad Request - Content", line("Content-Length: .*(?=\r)", "Content-Length: long")),
    "two Content-Length": ("400 Bad Request - content", more("Content-Length: 1")),
    "line that is no header": ("400 Bad Request - a line", more("nonsense")),
    "name that is no token": ("400 Bad Request - a line", more("X Y: 1")),
    "lines ended by LF": ("", lambda text: text.replace("\r\n", "\n")),
    "LF within a header": ("400 Bad Request - CR or LF", more("X-Note: 1\nX-More: 2")),
    "CR within a header": ("400 Bad Request - CR or LF", more("X-Note: 1\rX-More: 2")),
    "too many lines": ("513 Message Too Large", more(*["X-Note: 1"] * 600)),
    "space before the first header": ("", start("\r\nVia", "\r\n Via")),
    "another version": ("505 Version Not Supported", lambda text: text.replace("SIP/2.0", "SIP/2.1")),
    "no version": ("400 Bad Request - the request line", start(" SIP/2.0", "")),
    "space within the Request-URI": ("400 Bad Request - the request line", start("(sip:[^@]*)@", r"\1; x@")),
    "headers in the Request-URI": ("400 Bad Request - the Request-URI", start(" SIP/2.0", "?Priority=urgent SIP/2.0")),
    "quotes around the Request-URI": ("400 Bad Request - not a URI", start(" (sip:.*) SIP/2.0", r' "\1" SIP/2.0')),
    "quote within the Request-URI": ("400 Bad Request - the Request-URI", start(" SIP/2.0", ';x="1" SIP/2.0')),
    "port that is none": ("400 Bad Request - the URI", start(r"(@\S*) SIP/2.0", r"\1:x SIP/2.0")),
    "host that is none": ("400 Bad Request - the URI", start(r"@\S* SIP/2.0", "@[1:: SIP/2.0")),
    "escape that is none": ("400 Bad Request - a broken", start("(sip:[^@]*)@", r"\1;x=%@")),
    "Via with nothing between": ("400 Bad Request - Via", line("Via: (.*)(?=\r)", r"Via: \1;;,;,,")),
    "Via that says a parameter twice": ("400 Bad Request - parameter", line("Via: .*(?=\r)", r"\g<0>;branch=x")),
    "Via from nowhere": ("", line("Via: SIP/2.0/UDP [^;]*", "Via: SIP/2.0/UDP a b;")),
    "Via of another version": ("400 Bad Request - Via", line("Via: SIP/2.0", "Via: SIP/1.0")),
    "no From": ("400 Bad Request - from", line("From: .*\r\n", "")),
    "two From": ("400 Bad Request - from", more("From: <sip:b@example.com>")),
    "From that is no address": ("400 Bad Request - From", line("From: [^;]*", "From: nobody")),
    "From with an open quote": ("400 Bad Request - From", line("From: ", 'From: "Caller ')),
    "From with an open bracket": ("400 Bad Request - From", line("From: ([^>]*)>", r"From: \1")),
    "From with two tags": ("400 Bad Request - From", line("From: .*(?=\r)", r"\g<0>;tag=b")),
    "From with a tag in quotes": ("400 Bad Request - From", line("From: (.*);tag=(.*)(?=\r)", r'From: \1;tag="\2"')),
    "From with text behind it": ("400 Bad Request - From", line("From: ([^>]*>)", r"From: \1 text")),
    "no To": ("400 Bad Request - to", line("To: [^;\r]*\r\n", "")),
    "two To": ("400 Bad Request - to", more("To: <sip:b@example.com>")),
    "To without scheme": ("400 Bad Request - To", line("To: <sip:[^@]*@", "To: <")),
    "To with an empty tag": ("400 Bad Request - To", line("To: ([^;\r]*)(?=\r)", r"To: \1;tag=")),
    "two Call-ID": ("400 Bad Request - call-id", more("Call-ID: b")),
    "two CSeq": ("400 Bad Request - cseq", more("CSeq: 9 OPTIONS")),
    "CSeq without method": ("400 Bad Request - CSeq", line("CSeq: ([0-9]*) .*(?=\r)", r"CSeq: \1")),
    "CSeq of another method": ("400 Bad Request - the method", line("CSeq: ([0-9]*) .*(?=\r)", r"CSeq: \1 MESSAGE")),
}


@pytest.mark.parametrize(("answer", "spoil"), FAULTS.values(), ids=FAULTS)
def test_a_usual_call_is_refused(book: Playbook, answer: str, spoil: Spoil) -> None:
    book.a.writes = spoil
    column = book.a.invite()
    assert [one[: len(answer) + 2] for one in column] == ([f"a {answer}"] if answer else [])
    assert book.count("malformed") == 1


@pytest.mark.parametrize(("answer", "spoil"), FAULTS.values(), ids=FAULTS)
def test_an_emergency_call_goes_through_to_its_end(book: Playbook, answer: str, spoil: Spoil) -> None:
    a, b = book.a, book.b
    a.writes = spoil
    assert a.invite(callee="911") == ["b INVITE"]
    invite = b.last("INVITE")
    assert user_of(invite.split(" ")[1]).partition(";")[0] == "911"
    assert invite.partition("\r\n\r\n")[2] in (SDP, SDP.replace("\r\n", "\n"), "")
    assert a.again() == ["a 100 Trying"]
    assert b.reply("180 Ringing") == ["a 180 Ringing"]
    assert b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    assert a.ack() == ["b ACK"]
    assert a.request("BYE") == ["b BYE"]
    assert b.reply("200 OK", to="BYE") == ["a 200 OK"]
    assert book.verdicts() == [("allow", "emergency")]


@pytest.mark.parametrize(("answer", "spoil"), FAULTS.values(), ids=FAULTS)
def test_an_emergency_call_can_be_cancelled(book: Playbook, answer: str, spoil: Spoil) -> None:
    a, b = book.a, book.b
    a.writes = spoil
    a.invite(callee="911")
    b.reply("180 Ringing")
    assert a.cancel() == ["a 200 OK", "a 487 Request Terminated", "b CANCEL"]
    assert a.ack() == []
    b.reply("200 OK", to="CANCEL")
    assert b.reply("487 Request Terminated") == ["b ACK"]


@pytest.mark.parametrize(
    ("dates", "differ"),
    [
        (["Thu, 09 Oct 2025 08:53:20 GMT"], False),
        (["Thu, 09 Oct 2025 08:53:20 GMT"] * 2, False),
        (["Thu, 09 Oct 2025 08:53:20 GMT", "Thu, 09 Oct 2025 09:53:20 GMT"], True),
    ],
)
def test_of_several_dates_the_first_counts(book: Playbook, dates: list[str], differ: bool) -> None:
    """Both cross; they say nothing of where the call goes."""
    assert book.a.invite(*[f"Date: {date}" for date in dates]) == ["b INVITE"]
    assert values(book.b.last("INVITE"), "Date") == dates
    request = parse(book.a.sent[-1].encode())
    assert isinstance(request, Request)
    attempt = attempt_of(book.engine, request, book.engine.ruleset.trunks["carrier"])
    assert (attempt.date, attempt.dates_differ) == (dates[0], differ)
    book.b.reply("486 Busy Here")
    book.a.ack()


@pytest.mark.parametrize("number", ["+12125550123", "911"])
def test_what_leaves_no_doubt_refuses_nobody(book: Playbook, number: str) -> None:
    """And is not seen on the other leg."""
    a, b = book.a, book.b
    doubtless: list[Spoil] = [
        line("From: <(.*)>", r"From: < \1 >"),
        line("From: <", "From: Caller, First <"),
        line("To: <", "To: Callee, Second < "),
        line("Max-Forwards: .*(?=\r)", "Max-Forwards: 999\r\nMax-Forwards: none"),
        start(" (sip:.*) SIP", r"  <\1>  SIP"),
        more("Content-Type: text/plain"),
        lambda text: text.replace("Content-Length", "l") if "v=0" not in text else text,
        lambda text: re.sub("(?m)^Content-Length: .*\n", r"\g<0>\g<0>", text),
    ]

    def writes(text: str) -> str:
        for spoil in doubtless:
            text = spoil(text)
        return text

    a.writes = writes
    assert a.invite(callee=number) == ["b INVITE"]
    invite = b.last("INVITE")
    assert value(invite, "From").startswith('"Caller, First" <sip:+12025550101')
    assert value(invite, "To").startswith('"Callee, Second" <sip:')
    assert [value(invite, "Max-Forwards")] == values(invite, "Max-Forwards") == ["254"]
    assert len(values(invite, "Content-Length")) == 1
    b.reply("200 OK", body=ANSWER_SDP)
    assert a.ack() == ["b ACK"]
    assert a.request("BYE") == ["b BYE"]
    assert b.reply("200 OK", to="BYE") == ["a 200 OK"]


GONE: Final = {  # without these nobody knows where the call goes, or no answer finds its way
    "no Via": (line("Via: .*\r\n", ""), False),
    "no Call-ID": (line("Call-ID: .*\r\n", ""), True),
    "empty Call-ID": (line("Call-ID: .*(?=\r)", "Call-ID:"), True),
    "no CSeq": (line("CSeq: .*\r\n", ""), True),
    "CSeq without number": (line("CSeq: .*(?=\r)", "CSeq: INVITE"), True),
    "CSeq beyond 32 bits": (line("CSeq: .*(?=\r)", "CSeq: 4294967296 INVITE"), True),
    "no Request-URI": (start("INVITE .*(?=\r)", "INVITE"), True),
    "another protocol": (start("SIP/2.0", "HTTP/1.1"), True),
}


@pytest.mark.parametrize(("spoil", "answered"), GONE.values(), ids=GONE)
def test_what_no_repair_replaces(book: Playbook, spoil: Spoil, answered: bool) -> None:
    book.a.writes = spoil
    assert [one[:5] for one in book.a.invite(callee="911")] == (["a 400"] if answered else [])


def test_strangers_call_nobody(book: Playbook) -> None:
    book.stranger.writes = more("nonsense")
    assert book.stranger.invite(callee="911") == []
    assert book.stranger.invite(callee="911", leave_out=("max-forwards",)) == []


def test_whoever_else_must_pass_is_known_by_it(play: Play) -> None:
    """A number that the operator added, dialled behind a digit for an outside line; a PSAP that calls back."""
    book = play(
        carrier={"read": NumberRules(strip_prefix="9")},
        emergency=guard.Settings(numbers=frozenset({"933"}), psap_callers=frozenset({"12025550101"})),
    )
    book.a.writes = more("nonsense")
    assert book.a.invite(callee="9933", caller="+12025550102") == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert book.a.invite(callee="+12125550123", caller="+12025550101") == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert book.a.invite(callee="+12125550123", caller="+12025550102")[0].startswith("a 400 ")


def test_what_is_repaired_within_a_usual_call(book: Playbook) -> None:
    """Nothing: only a call for help is worth a guess."""
    book.establish()
    book.a.writes = more("nonsense")
    assert book.a.request("BYE")[0].startswith("a 400 ")
    book.a.writes = str
    book.bye()


def test_the_next_hop_gets_it_in_order(book: Playbook) -> None:
    book.a.writes = lambda text: more("nonsense", "X-Kept: 1")(text).replace("From: ", 'From: "Open ')
    book.a.invite(callee="911")
    invite = book.b.last("INVITE")
    assert value(invite, "From").startswith("<sip:+12025550101")
    assert value(invite, "X-Kept") == "1"
    assert "nonsense" not in invite
    book.b.reply("486 Busy Here")
    book.a.ack()
    assert OUTSIDE.host in value(book.a.last("486"), "To")
