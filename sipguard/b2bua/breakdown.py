"""What becomes of a call when something breaks that nobody expected: it is ended, or goes on where it must.

Enters: whom the engine was at work for, and the message at hand. Leaves: a final response, CANCEL, ACK and BYE, the
end frame; nothing of the call in any table. Must not: believe that anything of the call is whole: each step is tried
by itself, and the next one is done whatever came of it.

An emergency call goes on as long as there is a way: unscreened and unmarked to its first peer, on to the next one, in
its dialogs; and a call whose screening breaks goes on as one whose checks have failed (docs/policy.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import admission
from sipguard.b2bua.abandoned import Abandoned
from sipguard.b2bua.answer import Answer
from sipguard.b2bua.call import Call
from sipguard.b2bua.exchange import Exchange
from sipguard.b2bua.frames import BROKEN
from sipguard.b2bua.leg import Leg
from sipguard.b2bua.lifetime import Lifetime
from sipguard.b2bua.probing import Probe
from sipguard.b2bua.setup import Setup
from sipguard.b2bua.setup_table import ENDED, SCREENING
from sipguard.sip.compose import cancel_of, local_response
from sipguard.sip.message import Request, Response
from sipguard.sip.timers import GIVE_UP_S
from sipguard.sip.transaction import (
    ACCEPTED,
    CALLING,
    PROCEEDING,
    TERMINATED,
    TRYING,
    ClientTransaction,
    ServerTransaction,
    client_key,
    server_key,
)

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine

ANSWER: Final = (500, "Server Internal Error")
_OVER: Final = ("BYE", "CANCEL")  # whoever sends one wants the end


def call_of(whom: object) -> Call | None:
    """The call that something belongs to, None for what belongs to none."""
    if isinstance(whom, ServerTransaction | ClientTransaction):
        whom = whom.user
    if isinstance(whom, Call):
        return whom
    if isinstance(whom, Setup):
        return whom.call
    if isinstance(whom, Lifetime):
        return whom.call
    if isinstance(whom, Exchange):
        return whom.other.call or whom.source.call
    if isinstance(whom, Answer):
        return whom.leg.call if whom.leg is not None else whom.other.call
    return None


def call_id_of(whom: object, message: Request | Response | None) -> str:
    """Call-ID of the A leg of what broke; of the message where no call is known, "" for neither."""
    call = call_of(whom)
    if call is not None:
        return call.a.call_id
    return message.value("call-id") if message is not None else ""


def end(engine: Engine, whom: object, message: Request | Response | None) -> None:
    """Ends what the engine was at work for when something broke, and answers the request at hand."""
    call = call_of(whom)
    request = message if isinstance(message, Request) else None
    response = message if isinstance(message, Response) else None
    if request is not None and request.to_tag:  # before its exchange is abandoned, which has an answer of its own
        _answer(engine, call, request)
    if call is not None:
        over = request is not None and request.method in _OVER
        if over or not _goes_on(engine, call, response):
            _end_call(engine, call, request, response)
    if request is not None and not request.to_tag:
        _answer(engine, call, request)
    _let_go(engine, whom, response)


# ---------------------------------------------------------------------- going on


def _goes_on(engine: Engine, call: Call, response: Response | None) -> bool:
    """Whether the call goes on all the same."""
    setup = call.setup
    if setup is None:  # a 911 call that stands is ended by its ends, and by nothing that goes wrong beside it
        return bool(call.emergency and call.answer_at) and call.id in engine.calls
    first = setup.state == SCREENING and not setup.resumed
    if first and (call.emergency or call.id in engine.calls) and engine.tried(admission.resume, engine, setup):
        return True
    if not call.emergency or setup.state in (SCREENING, ENDED):
        return False
    if _on_its_way(setup):
        return True
    for _ in range(len(setup.hops)):
        _abandon(engine, setup, response)
        if engine.tried(admission.try_next, setup) and _on_its_way(setup):
            return True
    return False


def _on_its_way(setup: Setup) -> bool:
    """Whether a peer has the INVITE and may still answer it."""
    client = setup.client
    return client is not None and client.user is setup and client.state in (CALLING, PROCEEDING) and bool(client.due)


# ---------------------------------------------------------------------- the end


def _end_call(engine: Engine, call: Call, request: Request | None, response: Response | None) -> None:
    setup = call.setup
    if setup is not None:
        engine.tried(engine.awaiting.stop, setup)
        engine.tried(setup.break_off, *ANSWER)
        server = setup.server
        if server.state == PROCEEDING:
            server.close()
        engine.tried(admission.record_broken, engine, setup)
        _abandon(engine, setup, response)
        if server.state == ACCEPTED:  # the 2xx has left
            engine.tried(engine.send_bye, call.a, "")
    elif call.id in engine.calls:
        engine.tried(call.settle)
        over = request is not None and request.method == "BYE"
        for leg in (call.a, call.b):
            if leg is not None and not (over and request is not None and request.to_tag == leg.local_tag):
                engine.tried(engine.send_bye, leg, "")
        engine.tried(call.record_end, BROKEN)
    _free(engine, call)


def _abandon(engine: Engine, setup: Setup, response: Response | None) -> None:
    """Takes the INVITE back from the peer that has it: whatever it still says is answered without the call."""
    client, setup.client = setup.client, None
    call = setup.call
    call.answer_at = 0.0  # no dialog of its may be taken for one that stands
    if client is None or client.state == TERMINATED:
        return
    now = engine.clock.now
    user = client.user = Abandoned(engine)
    if client.state == ACCEPTED and response is not None:
        engine.tried(user.responded, client, response, now)
    elif client.state == PROCEEDING:
        user.cancelled = True
        engine.tried(_cancel, engine, client, now)
        client.end_by(now + GIVE_UP_S)
    elif not client.due:
        client.close()


def _cancel(engine: Engine, client: ClientTransaction, now: float) -> None:
    engine.send_cancel(client, cancel_of(client.octets), now)


def _free(engine: Engine, call: Call) -> None:
    """Takes everything of the call out of the tables."""
    legs: list[Leg | None] = [call.a, call.b]
    for exchange in list(call.exchanges):
        engine.tried(exchange.abandon, engine.clock.now)
    engine.tried(engine.forget, call)
    setup, call.setup = call.setup, None
    if setup is not None:
        engine.tried(setup.close)
    lifetime, call.lifetime = call.lifetime, None
    if lifetime is not None:
        engine.tried(lifetime.close)
    for leg in legs:
        if leg is not None:
            if leg.answer is not None:
                engine.tried(leg.answer.close)
            engine.legs.pop(leg.local_tag, None)
            leg.part()
    call.exchanges = []


# ---------------------------------------------------------------------- what is at hand


def _answer(engine: Engine, call: Call | None, request: Request) -> None:
    """A final response for the request at hand, unless it has one, or its call goes on."""
    server = engine.layer.servers.get(server_key(request))
    if server is None or request.method == "ACK" or server.state not in (TRYING, PROCEEDING):
        return
    user = server.user
    if user is None and request.method == "INVITE" and not request.to_tag:  # it has come to no call
        done = engine.tried(admission.rescue, engine, request, server)
        rescued = call_of(server)
        if rescued is not None and (done or _goes_on(engine, rescued, None)):
            return
        if rescued is not None:
            _end_call(engine, rescued, None, None)
    elif isinstance(user, Setup):  # it came again, or the call goes on
        return
    if server.state in (TRYING, PROCEEDING):
        over = call is not None and request.method == "BYE"
        engine.tried(_respond, engine, server, request, *((200, "OK") if over else ANSWER))
    if server.state in (TRYING, PROCEEDING):
        server.close()
    leg = engine.legs.get(request.to_tag)
    if isinstance(user, Exchange):
        engine.tried(user.close)
    if leg is not None and leg.call is not None:
        leg.inviting = leg.updating = None


def _respond(engine: Engine, server: ServerTransaction, request: Request, status: int, phrase: str) -> None:
    """A response that draws no identifier: that may be what broke."""
    tag = "" if request.to_tag else engine.fixed_tag(request)
    server.respond(status, local_response(server.head, server.to_line, tag, status, phrase), engine.clock.now)


def _let_go(engine: Engine, whom: object, response: Response | None) -> None:
    """What has no timer any more would stand for ever."""
    if isinstance(whom, Probe):
        whom.running = False
    elif isinstance(whom, Exchange):
        engine.tried(whom.break_off, engine.clock.now)
    if response is not None:
        _end_without_timer(engine.layer.clients.get(client_key(response.branch, response.cseq_method)))
    if isinstance(whom, ClientTransaction):
        _end_without_timer(whom)
    elif isinstance(whom, ServerTransaction) and not whom.due and whom.state not in (TRYING, PROCEEDING):
        whom.close()


def _end_without_timer(client: ClientTransaction | None) -> None:
    if client is not None and not client.due:
        client.close()
