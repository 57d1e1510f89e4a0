"""Host names of peers by DNS, for the fetcher process: NAPTR, SRV, A and AAAA (RFC 3263).

Enters: queries of the configuration; whatever DNS says, which may be a lie. Leaves: answers with their TTL, or
ResolveError with a reason slug. Must not: believe addresses that no peer can have, more of them than a few, or a TTL
without bounds; cache, choose between addresses, be waited for by a call.

CNAMEs, truncated answers (again over TCP) and random ids are dnspython's; the names asked are absolute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from sipguard.net.errors import NetError
from sipguard.net.nameservers import DnsSettings
from sipguard.sip.locate import (
    ADDRESSES_LIMIT,
    DEFAULT_PORT,
    NAMES_LIMIT,
    Answer,
    Naptr,
    Place,
    Query,
    families_of,
    services,
)

RECORD_TYPE: Final = {4: "A", 6: "AAAA"}
SAID: Final = 3  # addresses in an error
_NOTHING: Final = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


class ResolveError(NetError):
    """Why a name leads nowhere; `reason` is a slug that begins with dns_, its text may say more."""

    def __init__(self, reason: str, more: str = "") -> None:
        super().__init__(f"{reason}: {more}" if more else reason)
        self.reason = reason


@dataclass
class _Lookup:
    """One resolution: the shortest TTL so far, and addresses left out."""

    ttl_s: float
    refused: int = 0
    disbelieved: list[str] = field(default_factory=list)  # the first few that no peer can have
    seen: set[tuple[str, str, int]] = field(default_factory=set)


class Resolver:
    """Asks DNS. One query may take several questions, all within the deadline."""

    def __init__(self, settings: DnsSettings) -> None:
        self._settings = settings

    async def resolve(self, query: Query) -> Answer:
        """Where the name leads now. Raises ResolveError."""
        settings = self._settings
        lookup = _Lookup(settings.longest_ttl_s)
        try:
            async with asyncio.timeout(settings.deadline_s):
                places = await self._places(query, lookup)
        except (TimeoutError, dns.exception.Timeout):
            raise ResolveError("dns_timeout") from None
        except dns.resolver.NoNameservers:  # SERVFAIL, REFUSED, garbage, or a chain of CNAMEs without an end
            raise ResolveError("dns_failure") from None
        except (dns.exception.DNSException, OSError, ValueError):
            raise ResolveError("dns_error") from None
        if not places:
            if not lookup.refused:
                raise ResolveError("dns_no_address")
            what = f"{', '.join(lookup.disbelieved)} cannot be a peer's; dns.allow_networks allows it"
            raise ResolveError("dns_address_refused", what)
        return Answer(tuple(places), max(lookup.ttl_s, settings.shortest_ttl_s), lookup.refused)

    async def _places(self, query: Query, lookup: _Lookup) -> list[Place]:
        """RFC 3263 §4.1 and §4.2."""
        if query.port:
            transport = query.transports[0]
            return await self._at(query, lookup, [(transport, query.port, query.name, 0, 0)])
        records = [] if query.explicit else await self._naptr(query, lookup)
        found: list[tuple[str, int, str, int, int]] = []
        for rank, (transport, name) in enumerate(services(query, records)):
            for record in await self._ask(name, "SRV", lookup):
                target = record.target.to_text(omit_final_dot=True)
                if target not in ("", "."):  # RFC 2782: the service is not there
                    found.append((transport, record.port, target, rank * 65_536 + record.priority, record.weight))
        if not found:
            transport = query.transports[0]
            found = [(transport, DEFAULT_PORT[transport], query.name, 0, 0)]
        found.sort(key=lambda each: each[3])
        return await self._at(query, lookup, found[:NAMES_LIMIT])

    async def _naptr(self, query: Query, lookup: _Lookup) -> list[Naptr]:
        return [
            Naptr(
                record.order,
                record.preference,
                record.flags.decode("latin-1"),
                record.service.decode("latin-1"),
                record.regexp.decode("latin-1"),
                record.replacement.to_text(omit_final_dot=True),
            )
            for record in await self._ask(query.name, "NAPTR", lookup)
        ]

    async def _at(self, query: Query, lookup: _Lookup, targets: list[tuple[str, int, str, int, int]]) -> list[Place]:
        """The addresses of targets (transport, port, name, priority, weight), as many as may be.

        They are asked for side by side. Where some cannot be had the others do, and are asked again soon.
        """
        asked = [self._addresses(families_of(query, transport), name, lookup) for transport, _, name, _, _ in targets]
        found = await asyncio.gather(*asked, return_exceptions=True)
        failed = [each for each in found if isinstance(each, BaseException)]
        places: list[Place] = []
        for (transport, port, _, priority, weight), addresses in zip(targets, found, strict=True):
            if not isinstance(addresses, BaseException):
                kept = self._kept(transport, port, addresses, lookup)
                if kept:
                    places.append(Place(transport, port, kept, priority, weight))
        if failed and (not places or not all(isinstance(each, dns.exception.DNSException) for each in failed)):
            raise failed[0]
        if failed:
            lookup.ttl_s = 0.0
        return places

    async def _addresses(self, families: Sequence[int], name: str, lookup: _Lookup) -> list[str]:
        return [record.address for each in families for record in await self._ask(name, RECORD_TYPE[each], lookup)]

    def _kept(self, transport: str, port: int, addresses: list[str], lookup: _Lookup) -> tuple[str, ...]:
        """Those that peers can have, that are new, and for which there is room."""
        kept = []
        for address in addresses:
            place = (transport, address, port)
            if place in lookup.seen:
                continue
            believed = self._believed(address)
            if not believed or len(lookup.seen) == ADDRESSES_LIMIT:
                lookup.refused += 1
                if not believed and len(lookup.disbelieved) < SAID and address not in lookup.disbelieved:
                    lookup.disbelieved.append(address)
                continue
            lookup.seen.add(place)
            kept.append(address)
        return tuple(kept)

    def _believed(self, address: str) -> bool:
        """Whether a peer can have this address: private ones may be, loopback, multicast and their like may not."""
        ip = ip_address(address)
        if any(ip in network for network in self._settings.allow_networks):
            return True
        odd = ip.is_loopback or ip.is_multicast or ip.is_unspecified or ip.is_link_local or ip.is_reserved
        return not odd and getattr(ip, "ipv4_mapped", None) is None

    async def _ask(self, name: str, kind: str, lookup: _Lookup) -> Iterator[Any]:
        """The records of one kind, none where DNS says that there are none; notes their TTL, that of CNAMEs too."""
        try:
            within_s = self._settings.deadline_s / 2  # others may go on without it
            answer = await self._client().resolve(f"{name}.", kind, lifetime=within_s, search=False)
        except _NOTHING:
            return iter(())
        lookup.ttl_s = min(lookup.ttl_s, float(answer.chaining_result.minimum_ttl))
        return iter(answer)

    def _client(self) -> dns.asyncresolver.Resolver:
        """A resolver; one for each question, since the servers of the system may change while we run."""
        servers = self._settings.servers
        client = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            client.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        client.timeout = self._settings.deadline_s / 4
        client.use_edns(0, 0, 1232)  # no fragments
        return client
