"""Lines and values of a message."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import COMPACT, Message, Response, line_value
from sipguard.sip.parse import parse

OPTIONS = (
    b"OPTIONS sip:a@example.com SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK2, SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK3\r\n"
    b"f: <sip:b@example.com>;tag=1\r\nTO : <sip:a@example.com>\r\ni: c1\r\nCSeq: 1 OPTIONS\r\n"
    b"X-Note:   one\r\n  two\t\r\n\tthree  \r\nx-note:four\r\ns:\r\n\r\n"
)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A: b", "b"),
        ("A:b", "b"),
        ("A :\t b \t", "b"),
        ("A:", ""),
        ("A: b:c", "b:c"),
        ("A: b\r\n c\r\n\t d", "b c d"),
        ("A:\r\n b", "b"),
        ("A: caf\xc3\xa0", "caf\xc3\xa0"),  # UTF-8 ends in an octet that str.strip() would take
        ("A: x\xc2\x85", "x\xc2\x85"),
    ],
)
def test_line_value(line: str, value: str) -> None:
    assert line_value(line) == value


def test_values_and_lines_by_key() -> None:
    message = parse(OPTIONS)
    assert message.value("x-note") == "one two three"
    assert message.values("x-note") == ["one two three", "four"]
    assert message.lines_of("x-note") == ["X-Note:   one\r\n  two\t\r\n\tthree  ", "x-note:four"]
    assert message.value("subject") == ""
    assert message.lines_of("via") == message.lines[:2]
    assert (message.value("absent"), message.values("absent"), message.lines_of("absent")) == ("", [], [])


def test_the_lines_are_the_head_as_received() -> None:
    message = parse(OPTIONS)
    assert "\r\n".join(["OPTIONS sip:a@example.com SIP/2.0", *message.lines]).encode() == message.head
    assert len(message.keys) == len(message.lines)
    assert all(message.keys.index(key) == n for key, n in message.at.items())


def _keys(octets: bytes) -> list[str]:
    """The keys of a message, also of one that has too many of them."""
    try:
        return parse(octets).keys
    except MalformedMessage as error:
        assert error.message is not None
        return error.message.keys


@pytest.mark.parametrize("short", [*COMPACT, *(each.upper() for each in COMPACT)])
def test_compact_names(short: str) -> None:
    octets = OPTIONS.replace(b"\r\ns:", f"\r\n{short} : 0".encode())
    assert _keys(octets)[-1] == COMPACT[short.lower()]


@pytest.mark.parametrize(
    ("to", "tag"),
    [("<sip:a@h>;tag=x", "x"), ("<sip:a@h>", ""), ('"A, <B>" <sip:a@h>;y;tag=x', "x"), ('"A', ""), ("", "")],
)
def test_to_tag_of_a_response_never_raises(to: str, tag: str) -> None:
    response = Response(b"", [f"To: {to}"])
    response.keys, response.at = ["to"], {"to": 0}
    assert response.to_tag == tag


def test_to_tag_of_a_response_without_to() -> None:
    assert Response(b"", []).to_tag == ""


@example("f", "::: :", "")
@example("f ", " : ", "a")
@given(
    st.sampled_from(["From", "f", "FROM ", "from"]),
    st.text(" \t:ab\x00\x85\xa0", max_size=6),
    st.text(" \t:ab\x00\x85\xa0", max_size=3),
)
def test_the_usual_layout_and_any_other_have_the_same_value(name: str, begin: str, rest: str) -> None:
    line = f"{name}:{begin}{rest}"
    message = Message(b"", [line])
    message.at = {"from": 0}
    assert message.value("from") == line_value(line)
