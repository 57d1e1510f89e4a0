"""Where octets come from and where they go: Flow, and Send, the one command of this room.

Enters: nothing, these are values. Leaves: the same. Must not: open or own a socket.
"""

from __future__ import annotations

from typing import Final

Address = tuple[str, int]  # IP literal without brackets, port

UDP: Final = "udp"
TCP: Final = "tcp"
TLS: Final = "tls"


class Flow:
    """A way that messages come and go: the local socket by its listener's name, and the remote address.

    `id` is the number of a connection; 0 for datagrams, and for a stream to wherever a connection to `remote` leads:
    one that stands is used, otherwise one is made. `tls_names` are the names that the far end's certificate was
    verified for; where a connection is yet to be made, those of which it must have one.
    """

    __slots__ = ("id", "listener", "reliable", "remote", "tls_names", "transport")

    def __init__(
        self, id: int, transport: str, listener: str, remote: Address, tls_names: tuple[str, ...] = ()
    ) -> None:
        self.id = id
        self.transport = transport
        self.listener = listener
        self.remote = remote
        self.tls_names = tls_names
        self.reliable = transport != UDP

    def __repr__(self) -> str:
        return f"{self.transport} {self.listener} <-> {self.remote[0]}:{self.remote[1]}"


class Send:
    """Octets to leave by `flow`; `send_id` comes back if that fails, "" where nobody would listen."""

    __slots__ = ("flow", "octets", "send_id")

    def __init__(self, flow: Flow, octets: bytes, send_id: str = "") -> None:
        self.flow = flow
        self.octets = octets
        self.send_id = send_id

    def __repr__(self) -> str:
        first = self.octets.partition(b"\r")[0].decode("latin-1")
        return f"Send({self.flow}: {first})"
