"""Connections that break, lie, dawdle or come in thousands, against the running product; calls go on meanwhile."""

from __future__ import annotations

import resource
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.product import (
    CALLER_HOST,
    HOP_HOST,
    INNER,
    OUTER,
    STRANGER_HOST,
    Product,
    configuration,
    free_port,
    wait_for,
)
from tests.pki import Pki
from tests.standin import Caller, NextHop, header, reply
from tests.streamends import StreamCaller, StreamHop
from tests.tlsrelay import context

pytestmark = pytest.mark.e2e

CALLER_NUMBER, CALLEE = "+12025550101", "+12025550133"
BOUNDS: Final = {
    "connect": "1s",
    "handshake": "1s",
    "message": "1s",
    "keepalive": "1s",
    "unverified": 5,
    "most": 10_100,
}
MANY: Final = 10_000
TCP_REPAIR: Final = (
    19  # Linux tcp(7); a socket that is closed in this mode says nothing; not named by the socket module
)
SPARE: Final = 1_000  # descriptors that are left for everything else


class Ground:
    """A product with listeners of all transports; the next hop speaks UDP, TCP and TLS, each for a trunk."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        pki = Pki("Example Transport ROOT")
        pki.write_tls(directory, "edge", (OUTER, INNER, "edge.example"))
        for name in ("a", "b"):
            pki.write_tls(directory, name, (f"{name}.example",))
        self.hops: dict[str, NextHop] = {
            "udp": NextHop(HOP_HOST),
            "tcp": StreamHop(HOP_HOST),
            "tls": StreamHop(HOP_HOST, server=context(directory, "b", server=True)),
        }
        for hop in self.hops.values():
            stack.callback(hop.close)
        self.mute = stack.enter_context(socket.create_server((HOP_HOST, 0)))
        self.product = Product(directory / "product", self._configuration())
        stack.callback(self.product.stop)
        self.product.start()

    def _configuration(self) -> dict[str, Any]:
        config = configuration(self.hops["udp"].port)
        files = {key: str(self.directory / file) for key, file in (("certificate", "edge.pem"), ("key", "edge.key"))}
        tls = {"tls": {**files, "ca": str(self.directory / "ca.pem")}}
        for place, host in (("outer", OUTER), ("inner", INNER)):
            for transport in ("tcp", "tls"):
                config["listeners"][f"{place}-{transport}"] = {
                    "address": host, "port": free_port(host, socket.SOCK_STREAM), "transport": transport,
                    "connections": BOUNDS, **(tls if transport == "tls" else {}),
                }  # fmt: skip
        for transport, names in (("tcp", []), ("tls", ["b.example"])):
            peer = {"host": HOP_HOST, "port": self.hops[transport].port, "names": names}
            config["trunks"][f"hop-{transport}"] = {
                "kind": "interconnect", "listener": f"inner-{transport}", "peers": [peer],
            }  # fmt: skip
        silent = {"host": HOP_HOST, "port": self.mute.getsockname()[1]}
        for name, route in (("tcp", "hop-tcp"), ("silent-tcp", "silent-tcp"), ("silent-tls", "silent-tls")):
            config["trunks"][f"from-{name}"] = {
                "kind": "interconnect", "listener": "outer-tcp", "route": route, "sources": [SOURCES[name]],
            }  # fmt: skip
        for transport in ("tcp", "tls"):
            config["trunks"][f"silent-{transport}"] = {
                "kind": "interconnect", "listener": f"inner-{transport}", "try_timeout": "2s",
                "peers": [silent, {"host": HOP_HOST, "port": self.hops[transport].port, "names": ["b.example"]}],
            }  # fmt: skip
        config["trunks"]["from-tls"] = {
            "kind": "interconnect", "listener": "outer-tls", "sources": ["127.0.0.0/8"], "tls_names": ["a.example"],
            "route": "hop-tls",
        }  # fmt: skip
        return config

    def caller(self, source: str = "tcp", name: str = "") -> StreamCaller:
        """A caller at the address of a trunk; over TLS with the certificate of `name`."""
        if not name:
            return StreamCaller(self.product.address("outer-tcp"), SOURCES[source])
        client = context(self.directory, name, server=False)
        server = context(self.directory, name, server=True)
        return StreamCaller(self.product.address("outer-tls"), SOURCES[source], client, server, "edge.example")

    def connect(self, listener: str = "outer-tcp", host: str = "") -> socket.socket:
        """A bare connection."""
        return socket.create_connection(self.product.address(listener), 10, source_address=(host or SOURCES["tcp"], 0))

    def closed(self, why: str) -> float:
        """How many connections ended for this reason."""
        return self.product.metric("sipguard_connections_closed_total", why=why)

    def lets_calls_pass(self) -> None:
        """A call over UDP and one over TCP are answered."""
        for caller in (Caller(self.product.address("outer"), CALLER_HOST), self.caller()):
            outcome = caller.call(caller.invite(CALLER_NUMBER, CALLEE))
            assert (outcome.status, outcome.bye_status) == (200, 200), caller.transport
            caller.close()


SOURCES: Final = {"tcp": "127.0.13.1", "silent-tcp": "127.0.13.2", "silent-tls": "127.0.13.3", "tls": "127.0.13.4"}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ExitStack() as stack:
        yield Ground(tmp_path_factory.mktemp("connections"), stack)


def answer_of(sock: socket.socket) -> bytes:
    """What comes until the far end closes, or resets."""
    sock.settimeout(10)
    found = b""
    with suppress(ConnectionError):
        while octets := sock.recv(65536):
            found += octets
    return found


def test_calls_by_all_transports(ground: Ground) -> None:
    for caller in (ground.caller(), ground.caller("tls", "a")):
        outcome = caller.call(caller.invite(CALLER_NUMBER, CALLEE))
        assert (outcome.status, outcome.bye_status) == (200, 200), caller.transport
        arrived = ground.hops[caller.transport.lower()].invites[-1][0]
        assert header(arrived, "Via").startswith(f"SIP/2.0/{caller.transport} {INNER}:")
        caller.close()


def test_calls_to_one_peer_share_a_connection(ground: Ground) -> None:
    hop = ground.hops["tcp"]
    assert isinstance(hop, StreamHop)
    ground.lets_calls_pass()
    before = hop.connected
    for _ in range(3):
        ground.lets_calls_pass()
    assert hop.connected == before


@pytest.mark.parametrize("name", ["b", "a-for-a-stranger"])
def test_a_wrong_name_and_a_stranger_are_cut_off(ground: Ground, name: str) -> None:
    if name == "b":
        before = ground.product.metric("sipguard_connections_refused_total", why="name")
        with (
            suppress(OSError),
            context(ground.directory, "b", server=False).wrap_socket(
                ground.connect("outer-tls"), server_hostname="edge.example"
            ) as sock,
        ):
            assert answer_of(sock) == b""
        wait_for(
            lambda: ground.product.metric("sipguard_connections_refused_total", why="name") == before + 1, "a refusal"
        )
    else:
        with ground.connect("outer-tcp", STRANGER_HOST) as sock:
            assert answer_of(sock) == b""


def test_a_keep_alive_is_answered(ground: Ground) -> None:
    with ground.connect() as sock:
        sock.sendall(b"\r\n\r\n")
        assert sock.recv(10) == b"\r\n"


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_call_goes_on_when_its_connection_is_lost(ground: Ground, how: str) -> None:
    """The callee hangs up: the BYE reaches the caller's Contact by a new connection."""
    caller = ground.caller()
    invite = caller.invite(CALLER_NUMBER, CALLEE)
    outcome = caller.call(invite, hang_up=False)
    assert outcome.status == 200
    if how == "reset":
        (sock,) = caller._ends.values()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.disconnect()
    hop = ground.hops["tcp"]
    arrived = hop.invites[-1][0]
    wait_for(lambda: hop.requests[-1].startswith("ACK"), "the ACK has crossed")
    hop.send(_bye_of(arrived, hop), next(iter(hop._ends)))  # type: ignore[attr-defined]
    bye, place = caller.receive(5)
    assert bye.startswith("BYE ")
    caller.send(reply(bye, "200 OK", ""), place)
    wait_for(lambda: any(m.startswith("SIP/2.0 200") and " BYE" in header(m, "CSeq") for m in hop.got), "its answer")
    assert caller.connected == 1
    caller.close()


def _bye_of(invite: str, hop: NextHop) -> str:
    """The BYE of the callee in the dialog of an INVITE that it answered."""
    answer = next(m for m in reversed(hop.sent) if m.startswith("SIP/2.0 200") and "INVITE" in header(m, "CSeq"))
    uri = header(invite, "Contact").strip("<>")
    return "\r\n".join(
        [
            f"BYE {uri} SIP/2.0",
            f"Via: SIP/2.0/TCP {hop.shown}:{hop.port};branch=z9hG4bKbye{time.monotonic_ns()};rport",
            "Max-Forwards: 70",
            f"From: {header(answer, 'To')}",
            f"To: {header(invite, 'From')}",
            f"Call-ID: {header(invite, 'Call-ID')}",
            "CSeq: 1 BYE",
            "Content-Length: 0",
            "",
            "",
        ]
    )


def test_a_reset_in_the_middle_of_a_message_harms_nobody(ground: Ground) -> None:
    caller = ground.caller()
    message = caller.invite(CALLER_NUMBER, CALLEE).encode()
    before = ground.closed("lost")
    for at in (1, 20, 200, len(message) - 1):
        sock = ground.connect()
        sock.sendall(message[:at])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    wait_for(lambda: ground.closed("lost") >= before + 4, "four resets")
    caller.close()
    ground.lets_calls_pass()


def test_garbage_is_closed_and_what_can_be_read_of_it_answered(ground: Ground) -> None:
    before = ground.closed("unframed")
    caller = ground.caller()
    lines = caller.invite(CALLER_NUMBER, CALLEE).split("\r\n")
    without_length = "\r\n".join(line for line in lines if not line.startswith("Content-Length")).encode()
    too_large = "\r\n".join(line.replace("Content-Length: ", "Content-Length: 9999") for line in lines).encode()
    garbage = {
        b"\x00\x01\x02\x03": b"",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": b"",
        without_length: b"SIP/2.0 400 Bad Request - Content-Length is missing",
        too_large: b"SIP/2.0 513 Message Too Large",
    }
    for octets, answer in garbage.items():
        with ground.connect() as sock:
            sock.sendall(octets)
            assert answer_of(sock).startswith(answer)
    with ground.connect() as sock:
        with suppress(ConnectionError):
            sock.sendall(b"INVITE " + b"x" * 200_000)
        answer_of(sock)
    wait_for(lambda: ground.closed("unframed") == before + 5, "five of them")
    caller.close()
    ground.lets_calls_pass()


def test_a_malformed_message_is_answered_and_its_connection_goes_on(ground: Ground) -> None:
    caller = ground.caller()
    broken = caller.invite(CALLER_NUMBER, CALLEE).replace("CSeq: 1", "CSeq: x")
    assert caller.ask(broken).startswith("SIP/2.0 400 ")
    outcome = caller.call(caller.invite(CALLER_NUMBER, CALLEE))
    assert (outcome.status, outcome.bye_status) == (200, 200)
    caller.close()


def test_slow_senders_are_closed_while_calls_go_on(ground: Ground) -> None:
    before = ground.closed("slow_message")
    with ExitStack() as stack:
        slow = [stack.enter_context(ground.connect()) for _ in range(50)]
        end = time.monotonic() + 1.5
        octets = iter(b"OPTIONS sip:a@b SIP/2.0\r\nX: " + b"x" * 1000)
        while time.monotonic() < end:
            octet = bytes((next(octets),))
            for sock in slow:
                with suppress(OSError):
                    sock.sendall(octet)
            ground.lets_calls_pass()
        wait_for(lambda: ground.closed("slow_message") == before + 50, "all of them are closed")


def test_a_peer_that_accepts_and_never_answers_is_passed_over(ground: Ground) -> None:
    """Over TCP by try_timeout, over TLS by the deadline of the connection; the next peer takes the call."""
    for source, hop in (("silent-tcp", "tcp"), ("silent-tls", "tls")):
        caller = ground.caller(source)
        outcome = caller.call(caller.invite(CALLER_NUMBER, CALLEE), wait_s=8)
        assert outcome.status == 200, source
        assert ground.hops[hop].invites
        caller.close()


def test_handshakes_that_do_not_end_are_cut_off(ground: Ground) -> None:
    before = ground.product.metric("sipguard_connections_failed_total", step="handshake")
    refused = ground.product.metric("sipguard_connections_refused_total", why="unverified")
    with ExitStack() as stack:
        for n in range(8):
            sock = stack.enter_context(ground.connect("outer-tls", SOURCES["tls"]))
            with suppress(OSError):
                sock.sendall(b"\x16\x03\x01\x02"[:n])
        wait_for(
            lambda: ground.product.metric("sipguard_connections_failed_total", step="handshake") >= before + 5,
            "the handshakes are over",
        )
    wait_for(
        lambda: ground.product.metric("sipguard_connections_refused_total", why="unverified") == refused + 3,
        "three were too many",
    )
    caller = ground.caller("tls", "a")
    assert caller.call(caller.invite(CALLER_NUMBER, CALLEE)).status == 200
    caller.close()


@pytest.mark.load
def test_ten_thousand_open_connections_cost_no_call(ground: Ground) -> None:
    """As many as the limit on descriptors allows, here and there; those above the cap wait in the kernel."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    many = min(MANY, hard - SPARE)
    if many < 2_000:
        pytest.skip(f"the limit on descriptors is {hard}")
    opened: list[socket.socket] = []
    try:
        for n in range(many):
            opened.append(ground.connect(host=SOURCES["tcp"]))
            if n % 1000 == 999:
                ground.lets_calls_pass()
        wait_for(
            lambda: ground.product.metric("sipguard_connections_open", transport="tcp") >= many - 100, "they are open"
        )
        ground.lets_calls_pass()
        for sock in opened[:: many // 100]:
            sock.sendall(b"\r\n\r\n")
            assert sock.recv(10) == b"\r\n"
    finally:
        for sock in opened:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for(lambda: ground.product.metric("sipguard_connections_open", transport="tcp") < 100, "they are gone", 20)
    ground.lets_calls_pass()
    assert ground.product.metric("sipguard_troubles_total") == 0


def test_a_certificate_is_replaced_without_a_restart(ground: Ground) -> None:
    def serial() -> str:
        tls = context(ground.directory, "a", server=False)
        with tls.wrap_socket(ground.connect("outer-tls"), server_hostname="edge.example") as sock:
            return str((sock.getpeercert() or {})["serialNumber"])

    before = serial()
    caller = ground.caller()
    invite = caller.invite(CALLER_NUMBER, CALLEE)
    outcome = caller.call(invite, hang_up=False)
    pki = Pki("Example Transport ROOT")
    for name, hosts in (("edge", (OUTER, INNER, "edge.example")), ("a", ("a.example",)), ("b", ("b.example",))):
        pki.write_tls(ground.directory, name, hosts)
    assert ground.product.command("reload").returncode == 0
    assert serial() != before
    assert caller.bye(invite, outcome.final) == 200, "a call that was up has gone on"
    caller.close()


def test_a_connection_whose_far_end_has_forgotten_it_is_found(ground: Ground) -> None:
    """Half-open (RFC 9293 §3.5.1): the far end is gone without a word, as after a restart; nobody sends anything."""
    sock = ground.connect()
    lost = ground.closed("lost")
    try:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        pytest.skip("only root can make a socket forget its connection")
    sock.close()
    wait_for(lambda: ground.closed("lost") > lost, "the kernel's question after 1 s of silence")
