"""Where a host name leads: questions and answers of RFC 3263, as values, and the rules that need no network.

Enters: names, NAPTR records as they came. Leaves: which SRV records to ask for, in which order. Must not: ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sipguard.sip.flow import TCP, TLS, UDP

SERVICES: Final = {"SIP+D2U": UDP, "SIP+D2T": TCP, "SIPS+D2T": TLS}  # RFC 3263 §4.1, RFC 3261 §26.2.2
SRV_PREFIX: Final = {UDP: "_sip._udp.", TCP: "_sip._tcp.", TLS: "_sips._tcp."}
DEFAULT_PORT: Final = {UDP: 5060, TCP: 5060, TLS: 5061}
NAMES_LIMIT: Final = 16  # SRV targets that are looked at
ADDRESSES_LIMIT: Final = 32  # that an answer may hold


@dataclass(frozen=True, slots=True)
class Query:
    """A question: a host name, and what of its way is known already.

    `port` 0 asks SRV; `transports` are those that can be used, in the order of preference; only the first
    counts where the port is given. `families`: 4, 6 or both, for each transport.
    """

    name: str
    port: int
    transports: tuple[str, ...]
    families: tuple[tuple[int, ...], ...]
    explicit: bool = False  # the transport is written in the configuration: no NAPTR

    @property
    def shown(self) -> str:
        """As operators read it: name[:port]."""
        return f"{self.name}:{self.port}" if self.port else self.name


@dataclass(frozen=True, slots=True)
class Place:
    """One SRV record, or what stands for it: its addresses are tried in order."""

    transport: str
    port: int
    addresses: tuple[str, ...]
    priority: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a name leads to now. `ttl_s`: seconds for which that may be believed; `refused`: addresses left out."""

    places: tuple[Place, ...]
    ttl_s: float
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Naptr:
    """The fields of a NAPTR record that RFC 3263 reads."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


def services(query: Query, records: Iterable[Naptr]) -> list[tuple[str, str]]:
    """(transport, name of its SRV records), the most preferred first (§4.1).

    Records with a regular expression, another flag, or a transport that cannot be used are discarded. Without any
    record left, SRV records are asked for directly, for each transport.
    """
    found = []
    for record in sorted(records, key=lambda record: (record.order, record.preference)):
        transport = SERVICES.get(record.service.upper(), "")
        if record.flags.lower() == "s" and not record.regexp and transport in query.transports:
            found.append((transport, record.replacement))
    return found or [(transport, SRV_PREFIX[transport] + query.name) for transport in query.transports]


def families_of(query: Query, transport: str) -> Sequence[int]:
    """IP versions by which a transport can be used."""
    return query.families[query.transports.index(transport)]
