"""Names of hosts that a fetch connects to: resolved once, and only to addresses that may be connected to.

Enters: host names. Leaves: addresses that were checked and are the ones connected to.
Must not: resolve twice; the address checked is the address used.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from sipguard.net.address import Networks, allowed
from sipguard.net.http import aiohttp

_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class AddressRefused(OSError):
    """Every address of a host is special-purpose."""


class CheckedResolver(aiohttp.abc.AbstractResolver):
    """Resolves by the system and leaves out what may not be connected to.

    `threads` says in which threads a name waits for its answer: whoever has slow name servers must not hold up others.
    """

    def __init__(self, allow: Networks, threads: Callable[[str], Executor | None] = lambda host: None) -> None:
        self._allow = allow
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[aiohttp.abc.ResolveResult]:
        """Addresses of `host` that are allowed. Raises AddressRefused where none is, OSError from DNS."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._threads(host), socket.getaddrinfo, host, port, family, socket.SOCK_STREAM
            )
        except UnicodeError:  # an empty label, or one above 63 octets: no name server is asked
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is no host name") from None
        results = [
            aiohttp.abc.ResolveResult(
                hostname=host, host=str(at[0]), port=port, family=kind, proto=proto, flags=int(_NUMERIC)
            )
            for kind, _, proto, _, at in found
            if allowed(str(at[0]), self._allow)
        ]
        if not results:
            raise AddressRefused(f"{host} has no public address")
        return results

    async def close(self) -> None:
        """Nothing is held."""
