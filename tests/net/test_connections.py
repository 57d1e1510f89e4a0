"""Connections over real sockets, on the event loop of the worker: who gets in, what comes and leaves, when one ends."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sipguard.net import connections as module
from sipguard.net.connections import Connections
from sipguard.net.counts import NAMES
from sipguard.net.stream import open_listening
from sipguard.net.tls import names_of, server_name
from sipguard.screening.trunk import Connections as Bounds
from sipguard.screening.trunk import Listener, Tls
from sipguard.sip.flow import Address, Flow, Send
from sipguard.sip.framing import PING, Framer
from tests.pki import Pki

HOST = "127.0.0.1"
OPTIONS = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
OK = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
FAR = 1e9  # later than every deadline


class Shell:
    """A driver that notes what it is told."""

    def __init__(self, how: str = "address", names: tuple[str, ...] = ()) -> None:
        self.how, self.names = how, names
        self.came: asyncio.Queue[tuple[Flow, list[bytes], str]] = asyncio.Queue()
        self.gone: list[tuple[Address, bool]] = []
        self.unsent: list[str] = []
        self.broken: list[str] = []
        self.turned_away: list[tuple[str, str]] = []
        self.reply: Callable[[Flow], None] | None = None

    def admits(self, flow: Flow) -> str:
        return self.how

    def knows(self, flow: Flow) -> bool:
        return self.how == "address" or any(name in self.names for name in flow.tls_names)

    def refused(self, flow: Flow, why: str, detail: str) -> None:
        self.turned_away.append((why, detail))

    def heard(self, flow: Flow, messages: list[bytes], framer: Framer) -> None:
        self.came.put_nowait((flow, messages, framer.broken.what if framer.broken is not None else ""))
        if self.reply is not None:
            self.reply(flow)

    def lost(self, flow: Flow, stood: bool) -> None:
        self.gone.append((flow.remote, stood))

    def failed(self, send_id: str) -> None:
        self.unsent.append(send_id)

    def safely(self, work: Callable[..., object], *of: object) -> bool:
        try:
            work(*of)
        except ZeroDivisionError as error:
            self.broken.append(str(error))
            return False
        return True


class Ground:
    """Connections with one listener at a free port."""

    def __init__(self, shell: Shell, tls: Tls | None = None, dscp: int = 0, **bounds: Any) -> None:
        transport = "tls" if tls is not None else "tcp"
        self.shell = shell
        self.listener = Listener(transport, HOST, 0, transport, dscp=dscp, tls=tls, connections=Bounds(**bounds))
        self.sock = open_listening(self.listener)
        self.port = int(self.sock.getsockname()[1])
        self.connections = Connections({transport: self.listener}, {transport: self.sock})
        self.connections.begin(shell)

    def flow(self, port: int, names: tuple[str, ...] = ()) -> Flow:
        """A flow to wherever a connection to this port leads."""
        return Flow(0, self.listener.transport, self.listener.name, (HOST, port), names)

    def send(self, flow: Flow, octets: bytes, send_id: str = "") -> bool:
        """Sends and writes."""
        sent = self.connections.send(Send(flow, octets, send_id))
        self.connections.flush()
        return sent

    def counts(self) -> dict[str, int]:
        """Those that are not 0."""
        return {name: count for name, count in self.connections.counts.items() if count}

    async def until(self, **counts: int) -> None:
        """Waits for counts."""
        await until(lambda: all(self.connections.counts[name] == count for name, count in counts.items()))

    def close(self) -> None:
        """Ends everything."""
        self.connections.close()
        self.sock.close()


async def until(there: Callable[[], bool]) -> None:
    """Lets the loop run until something is so."""
    for _ in range(10_000):
        if there():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came")


def on_loop(test: Callable[[], Awaitable[None]]) -> None:
    """Runs it on the loop that the worker has."""

    async def limited() -> None:
        async with asyncio.timeout(30):
            await test()

    uvloop.run(limited())


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends; a reset is an end."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def test_messages_come_and_leave() -> None:
    async def run() -> None:
        ground = Ground(Shell(), dscp=24)
        reader, writer = await asyncio.open_connection(HOST, ground.port)
        writer.write(OPTIONS + OPTIONS[:20])
        flow, messages, _ = await ground.shell.came.get()
        assert (flow.id > 0, flow.transport, flow.listener, messages) == (True, "tcp", "tcp", [OPTIONS])
        assert flow.remote == writer.get_extra_info("sockname")
        writer.write(OPTIONS[20:])
        assert (await ground.shell.came.get())[1] == [OPTIONS]
        assert ground.send(flow, OK)
        assert await reader.readexactly(len(OK)) == OK
        (connection,) = ground.connections._by_id.values()
        option = connection.sock.getsockopt
        assert option(socket.IPPROTO_IP, socket.IP_TOS) >> 2 == 24
        assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert option(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert ground.counts() == {"open_tcp": 1, "accepted": 1}
        writer.close()
        await ground.until(closed_peer=1, open_tcp=0)
        assert not ground.send(flow, OK, "late"), "its connection is gone"
        assert ground.shell.gone == [], "nothing was asked by it"
        ground.close()

    on_loop(run)


@pytest.mark.parametrize("octets", [b"", OPTIONS[:9], OPTIONS])
def test_a_reset_is_seen_although_octets_came_before_it(octets: bytes) -> None:
    """The loop stops watching a descriptor with an error, and tells of it once (libuv `uv__poll_io`)."""

    async def run() -> None:
        ground = Ground(Shell())
        for _ in range(2):  # the second one may get the descriptor of the first
            with socket.create_connection((HOST, ground.port)) as sock:
                sock.sendall(octets)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await ground.until(accepted=2, closed_lost=2, open_tcp=0)
        assert ground.shell.came.qsize() in (0, 2 * (octets == OPTIONS))
        ground.close()

    on_loop(run)


def test_keep_alives_are_answered() -> None:
    """RFC 5626 §4.4.1: CRLF for CRLF CRLF, between messages; the engine does not hear of it."""

    async def run() -> None:
        ground = Ground(Shell())
        reader, writer = await asyncio.open_connection(HOST, ground.port)
        writer.write(PING + PING + OPTIONS + PING)
        assert await reader.readexactly(6) == b"\r\n" * 3
        assert (await ground.shell.came.get())[1] == [OPTIONS]
        writer.close()
        ground.close()

    on_loop(run)


def test_strangers_are_cut_off() -> None:
    async def run() -> None:
        ground = Ground(Shell(how=""))
        reader, writer = await asyncio.open_connection(HOST, ground.port)
        assert await end_of(reader) == b""
        assert ground.counts() == {"refused_stranger": 1}
        assert ground.shell.turned_away == [("stranger", "")]
        writer.close()
        ground.close()

    on_loop(run)


def test_no_more_than_the_cap_are_accepted_until_one_ends() -> None:
    async def run() -> None:
        ground = Ground(Shell(), most=2)
        ends = [await asyncio.open_connection(HOST, ground.port) for _ in range(4)]
        for _, writer in ends:
            writer.write(OPTIONS)
        for _ in range(2):
            await ground.shell.came.get()
        assert ground.connections.counts["accepted"] == 2
        ends[0][1].close()
        assert (await ground.shell.came.get())[1] == [OPTIONS], "one more was let in"
        for _, writer in ends[1:]:
            writer.close()
        await ground.until(accepted=4, open_tcp=0)
        ground.close()

    on_loop(run)


def test_without_descriptors_accepting_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)

    class Short:
        """A listening socket for which there is no descriptor the first time."""

        def __init__(self, sock: socket.socket) -> None:
            self._sock, self.refused = sock, 0

        def fileno(self) -> int:
            return self._sock.fileno()

        def accept(self) -> Any:
            if not self.refused:
                self.refused += 1
                raise OSError(errno.EMFILE, "Too many open files")
            return self._sock.accept()

    async def run() -> None:
        ground = Ground(Shell())
        short = Short(ground.sock)
        ground.connections._sockets["tcp"] = short  # type: ignore[assignment]
        _, writer = await asyncio.open_connection(HOST, ground.port)
        await ground.until(accepted=1)
        assert (short.refused, ground.connections.counts["refused_full"]) == (1, 1)
        writer.close()
        ground.close()

    on_loop(run)


@pytest.mark.parametrize(
    ("octets", "why"),
    [(b"OPTIONS sip:a SIP/2.0\r\nContent-Le", "closed_slow_message"), (b"", "closed_idle"), (OPTIONS, "closed_idle")],
)
def test_who_is_slow_or_silent_is_closed(octets: bytes, why: str) -> None:
    async def run() -> None:
        ground = Ground(Shell(), message_s=10.0, idle_s=600.0)
        reader, writer = await asyncio.open_connection(HOST, ground.port)
        writer.write(octets + b"\r\n" * (not octets))
        await ground.until(accepted=1)
        now = asyncio.get_running_loop().time()
        (connection,) = ground.connections._by_id.values()
        await until(lambda: not octets or ground.shell.came.qsize() > 0 or connection.partial_at > 0.0)
        ground.connections.expire(now + 9.0)
        assert ground.connections.counts[why] == 0
        ground.connections.expire(now + (12.0 if why == "closed_slow_message" else 550.0))
        assert ground.connections.counts[why] == (why == "closed_slow_message")
        ground.connections.expire(now + 700.0)
        assert ground.connections.counts[why] == 1
        assert await end_of(reader) == b""
        writer.close()
        ground.close()

    on_loop(run)


def test_what_cannot_be_read_on_is_answered_and_closed() -> None:
    async def run() -> None:
        shell = Shell()
        ground = Ground(shell)
        shell.reply = lambda flow: ground.send(flow, OK) and None
        reader, writer = await asyncio.open_connection(HOST, ground.port)
        writer.write(b"OPTIONS sip:a SIP/2.0\r\nTo: b\r\n\r\nwhat follows is not read" * 1000)
        assert (await shell.came.get())[2] == "Content-Length is missing"
        assert await reader.readexactly(len(OK)) == OK, "the answer arrives although more was on its way"
        assert await end_of(reader) == b""
        assert ground.connections.counts["closed_unframed"] == 1
        writer.close()
        await ground.until(open_tcp=0)
        ground.close()

    on_loop(run)


def test_who_does_not_read_is_closed_at_a_bound() -> None:
    async def run() -> None:
        shell = Shell()
        ground = Ground(shell, unread=200_000)
        _, writer = await asyncio.open_connection(HOST, ground.port)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(OPTIONS)
        flow, _, _ = await shell.came.get()
        octets = b"SIP/2.0 200 OK\r\n" + b"x" * 50_000
        sent = 0
        while ground.send(flow, octets, f"r{sent}"):
            sent += 1
            assert sent < 1000, "it takes more than the kernel has room for"
        assert ground.counts() == {"accepted": 1, "closed_slow_reader": 1}
        assert f"r{sent - 1}" in shell.unsent
        writer.close()
        ground.close()

    on_loop(run)


# ------------------------------------------------------------------ connections that we make


async def serve(heard: list[bytes], tls: ssl.SSLContext | None = None) -> asyncio.Server:
    """A peer that notes what comes, and answers 200."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while octets := await reader.read(65536):
                heard.append(octets)
                writer.write(OK)
        except OSError:
            pass
        writer.close()

    return await asyncio.start_server(one, HOST, 0, ssl=tls)


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def test_a_connection_is_made_once_and_used_again() -> None:
    async def run() -> None:
        ground, heard = Ground(Shell()), []
        server = await serve(heard)
        flow = ground.flow(port_of(server))
        assert ground.send(flow, OPTIONS, "1") and ground.send(flow, OPTIONS, "2")
        came, messages, _ = await ground.shell.came.get()
        assert messages == [OK] and heard == [OPTIONS * 2], "what waited for it left together"
        assert came.id and ground.send(came, OPTIONS, "3") and ground.send(flow, OPTIONS, "4")
        await ground.shell.came.get()
        assert ground.counts() == {"open_tcp": 1, "made": 1}
        server.close()
        (connection,) = ground.connections._by_id.values()
        assert connection.sock.getsockname()[0] == HOST
        ground.connections.expire(FAR)
        assert ground.shell.gone == [(flow.remote, True)], "requests had left by it"
        ground.close()

    on_loop(run)


def test_a_peer_that_is_not_there_is_heard_of(unused_tcp_port: int) -> None:
    async def run() -> None:
        ground = Ground(Shell())
        flow = ground.flow(unused_tcp_port)
        if ground.send(flow, OPTIONS, "1"):  # the kernel may know at once
            await ground.until(failed_connect=1)
            assert ground.shell.gone == [(flow.remote, False)]
        assert ground.counts()["failed_connect"] == 1
        assert not ground.send(replaced_listener(flow), OPTIONS), "nobody leaves by a listener that is not there"
        ground.close()

    on_loop(run)


def replaced_listener(flow: Flow) -> Flow:
    return Flow(0, flow.transport, "nowhere", flow.remote)


def test_an_offered_connection_is_used_for_requests(unused_tcp_port: int) -> None:
    """RFC 5923: without it the request would need a connection of its own."""

    async def run() -> None:
        shell = Shell()
        ground = Ground(shell)
        reader, writer = await asyncio.open_connection(HOST, ground.port)
        writer.write(OPTIONS)
        flow, _, _ = await shell.came.get()
        ground.connections.reuse(flow, (HOST, unused_tcp_port))
        ground.connections.reuse(flow, (HOST, unused_tcp_port))
        assert ground.send(ground.flow(unused_tcp_port), OPTIONS, "1")
        assert await reader.readexactly(len(OPTIONS)) == OPTIONS
        writer.close()
        await ground.until(closed_peer=1)
        assert {remote for remote, _ in shell.gone} == {(HOST, unused_tcp_port), flow.remote}
        assert ground.connections._ways == {}
        ground.close()

    on_loop(run)


def test_offers_of_one_connection_are_bounded() -> None:
    """Each would be looked at for every message, and told of when the connection is gone."""

    async def run() -> None:
        shell = Shell()
        ground = Ground(shell)
        _, writer = await asyncio.open_connection(HOST, ground.port)
        writer.write(OPTIONS)
        flow, _, _ = await shell.came.get()
        for port in range(1024, 65536):
            ground.connections.reuse(flow, (HOST, port))
        assert len(ground.connections._ways) == module.MOST_WAYS
        writer.close()
        await ground.until(closed_peer=1)
        ground.close()

    on_loop(run)


# ------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """edge (ours), a and b (theirs), and rogue, which another authority has issued."""
    directory = tmp_path_factory.mktemp("tls")
    Pki("Other").write_tls(directory, "rogue", ["a.example"])
    pki = Pki()
    for name, hosts in (("edge", ["edge.example", HOST]), ("a", ["sip:a.example"]), ("b", ["B.example"])):
        pki.write_tls(directory, name, hosts)
    return directory


def edge(files: Path, clients: str = "asked") -> Tls:
    return Tls(str(files / "edge.pem"), str(files / "edge.key"), str(files / "ca.pem"), clients)


def context(files: Path, name: str, *, server: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(files / "ca.pem")
    if name:
        made.load_cert_chain(files / f"{name}.pem", files / f"{name}.key")
    return made


async def connect(ground: Ground, files: Path, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    tls = context(files, name)
    return await asyncio.open_connection(HOST, ground.port, ssl=tls, server_hostname="edge.example")


def test_a_name_that_is_shown_lets_in(files: Path) -> None:
    async def run() -> None:
        shell = Shell("certificate", ("a.example",))
        ground = Ground(shell, edge(files), unverified=1)
        for _ in range(3):  # each leaves the count of those who have shown nothing
            reader, writer = await connect(ground, files, "a")
            writer.write(OPTIONS)
            flow, messages, _ = await shell.came.get()
            assert (flow.tls_names, messages) == (("a.example",), [OPTIONS])
            assert ground.send(flow, OK)
            assert await reader.readexactly(len(OK)) == OK
        assert ground.counts() == {"open_tls": 3, "accepted": 3}
        assert ground.connections._unverified == {}
        ground.close()

    on_loop(run)


@pytest.mark.parametrize(
    ("name", "clients", "why", "told"),
    [
        ("b", "asked", "refused_name", ("name", "b.example")),
        ("", "asked", "refused_no_certificate", ("no_certificate", "")),
        ("", "required", "failed_handshake", ("handshake", "PEER_DID_NOT_RETURN_A_CERTIFICATE")),
        ("rogue", "asked", "failed_handshake", ("handshake", "CERTIFICATE_VERIFY_FAILED")),
        ("a", "ignored", "refused_no_certificate", ("no_certificate", "")),
    ],
)
def test_another_name_or_none_does_not(files: Path, name: str, clients: str, why: str, told: tuple[str, str]) -> None:
    async def run() -> None:
        ground = Ground(Shell("certificate", ("a.example",)), edge(files, clients))
        try:
            reader, writer = await connect(ground, files, name)
            writer.write(OPTIONS)
            assert await end_of(reader) == b""
            writer.close()
        except (OSError, ssl.SSLError):
            pass  # the handshake ended it
        await ground.until(**{why: 1, "open_tls": 0})
        assert ground.shell.came.empty()
        assert ground.shell.turned_away == [told]
        ground.close()

    on_loop(run)


def test_a_handshake_that_does_not_end_is_cut_off(files: Path) -> None:
    async def run() -> None:
        ground = Ground(Shell("certificate"), edge(files), unverified=1)
        reader, writer = await asyncio.open_connection(HOST, ground.port)
        await ground.until(accepted=1)
        second, _ = await asyncio.open_connection(HOST, ground.port)
        assert await end_of(second) == b"", "one at a time from one address, until it has shown who it is"
        writer.write(b"\x16\x03\x01\x02")
        ground.connections.expire(FAR)
        assert await end_of(reader) == b""
        assert ground.counts() == {"accepted": 1, "refused_unverified": 1, "failed_handshake": 1}
        assert ground.connections._unverified == {}
        ground.close()

    on_loop(run)


@pytest.mark.parametrize(
    ("names", "fits"),
    [(("b.example",), True), (("x.example", "b.example"), True), (("x.example",), False), ((), False)],
)
def test_the_certificate_of_a_peer_must_have_its_name(files: Path, names: tuple[str, ...], fits: bool) -> None:
    async def run() -> None:
        ground, heard, asked = Ground(Shell(), edge(files)), [], []
        tls = context(files, "b", server=True)
        tls.verify_mode = ssl.CERT_REQUIRED  # ours is shown to those we connect to
        tls.sni_callback = lambda _, name, __: asked.append(name)
        server = await serve(heard, tls)
        flow = ground.flow(port_of(server), names)
        assert ground.send(flow, OPTIONS, "1")
        if fits:
            came, messages, _ = await ground.shell.came.get()
            assert (came.tls_names, messages, heard) == (("b.example",), [OK], [OPTIONS])
        else:
            await ground.until(failed_handshake=1)
            assert (ground.shell.gone, heard) == ([(flow.remote, False)], [])
        assert asked == [names[0] if names else None]
        server.close()
        ground.close()

    on_loop(run)


def test_a_peer_that_never_shakes_hands_is_given_up(files: Path) -> None:
    async def run() -> None:
        ground = Ground(Shell(), edge(files))
        with socket.create_server((HOST, 0)) as mute:
            flow = ground.flow(int(mute.getsockname()[1]))
            assert ground.send(flow, OPTIONS, "1")
            await ground.until(made=1)
            ground.connections.expire(FAR)
        assert ground.shell.gone == [(flow.remote, False)]
        assert ground.counts()["made"] == 1 and not ground.connections._by_id
        ground.close()

    on_loop(run)


def test_certificates_are_read_anew(files: Path, tmp_path: Path) -> None:
    """Those who connect after a reload see the new one; a connection that stands goes on."""

    async def run() -> None:
        pki = Pki()
        pki.write_tls(tmp_path, "edge", ["edge.example"])
        ground = Ground(Shell(), edge(tmp_path))
        reader, writer = await connect(ground, tmp_path, "")
        before = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        pki.write_tls(tmp_path, "edge", ["edge.example"])
        ground.connections.use({"tls": replace(ground.listener, tls=edge(tmp_path))})
        _, later = await connect(ground, tmp_path, "")
        assert later.get_extra_info("ssl_object").getpeercert()["serialNumber"] != before
        writer.write(OPTIONS)
        flow, _, _ = await ground.shell.came.get()
        assert ground.send(flow, OK)
        assert await reader.readexactly(len(OK)) == OK
        (tmp_path / "edge.pem").write_bytes(b"")
        with pytest.raises(OSError):
            ground.connections.use({"tls": ground.listener})
        ground.close()

    on_loop(run)


def test_a_listener_without_a_certificate_is_mute_and_never_plain(files: Path, tmp_path: Path) -> None:
    """Its files may be gone when the worker is started again: the other listeners serve on."""

    async def run() -> None:
        Pki().write_tls(tmp_path, "edge", ["edge.example"])
        tls = edge(tmp_path)
        (tmp_path / "edge.key").unlink()
        ground, heard = Ground(Shell(), tls), []
        assert len(ground.connections.unusable) == 1 and "edge.key" in ground.connections.unusable[0]
        reader, writer = await asyncio.open_connection(HOST, ground.port)
        writer.write(OPTIONS)
        assert await end_of(reader) == b""
        server = await serve(heard)
        assert not ground.send(ground.flow(port_of(server)), OPTIONS, "1")
        assert (heard, ground.shell.came.qsize()) == ([], 0)
        ground.connections.use({"tls": replace(ground.listener, tls=edge(files))})
        reader, writer = await connect(ground, files, "a")
        writer.write(OPTIONS)
        assert (await ground.shell.came.get())[1] == [OPTIONS]
        server.close()
        ground.close()

    on_loop(run)


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        (None, ()),
        ({"subjectAltName": (("DNS", "A.example"), ("DNS", "a.example"))}, ("a.example",)),
        ({"subjectAltName": (("URI", "sip:A.example"), ("URI", "sip:u@b.example"))}, ("a.example",)),
        ({"subjectAltName": (("URI", "https://a.example"), ("IP Address", "2001:DB8:0:0:0:0:0:1"))}, ("2001:db8::1",)),
        ({"subject": ((("commonName", "C.example"),),)}, ("c.example",)),
        ({"subject": ((("commonName", "c.example"),),), "subjectAltName": (("DNS", "d.example"),)}, ("d.example",)),
    ],
)
def test_names_of_a_certificate(certificate: dict[str, Any] | None, names: tuple[str, ...]) -> None:
    """RFC 5922 §7.1."""
    assert names_of(certificate) == names


def test_far_deadlines_share_their_ticks() -> None:
    async def run() -> None:
        ground = Ground(Shell())
        ends = [await asyncio.open_connection(HOST, ground.port) for _ in range(50)]
        await ground.until(accepted=50)
        began_at = min(each.opened_at for each in ground.connections._by_id.values())
        seconds = asyncio.get_running_loop().time() - began_at
        assert len({each.due for each in ground.connections._by_id.values()}) <= seconds + 2
        for _, writer in ends:
            writer.close()
        ground.close()

    on_loop(run)


def test_a_loop_that_is_late_twice_in_a_row_is_overloaded() -> None:
    """Once may be somebody else who had the processor."""

    async def run() -> None:
        ground = Ground(Shell())
        ground.connections._tick_due = asyncio.get_running_loop().time() - 0.5
        ground.connections._tick()
        assert ground.connections.lag_s == 0.0
        ground.connections._tick_due = asyncio.get_running_loop().time() - 0.3
        ground.connections._late_s = 0.5
        _, writer = await asyncio.open_connection(HOST, ground.port)
        await ground.until(accepted=1)
        ground.connections._tick_due = asyncio.get_running_loop().time() - 0.3
        ground.connections._late_s = 0.5
        ground.connections._tick()
        assert 0.299 <= ground.connections.lag_s <= 0.5  # a sum of floats
        writer.close()
        ground.close()

    on_loop(run)


# ------------------------------------------------------------------ what is left


def test_nothing_is_left_for_the_collector(files: Path, unused_tcp_port: int) -> None:
    """The worker runs without it: what a connection held must go when it ends, however it ends."""

    async def run() -> None:
        for tls in (None, edge(files)):
            shell, heard = Shell(), []
            ground = Ground(shell, tls)
            server = await serve(heard, context(files, "b", server=True) if tls else None)
            for end in ("ours", "theirs", "unframed"):
                reader, writer = await (
                    connect(ground, files, "a") if tls else asyncio.open_connection(HOST, ground.port)
                )
                writer.write(b"\x00" if end == "unframed" else OPTIONS)
                flow, _, _ = await shell.came.get()
                ground.send(flow, OK)
                if end == "theirs":
                    writer.close()
                elif end == "ours":
                    ground.connections.expire(FAR)
                await end_of(reader)
                writer.close()
            ground.send(ground.flow(port_of(server), ("b.example",)), OPTIONS)
            await shell.came.get()
            ground.send(ground.flow(port_of(server), ("x.example",)), OPTIONS)
            ground.send(ground.flow(unused_tcp_port), OPTIONS)
            if tls:
                await ground.until(failed_handshake=1)
            await ground.until(failed_connect=1)
            ground.connections.expire(FAR)
            ground.close()
            server.close()
            await server.wait_closed()

    gc.collect()
    gc.disable()
    try:
        on_loop(run)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        ours = [type(each).__name__ for each in gc.garbage if type(each).__module__.startswith("sipguard.net.stream")]
        ours += [type(each).__name__ for each in gc.garbage if isinstance(each, Flow | Send | Framer)]
        plain = [each for each in gc.garbage if type(each) is ssl.SSLSocket or type(each) is socket.socket]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert (ours, plain) == ([], [])


def test_every_count_has_a_name() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("sbc.example.com", "sbc.example.com"),
        ("3pcc.example.com", "3pcc.example.com"),
        ("192.0.2.5", None),
        ("2001:db8::5", None),
    ],
)
def test_a_name_is_asked_for_by_sni_and_an_address_is_not(name: str, asked: str | None) -> None:
    assert server_name(name) == asked
