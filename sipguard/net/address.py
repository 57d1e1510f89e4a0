"""Which addresses a fetch may connect to: none that lies inside, whatever name led there (RFC 6890).

Enters: host names and literals. Leaves: addresses that were checked and are the ones connected to.
Must not: resolve twice; the address checked is the address used.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

Networks = Sequence[IPv4Network | IPv6Network]
_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class AddressRefused(OSError):
    """Every address of a host is special-purpose."""


def allowed(address: str, allow: Networks) -> bool:
    """Whether this IP literal is on the public Internet, or inside a network that was allowed by hand.

    Addresses of IPv6 that carry one of IPv4 (mapped, 6to4, Teredo) are never public. ValueError: no literal.
    """
    ip = ip_address(address.partition("%")[0])
    if any(ip in network for network in allow):
        return True
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None or ip.sixtofour is not None or ip.teredo is not None:
            return False
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def refused_literal(host: str, allow: Networks) -> bool:
    """Whether `host` is an IP literal that may not be connected to; a name is not refused here."""
    try:
        return not allowed(host, allow)
    except ValueError:
        return False


class CheckedResolver(AbstractResolver):
    """Resolves by the system and leaves out what may not be connected to."""

    def __init__(self, allow: Networks) -> None:
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of `host` that are allowed. Raises AddressRefused where none is, OSError from DNS."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        results = [
            ResolveResult(hostname=host, host=str(at[0]), port=port, family=kind, proto=proto, flags=int(_NUMERIC))
            for kind, _, proto, _, at in found
            if allowed(str(at[0]), self._allow)
        ]
        if not results:
            raise AddressRefused(f"{host} has no public address")
        return results

    async def close(self) -> None:
        """Nothing is held."""
