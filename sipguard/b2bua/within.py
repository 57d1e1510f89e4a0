"""Requests within a dialog: they find their leg and cross to the other; ACK and CANCEL find their INVITE.

Enters: a request with a To-tag, an ACK of a 2xx, a CANCEL. Leaves: an exchange, the end of a call, or the refusal
that RFC 3261 wants. Must not: know what an exchange does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.call import Call
from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.exchange import Exchange
from sipguard.b2bua.extensions import unknown_extensions
from sipguard.b2bua.leg import Leg
from sipguard.b2bua.setup import Setup
from sipguard.sip.compose import local_response
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.transaction import ServerTransaction, cancelled_key

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine

_UNKNOWN: Final = INDEX["unknown_source"]


def leg_of(engine: Engine, request: Request) -> Leg | None:
    """The leg whose dialog a request names by Call-ID and both tags (RFC 3261 §12), None for no dialog of ours."""
    leg = engine.legs.get(request.to_tag)
    if leg is None or leg.call_id != request.call_id or leg.remote_tag != request.from_tag:
        return None
    return leg


def within(engine: Engine, flow: Flow, request: Request, key: str) -> None:
    """A request within a dialog. The tags prove that the sender knows the call; others must be admitted."""
    leg = leg_of(engine, request)
    if leg is None:
        if not engine.sources.knows(flow):
            engine.counts[_UNKNOWN] += 1
            return
        engine.counts[INDEX["outside_dialog"]] += 1
        server = engine.server_for(flow, request, key)
        engine.answer(server, request, 481, "Call/Transaction Does Not Exist")
        return
    server = engine.server_for(flow, request, key)
    if request.hops == 0:
        engine.answer(server, request, 483, "Too Many Hops")
        return
    if request.cseq <= leg.remote_cseq:  # RFC 3261 §12.2.2
        engine.answer(server, request, 500, "CSeq Out Of Order")
        return
    call = leg.call
    other = call.other(leg) if call is not None else None
    if call is None or other is None or not (other.remote_tag or call.answer_at):
        engine.answer(server, request, 481, "Call/Transaction Does Not Exist")
        return
    leg.remote_cseq = request.cseq
    unknown = unknown_extensions(request)
    if unknown:
        engine.answer(server, request, 420, "Bad Extension", f"Unsupported: {unknown}")
        return
    _cross(engine, call, leg, other, request, server)


def _cross(engine: Engine, call: Call, leg: Leg, other: Leg, request: Request, server: ServerTransaction) -> None:
    method = request.method
    now = engine.clock.now
    if method == "INVITE":
        if leg.inviting is not None:
            engine.answer(server, request, 500, "INVITE In Progress", "Retry-After: 3")  # §14.2
            return
        if other.inviting is not None or other.answer is not None or leg.answer is not None or not call.answer_at:
            engine.answer(server, request, 491, "Request Pending")
            return
        call.refresh_target(leg, request)
    elif method == "UPDATE":
        call.refresh_target(leg, request)
    elif method == "BYE":
        if call.setup is not None:
            _early_bye(engine, call.setup, leg, request, server)
            return
        call.settle()
    Exchange(engine, leg, other, request, server, now)
    if method == "BYE":
        call.bye(leg, request)


def _early_bye(engine: Engine, setup: Setup, leg: Leg, request: Request, server: ServerTransaction) -> None:
    """A BYE before the answer ends the early dialog (RFC 3261 §15): the caller's is as good as a CANCEL."""
    if leg.name == "a":
        engine.answer(server, request, 200, "OK")
        setup.cancelled(request, engine.clock.now)
    else:
        engine.answer(server, request, 481, "Call/Transaction Does Not Exist")


def ack(engine: Engine, request: Request) -> None:
    """An ACK for a 2xx; one that belongs to nothing is dropped."""
    leg = leg_of(engine, request)
    if leg is not None and leg.answer is not None and leg.answer.cseq == request.cseq:
        leg.answer.acknowledged(request)


def cancel(engine: Engine, flow: Flow, request: Request, key: str) -> None:
    """A CANCEL: 200 where it finds its INVITE, whatever it can still do there (RFC 3261 §9.2)."""
    cancelled = engine.layer.servers.get(cancelled_key(request))
    if cancelled is None:
        if not engine.sources.knows(flow):
            engine.counts[_UNKNOWN] += 1
            return
        server = engine.server_for(flow, request, key)
        engine.answer(server, request, 481, "Call/Transaction Does Not Exist")
        return
    server = engine.server_for(flow, request, key)
    user = cancelled.user
    tag = user.call.a.local_tag if isinstance(user, Setup) else engine.ids.token()
    octets = local_response(server.head, server.to_line, "" if request.to_tag else tag, 200, "OK")
    server.respond(200, octets, engine.clock.now)
    if isinstance(user, Setup | Exchange):
        user.cancelled(request, engine.clock.now)
