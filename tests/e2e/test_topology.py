"""The check of what must not cross, on messages that show something."""

from __future__ import annotations

import pytest

from tests.e2e.sipp import Message
from tests.e2e.topology import altered, leaks, private

A_SIDE = Message(
    True,
    "INVITE sip:+12025550131@127.0.20.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.12.1:5060;branch=z9hG4bK-a;rport\r\n"
    "From: <sip:+12025550101@127.0.12.1>;tag=tagA\r\nTo: <sip:+12025550131@127.0.20.1>\r\nCall-ID: one@127.0.12.1\r\n"
    "X-Unknown: 1\r\nX-Other: 2\r\nContent-Length: 3\r\n\r\nabc",
)
SECRETS = private([A_SIDE], ["127.0.12.1", "127.0.20.1"])


def seen(*lines: str, body: str = "abc") -> Message:
    """A message that B received."""
    return Message(False, "\r\n".join(["INVITE sip:+12025550131@127.0.43.1 SIP/2.0", *lines, "", body]))


def test_what_is_private() -> None:
    assert SECRETS == {
        "127.0.12.1": "address",
        "127.0.20.1": "address",
        "one@127.0.12.1": "Call-ID",
        "tagA": "tag",
        "z9hG4bK-a": "branch",
    }


@pytest.mark.parametrize(
    ("line", "leaked"),
    [
        ("Contact: <sip:0@127.0.20.1>", True),
        ("From: <sip:+12025550101@127.0.30.1>;tag=tagA", True),
        ("Call-ID: one@127.0.12.1", True),
        ("Via: SIP/2.0/UDP 127.0.30.1;branch=z9hG4bK-a", True),
        ("X-Seen-At: 127.0.12.1", True),
        ("Diversion: <sip:+12025550102@127.0.12.1>", False),
        ("From: <sip:+12025550101@127.0.30.1>;tag=tagB", False),
    ],
)
def test_leaks(line: str, leaked: bool) -> None:
    assert bool(leaks([seen(line)], SECRETS)) is leaked


@pytest.mark.parametrize(
    ("arrived", "complaints"),
    [
        (seen("X-Unknown: 1", "X-Other: 2", "Content-Length: 3"), 0),
        (seen("X-Other: 2", "X-Unknown: 1", "Content-Length: 3"), 2),
        (seen("X-Unknown:  1", "X-Other: 2", "Content-Length: 3"), 3),
        (seen("X-Unknown: 1", "X-Other: 2", "Content-Length: 3", body="abd"), 1),
    ],
    ids=["same", "order", "octets", "body"],
)
def test_altered(arrived: Message, complaints: int) -> None:
    assert len(altered(A_SIDE, arrived)) == complaints
