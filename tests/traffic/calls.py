"""A call from its INVITE to its end, and what happens in many of them, in order of time.

Enters: streams of calls, each in order of their INVITEs. Leaves: events. Must not: know why a call is made.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

ATTEMPT: Final = "attempt"
ANSWERED: Final = "answered"
ENDED: Final = "ended"  # an answered call, by BYE
GIVEN_UP: Final = "given_up"  # by the calling side, with CANCEL
REFUSED: Final = "refused"  # by the called side: busy, no such number, nobody at home


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls whom when, and what comes of it.

    `stream` says what it is part of, `trunk` where it comes in; `caller` and `callee` are TNs; `signer` is a service
    provider code, "" where nobody signed. `rings_s` passes from the INVITE to `outcome` (ANSWERED, GIVEN_UP or
    REFUSED), `talks_s` from the answer to the end.
    """

    stream: str
    trunk: str
    caller: str
    callee: str
    signer: str
    at: float
    outcome: str
    rings_s: float
    talks_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in a call. `n` counts calls, in order of their INVITEs."""

    at: float
    n: int
    what: str
    call: Call


def events(*streams: Iterable[Call]) -> Iterator[Event]:
    """What happens in all of them, in order of time."""
    waiting: list[tuple[float, int, str, Call]] = []
    for n, call in enumerate(heapq.merge(*streams, key=_at)):
        while waiting and waiting[0][0] <= call.at:
            yield _next(waiting)
        yield Event(call.at, n, ATTEMPT, call)
        heapq.heappush(waiting, (call.at + call.rings_s, n, call.outcome, call))
    while waiting:
        yield _next(waiting)


def _at(call: Call) -> float:
    return call.at


def _next(waiting: list[tuple[float, int, str, Call]]) -> Event:
    """Takes the next thing that happens; an answered call has an end to come."""
    at, n, what, call = heapq.heappop(waiting)
    if what == ANSWERED:
        heapq.heappush(waiting, (at + call.talks_s, n, ENDED, call))
    return Event(at, n, what, call)
