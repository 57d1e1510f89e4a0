"""Where octets come from and where they go: Flow, and Send, the one command of this room.

Enters: nothing, these are values. Leaves: the same. Must not: open or own a socket.
"""

from __future__ import annotations

Address = tuple[str, int]  # IP literal without brackets, port


class Flow:
    """A way that a message came: the local socket by its listener's name, and the remote address.

    `id` is 0 for datagrams; a stream has its own, and the names its certificate was verified for.
    """

    __slots__ = ("id", "listener", "remote", "tls_names", "transport")

    def __init__(
        self, id: int, transport: str, listener: str, remote: Address, tls_names: tuple[str, ...] = ()
    ) -> None:
        self.id = id
        self.transport = transport
        self.listener = listener
        self.remote = remote
        self.tls_names = tls_names


class Send:
    """Octets to leave from `listener` for `address`; `send_id` comes back if that fails, "" for responses."""

    __slots__ = ("address", "listener", "octets", "send_id")

    def __init__(self, listener: str, address: Address, octets: bytes, send_id: str = "") -> None:
        self.listener = listener
        self.address = address
        self.octets = octets
        self.send_id = send_id

    def __repr__(self) -> str:
        first = self.octets.partition(b"\r")[0].decode("latin-1")
        return f"Send({self.listener} -> {self.address}: {first})"
