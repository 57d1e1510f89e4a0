"""Redirections of a peer that are followed: its 3xx names Contacts, some of which are peers that we know.

Enters: a 3xx, the trunk that it came by. Leaves: further peers to try, each with its Request-URI. Must not: send a
call to an address that is not configured: who answers 3xx may choose among our peers, not the rest of the world.

RFC 3261 §8.1.3.4, §16.7 step 4: in order of q, To and From as they were. Contacts that were tried are left out, so no
two redirections send a call round in circles, and no more than MOST are followed for a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.peers import Hop
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import TLS, UDP
from sipguard.sip.message import Response
from sipguard.sip.uri import host_port_of, name_addr, parameters, split_outside, user_of

if TYPE_CHECKING:
    from sipguard.b2bua.setup import Setup
    from sipguard.screening.trunk import Peer, Trunk

FOLLOWED: Final = (300, 301, 302)  # 305 names a proxy for the same URI, 380 another service (§21.3)
MOST: Final = 3


class Followed:
    """What of a call was redirected: Request-URIs of the first hops that are left, and what was tried."""

    __slots__ = ("count", "through", "tried", "uris")

    def __init__(self) -> None:
        self.uris: list[str] = []  # of the hops that stand before all others
        self.tried: set[tuple[str, str]] = set()  # (key of a peer, user of a Request-URI)
        self.through: dict[str, tuple[str, ...]] = {}  # Request-URI -> those that led to it, the caller's first
        self.count = 0


def follow(setup: Setup, egress: Trunk, response: Response) -> list[Hop]:
    """The peers that a 3xx sends this call to; () where it must cross to the caller. They are noted as tried."""
    followed = setup.followed
    if followed is None:
        setup.followed = followed = Followed()
    if setup.call.peer is not None:
        followed.tried.add((setup.call.peer.key, _user(setup.target or setup.request.uri)))
    hops: list[Hop] = []
    here = setup.target or setup.request.uri
    through = (*followed.through.get(here, ()), here)
    uris: list[str] = []
    for uri in contacts(response):
        hop = _peer_at(setup, egress, uri)
        if hop is None or followed.count >= MOST or (hop[1].key, _user(uri)) in followed.tried:
            continue
        followed.tried.add((hop[1].key, _user(uri)))
        followed.count += 1
        hops.append(hop)
        uris.append(uri)
        followed.through.setdefault(uri, through)
    followed.uris[:0] = uris
    return hops


def contacts(response: Response) -> list[str]:
    """The URIs of a 3xx in the order of their q, 1 where they have none (§20.10)."""
    found: list[tuple[float, str]] = []
    try:
        for value in response.values("contact"):
            for one in split_outside(value, ","):
                _, uri, rest = name_addr(one)
                found.append((-_q(parameters(rest).get("q", "1")), uri))
    except MalformedMessage:
        return []
    return [uri for _, uri in sorted(found, key=lambda each: each[0])]


def _q(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _peer_at(setup: Setup, egress: Trunk, uri: str) -> Hop | None:
    """The configured peer that a Contact names: of the trunk that redirects, or of those it may redirect to."""
    scheme = uri[:5].lower()
    if not scheme.startswith("sip") or "?" in uri:  # headers that the new request should carry are not taken over
        return None
    host, port = host_port_of(uri)
    secure = scheme == "sips:"
    try:
        said = parameters(_after_host(uri))
    except MalformedMessage:
        return None
    if "maddr" in said or said.get("method", "INVITE").upper() != "INVITE" or not host:
        return None
    transport = said.get("transport", TLS if secure else UDP).lower()
    trunks = setup.call.ruleset.trunks
    for trunk in [egress, *(trunks[name] for name in egress.redirect_trunks if name in trunks)]:
        for peer in setup.call.engine.peers.every(trunk):
            if _is_at(peer, host.strip("[]").lower(), port, transport):
                return trunk, peer
    return None


def _is_at(peer: Peer, host: str, port: int, transport: str) -> bool:
    """Whether a Contact's host and port (0 for none) are those of a peer, or of the name that it was found by."""
    if peer.transport != transport:
        return False
    if peer.name and peer.name.lower() == (f"{host}:{port}" if port else host):
        return True
    return peer.host.lower() == host and peer.port == (port or (5061 if transport == TLS else 5060))


def _after_host(uri: str) -> str:
    """The parameters of a sip: URI."""
    at = uri.find(";", uri.rfind("@") + 1)
    return uri[at:] if at >= 0 else ""


def _user(uri: str) -> str:
    return user_of(uri).partition(";")[0].lower()
