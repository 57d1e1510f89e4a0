"""Stand-in caller and next hop over TCP and TLS: those of `standin` with other sockets beneath.

Messages are cut by Content-Length with str methods only, independent of sipguard's own framing.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from typing import Final

from tests.standin import Caller, Endpoint, NextHop, header

LONGEST_S: Final = 10.0


class StreamEndpoint(Endpoint):
    """Listens and connects; `server` and `client` are TLS contexts, None for TCP, `name` is asked for."""

    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | None = None
    name = ""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host)
        self.sock.close()
        self.sock = socket.create_server((self.host, port), family=self.sock.family, backlog=128)
        self.port = self.sock.getsockname()[1]
        self.transport = "TCP" if self.server is None and self.client is None else "TLS"
        self._ends: dict[tuple[str, int], socket.socket] = {}
        self._rest: dict[socket.socket, bytes] = {}
        self.connected = 0  # connections that came

    def connect(self, to: tuple[str, int]) -> socket.socket:
        """A connection of its own address to `to`, kept for later."""
        sock = socket.create_connection(to, LONGEST_S, source_address=(self.host, 0))
        if self.client is not None:
            sock = self.client.wrap_socket(sock, server_hostname=self.name or None)
        self._keep(to, sock)
        return sock

    def disconnect(self) -> None:
        """Closes all connections."""
        for sock in self._ends.values():
            sock.close()
        self._ends.clear()
        self._rest.clear()

    def send(self, message: str, to: tuple[str, int]) -> None:
        """Sends by the connection with `to`; connects where there is none."""
        self.sent.append(message)
        sock = self._ends.get(to) or self.connect(to)
        sock.settimeout(LONGEST_S)
        sock.sendall(message.encode("latin-1"))

    def receive(self, timeout_s: float) -> tuple[str, tuple[str, int]]:
        """The next message and who sent it. Raises TimeoutError."""
        end = time.monotonic() + timeout_s
        while True:
            for place, sock in list(self._ends.items()):
                message = self._cut(sock)
                if message:
                    self.got.append(message)
                    return message, place
            self._wait(end - time.monotonic())

    def _keep(self, place: tuple[str, int], sock: socket.socket) -> None:
        self._ends[place] = sock
        self._rest[sock] = b""

    def _wait(self, left_s: float) -> None:
        """Accepts and reads what is there."""
        if left_s <= 0:
            raise TimeoutError
        with selectors.PollSelector() as selector:  # select knows no descriptor above 1023
            for each in (self.sock, *self._ends.values()):
                selector.register(each, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(left_s)]
        for sock in ready:
            assert isinstance(sock, socket.socket)
            if sock is self.sock:
                accepted, place = sock.accept()
                accepted.settimeout(LONGEST_S)
                if self.server is not None:
                    accepted = self.server.wrap_socket(accepted, server_side=True)
                self.connected += 1
                self._keep(place[:2], accepted)
                continue
            try:
                octets = sock.recv(65536)
                while isinstance(sock, ssl.SSLSocket) and sock.pending():
                    octets += sock.recv(65536)
            except OSError:
                octets = b""
            if octets:
                self._rest[sock] += octets
            else:
                self._forget(sock)

    def _forget(self, gone: socket.socket) -> None:
        self._ends = {place: sock for place, sock in self._ends.items() if sock is not gone}
        del self._rest[gone]
        gone.close()

    def _cut(self, sock: socket.socket) -> str:
        """The first whole message that has come, "" for none."""
        head, found, rest = self._rest[sock].lstrip(b"\r\n").partition(b"\r\n\r\n")
        if not found:
            return ""
        text = head.decode("latin-1") + "\r\n\r\n"
        length = int(header(text, "Content-Length", "l") or 0)
        if len(rest) < length:
            return ""
        self._rest[sock] = rest[length:]
        return text + rest[:length].decode("latin-1")

    def close(self) -> None:
        """Closes everything."""
        self.disconnect()
        super().close()


class StreamCaller(Caller, StreamEndpoint):
    """Places calls by one connection; its Contact is where it listens."""

    def __init__(
        self,
        target: tuple[str, int],
        host: str = "127.0.0.1",
        client: ssl.SSLContext | None = None,
        server: ssl.SSLContext | None = None,
        name: str = "",
    ) -> None:
        self.client, self.server, self.name = client, server, name
        super().__init__(target, host)


class StreamHop(NextHop, StreamEndpoint):
    """Answers calls that come by connections."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, server: ssl.SSLContext | None = None) -> None:
        self.server = server
        super().__init__(host, port)
