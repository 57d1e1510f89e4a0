"""Every message of RFC 4475 and RFC 5118 over a socket to the running product, as tests/sip/torture.py expects."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from typing import Final

import pytest

from sipguard.b2bua.crossing import CROSSING, NOT_CROSSING
from sipguard.sip.message import Request
from sipguard.sip.parse import parse
from tests.e2e.product import CALLER_HOST, HOP_HOST, Product, configuration
from tests.sip.torture import DROPPED, FORWARDED, TORTURE, VECTORS, octets
from tests.standin import Caller, NextHop, header, reply

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (VECTORS / "rfc4475").is_dir(), reason=f"no vectors in {VECTORS}: set SIPGUARD_VECTORS"),
]

SILENCE_S: Final = 0.3
VIA_PORT: Final = re.compile(rb"^(?:Via|v)\s*:[^;,]*:\s*(\d+)\s*[;,]", re.IGNORECASE | re.MULTILINE)


class Busy(NextHop):
    """A next hop that is always busy, so that no call stays up."""

    def _invited(self, message: str, source: tuple[str, int], at: float) -> None:
        self.invites.append((message, at))
        self.send(reply(message, "486 Busy Here", f"busy{len(self.invites)}"), source)


@pytest.fixture(scope="module")
def busy() -> Iterator[Busy]:
    """Where well-formed INVITEs arrive."""
    found = Busy(HOP_HOST)
    yield found
    found.close()


@pytest.fixture(scope="module")
def tortured(tmp_path_factory: pytest.TempPathFactory, busy: Busy) -> Iterator[Product]:
    """The product that all of them are sent to."""
    found = Product(tmp_path_factory.mktemp("tortured"), configuration(busy.port))
    try:
        yield found.start()
    finally:
        found.stop()


def sender(name: str, message: bytes) -> socket.socket:
    """A socket on the port that the message's Via names, where its response goes without rport (RFC 3261 §18.2.2).

    Each message has an address of its own: what is repeated to one says nothing of the next.
    """
    found = VIA_PORT.search(message)
    port = int(found.group(1)) if found else 5060
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((f"127.0.11.{list(TORTURE).index(name) + 2}", port))
    return sock


def with_own_branch(name: str, message: bytes) -> bytes:
    """The message with a branch that no other one has: two of a branch are one transaction (RFC 3261 §17.2.3)."""
    branch = str(TORTURE[name].fields.get("branch", "")).encode("latin-1")
    if not branch.startswith(b"z9hG4bK") or branch == b"z9hG4bK":
        return message
    return message.replace(branch, branch + b"-%d" % list(TORTURE).index(name), 1)


def final_status(sock: socket.socket, within_s: float) -> int | str:
    """The status of the first final response, DROPPED where none comes."""
    end = time.monotonic() + within_s
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            answer = sock.recv(65535)
        except TimeoutError:
            break
        status = int(answer[8:11])
        if status >= 200:
            return status
    return DROPPED


@pytest.mark.parametrize("name", TORTURE)
def test_over_a_socket(tortured: Product, busy: Busy, name: str) -> None:
    message, wanted = with_own_branch(name, octets(name)), TORTURE[name].answer
    before = len(busy.invites)
    with sender(name, message) as sock:
        sock.sendto(message, tortured.address())
        status = final_status(sock, SILENCE_S if wanted == DROPPED else 3.0)
    if wanted == FORWARDED:
        assert status == 486, "the next hop's answer"
        assert len(busy.invites) == before + 1
        _compare(message, busy.invites[-1][0].encode("latin-1"))
    else:
        assert status == wanted
        assert len(busy.invites) == before
    _still_answers(tortured)


def _compare(sent: bytes, arrived: bytes) -> None:
    """What nobody may change is the same at the next hop, in its order; folded lines arrive in one."""
    a, b = parse(sent), parse(arrived)
    assert isinstance(a, Request)
    assert isinstance(b, Request)
    assert b.body == a.body
    assert b.hops == (a.hops - 1 if a.hops >= 0 else 69)
    assert _crossing(b) == _crossing(a)


def _crossing(request: Request) -> list[tuple[str, str]]:
    """(key, line) of the headers that cross unchanged; Content-Length is added where it lacks."""
    return [
        (key, line)
        for key, line in zip(request.keys, request.lines, strict=True)
        if key not in NOT_CROSSING and key not in CROSSING and key != "content-length"
    ]


def _still_answers(product: Product) -> None:
    """OPTIONS is answered 200."""
    host, port = product.address()
    caller = Caller(product.address(), CALLER_HOST)
    try:
        options = "\r\n".join(
            [
                f"OPTIONS sip:{host}:{port} SIP/2.0",
                f"Via: SIP/2.0/UDP {caller.host}:{caller.port};branch=z9hG4bK{time.time_ns()};rport",
                "Max-Forwards: 70",
                f"From: <sip:probe@{caller.host}>;tag=probe",
                f"To: <sip:{host}>",
                f"Call-ID: {time.time_ns()}@{caller.host}",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
                "",
                "",
            ]
        )
        answer = caller.ask(options)
        assert answer.startswith("SIP/2.0 200 ")
        assert header(answer, "CSeq") == "1 OPTIONS"
    finally:
        caller.close()
