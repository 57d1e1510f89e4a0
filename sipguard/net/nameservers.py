"""Which name servers are asked about peers, and what of their answers is believed.

Enters: nothing, these are values. Leaves: the same. Must not: ask; `resolve` does, and takes a library for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sipguard.net.address import Networks


@dataclass(frozen=True)
class DnsSettings:
    """Who is asked, and what is believed. Durations in seconds; no servers are those of the system."""

    servers: tuple[tuple[str, int], ...] = ()
    deadline_s: float = 5.0
    shortest_ttl_s: float = 30.0
    longest_ttl_s: float = 3600.0
    allow_networks: Networks = ()  # special-purpose networks that peers may have, for laboratories
