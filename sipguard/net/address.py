"""Which addresses a fetch may connect to: none that lies inside, whatever name led there (RFC 6890).

Enters: host names and literals. Leaves: addresses that were checked and are the ones connected to.
Must not: resolve twice; the address checked is the address used.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from sipguard.stir.identity import is_numeric

Networks = Sequence[IPv4Network | IPv6Network]
_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
# Special-purpose ranges of the IANA registries that Python's `is_global` lets pass, or did in some of its releases:
# protocol assignments, AS112, 6to4 relays, AMT, discard, benchmarking, ORCHID, documentation, SRv6 SIDs.
_SPECIAL: Final[Networks] = tuple(
    ip_network(each)
    for each in (
        "192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24",
        "64:ff9b:1::/48", "100::/64", "2001::/23", "2620:4f:8000::/48", "3fff::/20", "5f00::/16",
    )
)  # fmt: skip
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an address of IPv4


class AddressRefused(OSError):
    """Every address of a host is special-purpose."""


def allowed(address: str, allow: Networks) -> bool:
    """Whether this IP literal is on the public Internet, or inside a network that was allowed by hand.

    Addresses of IPv6 that carry one of IPv4 (mapped, 6to4, Teredo) are never public, but for those of NAT64, which
    are what they carry. ValueError: no literal.
    """
    ip = ip_address(address.partition("%")[0])
    if any(ip in network for network in allow):
        return True
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            return allowed(str(IPv4Address(int(ip) & 0xFFFFFFFF)), allow)
        if ip.ipv4_mapped is not None or ip.sixtofour is not None or ip.teredo is not None:
            return False
        if ip.is_site_local:
            return False
    if any(ip in network for network in _SPECIAL):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def refused_literal(host: str, allow: Networks) -> bool:
    """Whether `host` is an IP literal that may not be connected to, or a number that a resolver takes for one.

    A name is not refused here.
    """
    try:
        return not allowed(host, allow)
    except ValueError:
        return is_numeric(host)


class CheckedResolver(AbstractResolver):
    """Resolves by the system and leaves out what may not be connected to.

    `threads` says in which threads a name waits for its answer: whoever has slow name servers must not hold up others.
    """

    def __init__(self, allow: Networks, threads: Callable[[str], Executor | None] = lambda host: None) -> None:
        self._allow = allow
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of `host` that are allowed. Raises AddressRefused where none is, OSError from DNS."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._threads(host), socket.getaddrinfo, host, port, family, socket.SOCK_STREAM
            )
        except UnicodeError:  # an empty label, or one above 63 octets: no name server is asked
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is no host name") from None
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
