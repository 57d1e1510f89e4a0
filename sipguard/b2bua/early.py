"""Early dialogs: each To-tag of the next hop is a B leg of its own, and has an A leg with a To-tag of ours.

Enters: provisional and final responses to the forwarded INVITE. Leaves: the pair of legs that a response belongs to.
Must not: send, relay, know how a call ends.

The first To-tag takes the legs that the call has; a next hop that does not fork costs nothing here. RFC 3261 §12.1,
§13.2.2.4: the caller tells forks apart by our tags, never by theirs; and target, route set, both CSeq spaces and the
RSeq numbers (RFC 3262 §3) belong to one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.leg import B, Leg
from sipguard.b2bua.privacy import stand_beside
from sipguard.sip.flow import Flow
from sipguard.sip.message import Response

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.b2bua.setup import Setup


MOST: Final = 32  # early dialogs of one INVITE beside the first; of more only the 2xx is heard


def fork_key(local_tag: str, remote_tag: str) -> str:
    """Where in `engine.legs` a B leg stands that shares its local tag with others; a tag has no space."""
    return f"{local_tag} {remote_tag}"


def leg_for(setup: Setup, response: Response, flow: Flow) -> Leg | None:
    """The B leg of the dialog that a response belongs to; one more, with its A leg, for a To-tag that is new.

    None where there are too many of them.
    """
    first = setup.call.b
    remote_tag = response.to_tag
    if first is None or first.remote_tag == remote_tag or not remote_tag:
        return first
    if first.remote_tag:
        key = fork_key(first.local_tag, remote_tag)
        known = setup.call.engine.legs.get(key)
        if known is not None or (response.status < 200 and setup.forks is not None and len(setup.forks) >= MOST):
            return known
        return _fork(setup, first, response, flow, key)
    _begin(setup, first, remote_tag, response, flow)
    return first


def _begin(setup: Setup, leg: Leg, remote_tag: str, response: Response, flow: Flow) -> None:
    """The dialog that a response has made, in `leg`."""
    leg.remote_tag = remote_tag
    leg.remote = response.value("to")
    leg.invited_by, leg.invited_as = setup.request.cseq, response.cseq
    leg.learn(response, flow)


def _fork(setup: Setup, first: Leg, response: Response, flow: Flow, key: str) -> Leg:
    """The legs of a further To-tag."""
    call = setup.call
    engine = call.engine
    went_by = setup.client.flow if setup.client is not None else first.flow
    leg = Leg(B, call, engine.listeners[went_by.listener], went_by)
    leg.call_id, leg.local_tag, leg.local = first.call_id, first.local_tag, first.local
    leg.cseq = response.cseq
    leg.login = first.login
    stand_beside(leg, first)
    host, port = went_by.remote
    leg.aim_at(f"sip:[{host}]:{port}" if ":" in host else f"sip:{host}:{port}")
    _begin(setup, leg, response.to_tag, response, flow)
    a = call.caller_leg(setup.request, setup.server.flow)
    if not a.prepare(setup.request):  # an emergency call goes on without
        a.aim_at_source()
    a.pair_with(leg)
    engine.legs[key] = leg
    engine.legs[a.local_tag] = a
    if setup.forks is None:
        setup.forks = []
    setup.forks.append(leg)
    return leg


def tag_of(setup: Setup, response: Response) -> str:
    """The To-tag that the caller sees in a final failure: that of the early dialog it comes from, if there is one."""
    call = setup.call
    remote_tag = response.to_tag
    if setup.forks is not None:
        for leg in setup.forks:
            if leg.remote_tag == remote_tag and leg.other is not None:
                return leg.other.local_tag
    return call.a.local_tag


def confirm(setup: Setup, leg: Leg) -> None:
    """The dialog of `leg` is the call's from now on; the others are over (RFC 3261 §13.2.2.4)."""
    call = setup.call
    first = call.b
    if leg is first or first is None or leg.other is None:
        forget_forks(setup)
        return
    engine = call.engine
    _drop(engine, setup, first, first.local_tag)
    assert setup.forks is not None
    setup.forks.remove(leg)
    forget_forks(setup)
    engine.legs.pop(fork_key(leg.local_tag, leg.remote_tag), None)
    engine.legs[leg.local_tag] = leg
    call.a, call.b = leg.other, leg


def forget_forks(setup: Setup) -> None:
    """Lets go of the early dialogs but the first."""
    forks = setup.forks
    if forks is not None:
        setup.forks = None
        for leg in forks:
            _drop(setup.call.engine, setup, leg, fork_key(leg.local_tag, leg.remote_tag))


def _drop(engine: Engine, setup: Setup, leg: Leg, key: str) -> None:
    """An early dialog is over. What is under way in it is answered by the next hop, or by its own timer."""
    engine.legs.pop(key, None)
    a = leg.other
    for exchange in list(setup.call.exchanges):
        if exchange.source is leg or exchange.other is leg:
            setup.call.exchanges.remove(exchange)
    leg.part()
    if a is not None:
        engine.legs.pop(a.local_tag, None)
        a.part()


def renew(setup: Setup) -> None:
    """A further peer is tried: its dialogs are others than those of the peer before, so the caller sees other tags."""
    call = setup.call
    engine = call.engine
    forget_forks(setup)
    if call.b is not None:
        engine.legs.pop(call.b.local_tag, None)
        call.b.part()
    a = call.a
    engine.legs.pop(a.local_tag, None)
    a.local_tag = engine.ids.token()
    a.local = f"{setup.request.to_value};tag={a.local_tag}"
    engine.legs[a.local_tag] = a
