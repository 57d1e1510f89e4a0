"""Requests that come back: a loop is the same request once more, a spiral one to somewhere else.

Enters: a new INVITE and its trunk, an OPTIONS. Leaves: whether it is a loop. Must not: keep state; what is on its way
is known.

A proxy behind us leaves our Via below its own, with the branch of an INVITE that is still on its way (RFC 3261 §16.3
step 4, RFC 5393 §4.2). The same trunk and Request-URI would be routed as before: a loop. Another Request-URI is a
spiral and passes, and so does another trunk: a call may cross us twice on its way through a core. A B2BUA behind us
does not leave our Via; against those there is Max-Forwards, which all of them pass on, less one (RFC 7332 §5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipguard.b2bua.leg import B
from sipguard.b2bua.setup import Setup
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import Request
from sipguard.sip.uri import split_outside, user_of
from sipguard.sip.via import branch_of

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.screening.trunk import Trunk


def is_loop(engine: Engine, request: Request, trunk: Trunk) -> bool:
    """Whether an INVITE of ours has come back to where it began."""
    if "," not in request.via and request.keys.count("via") == 1:
        return False
    for value in request.values("via"):
        for branch in _branches(value):
            client = engine.layer.clients.get(branch)
            setup = client.user if client is not None else None
            if isinstance(setup, Setup) and setup.call.trunk.name == trunk.name and _same(setup.request, request):
                return True
    return False


def is_spiral(engine: Engine, request: Request) -> bool:
    """Whether an INVITE left here and has come back to go elsewhere, by the names that its dialog has behind us.

    Nobody on the calling side knows these. From a B2BUA it has others, and looks like a call of its own.
    """
    leg = engine.legs.get(request.from_tag)
    return leg is not None and leg.name == B and leg.call_id == request.call_id


def sent_first(request: Request) -> str:
    """The Via of who made a request, "" where nobody passed it on. All branches of a fork have the same one."""
    if "," not in request.via and request.keys.count("via") == 1:
        return ""
    return request.values("via")[-1].rpartition(",")[2].strip()


def has_returned(engine: Engine, request: Request) -> bool:
    """Whether a request that we compose ourselves, an OPTIONS, was sent back to us by a neighbour."""
    if "," not in request.via and request.keys.count("via") == 1:
        return False
    clients = engine.layer.clients
    return any(branch in clients for value in request.values("via") for branch in _branches(value))


def _branches(value: str) -> list[str]:
    """The branches of a Via header value, which may hold several."""
    try:
        return [branch_of(one) for one in split_outside(value, ",")]
    except MalformedMessage:
        return []


def _same(one: Request, other: Request) -> bool:
    """Whether two Request-URIs are to the same place: their hosts were rewritten on the way, so users are compared."""
    user, again = user_of(one.uri), user_of(other.uri)
    return user.lower() == again.lower() if user and again else one.uri.lower() == other.uri.lower()
