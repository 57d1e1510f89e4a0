"""The peers as `status` and `top` show them: once each, with the name that they were found by, in the same words.

Enters: what the worker says of its peers, the trunks, what names lead to. Leaves: rows. Must not: ask anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sipguard.screening.trunk import Trunk
from sipguard.sip.locate import Answer, Query

STATES: Final = {
    "": "up",
    "silent": "silent in a call",
    "probed": "no answer to OPTIONS",
    "retry_after": "Retry-After",
    "unresolved": "name does not resolve",
}

State = tuple[str, str, str]  # trunk, peer, why it is passed over or ""
Entry = tuple[str, int, int]  # name or "", priority, weight


def in_words(why: str) -> str:
    """How a peer stands, from the reason for which it is passed over."""
    return STATES.get(why, why)


def rows(
    states: Iterable[State], trunks: Mapping[str, Trunk], resolved: Mapping[Query, Answer]
) -> list[dict[str, Any]]:
    """A row for each peer of each trunk, with the names and the first priority and weight that lead there.

    One address may be reached by several names, and a name may say it several times: it is one peer all the same.
    """
    entries = {name: list(_entries(trunk, resolved)) for name, trunk in trunks.items()}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for trunk, peer, why in states:
        if (trunk, peer) in found:
            continue
        of_peer = [entry for key, entry in entries.get(trunk, ()) if key in (peer, peer.partition("@")[0])]
        _, priority, weight = of_peer[0] if of_peer else ("", None, None)
        names = dict.fromkeys(name for name, _, _ in of_peer if name and name != peer)
        found[trunk, peer] = {
            "trunk": trunk, "peer": peer, "passed_over": why, "state": in_words(why), "names": list(names),
            "priority": priority, "weight": weight,
        }  # fmt: skip
    return list(found.values())


def _entries(trunk: Trunk, resolved: Mapping[Query, Answer]) -> Iterator[tuple[str, Entry]]:
    """(peer as the worker calls it, less the listener where it was found by a name; its entry in the trunk)."""
    for peer in trunk.peers:
        yield peer.key, (peer.name, peer.priority, peer.weight)
    for named in trunk.named:
        entry = named.query.shown, named.priority, named.weight
        yield named.query.shown, entry
        for place in resolved[named.query].places if named.query in resolved else ():
            for address in place.addresses:
                host = f"[{address}]" if ":" in address else address
                yield f"{host}:{place.port}/{place.transport}", entry
