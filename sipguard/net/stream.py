"""One connection, TCP or TLS, on a non-blocking socket: its handshake, what is read from it, what waits to be written.

Enters: readiness of its socket, octets to send. Leaves: messages, octets on the wire. Must not: know the event loop,
decide when it is over, or stand in a reference cycle: the worker runs without the collector. So these are plain
sockets and not the streams of asyncio, whose protocols and transports hold one another.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from typing import TYPE_CHECKING, Final

from sipguard.net.errors import CannotListen
from sipguard.net.tls import names_of
from sipguard.net.udp import set_class
from sipguard.screening.trunk import Listener
from sipguard.sip.flow import Address, Flow, Send
from sipguard.sip.framing import Framer

if TYPE_CHECKING:
    from sipguard.net.connections import Connections

BACKLOG: Final = 4096
CHUNK: Final = 64 * 1024
IP_BIND_ADDRESS_NO_PORT: Final = 24  # Linux ip(7): the port is chosen when it connects; not named by the socket module

# states of a connection
CONNECTING: Final = "connecting"
SHAKING: Final = "shaking"  # TLS handshake
OPEN: Final = "open"
CLOSING: Final = "closing"  # what waits is still written, nothing is read any more
CLOSED: Final = "closed"


def open_listening(listener: Listener) -> socket.socket:
    """A listening, non-blocking socket. Raises CannotListen with what to do."""
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        set_options(sock, listener)  # a connection that is accepted has those of this socket (Linux)
        sock.bind((listener.host, listener.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotListen(listener.name, listener.host, listener.port, error) from error
    sock.setblocking(False)
    return sock


def open_connecting(listener: Listener, remote: Address) -> socket.socket:
    """A socket on its way from a listener's address to `remote`. Raises OSError, also where it is refused at once."""
    sock = socket.socket(socket.AF_INET6 if ":" in remote[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        set_options(sock, listener)
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((listener.host, 0))
        try:
            sock.connect(remote)
        except BlockingIOError:
            pass
    except OSError:
        sock.close()
        raise
    return sock


def set_options(sock: socket.socket, listener: Listener) -> None:
    """Class of the packets, no delay, and after how much silence the kernel asks whether the far end is there."""
    if listener.dscp:
        set_class(sock, listener.dscp)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    silence_s = int(listener.connections.keepalive_s)
    if silence_s:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, silence_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, silence_s // 3))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2000 * silence_s)


class Connection:
    """One connection. Instants are monotonic seconds, 0.0 where the thing is not so."""

    __slots__ = (
        "admitted",  # whether its address alone lets it in
        "asked",  # requests of ours left by it
        "due",  # of the timer wheel
        "flow",
        "framer",
        "leaving",  # the messages that `sending` is made of
        "listener",
        "made",  # by us
        "opened_at",
        "owner",
        "partial_at",  # since when a message has begun that is not complete
        "queue",
        "queued",  # octets in it
        "quiet_at",  # when something came or left
        "sending",  # octets on their way: what is left of them
        "sock",
        "state",
        "tls",
        "wanted",  # names, one of which must stand in its certificate
        "watched",  # whether the loop waits until it can be written
        "ways",  # (listener, address) that requests of ours use it for
    )

    def __init__(self, owner: Connections, sock: socket.socket, flow: Flow, listener: Listener, now: float) -> None:
        self.owner = owner
        self.sock = sock
        self.tls: ssl.SSLSocket | None = None
        self.flow = flow
        self.listener = listener
        self.framer = Framer()
        self.state = OPEN
        self.made = self.asked = self.watched = False
        self.admitted = True
        self.opened_at = self.quiet_at = now
        self.partial_at = 0.0
        self.queue: deque[Send] = deque()
        self.queued = 0
        self.leaving: list[Send] = []
        self.sending: bytes | memoryview = b""
        self.wanted: tuple[str, ...] = ()
        self.ways: list[tuple[str, Address]] = []
        self.due = 0

    def wrap(self, context: ssl.SSLContext, name: str | None) -> None:
        """Begins TLS; `name` is the server's that is asked for where we connected. Raises OSError."""
        self.sock = self.tls = context.wrap_socket(
            self.sock, server_side=not self.made, do_handshake_on_connect=False, server_hostname=name
        )
        self.state = SHAKING

    def shake(self) -> bool | None:
        """Goes on with the handshake: True when it is done, else whether it waits to write (None) or to read (False).

        Raises OSError where it fails.
        """
        assert self.tls is not None
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            return None
        names = names_of(self.tls.getpeercert())
        if self.made and not any(name in names for name in self.wanted):
            raise ssl.SSLError(f"the certificate is for {', '.join(names)}")
        flow = self.flow
        self.flow = Flow(flow.id, flow.transport, flow.listener, flow.remote, names)
        self.state = OPEN
        return True

    def names_fit(self, flow: Flow) -> bool:
        """Whether requests that want this flow may use this connection."""
        if flow.transport != self.flow.transport:
            return False
        wanted = flow.tls_names or (flow.remote[0],)
        if self.tls is None or self.state == SHAKING:
            return not self.wanted or self.wanted == wanted
        return any(name in self.flow.tls_names for name in wanted)

    def read(self) -> bytes | None:
        """What has come, b"" at the end of the stream, None where nothing has. Raises OSError."""
        try:
            octets = self.sock.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        tls = self.tls
        if tls is not None and octets:
            while len(octets) < CHUNK and tls.pending():  # the kernel does not tell of what OpenSSL holds
                octets += tls.recv(CHUNK)
        return octets

    def has_failed(self) -> bool:
        """Whether it was reset behind what was read; the loop tells of that only once, with the last octets."""
        return self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def has_more(self) -> bool:
        """Whether OpenSSL holds octets that the kernel will not tell of."""
        return self.tls is not None and self.tls.pending() > 0

    def put(self, send: Send) -> bool:
        """Queues a message; False where too many octets wait for a far end that does not read."""
        self.queue.append(send)
        self.queued += len(send.octets)
        return self.queued + len(self.sending) <= self.listener.connections.unread

    def flush(self) -> bool:
        """Writes what the network takes now; True where nothing is left. Raises OSError."""
        while True:
            if not self.sending:
                self.leaving = list(self.queue)
                self.queue.clear()
                self.queued = 0
                if not self.leaving:
                    return True
                self.sending = b"".join([send.octets for send in self.leaving])
            try:
                sent = self.sock.send(self.sending)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            self.sending = memoryview(self.sending)[sent:]

    def unsent(self) -> list[Send]:
        """The messages that have not left wholly."""
        return [*self.leaving, *self.queue]

    def finish(self) -> None:
        """Tells the far end that nothing more comes; what it still sends is not read. Raises OSError."""
        if self.tls is not None:
            try:
                self.sock = self.tls.unwrap()
            except (ssl.SSLError, ValueError, OSError):
                pass
            else:
                self.tls = None
        self.sock.shutdown(socket.SHUT_WR)

    def expired(self, now: float) -> None:
        """A deadline may be over; its owner knows."""
        self.owner.late(self, now)
