"""Failures of peers: which of several crosses to the caller, and what the last 503 becomes.

Enters: final responses of the peers of one call, in the order they came. Leaves: the one to relay. Must not: send.
"""

from __future__ import annotations

from typing import Final

from sipguard.sip.message import Response

RESUBMIT: Final = frozenset({401, 407, 415, 420, 484})  # they say how to ask again (RFC 3261 §16.7 step 6)
LAST_503: Final = {  # what a trunk may be told instead: its peers' 503 is not our own overload
    480: "Temporarily Unavailable",
    500: "Server Internal Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
}


def better(kept: Response | None, late: Response) -> Response:
    """Which of two failures says more to the caller; of equals, the later one (RFC 3261 §16.7 step 6)."""
    return kept if kept is not None and rank(kept.status) < rank(late.status) else late


def rank(status: int) -> int:
    """Smaller is better: 6xx, then the lowest class; within it what affects a resubmission first, 408 and 503 last."""
    if status >= 600:
        return 0
    return 10 * (status // 100) + (0 if status in RESUBMIT else 2 if status in (408, 503) else 1)
