"""What the host names of peers lead to: answers of the fetcher, kept as long as they may be, and beyond for a while.

Enters: answers, or why there is none; about once a second the time. Leaves: peers by name. Must not: ask, or have a
call wait; before its first answer a name has no peers.

An answer is believed for its TTL. When no new one comes, it is used on for `stale_s` (serve-stale, RFC 8767): a peer
that has left does not answer, and is passed over for that, while a trunk without peers takes no call at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sipguard.screening.trunk import NamedPeer, Peer
from sipguard.sip.locate import Answer, Query

if TYPE_CHECKING:
    from sipguard.screening.ruleset import Ruleset


class Target:
    """One SRV record: its peers are tried in order, the record as a whole by priority and weight."""

    __slots__ = ("peers", "priority", "weight")

    def __init__(self, peers: tuple[Peer, ...], priority: int, weight: int) -> None:
        self.peers = peers
        self.priority = priority
        self.weight = weight


class Known:
    """The last answer to a query, and until when it is fresh (monotonic seconds)."""

    __slots__ = ("answer", "fresh_until")

    def __init__(self, answer: Answer, fresh_until: float) -> None:
        self.answer = answer
        self.fresh_until = fresh_until


class Names:
    """The names of one worker. `targets`: by NamedPeer.key what it leads to now."""

    __slots__ = ("_known", "_named", "_own", "_stale_s", "refused", "targets")

    def __init__(self) -> None:
        self._known: dict[Query, Known] = {}
        self._named: list[NamedPeer] = []
        self._own: Collection[tuple[str, int]] = ()
        self._stale_s = 0.0
        self.refused = 0  # addresses that were left out, in all answers so far
        self.targets: dict[str, tuple[Target, ...]] = {}

    def use(self, ruleset: Ruleset) -> None:
        """Takes the names of a Ruleset; what they lead to is known where they were asked for before."""
        self._named = [named for trunk in ruleset.trunks.values() for named in trunk.named]
        self._stale_s = ruleset.stale_s
        listeners = ruleset.listeners.values()
        self._own = {(each.host, each.port) for each in listeners} | {
            (each.advertised_host or each.host, each.public_port) for each in listeners
        }
        queries = {named.query for named in self._named}
        self._known = {query: known for query, known in self._known.items() if query in queries}
        self._make()

    def resolved(self, query: Query, answer: Answer, age_s: float, now: float) -> bool:
        """An answer, and how old it is already; whether it is another one than before."""
        before = self._known.get(query)
        self._known[query] = Known(answer, now + answer.ttl_s - age_s)
        self.refused += answer.refused + sum(
            (address, place.port) in self._own for place in answer.places for address in place.addresses
        )
        if before is not None and before.answer.places == answer.places:
            return False
        self._make()
        return True

    def second(self, now: float) -> bool:
        """Lets go of answers that are too old; whether there were any."""
        over = [query for query, known in self._known.items() if known.fresh_until + self._stale_s <= now]
        for query in over:
            del self._known[query]
        if over:
            self._make()
        return bool(over)

    def stale(self, now: float) -> int:
        """How many names are used beyond their TTL."""
        return sum(1 for known in self._known.values() if known.fresh_until <= now)

    def unresolved(self) -> int:
        """How many names lead nowhere."""
        return len({named.query for named in self._named if not self.targets.get(named.key)})

    def _make(self) -> None:
        self.targets = {
            named.key: self._targets(named, self._known[named.query].answer)
            for named in self._named
            if named.query in self._known
        }

    def _targets(self, named: NamedPeer, answer: Answer) -> tuple[Target, ...]:
        """The targets of a name, less addresses that are our own: such an answer would call in circles."""
        found = []
        for place in answer.places:
            by_family: Mapping[int, str] = dict(named.listeners[named.query.transports.index(place.transport)])
            peers = tuple(
                Peer(
                    host=address,
                    port=place.port,
                    transport=place.transport,
                    listener=by_family[6 if ":" in address else 4],
                    tls_names=named.tls_names or (named.query.name,),
                    name=named.query.shown,
                )
                for address in place.addresses
                if (address, place.port) not in self._own
            )
            if peers:
                found.append(Target(peers, place.priority, place.weight))
        return tuple(found)
