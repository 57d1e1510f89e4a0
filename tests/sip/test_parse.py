"""Octets -> Message."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import Message, Request, Response
from sipguard.sip.parse import MAX_LINES, METHODS, parse

INVITE = (
    b"INVITE sip:+12025550101@example.net SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Example, <Caller>" <sip:+12025550100@example.com;user=phone>;tag=f1\r\n'
    b"To: <sip:+12025550101@example.net>\r\n"
    b"Call-ID: c1@192.0.2.1\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:+12025550100@192.0.2.1>\r\n"
    b"X-Note: 1\r\n"
    b"Content-Type: text/plain\r\n"
    b"Content-Length: 4\r\n\r\nbody"
)
OK = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=f1\r\n"
    b"To: <sip:b@h>;tag=t1\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)


def changed(old: str, new: str) -> bytes:
    """INVITE with one piece replaced."""
    assert old.encode("latin-1") in INVITE
    return INVITE.replace(old.encode("latin-1"), new.encode("latin-1"), 1)


def test_what_a_request_is_routed_by() -> None:
    request = parse(INVITE)
    assert isinstance(request, Request)
    assert (request.method, request.uri) == ("INVITE", "sip:+12025550101@example.net")
    assert (request.sent_by, request.branch, request.rport) == ("192.0.2.1:5060", "z9hG4bK1", True)
    assert (request.call_id, request.cseq, request.cseq_method) == ("c1@192.0.2.1", 1, "INVITE")
    assert (request.from_tag, request.to_tag, request.hops) == ("f1", "", 70)
    assert request.from_value.startswith('"Example, <Caller>"')
    assert request.to_value == "<sip:+12025550101@example.net>"
    assert request.body == b"body"
    assert request.head + b"\r\n\r\nbody" == INVITE


def test_what_a_response_is_matched_by() -> None:
    response = parse(OK)
    assert isinstance(response, Response)
    assert (response.status, response.phrase) == (200, "OK")
    assert (response.branch, response.cseq, response.cseq_method) == ("z9hG4bK1", 1, "INVITE")
    assert response.to_tag == "t1"


READ = {
    "empty lines before it": (b"\r\n\r\n" + INVITE, {"method": "INVITE"}),
    "version in lower case": (changed("SIP/2.0\r\n", "sip/2.0\r\n"), {"uri": "sip:+12025550101@example.net"}),
    "a method of its own": (INVITE.replace(b"INVITE", b"X.1"), {"method": "X.1", "cseq_method": "X.1"}),
    "zeros before CSeq": (changed("CSeq: 1 ", "CSeq: 0000000000001 "), {"cseq": 1}),
    "largest CSeq": (changed("CSeq: 1 ", "CSeq: 4294967295\t "), {"cseq": 4294967295}),
    "CSeq folded": (changed("CSeq: 1 INVITE", "CSeq: 1\r\n INVITE"), {"cseq_method": "INVITE"}),
    "no Max-Forwards": (changed("Max-Forwards: 70\r\n", ""), {"hops": -1}),
    "zeros before Max-Forwards": (changed("70\r\n", "0068\r\n"), {"hops": 68}),
    "largest Max-Forwards": (changed("70\r\n", "255\r\n"), {"hops": 255}),
    "body longer than Content-Length": (INVITE + b"more", {"body": b"body"}),
    "no Content-Length": (changed("Content-Length: 4\r\n", "") + b"!", {"body": b"body!"}),
    "zeros before Content-Length": (changed("Length: 4", "Length: 00000000004"), {"body": b"body"}),
    "empty line in the body": (INVITE.replace(b"4\r\n\r\n", b"8\r\n\r\n\r\n\r\n"), {"body": b"\r\n\r\nbody"}),
    "names in any case and white space": (changed("Call-ID:", "cALL-id \t:"), {"call_id": "c1@192.0.2.1"}),
    "From tag is optional": (changed(";tag=f1", ""), {"from_tag": ""}),
    "From tag behind parameters": (changed(";tag=f1", ";x=y ;tag=f1"), {"from_tag": "f1"}),
    "From folded": (changed(";tag=f1", "\r\n\t;tag=f1"), {"from_tag": "f1"}),
    "To with a tag": (changed("example.net>\r\nCall", "example.net>;tag=t1\r\nCall"), {"to_tag": "t1"}),
    "addr-spec": (changed("<sip:+12025550101@example.net>", "sip:a@h;tag=t1"), {"to_tag": "t1"}),
    "a name in tokens": (changed('"Example, <Caller>"', "Example Caller"), {"from_tag": "f1"}),
    "escaped quotes": (changed('"Example, <Caller>"', '"\\"A\\\\"'), {"from_tag": "f1"}),
    "another scheme": (changed("<sip:+12025550101@example.net>", "<tel:+12025550101>"), {"to_tag": ""}),
    "UTF-8 in quotes": (changed("Example,", "\xc3\xa0"), {"from_tag": "f1"}),
    "two Via on one line": (
        changed(";rport", ", SIP/2.0/UDP h;rport"),
        {"branch": "z9hG4bK1", "rport": False},
    ),
    "unknown header without value": (changed("X-Note: 1", "X-Note:"), {"cseq": 1}),
    "spaces in the request line": (
        changed("INVITE sip:+12025550101@example.net SIP/2.0", "INVITE  sip:+12025550101@example.net SIP/2.0  "),
        {"method": "INVITE", "uri": "sip:+12025550101@example.net"},
    ),
    "brackets around the Request-URI": (
        changed("INVITE sip:+12025550101@example.net", "INVITE <sip:+12025550101@example.net>"),
        {"uri": "sip:+12025550101@example.net"},
    ),
    "Max-Forwards of 256": (changed("70\r\n", "256\r\n"), {"hops": 255}),
    "Max-Forwards of 5000 digits": (changed("70\r\n", f"{'1' * 5000}\r\n"), {"hops": 255}),
    "Max-Forwards of zeros": (changed("70\r\n", "000\r\n"), {"hops": 0}),
    "Max-Forwards empty": (changed("70\r\n", "\r\n"), {"hops": -1}),
    "Max-Forwards below zero": (changed("70\r\n", "-1\r\n"), {"hops": -1}),
    "Max-Forwards of other digits": (changed("70\r\n", "\xb2\r\n"), {"hops": -1}),
    "two Max-Forwards": (changed("X-Note: 1", "Max-Forwards: 3"), {"hops": 70}),
    "two Content-Length that say the same": (
        changed("X-Note: 1", "l: 4"),
        {
            "body": b"body",
            "keys": [
                "via",
                "max-forwards",
                "from",
                "to",
                "call-id",
                "cseq",
                "contact",
                "content-length",
                "content-type",
            ],
        },
    ),
    "two Date": (changed("X-Note: 1", "Date: a\r\ndate: b"), {"cseq": 1}),
    "two Content-Type": (changed("X-Note: 1", "c: text/html"), {"cseq": 1}),
    "space in the URI": (
        changed('"Example, <Caller>" <sip:+12025550100@example.com;user=phone>', "< sip:+1 202 555 0100@example.com >"),
        {"from_tag": "f1", "from_value": "<sip:+12025550100@example.com>;tag=f1"},
    ),
    "space in a URI behind a name": (
        changed("<sip:+12025550100@example.com;user=phone>", "<\tsip:+12025550100@example.com >"),
        {"from_value": '"Example, <Caller>" <sip:+12025550100@example.com>;tag=f1'},
    ),
    "space in an addr-spec": (
        changed("<sip:+12025550101@example.net>", "sip:+1 202 555 0101@example.net ;tag=t1"),
        {"to_value": "sip:+12025550101@example.net;tag=t1", "to_tag": "t1"},
    ),
    "comma in tokens": (
        changed('"Example, <Caller>"', "Example, \\Caller"),
        {"from_value": '"Example, \\\\Caller" <sip:+12025550100@example.com;user=phone>;tag=f1'},
    ),
    "colon in the value only": (changed("X-Note: 1", "s:a:b"), {"cseq": 1}),
}


@pytest.mark.parametrize(("octets", "fields"), READ.values(), ids=READ)
def test_read(octets: bytes, fields: dict[str, object]) -> None:
    message = parse(octets)
    assert {name: getattr(message, name) for name in fields} == fields


BAD = {
    "nothing": (b"", 400),
    "empty lines": (b"\r\n\r\n", 400),
    "no end": (INVITE.partition(b"\r\n\r\n")[0], 400),
    "start line of two words": (changed(" SIP/2.0\r\n", "\r\n"), 400),
    "not SIP": (changed(" SIP/2.0\r\n", " HTTP/1.1\r\n"), 400),
    "another version": (changed(" SIP/2.0\r\n", " SIP/3.0\r\n"), 505),
    "method of no token": (INVITE.replace(b"INVITE", b"IN@ITE"), 400),
    "LF in the Request-URI": (changed("example.net SIP", "example.net;x=\n SIP"), 400),
    "space before the first header": (changed("\r\nVia:", "\r\n Via:"), 400),
    "a line without colon": (changed("X-Note: 1", "X-Note"), 400),
    "a known name without colon": (changed("X-Note: 1", "Allow"), 400),
    "a known name and one character": (changed("X-Note: 1", "Allowx"), 400),
    "an empty name": (changed("X-Note: 1", ": 1"), 400),
    "a name of no token": (changed("X-Note: 1", "X Note: 1"), 400),
    "LF alone": (changed("X-Note: 1", "X-Note: 1\nP-Asserted-Identity: <sip:b@h>"), 400),
    "CR alone": (changed("X-Note: 1", "X-Note: 1\rP-Asserted-Identity: <sip:b@h>"), 400),
    "LF ends all lines": (INVITE.replace(b"\r\n", b"\n"), 400),
    "LF in a folded message": (changed("X-Note: 1", "X-Note: 1\r\n 2\n3"), 400),
    "no Via": (changed("Via:", "X-Via:"), 400),
    "no From": (changed("From:", "X-From:"), 400),
    "no To": (changed("To:", "X-To:"), 400),
    "no Call-ID": (changed("Call-ID:", "X-ID:"), 400),
    "no CSeq": (changed("CSeq:", "X-CSeq:"), 400),
    "two From": (changed("X-Note: 1", "f: <sip:x@h>"), 400),
    "two Call-ID": (changed("X-Note: 1", "i: 2"), 400),
    "two Content-Length": (changed("X-Note: 1", "l: 3"), 400),
    "two Call-ID and a line without colon": (changed("X-Note: 1", "i: 2\r\nX-Note"), 400),
    "empty Call-ID": (changed("c1@192.0.2.1", ""), 400),
    "CSeq of another method": (changed("1 INVITE", "1 BYE"), 400),
    "unknown method and CSeq of another": (changed("INVITE sip", "XYZ sip"), 501),
    "CSeq of 2**32": (changed("CSeq: 1", "CSeq: 4294967296"), 400),
    "CSeq of 5000 digits": (changed("CSeq: 1", f"CSeq: {'9' * 5000}"), 400),
    "CSeq below zero": (changed("CSeq: 1", "CSeq: -1"), 400),
    "CSeq of other digits": (changed("CSeq: 1", "CSeq: \xb2"), 400),
    "CSeq without method": (changed("1 INVITE", "1"), 400),
    "CSeq without number": (changed("1 INVITE", "INVITE"), 400),
    "Content-Length too large": (changed("Length: 4", "Length: 5"), 400),
    "Content-Length below zero": (changed("Length: 4", "Length: -4"), 400),
    "Content-Length in words": (changed("Length: 4", "Length: four"), 400),
    "Content-Length empty": (changed("Length: 4", "Length:"), 400),
    "Content-Length of 5000 digits": (changed("Length: 4", f"Length: {'9' * 5000}"), 400),
    "empty tag": (changed(";tag=f1", ";tag="), 400),
    "two tags": (changed(";tag=f1", ";tag=f1;tag=f2"), 400),
    "quoted tag": (changed(";tag=f1", ';tag="f1"'), 400),
    "text behind the URI": (changed(";tag=f1", "tag=f1"), 400),
    "URI without scheme": (changed("<sip:+12025550101@example.net>", "<example.net>"), 400),
    "bracket in the URI": (changed("<sip:+12025550101", "<sip:<+12025550101"), 400),
    "no Request-URI": (changed("INVITE sip:+12025550101@example.net SIP", "INVITE  SIP"), 400),
    "brackets around nothing": (changed("INVITE sip:+12025550101@example.net", "INVITE <>"), 400),
    "quote within a name": (changed('"Example, <Caller>"', 'Example "Caller"'), 400),
    "open quote": (changed('"Example, <Caller>"', '"Example'), 400),
    "too many lines": (changed("X-Note: 1", "\r\n".join(["X-Note: 1"] * MAX_LINES)), 513),
    "too many folds": (changed("X-Note: 1", "X-Note: 1" + "\r\n " * 20_000), 513),
}


@pytest.mark.parametrize(("octets", "status"), BAD.values(), ids=BAD)
def test_bad(octets: bytes, status: int) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(octets)
    assert caught.value.status == status
    assert "\n" not in caught.value.what
    assert isinstance(caught.value.message, Request)


UNANSWERABLE = {"nothing", "empty lines", "space before the first header", "no Via", "LF ends all lines"}
ANSWERABLE = set(BAD) - UNANSWERABLE


@pytest.mark.parametrize("name", sorted(ANSWERABLE))
def test_a_bad_request_says_enough_for_an_answer(name: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(BAD[name][0])
    request = caught.value.message
    assert isinstance(request, Request)
    assert (request.sent_by, request.rport) == ("192.0.2.1:5060", True)
    assert request.method
    assert "via" in request.at


@pytest.mark.parametrize("name", BAD)
def test_a_refused_message_leaves_no_reference_cycle(name: str) -> None:
    """The collector is off on the SIP loop."""
    gc.collect()
    gc.disable()
    try:
        refuse(BAD[name][0])
        assert gc.collect() == 0
    finally:
        gc.enable()


def refuse(octets: bytes) -> None:
    try:
        parse(octets)
    except MalformedMessage as error:
        assert error.message is not None


BAD_RESPONSES = {
    "no status": b"SIP/2.0\r\n",
    "status of two digits": b"SIP/2.0 20 OK\r\n",
    "status of 700": b"SIP/2.0 700 OK\r\n",
    "status of 099": b"SIP/2.0 099 OK\r\n",
    "status in words": b"SIP/2.0 abc OK\r\n",
    "another version": b"SIP/3.0 200 OK\r\n",
    "LF in the phrase": b"SIP/2.0 200 O\nK\r\n",
}


@pytest.mark.parametrize("start", BAD_RESPONSES.values(), ids=BAD_RESPONSES)
def test_bad_response(start: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(OK.replace(b"SIP/2.0 200 OK\r\n", start))
    assert isinstance(caught.value.message, Response)


@pytest.mark.parametrize("gone", [b"Via", b"CSeq"])
def test_a_response_needs_what_it_is_matched_by(gone: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse(OK.replace(gone + b":", b"X:"))


def test_the_longest_message_that_is_read() -> None:
    lines = INVITE.partition(b"\r\n\r\n")[0].count(b"\r\n")
    request = parse(changed("X-Note: 1", "\r\n".join(["X-Note: 1"] * (MAX_LINES - lines + 1))))
    assert len(request.lines) == MAX_LINES


# ---------------------------------------------------------------------- properties

TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)
CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters='"\\')
TEXT = st.text(CHARACTERS, max_size=20)
PAD = st.sampled_from(["", " ", "  ", "\t", "\r\n ", " \r\n\t"])
HOST = st.sampled_from(["192.0.2.1", "a.example.com", "[2001:db8::1]", "[2001:db8::192.0.2.1]"])
PORT = st.one_of(st.just(""), st.integers(1, 65535).map(lambda n: f":{n}"))
USER = st.one_of(
    st.from_regex(r"\+1202555010[0-9]", fullmatch=True),
    st.text("ab%(20)", min_size=1).map(lambda text: text.replace("%", "%2B")),
)
NAMES = {
    "via": ["Via", "v", "VIA", "vIa"], "from": ["From", "f", "FROM"], "to": ["To", "t", "tO"],
    "call-id": ["Call-ID", "i", "call-id", "CALL-ID"], "cseq": ["CSeq", "cseq", "CSEQ"],
    "max-forwards": ["Max-Forwards", "max-forwards"], "content-length": ["Content-Length", "l", "L"],
}  # fmt: skip


@st.composite
def addresses(draw: st.DrawFn, tag: str) -> str:
    """A From or To value."""
    uri = f"sip:{draw(USER)}@{draw(HOST)}{draw(PORT)}"
    after = draw(st.sampled_from([";tag={0}", " ; tag = {0}", ";x=y;tag={0};z", ';x=";tag=no";Tag={0}']))
    after = after.format(tag) if tag else draw(st.sampled_from(["", ";x", ';y="a;b"']))
    if draw(st.booleans()):
        return f"{uri}{after}"
    display = draw(st.one_of(st.just(""), TEXT.map(lambda text: f'"{text}"'), st.just("Some Name ")))
    return f"{display}{draw(st.sampled_from(['', ' ']))}<{uri}>{after}"


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, dict[str, object]]:
    """A request in one of its many spellings, and what it says."""
    method = draw(st.one_of(st.sampled_from(sorted(METHODS)), TOKEN))
    wanted: dict[str, object] = {
        "method": method, "cseq_method": method, "uri": f"sip:{draw(USER)}@{draw(HOST)}{draw(PORT)}",
        "call_id": draw(TOKEN), "cseq": draw(st.integers(0, 2**31 - 1)), "from_tag": draw(TOKEN),
        "to_tag": draw(st.one_of(st.just(""), TOKEN)), "branch": f"z9hG4bK{draw(TOKEN)}",
        "sent_by": f"{draw(HOST)}{draw(PORT)}", "hops": draw(st.integers(0, 255)),
        "rport": draw(st.booleans()), "body": draw(st.binary(max_size=40)),
    }  # fmt: skip
    via = f"SIP/2.0/UDP {wanted['sent_by']};branch={wanted['branch']}{';rport' if wanted['rport'] else ''}"
    via += draw(st.sampled_from(["", ";x=y", ', SIP/2.0/TCP h;branch="no"', " ,SIP / 2.0 / UDP\t[::1]:7"]))
    values = [
        ("via", via),
        ("from", draw(addresses(str(wanted["from_tag"])))),
        ("to", draw(addresses(str(wanted["to_tag"])))),
        ("call-id", wanted["call_id"]),
        ("cseq", f"{draw(st.sampled_from(['', '0', '00']))}{wanted['cseq']}{draw(PAD) or ' '}{method}"),
        ("max-forwards", wanted["hops"]),
        ("content-length", len(wanted["body"])),  # type: ignore[arg-type]
    ]
    gap = st.sampled_from(["", " ", "\t"])
    lines = [f"{draw(st.sampled_from(NAMES[key]))}{draw(gap)}:{draw(PAD)}{value}" for key, value in values]
    lines += [f"X-{draw(TOKEN)}:{draw(PAD)}{draw(TEXT)}" for _ in range(draw(st.integers(0, 3)))]
    lines = draw(st.permutations(lines))
    head = "\r\n".join([f"{method} {wanted['uri']} SIP/2.0", *lines])
    return head.encode() + b"\r\n\r\n" + wanted["body"], wanted  # type: ignore[operator]


def composed(message: Message) -> bytes:
    """The octets of a message from its start line, lines and body."""
    start = message.head.partition(b"\r\n")[0].decode("latin-1")
    return "\r\n".join([start, *message.lines, "", ""]).encode("latin-1") + message.body


def fields_of(message: Message) -> dict[str, object]:
    """All that the parser read."""
    slots = {slot for kind in type(message).__mro__ for slot in getattr(kind, "__slots__", ())}
    return {slot: getattr(message, slot) for slot in slots}


@settings(max_examples=150, deadline=None)
@given(requests())
def test_what_is_composed_is_read_back(case: tuple[bytes, dict[str, object]]) -> None:
    octets, wanted = case
    request = parse(octets)
    assert {name: getattr(request, name) for name in wanted} == wanted
    assert composed(request) == octets
    assert fields_of(parse(composed(request))) == fields_of(request)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_no_octets_break_it(octets: bytes) -> None:
    outcome(octets)


MARKS = [b"\r\n", b"\r\n ", b"\n", b":", b";", b",", b'"', b"<", b">", b"[", b"]", b"\\", b"@", b"%", b"="]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([INVITE, OK]),
    st.lists(
        st.tuples(
            st.integers(0, 600),
            st.integers(0, 12),
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from(MARKS),
            ),
        ),
        max_size=6,
    ),
)
def test_no_change_of_a_message_breaks_it(octets: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for at, length, new in changes:
        octets = octets[:at] + new + octets[at + length :]
    outcome(octets)


def outcome(octets: bytes) -> None:
    """Parses; a message that comes out can be composed again, all others are refused with a status."""
    try:
        message = parse(octets)
    except MalformedMessage as error:
        assert 400 <= error.status < 600
        assert error.message is not None
        return
    again = parse(composed(message))
    if "content-length" in message.at:
        assert fields_of(again) == fields_of(message)
    joined = "".join(message.lines).replace("\r\n", "")
    assert "\n" not in joined
    assert "\r" not in joined
