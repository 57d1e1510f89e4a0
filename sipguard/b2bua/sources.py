"""Who may send: the trunk behind an address, and who shares our dialogs.

Enters: a Ruleset, flows. Leaves: the trunk of a flow, None for strangers. Must not: look into a message.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from sipguard.b2bua.peers import Peers
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Trunk
from sipguard.sip.flow import Flow

SOURCES_KEPT: Final = 10_000


class Sources:
    """The senders of one Ruleset."""

    __slots__ = ("_found", "_peers", "_trunks")

    def __init__(self, ruleset: Ruleset, peers: Peers) -> None:
        self._trunks = tuple(ruleset.trunks.values())
        self._found: dict[tuple[str, ...], Trunk | None] = {}
        self._peers = frozenset(
            (listener, peer.host)
            for trunk in self._trunks
            for peer in peers.every(trunk)
            for listener in (peer.listener, *trunk.listeners)  # it may come back by another transport
        )

    def trunk_of(self, flow: Flow) -> Trunk | None:
        """The trunk whose sources hold this address, the narrowest network first; None for strangers.

        A trunk with `tls_names` is only for whoever has shown a certificate for one; it goes before one without.
        """
        key: tuple[str, ...] = (flow.listener, flow.remote[0])
        if flow.tls_names:
            key += flow.tls_names
        try:
            return self._found[key]
        except KeyError:
            if len(self._found) >= SOURCES_KEPT:
                self._found.clear()
            trunk = self._found[key] = self._find(flow)
            return trunk

    def _find(self, flow: Flow) -> Trunk | None:
        address = ip_address(flow.remote[0].partition("%")[0])
        best, longest = None, (-1, False)
        for trunk in self._trunks:
            if flow.listener not in trunk.listeners:
                continue
            if trunk.tls_names and not any(name in trunk.tls_names for name in flow.tls_names):
                continue
            for network in trunk.sources:
                narrow = (network.prefixlen, bool(trunk.tls_names))
                if network.version == address.version and address in network and narrow > longest:
                    best, longest = trunk, narrow
        return best

    def admits(self, flow: Flow) -> str:
        """Whether somebody may connect: by the `address` alone, by a `certificate` as well, or not ("")."""
        if self.knows(flow):
            return "address"
        address = ip_address(flow.remote[0].partition("%")[0])
        for trunk in self._trunks:
            near = flow.listener in trunk.listeners and trunk.tls_names
            if near and any(one.version == address.version and address in one for one in trunk.sources):
                return "certificate"
        return ""

    def knows(self, flow: Flow) -> bool:
        """Whether the sender is a source or a peer of a trunk; a peer may not call, but shares dialogs."""
        return self.trunk_of(flow) is not None or (flow.listener, flow.remote[0]) in self._peers
