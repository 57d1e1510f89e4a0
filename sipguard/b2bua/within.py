"""Requests within a dialog: they find their leg and cross to the other; ACK and CANCEL find their INVITE.

Enters: a request with a To-tag, an ACK of a 2xx, a CANCEL. Leaves: an exchange, the end of a call, or the refusal
that RFC 3261 wants. Must not: know what an exchange does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import refresh
from sipguard.b2bua.call import Call
from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.crossing import TARGET_REFRESH, crossing_lines
from sipguard.b2bua.early import fork_key
from sipguard.b2bua.exchange import Exchange
from sipguard.b2bua.extensions import unknown_extensions
from sipguard.b2bua.leg import A, B, Leg
from sipguard.b2bua.loops import has_returned
from sipguard.b2bua.naming import NAMING, renamed_lines
from sipguard.b2bua.privacy import hidden, without
from sipguard.b2bua.setup import Setup
from sipguard.b2bua.subscription import OUTLIVING
from sipguard.b2bua.untold import lines_untold
from sipguard.sip.compose import local_response
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.transaction import ServerTransaction, cancelled_key

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine

_UNKNOWN: Final = INDEX["unknown_source"]


def leg_of(engine: Engine, request: Request) -> Leg | None:
    """The leg whose dialog a request names by Call-ID and both tags (RFC 3261 §12), None for no dialog of ours."""
    leg = engine.legs.get(request.to_tag)
    if leg is not None and leg.remote_tag != request.from_tag:
        leg = engine.legs.get(fork_key(request.to_tag, request.from_tag))
    if leg is None or leg.call_id != request.call_id:
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
        if has_returned(engine, request):  # a 481 would come back as the answer, and end the call
            engine.answer(server, request, 482, "Loop Detected")
        else:
            engine.answer(server, request, 481, "Call/Transaction Does Not Exist")
        return
    server = engine.server_for(flow, request, key)
    if request.hops == 0:
        engine.answer(server, request, 483, "Too Many Hops")
        return
    if request.cseq <= leg.remote_cseq:  # RFC 3261 §12.2.2; no header's name in the phrase, some look for it anywhere
        engine.answer(server, request, 500, "Request Out Of Order")
        return
    engine.layer.at_work = call = leg.call
    other = leg.other
    if other is None or not _stands(call, leg, other, request.method):
        engine.answer(server, request, 481, "Call/Transaction Does Not Exist")
        return
    leg.remote_cseq = request.cseq
    unknown = unknown_extensions(request)
    if unknown:
        engine.answer(server, request, 420, "Bad Extension", f"Unsupported: {unknown}")
        return
    _cross(engine, call, leg, other, request, server)


def _stands(call: Call | None, leg: Leg, other: Leg, method: str) -> bool:
    """Whether a dialog is there for a request: early or confirmed, or only for the subscriptions it still has."""
    if call is None:
        return leg.lingering is not None and method in OUTLIVING
    return bool(other.remote_tag or call.answer_at)


def _cross(
    engine: Engine, call: Call | None, leg: Leg, other: Leg, request: Request, server: ServerTransaction
) -> None:
    method = request.method
    early = call.setup if call is not None else None
    if call is not None and method in ("INVITE", "UPDATE"):
        if _in_the_way(engine, call, leg, other, request, server):
            return
    elif method == "BYE" and early is not None and (leg.name == B or early.forks is None):
        _early_bye(engine, early, leg, request, server)
        return
    try:
        if NAMING.isdisjoint(request.at):
            lines = crossing_lines(request, leg)
        else:
            lines = renamed_lines(engine, request, leg, other)
    except MalformedMessage as error:
        engine.answer(server, request, error.status, error.phrase)
        return
    if leg.border or other.border:
        lines = without(lines, hidden(request, leg.believed, other.shown))
    if other.untold and "reason" in request.at:
        lines = lines_untold(lines)
    if method in TARGET_REFRESH:
        if call is not None:
            call.refresh_target(leg, request)
    elif method == "BYE" and early is not None:
        early.parting = True
    elif method == "BYE" and call is not None:
        call.settle()
    asks_s = 0
    timer = call.trunk.session_timer if call is not None else None
    if call is not None and timer is not None and method in refresh.METHODS and not call.emergency:
        lines, asks_s = refresh.asked_for(lines, request, timer)
    Exchange(engine, leg, other, request, lines, server, engine.clock.now, asks_s)
    if method == "BYE" and early is None and call is not None:
        call.bye(leg, request)


def _in_the_way(engine: Engine, call: Call, leg: Leg, other: Leg, request: Request, server: ServerTransaction) -> bool:
    """Answers an INVITE or UPDATE that must wait for another one (RFC 3261 §14.2, RFC 3311 §5.2).

    Its sender has asked twice: 500. The other side has asked: 491. Whether an offer in an INVITE or a PRACK was
    answered meanwhile only the two ends know, and they judge it themselves.
    """
    inviting = request.method == "INVITE"
    if inviting and (leg.inviting is not None or (call.setup is not None and leg.name == A)):
        twice, glare = True, False
    elif inviting:
        twice = False
        glare = other.inviting is not None or other.answer is not None or leg.answer is not None
        glare = glare or call.setup is not None
    else:
        twice, glare = leg.updating is not None, False
    if not twice and not glare and (inviting or request.body):
        twice = leg.updating is not None and leg.updating.offers
        glare = other.updating is not None and other.updating.offers
    timer = call.trunk.session_timer
    if timer is not None and not twice and not glare and not call.emergency and refresh.too_short(request, timer):
        engine.answer(server, request, 422, "Session Interval Too Small", refresh.least(timer))
        return True
    if twice:
        status, phrase = (500, "INVITE In Progress") if inviting else (500, "UPDATE In Progress")
        engine.answer(server, request, status, phrase, f"Retry-After: {engine.ids.below(11)}")
    elif glare:
        engine.answer(server, request, 491, "Request Pending")
    return twice or glare


def _early_bye(engine: Engine, setup: Setup, leg: Leg, request: Request, server: ServerTransaction) -> None:
    """A BYE before the answer: the caller's ends the one early dialog there is, and is as good as a CANCEL (RFC 3261
    §15); where there are several it crosses, since it ends one of them only. The callee must not send any."""
    if leg.name == A:
        engine.answer(server, request, 200, "OK")
        setup.cancelled(request, engine.clock.now)
    else:
        engine.answer(server, request, 481, "Call/Transaction Does Not Exist")


def ack(engine: Engine, request: Request) -> None:
    """An ACK for a 2xx; one that belongs to nothing is dropped."""
    leg = leg_of(engine, request)
    if leg is not None and leg.answer is not None and leg.answer.cseq == request.cseq:
        engine.layer.at_work = leg.call
        leg.answer.acknowledged(request)


def _may_cancel(engine: Engine, cancelled: ServerTransaction, flow: Flow) -> bool:
    """Whether a CANCEL comes from where its INVITE came from, or from the same trunk.

    It goes to the next hop only (§9.1), and some callers' branches can be guessed.
    """
    if cancelled.flow.remote[0] == flow.remote[0]:
        return True
    trunk, user = engine.sources.trunk_of(flow), cancelled.user
    if isinstance(user, Setup):
        return trunk is not None and trunk.name == user.call.trunk.name
    return engine.sources.knows(flow)


def cancel(engine: Engine, flow: Flow, request: Request, key: str) -> None:
    """A CANCEL: 200 where it finds its INVITE, whatever it can still do there (RFC 3261 §9.2)."""
    cancelled = engine.layer.servers.get(cancelled_key(request))
    if cancelled is None or not _may_cancel(engine, cancelled, flow):
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
        engine.layer.at_work = user
        user.cancelled(request, engine.clock.now)
