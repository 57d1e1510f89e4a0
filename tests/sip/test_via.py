"""The Via header: sent-by, branch, rport."""

from __future__ import annotations

import pytest

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import Request
from sipguard.sip.via import branch_of, read_via, sent_by, via_host_port

READ = {
    "usual": ("SIP/2.0/UDP h:5060;branch=z9hG4bK1", "h:5060", "z9hG4bK1", False),
    "rport last": ("SIP/2.0/UDP h;branch=z9hG4bK1;rport", "h", "z9hG4bK1", True),
    "rport first": ("SIP/2.0/UDP h;rport;branch=z9hG4bK1", "h", "z9hG4bK1", True),
    "rport between": ("SIP/2.0/UDP h;branch=z9hG4bK1;rport;alias", "h", "z9hG4bK1", True),
    "rport in capitals": ("SIP/2.0/UDP h;branch=z9hG4bK1;RPORT", "h", "z9hG4bK1", True),
    "rport with a value": ("SIP/2.0/UDP h;rport=5;branch=z9hG4bK1", "h", "z9hG4bK1", True),
    "rport is part of the branch": ("SIP/2.0/UDP h;branch=z9hG4bKrport", "h", "z9hG4bKrport", False),
    "rport is part of a name": ("SIP/2.0/UDP h;xrport;branch=z9hG4bK1", "h", "z9hG4bK1", False),
    "branch is part of a name": ("SIP/2.0/UDP h;xbranch=no;branch=z9hG4bK1", "h", "z9hG4bK1", False),
    "branch in quotes": ('SIP/2.0/UDP h;x=";branch=no";branch=z9hG4bK1', "h", "z9hG4bK1", False),
    "no parameters": ("SIP/2.0/UDP h", "h", "", False),
    "another transport": ("SIP/2.0/TCP h;branch=z9hG4bK1", "h", "z9hG4bK1", False),
    "lower case": ("sip/2.0/udp h;branch=z9hG4bK1", "h", "z9hG4bK1", False),
    "white space": ("SIP / 2.0 /\tUDP \t h : 5060 ; branch = z9hG4bK1 ; rport", "h : 5060", "z9hG4bK1", True),
    "IPv6": ("SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bK1", "[2001:db8::1]:5070", "z9hG4bK1", False),
    "first of two": ("SIP/2.0/UDP a;branch=z9hG4bK1 , SIP/2.0/UDP b;branch=no;rport", "a", "z9hG4bK1", False),
    "comma in quotes": ('SIP/2.0/UDP a;x="1,2";branch=z9hG4bK1', "a", "z9hG4bK1", False),
    "received with brackets": ("SIP/2.0/UDP a;received=[::1];branch=z9hG4bK1", "a", "z9hG4bK1", False),
}


def request() -> Request:
    return Request(b"", [])


@pytest.mark.parametrize(("via", "place", "branch", "rport"), READ.values(), ids=READ)
def test_read(via: str, place: str, branch: str, rport: bool) -> None:
    found = request()
    read_via(found, via)
    assert (found.sent_by, found.branch, found.rport, found.via) == (place, branch, rport, via)
    assert branch_of(via) == branch


BROKEN = {
    "empty": "",
    "no sent-by": "SIP/2.0/UDP",
    "no sent-by but parameters": "SIP/2.0/UDP ;branch=z9hG4bK1",
    "another protocol": "HTTP/2.0/UDP h",
    "transport of no token": 'SIP/2.0/" h;branch=z9hG4bK1',
    "another version": "SIP/3.0/UDP h",
    "empty parameter": "SIP/2.0/UDP h;;branch=z9hG4bK1",
    "empty parameter at the end": "SIP/2.0/UDP h;branch=z9hG4bK1;",
    "empty value": "SIP/2.0/UDP h;branch=z9hG4bK1,",
    "open quote": 'SIP/2.0/UDP h;x="y',
    "open quote behind the branch": 'SIP/2.0/UDP h;branch=z9hG4bK1;x="y',
    "quote in a name": 'SIP/2.0/UDP h;br"nch=z9hG4bK1',
    "two branches": "SIP/2.0/UDP h;branch=1;branch=2",
    "port out of range": "SIP/2.0/UDP h:65536;branch=z9hG4bK1",
    "port of letters": "SIP/2.0/UDP h:x;branch=z9hG4bK1",
    "IPv6 without brackets": "SIP/2.0/UDP 2001:db8::1;branch=z9hG4bK1",
    "behind IPv6": "SIP/2.0/UDP [::1]x;branch=z9hG4bK1",
    "space in the host": "SIP/2.0/UDP a b;branch=z9hG4bK1",
    "host too long": f"SIP/2.0/UDP {'a' * 301};branch=z9hG4bK1",
}


@pytest.mark.parametrize("via", BROKEN.values(), ids=BROKEN)
def test_broken(via: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_via(request(), via)
    assert caught.value.status == 400


def test_a_sent_by_that_was_refused_is_not_remembered() -> None:
    kept = sent_by.cache_info().currsize
    for n in range(10):
        with pytest.raises(MalformedMessage):
            sent_by(f"no host {n}")
    assert sent_by.cache_info().currsize == kept


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("h", "h", 0),
        ("h:5060", "h", 5060),
        ("h : 5060", "h", 5060),
        ("[::1]", "[::1]", 0),
        ("[::1] : 7", "[::1]", 7),
        ("h:", "h", -1),
        ("h:65536", "h", -1),
        ("h:-1", "h", -1),
        ("h:\xb2", "h", -1),
        ("[::1]7", "[::1]", -1),
        ("[::1", "[::1", 0),
    ],
)
def test_host_and_port(text: str, host: str, port: int) -> None:
    assert via_host_port(text) == (host, port)
