"""RFC 3263 against a name server that can lie, be silent and break."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from sipguard.net.nameservers import DnsSettings
from sipguard.net.resolve import ResolveError, Resolver
from sipguard.sip.locate import ADDRESSES_LIMIT, NAMES_LIMIT, Place, Query
from tests.dns_server import NameServer

UDP_ONLY = Query("sip.carrier.example", 0, ("udp",), ((4,),))
ALL = Query("sip.carrier.example", 0, ("udp", "tcp", "tls"), ((4, 6), (4,), (4,)))
ZONE = (
    "sip.carrier.example 300 A 192.0.2.10",
    "sip.carrier.example 120 AAAA 2001:db8::10",
    "_sip._udp.sip.carrier.example 600 SRV 10 60 5070 one.carrier.example.",
    "_sip._udp.sip.carrier.example 600 SRV 10 40 5060 two.carrier.example.",
    "_sip._udp.sip.carrier.example 600 SRV 20 0 5060 last.carrier.example.",
    "_sip._tcp.sip.carrier.example 600 SRV 1 0 5060 one.carrier.example.",
    "one.carrier.example 300 A 192.0.2.1",
    "two.carrier.example 240 A 192.0.2.2",
    "two.carrier.example 240 A 192.0.2.3",
    "last.carrier.example 240 A 192.0.2.4",
)


def resolver(server: NameServer, **changed: object) -> Resolver:
    """One that asks this server."""
    return Resolver(replace(DnsSettings((("127.0.0.1", server.port),), deadline_s=2.0), **changed))  # type: ignore[arg-type]


async def reason(server: NameServer, query: Query = UDP_ONLY, **changed: object) -> str:
    """Why a name leads nowhere."""
    with pytest.raises(ResolveError) as caught:
        await resolver(server, **changed).resolve(query)
    return caught.value.reason


# ------------------------------------------------------------------ the ways of RFC 3263


async def test_srv_of_the_only_transport() -> None:
    async with NameServer(ZONE) as server:
        answer = await resolver(server).resolve(UDP_ONLY)
    assert answer.places == (
        Place("udp", 5070, ("192.0.2.1",), 10, 60),
        Place("udp", 5060, ("192.0.2.2", "192.0.2.3"), 10, 40),
        Place("udp", 5060, ("192.0.2.4",), 20, 0),
    )
    assert (answer.ttl_s, answer.refused) == (240.0, 0)


async def test_naptr_says_the_transport_by_order_and_preference() -> None:
    records = (
        'sip.carrier.example 300 NAPTR 20 1 "s" "SIP+D2U" "" _sip._udp.sip.carrier.example.',
        'sip.carrier.example 300 NAPTR 10 9 "S" "sip+d2t" "" _sip._tcp.sip.carrier.example.',
        'sip.carrier.example 300 NAPTR 10 2 "s" "SIPS+D2T" "" _sips._tcp.other.example.',
        'sip.carrier.example 300 NAPTR 1 1 "s" "SIP+D2S" "" _sip._sctp.sip.carrier.example.',
        'sip.carrier.example 300 NAPTR 1 1 "u" "SIP+D2U" "" _no.carrier.example.',
        'sip.carrier.example 300 NAPTR 1 1 "s" "SIP+D2U" "!.*!no!" .',
        "_sips._tcp.other.example 300 SRV 1 0 5061 one.carrier.example.",
    )
    async with NameServer((*ZONE, *records)) as server:
        answer = await resolver(server).resolve(ALL)
        assert not any("no.carrier" in name for name, _ in server.asked)
    assert [(place.transport, place.port, place.priority) for place in answer.places] == [
        ("tls", 5061, 1),
        ("tcp", 5060, 65_537),
        ("udp", 5070, 131_082),
        ("udp", 5060, 131_082),
        ("udp", 5060, 131_092),
    ]


async def test_explicit_transport_asks_no_naptr() -> None:
    async with NameServer(ZONE) as server:
        answer = await resolver(server).resolve(Query("sip.carrier.example", 0, ("tcp",), ((4,),), explicit=True))
        assert ("sip.carrier.example", "NAPTR") not in server.asked
    assert answer.places == (Place("tcp", 5060, ("192.0.2.1",), 1, 0),)


async def test_port_asks_addresses_only() -> None:
    async with NameServer(ZONE) as server:
        answer = await resolver(server).resolve(Query("sip.carrier.example", 5080, ("udp", "tcp"), ((4, 6), (4,))))
        assert server.asked == [("sip.carrier.example", "A"), ("sip.carrier.example", "AAAA")]
    assert answer.places == (Place("udp", 5080, ("192.0.2.10", "2001:db8::10")),)
    assert answer.ttl_s == 120.0


@pytest.mark.parametrize(("transport", "port"), [("udp", 5060), ("tcp", 5060), ("tls", 5061)])
async def test_without_srv_the_default_port(transport: str, port: int) -> None:
    async with NameServer(ZONE[:1]) as server:
        answer = await resolver(server).resolve(Query("sip.carrier.example", 0, (transport,), ((4,),)))
    assert answer.places == (Place(transport, port, ("192.0.2.10",)),)


async def test_target_without_an_address_is_passed_over() -> None:
    async with NameServer(ZONE[2:-1]) as server:
        answer = await resolver(server).resolve(UDP_ONLY)
    assert [place.addresses for place in answer.places] == [("192.0.2.1",), ("192.0.2.2", "192.0.2.3")]


async def test_target_whose_zone_is_silent_does_not_keep_the_others_away() -> None:
    async with NameServer(ZONE) as server:
        server.silent_names = {"one.carrier.example"}
        answer = await resolver(server, deadline_s=1.0).resolve(UDP_ONLY)
        assert [place.addresses for place in answer.places] == [("192.0.2.2", "192.0.2.3"), ("192.0.2.4",)]
        assert answer.ttl_s == 30.0, "it is asked again soon"
        server.silent_names |= {"two.carrier.example", "last.carrier.example"}
        assert await reason(server, deadline_s=1.0) == "dns_timeout"


async def test_cname_counts_for_the_ttl() -> None:
    records = ("sip.carrier.example 40 CNAME real.carrier.example.", "real.carrier.example 900 A 192.0.2.9")
    async with NameServer(records) as server:
        answer = await resolver(server).resolve(UDP_ONLY)
    assert answer.places == (Place("udp", 5060, ("192.0.2.9",)),)
    assert answer.ttl_s == 40.0


# ------------------------------------------------------------------ DNS that dies or lies


@pytest.mark.parametrize(
    ("broken", "why"),
    [("silent", "dns_timeout"), ("servfail", "dns_failure"), ("garbage", "dns_failure"), ("wrong_id", "dns_timeout")],
)
async def test_broken_server(broken: str, why: str) -> None:
    async with NameServer(ZONE) as server:
        server.broken = broken
        assert await reason(server, deadline_s=0.5) in (why, "dns_timeout")


async def test_nobody_there() -> None:
    async with NameServer(ZONE) as server:
        pass
    assert (await reason(server, deadline_s=0.5)).startswith("dns_")


async def test_truncated_is_asked_again_over_tcp() -> None:
    async with NameServer(ZONE) as server:
        server.broken = "truncated"
        answer = await resolver(server).resolve(UDP_ONLY)
        assert server.over_tcp > 0
    assert len(answer.places) == 3


async def test_unknown_name() -> None:
    async with NameServer(("other.example 60 A 192.0.2.1",)) as server:
        assert await reason(server) == "dns_no_address"


async def test_loop_of_cnames() -> None:
    records = ("sip.carrier.example 60 CNAME b.example.", "b.example 60 CNAME sip.carrier.example.")
    async with NameServer(records) as server:
        assert (await reason(server)).startswith("dns_")


@pytest.mark.parametrize(("ttl", "believed_s"), [(0, 30.0), (1, 30.0), (100, 100.0), (2**31 - 1, 3600.0)])
async def test_ttl_has_bounds(ttl: int, believed_s: float) -> None:
    async with NameServer((f"sip.carrier.example {ttl} A 192.0.2.1",)) as server:
        assert (await resolver(server).resolve(UDP_ONLY)).ttl_s == believed_s


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "0.0.0.0", "224.0.0.1", "169.254.1.1", "255.255.255.255", "240.0.0.1"]
)
async def test_address_that_no_peer_has(address: str) -> None:
    async with NameServer((f"sip.carrier.example 60 A {address}",)) as server:
        assert await reason(server) == "dns_address_refused"
        server.add("sip.carrier.example 60 A 10.1.2.3")
        answer = await resolver(server).resolve(UDP_ONLY)
    assert (answer.places[0].addresses, answer.refused) == (("10.1.2.3",), 1)


async def test_what_is_said_of_such_an_address() -> None:
    async with NameServer(("sip.carrier.example 60 A 127.0.0.1", "sip.carrier.example 60 A 127.0.0.2")) as server:
        with pytest.raises(ResolveError) as raised:
            await resolver(server).resolve(UDP_ONLY)
    text = str(raised.value)
    assert text.startswith("dns_address_refused: 127.0.0.")
    assert "127.0.0.2" in text
    assert text.endswith(" cannot be a peer's; dns.allow_networks allows it")


@pytest.mark.parametrize("address", ["::1", "::", "ff02::1", "fe80::1", "::ffff:127.0.0.1"])
async def test_address_of_ipv6_that_no_peer_has(address: str) -> None:
    async with NameServer((f"sip.carrier.example 60 AAAA {address}",)) as server:
        assert await reason(server, Query("sip.carrier.example", 5060, ("udp",), ((6,),))) == "dns_address_refused"


async def test_laboratories_allow_networks() -> None:
    async with NameServer(("sip.carrier.example 60 A 127.0.0.1",)) as server:
        allowing = resolver(server, allow_networks=(ip_network("127.0.0.0/8"),))
        assert (await allowing.resolve(UDP_ONLY)).places[0].addresses == ("127.0.0.1",)


async def test_more_addresses_than_anybody_needs() -> None:
    async with NameServer(f"sip.carrier.example 60 A 192.0.2.{n}" for n in range(1, 101)) as server:
        answer = await resolver(server).resolve(UDP_ONLY)
    assert len(answer.places[0].addresses) == ADDRESSES_LIMIT
    assert answer.refused == 100 - ADDRESSES_LIMIT


async def test_more_targets_than_anybody_needs() -> None:
    srv = [f"_sip._udp.sip.carrier.example 60 SRV {n} 0 5060 t{n}.example." for n in range(60)]
    async with NameServer([*srv, *(f"t{n}.example 60 A 192.0.2.{n + 1}" for n in range(60))]) as server:
        answer = await resolver(server).resolve(UDP_ONLY)
    assert len(answer.places) == NAMES_LIMIT
    assert answer.places[0].addresses == ("192.0.2.1",)


async def test_service_that_is_not_there() -> None:
    """RFC 2782: a target of "." says so; the address of the name itself is left."""
    async with NameServer(("_sip._udp.sip.carrier.example 60 SRV 0 0 0 .", ZONE[0])) as server:
        answer = await resolver(server).resolve(UDP_ONLY)
    assert answer.places == (Place("udp", 5060, ("192.0.2.10",)),)
