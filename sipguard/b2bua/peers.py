"""What is known of peers: which are passed over, until when and why.

Enters: what calls and probes saw. Leaves: the order in which a call tries them; changes, for the journal.
Must not: send, read a clock, be random by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from sipguard.b2bua.peer_names import Names, Target
from sipguard.screening.route import Way
from sipguard.screening.trunk import NamedPeer, Peer, Trunk

SILENT: Final = "silent"  # no answer within try_timeout, or not reachable
RETRY_AFTER: Final = "retry_after"  # it asked to be left alone (RFC 3261 §21.5.4)
PROBED: Final = "probed"  # it does not answer OPTIONS
UNRESOLVED: Final = "unresolved"  # its name leads nowhere
_FOREVER: Final = float("inf")

Hop = tuple[Trunk, Peer]
Entry = Peer | NamedPeer | Target


class Mark:
    """That a peer is passed over: until when (monotonic seconds), why, and for which trunk it was seen."""

    __slots__ = ("trunk", "until", "why")

    def __init__(self, until: float, why: str, trunk: str) -> None:
        self.until = until
        self.why = why
        self.trunk = trunk


class Change:
    """A peer that is passed over from now on, or (`why` is "") no longer is."""

    __slots__ = ("peer", "trunk", "why")

    def __init__(self, trunk: str, peer: str, why: str) -> None:
        self.trunk = trunk
        self.peer = peer
        self.why = why


class Peers:
    """The peers of one worker. `below(n)` answers a random number from 0 to n-1."""

    __slots__ = ("_below", "_marks", "changes", "names")

    def __init__(self, below: Callable[[int], int]) -> None:
        self._below = below
        self._marks: dict[str, Mark] = {}  # by Peer.key
        self.changes: list[Change] = []  # since they were taken
        self.names = Names()

    def to_try(self, way: Way, now: float, emergency: bool) -> list[Hop]:
        """The peers of a way in the order of this call, those that are passed over left out.

        An emergency call may try them too, after the others. For any other call, where all are passed over, the one
        whose mark ends first is tried all the same: silence to OPTIONS proves nothing, and a refusal without a try
        helps nobody. Not one that asked for silence (RFC 3261 §21.5.4).
        """
        hops: Sequence[Hop] = way.hops or self._ordered(way)
        if not self._marks:
            return list(hops)
        up = [hop for hop in hops if self._is_up(hop[1], now)]
        if emergency:
            return up + [hop for hop in hops if not self._is_up(hop[1], now)]
        return up or self._least_down(hops)

    def _least_down(self, hops: Sequence[Hop]) -> list[Hop]:
        """The hop whose mark ends first, the first of several; [] where all have asked for silence."""
        found: list[Hop] = []
        least = _FOREVER
        for hop in hops:
            mark = self._marks[hop[1].key]
            if mark.why != RETRY_AFTER and (not found or mark.until < least):
                found, least = [hop], mark.until
        return found

    def marked(self, way: Way, now: float) -> list[tuple[str, str]]:
        """("ip:port", why) of the peers of a way that have a mark now, (name, "unresolved") of names without peers."""
        found = []
        for trunk in way.trunks:
            found += [(named.query.shown, UNRESOLVED) for named in trunk.named if not self.names.targets.get(named.key)]
            for peer in self.every(trunk):
                why = self.why_down(peer, now)
                if why:
                    found.append((f"{peer.host}:{peer.port}", why))
        return found

    def _is_up(self, peer: Peer, now: float) -> bool:
        mark = self._marks.get(peer.key)
        return mark is None or mark.until <= now

    def _ordered(self, way: Way) -> list[Hop]:
        """The hops of a way whose order is drawn for each call."""
        hops: list[Hop] = []
        for trunk in way.trunks:
            written: list[Peer | NamedPeer] = [*trunk.peers, *trunk.named]
            written.sort(key=lambda entry: entry.rank)
            hops += [(trunk, peer) for entry in self._drawn([*written]) for peer in self._peers_of(entry)]
        return hops

    def _peers_of(self, entry: Entry) -> Sequence[Peer]:
        """The peers that an entry stands for, in the order of this call."""
        if isinstance(entry, Peer):
            return (entry,)
        if isinstance(entry, Target):
            return entry.peers
        targets: list[Entry] = [*self.names.targets.get(entry.key, ())]
        return [peer for target in self._drawn(targets) for peer in self._peers_of(target)]

    def _drawn(self, entries: list[Entry]) -> list[Entry]:
        """By priority; among the same, by weights (RFC 2782), or as they stand where there are none."""
        found: list[Entry] = []
        left = sorted(entries, key=lambda entry: entry.priority)
        while left:
            group = [entry for entry in left if entry.priority == left[0].priority]
            del left[: len(group)]
            found += self._by_weight(group) if any(entry.weight for entry in group) else group
        return found

    def _by_weight(self, group: list[Entry]) -> list[Entry]:
        """A random order in which the chance to be next is as the weights (RFC 2782, "Weight")."""
        left = sorted(group, key=lambda entry: entry.weight > 0)  # those of weight 0 first, for their small chance
        found: list[Entry] = []
        while len(left) > 1:
            chosen = self._below(sum(entry.weight for entry in left) + 1)
            at = 0
            while chosen > left[at].weight:
                chosen -= left[at].weight
                at += 1
            found.append(left.pop(at))
        return found + left

    # ------------------------------------------------------------------ what was seen

    def failed(self, peer: Peer, trunk: Trunk, now: float) -> None:
        """The peer did not react in time or cannot be reached."""
        self._mark(peer, now + trunk.down_for_s, SILENT, trunk)

    def refused(self, peer: Peer, trunk: Trunk, retry_after_s: float, now: float) -> None:
        """The peer answered 503, and how long it asked to be left alone; 0.0 where it did not.

        Without Retry-After a 503 says no more than a 500 would (RFC 3261 §21.5.4): the next call tries it again.
        """
        wait_s = min(retry_after_s, trunk.retry_after_limit_s)
        if wait_s > 0:
            self._mark(peer, now + wait_s, RETRY_AFTER, trunk)
        else:
            self.answered(peer)

    def answered(self, peer: Peer) -> None:
        """The peer reacted. What it asked for by Retry-After stands, since this may be to a request of before."""
        if self._marks:
            mark = self._marks.get(peer.key)
            if mark is not None and mark.why != RETRY_AFTER:
                self._unmark(peer.key)

    def probed_down(self, peer: Peer, trunk: Trunk) -> None:
        """Probes find the peer down: until they find it up."""
        self._mark(peer, _FOREVER, PROBED, trunk)

    def probed_up(self, peer: Peer) -> None:
        """Probes find the peer up: it is tried again, before `down_for` is over too."""
        self.answered(peer)

    def forget(self, why: str, keep: Collection[str]) -> None:
        """Lets go of marks that have this reason, but for the peers of the keys in `keep`."""
        for key in [key for key, mark in self._marks.items() if mark.why == why and key not in keep]:
            self._unmark(key)

    def expire(self, now: float) -> None:
        """Lets go of what is over."""
        for key in [key for key, mark in self._marks.items() if mark.until <= now]:
            self._unmark(key)

    def _mark(self, peer: Peer, until: float, why: str, trunk: Trunk) -> None:
        before = self._marks.get(peer.key)
        if before is not None and before.why == PROBED:
            return
        self._marks[peer.key] = Mark(until, why, trunk.name)
        if before is None or before.why != why:
            self.changes.append(Change(trunk.name, peer.key, why))

    def _unmark(self, key: str) -> None:
        mark = self._marks.pop(key)
        self.changes.append(Change(mark.trunk, key, ""))

    # ------------------------------------------------------------------ questions

    def why_down(self, peer: Peer, now: float) -> str:
        """Why the peer is passed over now, "" where it is not."""
        mark = self._marks.get(peer.key)
        return mark.why if mark is not None and mark.until > now else ""

    def every(self, trunk: Trunk) -> Sequence[Peer]:
        """All peers of a trunk, those too that its names lead to now."""
        if not trunk.named:
            return trunk.peers
        targets = [target for named in trunk.named for target in self.names.targets.get(named.key, ())]
        return [*trunk.peers, *(peer for target in targets for peer in target.peers)]

    def states(self, trunks: Mapping[str, Trunk], now: float) -> list[tuple[str, str, str]]:
        """(trunk, peer, why it is passed over or "") of all peers of all trunks, and of names that lead nowhere."""
        found = []
        for name, trunk in trunks.items():
            found += [(name, peer.key, self.why_down(peer, now)) for peer in self.every(trunk)]
            found += [
                (name, named.query.shown, UNRESOLVED) for named in trunk.named if not self.names.targets.get(named.key)
            ]
        return found

    def has_marks(self) -> bool:
        """Whether there may be a mark on any peer."""
        return bool(self._marks)

    def down(self, now: float) -> int:
        """How many peers are passed over."""
        return sum(1 for mark in self._marks.values() if mark.until > now)
