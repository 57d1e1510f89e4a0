"""Emergency calls whose messages break the rules of SIP: they are repaired instead of refused.

Enters: octets that the parser refused. Leaves: the request as it was probably meant, if an emergency call depends on
it; None for any other, which is answered by its fault. Must not: repair anything else.

Whoever calls for help with a phone or an exchange that writes wrongly is not helped by a 400. What follows the INVITE
has the same faults, mostly: ACK, CANCEL, BYE and others of such a call are repaired as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipguard.b2bua import admission
from sipguard.screening import guard
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.mending import mended
from sipguard.sip.message import Request
from sipguard.sip.parse import parse
from sipguard.sip.transaction import cancelled_key, server_key

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.sip.flow import Flow


def mended_request(engine: Engine, flow: Flow, octets: bytes) -> Request | None:
    """The request that must not be refused, repaired; None where there is none in `octets`. Never of strangers."""
    if octets[:4] == b"SIP/" or not engine.sources.knows(flow):
        return None
    again = mended(octets)
    if not again:
        return None
    try:
        request = parse(again)
    except MalformedMessage:
        return None
    if type(request) is not Request:
        return None
    if request.to_tag:
        leg = engine.legs.get(request.to_tag)
        if leg is not None and leg.call is not None:
            return request if leg.call.emergency else None
        return request if _is_known(engine, request) else None
    if request.method != "INVITE":
        return request if _is_known(engine, request) else None
    trunk = engine.sources.trunk_of(flow)
    if trunk is None:
        return None
    attempt = admission.attempt_of(engine, request, trunk)
    return request if guard.admit(attempt, engine.ruleset.emergency) else None


def _is_known(engine: Engine, request: Request) -> bool:
    """Whether it belongs to an INVITE that is on its way: its ACK, its CANCEL."""
    servers = engine.layer.servers
    return request.method in ("ACK", "CANCEL") and (server_key(request) in servers or cancelled_key(request) in servers)
