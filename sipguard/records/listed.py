"""Which entries of a list may have put a call on it, and by whose word they stood there.

Enters: a verdict frame. Leaves: numbers as lists were asked for them, and entries that cover these. Must not: know
where edits are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from sipguard.b2bua.frames import VerdictFrame
from sipguard.screening.overlay import width_of

PREFIX: Final = "lists."


class ListedBy(NamedTuple):
    """An edit that put a number of the call on a list, as it was at the time. Instants are Unix seconds."""

    which: str  # shown | asserted | caller | callee | pair | upstream
    name: str  # of the list
    entry: str  # in canonical form; a prefix ends with *
    change: int
    who: str
    at: float
    why: str
    expires_at: float  # 0.0 for never
    undone_by: int  # change that took it back since, 0 for none


def asked_of(verdict: VerdictFrame) -> Iterator[tuple[str, str, str]]:
    """(which, name of a list, what was asked of it) for each list that a number of the call was found on.

    Of several asserted numbers the first is meant; the number in Diversion and the User-Agent are not kept.
    """
    values = {
        "shown": verdict.shown,
        "asserted": verdict.asserted,
        "caller": verdict.caller,
        "callee": verdict.callee,
        "pair": f"{verdict.caller},{verdict.callee}",
        "upstream": verdict.trunk,
    }
    for fact, names in verdict.facts.items():
        which = fact.removeprefix(PREFIX)
        if fact.startswith(PREFIX) and isinstance(names, list | tuple) and values.get(which):
            yield from ((which, name, values[which]) for name in names)


def speaking(entries: Iterable[str], asked: str) -> list[str]:
    """Those entries of edits that cover a number, the most specific first, as `overlay` asks them."""
    widths = ((width_of(entry, asked), entry[-1:] == "*", entry) for entry in entries)
    return [entry for width, _, entry in sorted(widths) if width]


def covering(entry: str) -> Iterator[str]:
    """The entries that cover one, the most specific first: itself, then prefixes."""
    yield entry
    if entry.isdecimal():
        yield from (f"{entry[:length]}*" for length in range(len(entry), 0, -1))


def covering_of(asked: str, verdict: VerdictFrame) -> Iterator[str]:
    """The entries that cover what was asked for a call, on a list of any kind."""
    yield from covering(asked)
    if asked.isdecimal():
        yield from (f"{verdict.trunk},{entry}" for entry in covering(asked))  # a list by trunk has no others
    elif asked == verdict.trunk:
        yield from _networks(verdict.source.rpartition(":")[0].strip("[]"))


def _networks(address: str) -> Iterator[str]:
    """The networks that an IP address is in, narrowest first; none for what is no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return
    for length in range(found.max_prefixlen, -1, -1):
        yield str(ip_network((found.packed, length), strict=False))
