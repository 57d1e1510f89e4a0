"""Where a call goes: the peers of its egress trunk, in order, without those that are down.

Enters: trunks, what was seen of peers. Leaves: peers to try. Must not: send, resolve names.
"""

from __future__ import annotations

from sipguard.screening.trunk import Limits, Peer, Trunk


class Peers:
    """What is known of peers: until when one that did not react is passed over."""

    __slots__ = ("_down_until",)

    def __init__(self) -> None:
        self._down_until: dict[Peer, float] = {}

    def to_try(self, trunk: Trunk, now: float, emergency: bool) -> list[Peer]:
        """Peers in the configured order, those that are down left out; an emergency call may try all of them."""
        if not self._down_until:
            return list(trunk.peers)
        up = [peer for peer in trunk.peers if self._down_until.get(peer, 0.0) <= now]
        if emergency:
            return up + [peer for peer in trunk.peers if peer not in up]
        return up

    def failed(self, peer: Peer, trunk: Trunk, now: float) -> None:
        """The peer did not react in time or cannot be reached."""
        self._down_until[peer] = now + trunk.down_for_s

    def answered(self, peer: Peer) -> None:
        """The peer reacted."""
        if self._down_until:
            self._down_until.pop(peer, None)

    def down(self, now: float) -> int:
        """How many peers are passed over."""
        return sum(1 for until in self._down_until.values() if until > now)


class TrunkLoad:
    """What a trunk carries now: calls, and calls of this second. Emergency calls are not in it."""

    __slots__ = ("_budget", "_filled_at", "calls")

    def __init__(self) -> None:
        self.calls = 0
        self._budget = 0.0
        self._filled_at = -1.0

    def admit(self, limits: Limits, now: float) -> str:
        """Which limit is reached, "" where one more call fits; it is then counted against the rate."""
        if limits.calls and self.calls >= limits.calls:
            return "calls"
        if limits.cps:
            if self._filled_at < 0:
                self._budget = max(limits.cps, 1.0)
            else:
                grown = self._budget + (now - self._filled_at) * limits.cps
                self._budget = min(max(limits.cps, 1.0), grown)
            self._filled_at = now
            if self._budget < 1.0:
                return "cps"
            self._budget -= 1.0
        return ""
