"""Composing responses, ACK and CANCEL."""

from __future__ import annotations

import pytest

from sipguard.sip.compose import (
    ack_of_failure,
    cancel_of,
    local_response,
    response_flow,
    response_flow_anew,
    response_head,
)
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request, Response
from sipguard.sip.parse import parse

SOURCE = ("192.0.2.99", 40000)


def request(*vias: str, to: str = "<sip:b@example.com>") -> Request:
    """An OPTIONS with these Via lines."""
    lines = [*vias, "From: <sip:a@example.com>;tag=f1", f"To: {to}", "Call-ID: c1", "CSeq: 7 OPTIONS"]
    found = parse("\r\n".join(["OPTIONS sip:b@example.com SIP/2.0", *lines, "", ""]).encode())
    assert isinstance(found, Request)
    return found


REST = "From: <sip:a@example.com>;tag=f1\r\nCall-ID: c1\r\nCSeq: 7 OPTIONS\r\n"
V = "Via: SIP/2.0/UDP"
VIAS = {
    "the sender's own address": (
        ["Via: SIP/2.0/UDP 192.0.2.99;branch=1"],
        ["Via: SIP/2.0/UDP 192.0.2.99;branch=1"],
    ),
    "another address": ([f"{V} 192.0.2.1;branch=1"], [f"{V} 192.0.2.1;branch=1;received=192.0.2.99"]),
    "a host name": ([f"{V} h.example;branch=1"], [f"{V} h.example;branch=1;received=192.0.2.99"]),
    "a false received": (
        [f"{V} h.example;received=198.51.100.1;branch=1"],
        ["Via: SIP/2.0/UDP h.example;branch=1;received=192.0.2.99"],
    ),
    "a false received in capitals": (
        [f"{V} h.example;Received=198.51.100.1;branch=1"],
        ["Via: SIP/2.0/UDP h.example;branch=1;received=192.0.2.99"],
    ),
    "rport at the end": (
        [f"{V} 192.0.2.99;branch=1;rport"],
        [f"{V} 192.0.2.99;branch=1;received=192.0.2.99;rport=40000"],
    ),
    "rport at the start": (
        [f"{V} 192.0.2.1;rport;branch=1"],
        [f"{V} 192.0.2.1;received=192.0.2.99;rport=40000;branch=1"],
    ),
    "rport with a false value": (
        [f"{V} 192.0.2.1;rport=7;branch=1"],
        [f"{V} 192.0.2.1;branch=1;received=192.0.2.99;rport=40000"],
    ),
    "rport with white space": (
        [f"{V} 192.0.2.1 ; rport ; branch=1"],
        [f"{V} 192.0.2.1;branch=1;received=192.0.2.99;rport=40000"],
    ),
    "several lines": (
        [f"{V} 192.0.2.1;branch=1;rport", f"{V} 192.0.2.2;branch=2;rport"],
        [f"{V} 192.0.2.1;branch=1;received=192.0.2.99;rport=40000", f"{V} 192.0.2.2;branch=2;rport"],
    ),
    "several on one line": (
        [f"{V} 192.0.2.1;branch=1;rport, SIP/2.0/TCP 192.0.2.2;branch=2;rport;received=192.0.2.3"],
        [
            f"{V} 192.0.2.1;branch=1;received=192.0.2.99;rport=40000, "
            "SIP/2.0/TCP 192.0.2.2;branch=2;rport;received=192.0.2.3"
        ],
    ),
    "rport of the second value only": (
        [f"{V} 192.0.2.1;branch=1, SIP/2.0/TCP 192.0.2.2;branch=2;rport"],
        [f"{V} 192.0.2.1;branch=1;received=192.0.2.99, SIP/2.0/TCP 192.0.2.2;branch=2;rport"],
    ),
    "rport in quotes": (
        [f'{V} 192.0.2.1;x=";rport;";branch=1;rport'],
        [f'{V} 192.0.2.1;x=";rport;";branch=1;received=192.0.2.99;rport=40000'],
    ),
    "folded": (
        [f"{V} 192.0.2.1;branch=1\r\n ;x=y, SIP/2.0/UDP h"],
        [f"{V} 192.0.2.1;branch=1;x=y;received=192.0.2.99, SIP/2.0/UDP h"],
    ),
    "compact": (
        ["v: SIP/2.0/UDP 192.0.2.1;branch=1"],
        ["v: SIP/2.0/UDP 192.0.2.1;branch=1;received=192.0.2.99"],
    ),
}


@pytest.mark.parametrize(("vias", "answered"), VIAS.values(), ids=VIAS)
def test_response_head(vias: list[str], answered: list[str]) -> None:
    assert response_head(request(*vias), SOURCE) == "".join(f"{via}\r\n" for via in answered) + REST


@pytest.mark.parametrize("host", ["[2001:db8::99]", "[2001:db8::99]:5070"])
def test_response_head_over_ipv6(host: str) -> None:
    source = ("2001:db8::99", 40000)
    assert response_head(request(f"{V} {host};branch=1"), source) == f"{V} {host};branch=1\r\n{REST}"
    marked = response_head(request(f"{V} {host};branch=1;rport"), source)
    assert marked.startswith(f"{V} {host};branch=1;received=2001:db8::99;rport=40000\r\n")


@pytest.mark.parametrize(
    ("via", "address"),
    [
        ("192.0.2.1:5070;branch=1", ("192.0.2.99", 5070)),
        ("192.0.2.1;branch=1", ("192.0.2.99", 5060)),
        ("192.0.2.1:0;branch=1", ("192.0.2.99", 5060)),
        ("192.0.2.1:5070;branch=1;rport", ("192.0.2.99", 40000)),
        ("192.0.2.1:5070;maddr=198.51.100.1;branch=1", ("192.0.2.99", 5070)),
        ("[2001:db8::1]:5070;branch=1", ("192.0.2.99", 5070)),
    ],
)
def test_response_flow(via: str, address: tuple[str, int]) -> None:
    """RFC 3261 §18.2.2, RFC 3581 §4; maddr would let a sender aim our answers at others."""
    flow = Flow(0, "udp", "main", SOURCE)
    asked = request(f"{V} {via}")
    back = response_flow(asked, flow)
    assert (back.remote, back.listener, back.reliable) == (address, "main", False)
    assert response_flow_anew(asked, flow) is None


@pytest.mark.parametrize(
    ("transport", "sent_by", "port"), [("tcp", "192.0.2.1", 5060), ("tls", "h.example", 5061), ("tls", "h:5070", 5070)]
)
def test_a_response_leaves_by_the_connection_of_its_request(transport: str, sent_by: str, port: int) -> None:
    """And by a new one to the port of the sent-by once that is gone (RFC 3261 §18.2.2)."""
    flow = Flow(7, transport, "main", SOURCE, ("h.example",))
    asked = request(f"Via: SIP/2.0/{transport.upper()} {sent_by};branch=1;rport")
    assert response_flow(asked, flow) is flow
    anew = response_flow_anew(asked, flow)
    assert anew is not None
    assert (anew.id, anew.transport, anew.remote, anew.tls_names) == (0, transport, (SOURCE[0], port), ("h.example",))


def test_local_response() -> None:
    head = response_head(request(f"{V} 192.0.2.99;branch=1"), SOURCE)
    octets = local_response(head, "To: <sip:b@example.com>", "t1", 486, "Busy Here", ("Retry-After: 5",), b"why")
    assert octets == (
        b"SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.99;branch=1\r\n"
        b"From: <sip:a@example.com>;tag=f1\r\nCall-ID: c1\r\nCSeq: 7 OPTIONS\r\n"
        b"To: <sip:b@example.com>;tag=t1\r\nRetry-After: 5\r\nContent-Length: 3\r\n\r\nwhy"
    )
    response = parse(octets)
    assert isinstance(response, Response)
    assert response.to_tag == "t1"


def test_local_response_keeps_a_to_tag() -> None:
    octets = local_response("", "To: <sip:b@example.com>;tag=t0", "", 481, "Gone")
    assert octets == b"SIP/2.0 481 Gone\r\nTo: <sip:b@example.com>;tag=t0\r\nContent-Length: 0\r\n\r\n"


def test_a_request_without_from_to_and_call_id_can_be_answered() -> None:
    """RFC 4475 §3.3.1."""
    with pytest.raises(MalformedMessage) as caught:
        parse(b"INVITE sip:b@h SIP/2.0\r\nCSeq: 1 INVITE\r\nVia: SIP/2.0/UDP h;branch=1\r\n\r\n")
    broken = caught.value.message
    assert isinstance(broken, Request)
    octets = local_response(response_head(broken, SOURCE), "", "t1", 400, "Bad Request")
    assert octets == (
        b"SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h;branch=1;received=192.0.2.99\r\nCSeq: 1 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


BROKEN_VIAS = {
    "two branches": ("h;branch=1;branch=2;rport", True),
    "empty pieces": ("h;;branch=1;,,", True),
    "another version": ("h;branch=1", True),
    "open quote": ('h;x="y', False),
    "open quote in the second value": ('h;branch=1, SIP/2.0/UDP h;x="y', False),
    "quote in a name": ('h;br"nch=1', False),
    "no host": (";branch=1", False),
}


@pytest.mark.parametrize("start", ["OPTIONS sip:b@h SIP/2.0", "OPTIONS sip:b]@h SIP/2.0", "OPTIONS sip:b@h SIP/7.0"])
@pytest.mark.parametrize(("via", "answerable"), BROKEN_VIAS.values(), ids=BROKEN_VIAS)
def test_what_was_read_of_a_broken_via_can_be_answered(start: str, via: str, answerable: bool) -> None:
    version = start[-3:]
    octets = f"{start}\r\nVia: SIP/{version}/UDP {via}\r\nCSeq: 1 OPTIONS\r\n\r\n".encode()
    with pytest.raises(MalformedMessage) as caught:
        parse(octets)
    broken = caught.value.message
    assert isinstance(broken, Request)
    assert bool(broken.sent_by) is answerable
    if answerable:
        assert ";received=192.0.2.99" in response_head(broken, SOURCE)
        assert response_flow(broken, Flow(0, "udp", "main", SOURCE)).remote[0] == "192.0.2.99"


INVITE = (
    b"INVITE sip:b@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport\r\n"
    b"Route: <sip:192.0.2.7;lr>\r\nRoute: <sip:192.0.2.8;lr>\r\nMax-Forwards: 12\r\n"
    b"From: <sip:a@h>;tag=f1\r\nTo: <sip:b@h>\r\nCall-ID: c1\r\nCSeq: 5 INVITE\r\n"
    b"Contact: <sip:0@192.0.2.1>\r\nX-To: 1\r\nRequire: 100rel\r\nContent-Length: 4\r\n\r\nbody"
)
BUSY = (
    b"SIP/2.0 486 Busy\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport=5060;received=192.0.2.1\r\n"
    b'From: <sip:a@h>;tag=f1\r\nt: "B"\r\n <sip:b@h>;tag=t9\r\nCall-ID: c1\r\nCSeq: 5 INVITE\r\n\r\n'
)


def test_ack_of_failure() -> None:
    """RFC 3261 §17.1.1.3: everything from the INVITE, To from the response."""
    busy = parse(BUSY)
    assert isinstance(busy, Response)
    assert ack_of_failure(INVITE, busy) == (
        b"ACK sip:b@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport\r\n"
        b"Route: <sip:192.0.2.7;lr>\r\nRoute: <sip:192.0.2.8;lr>\r\nMax-Forwards: 70\r\n"
        b'From: <sip:a@h>;tag=f1\r\nTo: "B" <sip:b@h>;tag=t9\r\nCall-ID: c1\r\nCSeq: 5 ACK\r\n'
        b"Content-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize("reason", ["", "Reason: SIP;cause=200"])
def test_cancel(reason: str) -> None:
    """RFC 3261 §9.1: everything from the INVITE; no Require."""
    line = f"{reason}\r\n".encode() if reason else b""
    assert cancel_of(INVITE, reason) == (
        b"CANCEL sip:b@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport\r\n"
        b"Route: <sip:192.0.2.7;lr>\r\nRoute: <sip:192.0.2.8;lr>\r\nMax-Forwards: 70\r\n"
        b"From: <sip:a@h>;tag=f1\r\nTo: <sip:b@h>\r\nCall-ID: c1\r\nCSeq: 5 CANCEL\r\n"
        + line
        + b"Content-Length: 0\r\n\r\n"
    )
