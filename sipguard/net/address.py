"""Which addresses a fetch may connect to: none that lies inside, whatever name led there (RFC 6890).

Enters: literals, networks. Leaves: whether they may be connected to. Must not: resolve a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from sipguard.stir.identity import is_numeric

Networks = Sequence[IPv4Network | IPv6Network]
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
