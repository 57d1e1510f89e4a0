"""UDP sockets: opened with what a SIP port needs, drained in one go.

Enters: addresses. Leaves: non-blocking sockets, datagrams with their flows. Must not: look into a datagram.
"""

from __future__ import annotations

import socket
from array import array
from fcntl import ioctl
from termios import FIONREAD
from typing import Final

from sipguard.net.errors import CannotListen
from sipguard.screening.trunk import Listener
from sipguard.sip.flow import Address, Flow

BUFFER: Final = 8 * 1024 * 1024  # the kernel cuts it to net.core.rmem_max, unless we may administer the network
SO_SNDBUFFORCE: Final = 32  # Linux socket(7); not named by the socket module
SO_RCVBUFFORCE: Final = 33
LARGEST: Final = 65535
FLOWS_KEPT: Final = 10_000


def open_socket(listener: Listener) -> socket.socket:
    """A bound, non-blocking socket for a listener. Raises CannotListen with what to do."""
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for option, forced in ((socket.SO_RCVBUF, SO_RCVBUFFORCE), (socket.SO_SNDBUF, SO_SNDBUFFORCE)):
            try:
                sock.setsockopt(socket.SOL_SOCKET, forced, BUFFER)
            except PermissionError:
                sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        if listener.dscp:
            set_class(sock, listener.dscp)
        sock.bind((listener.host, listener.port))
    except OSError as error:
        sock.close()
        raise CannotListen(listener.name, listener.host, listener.port, error) from error
    sock.setblocking(False)
    return sock


def local_host(remote: Address) -> str:
    """The address of this machine that datagrams to `remote` leave by; the unspecified one where none does."""
    family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(remote)  # sends nothing
        except OSError:
            return "::" if family == socket.AF_INET6 else "0.0.0.0"
        return str(sock.getsockname()[0])


def set_class(sock: socket.socket, dscp: int) -> None:
    """Marks the packets of a socket (RFC 2474)."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)


class Port:
    """A listener's socket on the loop, with the flows of those who were heard lately."""

    __slots__ = ("_descriptor", "_flows", "_next_length", "_view", "buffer", "listener", "sock")

    def __init__(self, listener: str, sock: socket.socket) -> None:
        self.listener = listener
        self.sock = sock
        self._descriptor = sock.fileno()
        self._next_length = array("i", (0,))
        self.buffer = bytearray(LARGEST)
        self._view = memoryview(self.buffer)
        self._flows: dict[tuple[str, int], Flow] = {}

    def is_empty(self) -> bool:
        """Whether no datagram waits; costs less than a `receive` that finds none, which must raise."""
        ioctl(self._descriptor, FIONREAD, self._next_length)
        return self._next_length[0] == 0

    def receive(self) -> tuple[Flow, bytes] | None:
        """The next datagram, None where the socket is empty. Raises OSError for what the network reports."""
        try:
            length, remote = self.sock.recvfrom_into(self.buffer, LARGEST)
        except BlockingIOError:
            return None
        flow = self._flows.get(remote)
        if flow is None:
            if len(self._flows) >= FLOWS_KEPT:
                self._flows.clear()
            flow = self._flows[remote] = Flow(0, "udp", self.listener, (remote[0], remote[1]))
        return flow, bytes(self._view[:length])
