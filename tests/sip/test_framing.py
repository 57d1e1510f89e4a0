"""Streams cut into messages: whole ones whatever the cuts, keep-alives between them, and what cannot be read on."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.sip.framing import LARGEST_BODY, LARGEST_HEAD, PING, Framer

INVITE = (
    b"INVITE sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1\r\nContent-Length: 4\r\n\r\nbody"
)
RINGING = b"SIP/2.0 180 Ringing\r\nl:00000000000\r\nTo: <sip:b@192.0.2.1>\r\n\r\n"
FOLDED = b"OPTIONS sip:b SIP/2.0\r\ncontent-length \t:\r\n  3\r\n\r\nabc"
BODY_LIKE_A_MESSAGE = b"INFO sip:b SIP/2.0\r\nContent-Length: 54\r\n\r\n" + RINGING[:54].ljust(54, b"x")
TWICE = b"OPTIONS sip:b SIP/2.0\r\nl: 3\r\nContent-Length:3 \r\n\r\nabc"
MESSAGES = (INVITE, RINGING, FOLDED, BODY_LIKE_A_MESSAGE, TWICE)
BETWEEN = (b"", b"\r\n", b"\r\n\r\n", b"\n", b"\r\n\r\n\r\n")


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    """The stream in pieces."""
    edges = [0, *sorted({min(each, len(stream)) for each in at}), len(stream)]
    return [stream[left:right] for left, right in itertools.pairwise(edges)]


def framed(pieces: list[bytes]) -> tuple[list[bytes], str]:
    """What comes out, and what is wrong at the end."""
    framer = Framer()
    found = [message for piece in pieces for message in framer.feed(piece)]
    return found, framer.broken.what if framer.broken is not None else ""


pieces_of_a_stream = st.lists(st.sampled_from((*MESSAGES, *BETWEEN)), max_size=8).map(b"".join)


@given(pieces_of_a_stream, st.lists(st.integers(0, 600), max_size=12))
def test_cuts_do_not_matter(stream: bytes, at: list[int]) -> None:
    assert framed(cut(stream, at)) == framed([stream])


@given(st.lists(st.sampled_from(MESSAGES), max_size=6), st.lists(st.integers(0, 900), max_size=12))
def test_what_was_sent_comes_out(sent: list[bytes], at: list[int]) -> None:
    assert framed(cut(b"".join(sent), at)) == (sent, "")


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_cuts_do_not_matter_for_anything_else(stream: bytes, at: list[int]) -> None:
    assert framed(cut(stream, at)) == framed([stream])


NOISE = st.sampled_from(
    (b"INVITE", b" ", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"Content-Length:", b"l:", b"3", b"99", b"x")
)


@given(st.lists(NOISE, max_size=20).map(b"".join), st.lists(st.integers(0, 100), max_size=8))
def test_cuts_do_not_matter_for_what_looks_like_sip(stream: bytes, at: list[int]) -> None:
    assert framed(cut(stream, at)) == framed([stream])


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        (b"\r\n\r\n", [PING]),
        (b"\r\n\r\n\r\n\r\n" + RINGING, [PING, PING, RINGING]),
        (b"\r\n" + RINGING, [RINGING]),  # RFC 3261 §7.5
        (RINGING + b"\r\n", [RINGING]),  # perhaps half a ping, perhaps a pong
        (b"\n\r" + RINGING, [RINGING]),
    ],
)
def test_line_ends_between_messages(stream: bytes, found: list[bytes]) -> None:
    assert framed([stream]) == (found, "")
    assert framed([stream[n : n + 1] for n in range(len(stream))]) == (found, "")


def head(*lines: str) -> bytes:
    return "\r\n".join(("OPTIONS sip:b SIP/2.0", *lines, "", "")).encode()


BROKEN = {
    "no length": (head("To: b"), "Content-Length is missing", 400),
    "two lengths": (head("l: 1", "Content-Length: 2") + b"x", "content-length stands more than once", 400),
    "no number": (head("Content-Length: +1") + b"x", "Content-Length is not a number", 400),
    "empty": (head("Content-Length:"), "Content-Length is not a number", 400),
    "negative": (head("Content-Length: -1"), "Content-Length is not a number", 400),
    "too long": (head(f"Content-Length: {LARGEST_BODY + 1}"), "the body is too large", 513),
    "far too long": (head(f"Content-Length: {'9' * 5000}"), "the body is too large", 513),
    "endless head": (b"OPTIONS sip:b SIP/2.0\r\nX: " + b"x" * LARGEST_HEAD, "the head is too large", 513),
    "a TLS handshake": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "this is not SIP", 400),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_on_ends_it(name: str) -> None:
    stream, what, status = BROKEN[name]
    framer = Framer()
    assert framer.feed(RINGING + stream) == [RINGING]
    assert framer.broken is not None
    assert (framer.broken.what, framer.broken.status) == (what, status)
    assert framer.head == (
        stream.partition(b"\r\n\r\n")[0] if stream.startswith(b"OPT") and b"xxx" not in stream else b""
    )
    assert framer.feed(RINGING) == []
    assert not framer.partial


def test_a_head_in_a_folded_line_is_no_length() -> None:
    """What begins with white space goes on the line before it, whatever it looks like (RFC 3261 §7.3.1)."""
    message = head("Subject: a", "\tContent-Length: 9", "Content-Length: 2") + b"ab"
    assert framed([message]) == ([message], "")


def test_the_largest_is_taken() -> None:
    body = head(f"Content-Length: {LARGEST_BODY}") + b"x" * LARGEST_BODY
    begin, end = b"OPTIONS sip:b SIP/2.0\r\nX: ", b"\r\nl: 0"
    long_head = begin + b"x" * (LARGEST_HEAD - len(begin) - len(end)) + end + b"\r\n\r\n"
    for message in (body, long_head):
        assert framed([message]) == ([message], "")
        assert framed(cut(message, [LARGEST_HEAD + n for n in range(-2, 5)])) == ([message], "")


@pytest.mark.parametrize(
    ("octets", "partial"), [(b"", False), (b"\r\n", False), (b"INV", True), (RINGING, False), (RINGING + b"S", True)]
)
def test_a_message_has_begun(octets: bytes, partial: bool) -> None:
    framer = Framer()
    framer.feed(octets)
    assert framer.partial is partial
