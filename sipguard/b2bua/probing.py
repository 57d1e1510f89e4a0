"""OPTIONS to peers, once each interval: those that stay silent are passed over until they answer again.

Enters: trunks with probe rules, about once a second the time, responses. Leaves: OPTIONS, as client transactions
of the engine; marks on peers. Must not: judge calls; a peer that is not probed is marked by calls alone.

Any final answer says that the peer is alive, 405, 404 and 501 too: it is the next hop that is asked after, not what
it knows of OPTIONS. 503 says that it takes no calls, 408 that what stands behind it is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.peers import PROBED
from sipguard.screening.trunk import Peer, Trunk
from sipguard.sip.flow import Flow
from sipguard.sip.message import Response
from sipguard.sip.transaction import ClientTransaction

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.b2bua.peers import Peers
    from sipguard.b2bua.place import Place
    from sipguard.screening.ruleset import Ruleset

DOWN_STATUS: Final = frozenset({408, 503})
SPREAD_S: Final = 10.0
_PROBES: Final = INDEX["probes"]
_FAILED: Final = INDEX["probes_failed"]


class Probe:
    """One peer that is probed; the user of its OPTIONS."""

    __slots__ = ("counted", "due_at", "failed", "in_a_row", "peer", "peers", "running", "trunk")

    def __init__(self, peers: Peers, trunk: Trunk, peer: Peer) -> None:
        self.peers = peers
        self.trunk = trunk
        self.peer = peer
        self.due_at = -1.0  # monotonic seconds; -1 until the first is planned
        self.in_a_row = 0  # outcomes like the last one
        self.failed = False  # the last one
        self.counted = 0  # failures that the engine has not counted yet
        self.running = False

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response to OPTIONS."""
        if response.status >= 200:
            self._ended(response.status in DOWN_STATUS)

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """No final response in time, or no way to the peer."""
        self._ended(failed=True)

    def _ended(self, failed: bool) -> None:
        self.running = False
        self.counted += failed
        self.in_a_row = self.in_a_row + 1 if failed is self.failed else 1
        self.failed = failed
        rules = self.trunk.probe
        if failed and self.in_a_row >= rules.down_after:
            self.peers.probed_down(self.peer, self.trunk)
        elif not failed and self.in_a_row >= rules.up_after:
            self.peers.probed_up(self.peer)


class Probes:
    """The probes of one worker, by Peer.key."""

    __slots__ = ("_probes",)

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}

    def use(self, engine: Engine, ruleset: Ruleset) -> None:
        """Takes the peers of a Ruleset; what is known of those that were probed before stays."""
        before, self._probes = self._probes, {}
        for trunk in ruleset.trunks.values():
            for peer in engine.peers.every(trunk) if trunk.probe.interval_s else ():
                if peer.key in self._probes:
                    continue
                probe = before.get(peer.key)
                if probe is None:
                    probe = Probe(engine.peers, trunk, peer)
                probe.trunk, probe.peer = trunk, peer
                self._probes[peer.key] = probe
        engine.peers.forget(PROBED, self._probes.keys())

    def second(self, engine: Engine, now: float) -> None:
        """Sends what is due, counts what failed. First probes are spread, so that they do not leave together."""
        counts = engine.counts
        for probe in self._probes.values():
            if probe.counted:
                counts[_FAILED] += probe.counted
                probe.counted = 0
            interval_s = probe.trunk.probe.interval_s
            if probe.due_at < 0:
                probe.due_at = now + engine.ids.below(1000) / 1000.0 * min(interval_s, SPREAD_S)
            elif probe.due_at <= now and not probe.running:
                probe.due_at = now + interval_s
                counts[_PROBES] += 1
                probe.running = engine.tried(_send, engine, probe, now)


def _send(engine: Engine, probe: Probe, now: float) -> None:
    """An OPTIONS to the peer (RFC 3261 §11.1)."""
    peer, trunk = probe.peer, probe.trunk
    listener = peer.listener or trunk.listeners[0]
    flow = Flow(0, peer.transport, listener, (peer.host, peer.port), peer.tls_names)
    branch = engine.ids.branch()
    octets = _options(engine, engine.listeners[listener], peer, branch)
    ClientTransaction(engine.layer, "OPTIONS", branch, flow, octets, probe, now, trunk.probe.timeout_s)


def _options(engine: Engine, place: Place, peer: Peer, branch: str) -> bytes:
    token = engine.ids.token
    text = (
        f"OPTIONS sip:{peer.uri_host} SIP/2.0\r\n{place.via}{branch};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:{place.own_host}>;tag={token()}\r\nTo: <sip:{peer.uri_host}>\r\nCall-ID: {token()}{token()}\r\n"
        f"CSeq: 1 OPTIONS\r\n{place.contact}Accept: application/sdp\r\nContent-Length: 0\r\n\r\n"
    )
    return text.encode("latin-1")
