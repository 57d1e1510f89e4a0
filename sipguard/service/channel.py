"""Messages between the processes of one sipguard, over an inherited socket pair.

Enters: Python values. Leaves: the same at the other end, in order. Must not: be reachable from outside: the values
are pickled, so both ends must be ours; the socket has no name in the file system.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from typing import Any, Final

_LENGTH: Final = struct.Struct("!I")


class Channel:
    """One end of a pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sock: socket.socket) -> Channel:
        """The channel over `sock`, a connected stream socket."""
        reader, writer = await asyncio.open_connection(sock=sock, limit=2**20)
        return cls(reader, writer)

    def send(self, *message: object) -> None:
        """Queues a message; a broken pair shows at `receive`."""
        octets = pickle.dumps(message, protocol=5)
        self._writer.write(_LENGTH.pack(len(octets)) + octets)

    @property
    def unsent(self) -> int:
        """Octets that were queued and that the other end has not read yet, as far as they wait in this process."""
        return self._writer.transport.get_write_buffer_size()

    async def receive(self) -> tuple[Any, ...] | None:
        """The next message, None where the other end is gone."""
        octets = await self.receive_octets()
        return self.read(octets) if octets is not None else None

    async def receive_octets(self) -> bytes | None:
        """The octets of the next message, for `read`; None where the other end is gone."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(4))
            return await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    @staticmethod
    def read(octets: bytes) -> tuple[Any, ...]:
        """The message that octets are."""
        message: tuple[Any, ...] = pickle.loads(octets)
        return message

    async def flush(self) -> None:
        """Waits until what was sent has left, or the other end is gone."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    def close(self) -> None:
        """Closes this end."""
        self._writer.close()
