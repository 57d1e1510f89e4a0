"""Which trunks a call may leave by: called prefix to trunks, compiled when a Ruleset is opened.

Enters: trunks as configured, a canonical TN. Leaves: a Way, the trunks in the order in which they are tried.
Must not: know whether a peer is up, or resolve names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sipguard.screening.trunk import Peer, Trunk


class Way:
    """Trunks that are tried one after the other, and their peers.

    `hops` are these peers in order; () where that order is another for each call, because of weights or names.
    """

    __slots__ = ("hops", "trunks")

    def __init__(self, trunks: Sequence[Trunk]) -> None:
        self.trunks = tuple(trunks)
        fixed = not any(trunk.named for trunk in trunks) and all(is_fixed(trunk.peers) for trunk in trunks)
        hops = [(trunk, peer) for trunk in trunks for peer in in_order(trunk.peers)] if fixed else []
        self.hops: tuple[tuple[Trunk, Peer], ...] = tuple(hops)


def is_fixed(peers: Sequence[Peer]) -> bool:
    """Whether these peers are tried in the same order by every call."""
    return not any(peer.weight for peer in peers)


def in_order(peers: Sequence[Peer]) -> list[Peer]:
    """By priority, the smallest first; as written where it is the same."""
    return sorted(peers, key=lambda peer: (peer.priority, peer.rank))


class RouteTable:
    """The ways of calls from one trunk, by called prefix. A look-up takes as many steps as there are lengths."""

    __slots__ = ("_by_prefix", "_default", "_lengths", "every")

    def __init__(self, trunk: Trunk, trunks: Mapping[str, Trunk]) -> None:
        self._by_prefix: dict[str, Way] = {}
        self._default: Way | None = None
        self.every: list[Trunk] = []  # trunks of all ways, once each
        if trunk.route:
            self._default = self._way((trunk.route,), trunks)
        for route in trunk.routes:
            way = self._way(route.to, trunks)
            for prefix in route.prefixes:
                self._by_prefix[prefix] = way
            if not route.prefixes:
                self._default = way
        self._lengths = sorted({len(prefix) for prefix in self._by_prefix}, reverse=True)

    def _way(self, names: Sequence[str], trunks: Mapping[str, Trunk]) -> Way:
        way = Way([trunks[name] for name in names if name in trunks])
        self.every += [trunk for trunk in way.trunks if trunk not in self.every]
        return way

    def find(self, tn: str) -> Way | None:
        """The way of the longest prefix of `tn` (digits, "" for no number); None where there is none."""
        by_prefix = self._by_prefix
        for length in self._lengths:
            way = by_prefix.get(tn[:length])
            if way is not None:
                return way
        return self._default
