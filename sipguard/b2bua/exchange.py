"""A request within the call's dialogs, crossing from one leg to the other and its responses back.

Enters: a request that belongs to a leg, responses to what was sent on. Leaves: the same for the other leg.
Must not: know a method, but for what RFC 3261 says of INVITE (2xx, ACK, glare) and of BYE (the end).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import refresh, subscription
from sipguard.b2bua.answer import Answer, Repeats, acknowledge
from sipguard.b2bua.credentials import CHALLENGED, OURS, REFUSED, WRONG, once_more
from sipguard.b2bua.crossing import TARGET_REFRESH, bare_ack, hops_left, in_dialog, relayed
from sipguard.b2bua.leg import Leg
from sipguard.b2bua.lifetime import interval_of
from sipguard.b2bua.privacy import dropped_between
from sipguard.b2bua.subscription import OUTLIVING
from sipguard.sip.compose import cancel_of, local_response
from sipguard.sip.message import Request, Response
from sipguard.sip.timers import GIVE_UP_S
from sipguard.sip.transaction import PROCEEDING, TRYING, ClientTransaction, ServerTransaction

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine

# states of an exchange
WAITING: Final = "waiting"  # no response from the other side yet
RINGING: Final = "ringing"  # a provisional one
CANCEL_LATER: Final = "cancel_later"  # cancelled before the first provisional response
CANCELLED: Final = "cancelled"
ABANDONED: Final = "abandoned"  # the call has ended meanwhile
DONE: Final = "done"
STATES: Final = (WAITING, RINGING, CANCEL_LATER, CANCELLED, ABANDONED, DONE)

# events
PROVISIONAL: Final = "1xx"
FINAL: Final = "final"
LOST: Final = "lost"
CANCEL: Final = "cancel"
ABANDON: Final = "abandon"
EVENTS: Final = (PROVISIONAL, FINAL, LOST, CANCEL, ABANDON)

# actions
RELAY: Final = "relay"
TIMEOUT: Final = "timeout"  # 408 to the sender
TERMINATE: Final = "terminate"  # 487 to the sender, who cancelled
SEND_CANCEL: Final = "send_cancel"
GIVE_UP: Final = "give_up"  # the sender is told that the call is over
CLOSE: Final = "close"
IGNORE: Final = "ignore"
ACTIONS: Final = (RELAY, TIMEOUT, TERMINATE, SEND_CANCEL, GIVE_UP, CLOSE, IGNORE)

# A cancelled re-INVITE is answered with what the other side says, not by 487 at once: a 2xx that crosses the CANCEL
# has changed the session there, and both sides must know (RFC 3261 §9.1, §14.1).
EXCHANGE: Final[dict[tuple[str, str], tuple[str, str]]] = {
    (WAITING, PROVISIONAL): (RELAY, RINGING),
    (WAITING, FINAL): (RELAY, DONE),
    (WAITING, LOST): (TIMEOUT, DONE),
    (WAITING, CANCEL): (IGNORE, CANCEL_LATER),
    (WAITING, ABANDON): (GIVE_UP, ABANDONED),
    (RINGING, PROVISIONAL): (RELAY, RINGING),
    (RINGING, FINAL): (RELAY, DONE),
    (RINGING, LOST): (TIMEOUT, DONE),
    (RINGING, CANCEL): (SEND_CANCEL, CANCELLED),
    (RINGING, ABANDON): (GIVE_UP, ABANDONED),
    (CANCEL_LATER, PROVISIONAL): (SEND_CANCEL, CANCELLED),
    (CANCEL_LATER, FINAL): (RELAY, DONE),
    (CANCEL_LATER, LOST): (TERMINATE, DONE),
    (CANCEL_LATER, CANCEL): (IGNORE, CANCEL_LATER),
    (CANCEL_LATER, ABANDON): (GIVE_UP, ABANDONED),
    (CANCELLED, PROVISIONAL): (IGNORE, CANCELLED),
    (CANCELLED, FINAL): (RELAY, DONE),
    (CANCELLED, LOST): (TERMINATE, DONE),
    (CANCELLED, CANCEL): (IGNORE, CANCELLED),
    (CANCELLED, ABANDON): (GIVE_UP, ABANDONED),
    (ABANDONED, PROVISIONAL): (IGNORE, ABANDONED),
    (ABANDONED, FINAL): (CLOSE, DONE),
    (ABANDONED, LOST): (CLOSE, DONE),
    (ABANDONED, CANCEL): (IGNORE, ABANDONED),
    (ABANDONED, ABANDON): (IGNORE, ABANDONED),
    (DONE, PROVISIONAL): (IGNORE, DONE),
    (DONE, FINAL): (IGNORE, DONE),
    (DONE, LOST): (IGNORE, DONE),
    (DONE, CANCEL): (IGNORE, DONE),
    (DONE, ABANDON): (IGNORE, DONE),
}

GONE: Final = frozenset({408, 481})  # answers to a BYE that say that there is nothing left to end


class Exchange:
    """One request from leg `source` on its way to leg `other`."""

    __slots__ = (
        "answered",  # how often a challenge was answered
        "asks_s",  # what the request asks for in our name, see `refresh`
        "client", "client_cseq", "cseq", "engine", "method", "offers", "other", "server", "source", "state",
        "subscription",  # what it begins or ends, see `subscription`
        "unsigned",  # the request, where the other side may challenge it
    )  # fmt: skip

    def __init__(
        self,
        engine: Engine,
        source: Leg,
        other: Leg,
        request: Request,
        lines: str,
        server: ServerTransaction,
        now: float,
        asks_s: int = 0,
    ) -> None:
        """`lines` are the header lines that cross; `asks_s` what they ask for in our name, see `refresh`."""
        self.asks_s = asks_s
        self.engine = engine
        self.source = source
        self.other = other
        self.server: ServerTransaction | None = server
        self.method = method = request.method
        self.cseq = request.cseq
        self.state = WAITING
        other.cseq += 1
        self.client_cseq = other.cseq
        self.offers = bool(request.body) or method == "INVITE"  # an INVITE without an offer asks for one
        if method == "INVITE":
            source.inviting = self
            other.invited_by, other.invited_as = request.cseq, other.cseq
            server.user = self
            server.expect(now)
        elif method == "UPDATE":
            source.updating = self
        self.subscription = subscription.begun(request, source, other) if method in OUTLIVING else ""
        if method != "BYE" and other.call is not None:
            other.call.exchanges.append(self)
        branch = engine.ids.branch()
        octets = in_dialog(other, method, other.cseq, branch, hops_left(request), lines, request.body)
        self.unsigned = b""
        self.answered = 0
        if other.login is not None:
            self.unsigned = octets
            octets = other.login.signed(octets)
        self.client: ClientTransaction | None = ClientTransaction(
            engine.layer, method, branch, other.flow, octets, self, now, GIVE_UP_S, other.anew
        )

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response of the other side."""
        event = PROVISIONAL if response.status < 200 else FINAL
        if response.status in CHALLENGED and self.state in (WAITING, RINGING) and self._answers(response, now):
            return
        action, self.state = EXCHANGE[self.state, event]
        if action == RELAY:
            self._relay(transaction, response, now)
        elif action == SEND_CANCEL:
            self._cancel_other(now)
        elif action == CLOSE:
            if self.method == "INVITE" and response.status < 300:
                self._accept_unwanted(transaction)
            self.close()

    def _answers(self, response: Response, now: float) -> bool:
        """Whether this challenge is for us to answer: then the request goes out once more."""
        other, login = self.other, self.other.login
        if login is None:
            return False
        outcome = login.challenged(self.engine, response, self.answered)
        if outcome == REFUSED:
            self._answer(*(WRONG if self.method != "BYE" else (200, "OK")), now)
            self._settle(0, None)
            self.close()
        if outcome != OURS:
            return outcome == REFUSED
        self.answered += 1
        other.cseq += 1
        self.client_cseq = other.cseq
        if self.method == "INVITE":
            other.invited_as = other.cseq
        elif self.method == "REFER" and self.subscription:
            self.subscription = subscription.renumbered(self.subscription, other)
        branch = self.engine.ids.branch()
        octets = login.signed(once_more(self.unsigned, branch, other.cseq))
        if self.client is not None:
            self.client.user = None
        self.state = WAITING
        self.client = ClientTransaction(
            self.engine.layer, self.method, branch, other.flow, octets, self, now, GIVE_UP_S, other.anew
        )
        return True

    def _relay(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        server, source = self.server, self.source
        status = response.status
        if server is None or status == 100:
            return
        refreshes = self.method in TARGET_REFRESH
        if refreshes and 200 <= status < 300 and self.other.call is not None:
            self.other.call.refresh_target(self.other, response)
            if self.method in refresh.METHODS and self.other.call.lifetime is not None:
                self.other.call.lifetime.refreshed(self.other, interval_of(response) or self.asks_s)
        if self.method == "BYE" and status in GONE:
            self._answer(200, "OK", now)
            self.close()
            return
        ours = source.contact if refreshes else ""
        if self.asks_s and 200 <= status < 300:
            ours += refresh.to_add(response, self.asks_s)
        other = self.other
        dropped = dropped_between(response, other, source)
        octets = relayed(response, other, server.head, server.to_line, "", ours, dropped, "", source.untold)
        server.respond(status, octets, now)
        if status < 200:
            return
        self._settle(status, response)
        if self.method == "INVITE" and status < 300:
            self.client = None
            Answer(self.engine, source, self.other, self.cseq, transaction, self.client_cseq, octets, server, now)
        self.close()

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """No final response came: 408 for the sender (RFC 3261 §16.8 as for a proxy)."""
        if why == "no_answer" and self.state == RINGING:  # Timer C of a re-INVITE
            self.state = CANCELLED
            self._cancel_other(now)
            return
        action, self.state = EXCHANGE[self.state, LOST]
        if action == TIMEOUT:
            self._answer(408, "Request Timeout", now)
        elif action == TERMINATE:
            self._answer(487, "Request Terminated", now)
        self._settle(0, None)
        self.close()

    def _settle(self, status: int, response: Response | None) -> None:
        if self.subscription:
            subscription.settled(self.method, self.subscription, self.source, self.other, status, response)

    def cancelled(self, request: Request, now: float) -> None:
        """The sender of a re-INVITE cancels it."""
        action, self.state = EXCHANGE[self.state, CANCEL]
        if action == SEND_CANCEL:
            self._cancel_other(now)

    def abandon(self, now: float) -> None:
        """The call ends while this is going on: 487 for an INVITE, 481 for anything else (§15.1.2)."""
        if self.method in OUTLIVING:  # not a part of what a BYE ends (RFC 5057 §4)
            return
        action, self.state = EXCHANGE[self.state, ABANDON]
        if action != GIVE_UP:
            return
        if self.method == "INVITE":
            self._answer(487, "Request Terminated", now)
        else:
            self._answer(481, "Call/Transaction Does Not Exist", now)
        if self.client is not None and self.method == "INVITE" and self.client.state == PROCEEDING:
            self.client.end_by(now + GIVE_UP_S)

    def _answer(self, status: int, phrase: str, now: float) -> None:
        server = self.server
        if server is not None:
            server.respond(status, local_response(server.head, server.to_line, "", status, phrase), now)

    def _cancel_other(self, now: float) -> None:
        client = self.client
        if client is not None and client.state == PROCEEDING:
            self.engine.send_cancel(client, cancel_of(client.octets), now)
            client.end_by(now + GIVE_UP_S)

    def _accept_unwanted(self, transaction: ClientTransaction) -> None:
        """A 2xx to a re-INVITE of a call that has ended: it must be acknowledged all the same (§13.2.2.4)."""
        octets = bare_ack(self.other, self.client_cseq, self.engine.ids.branch())
        acknowledge(transaction, self.other, octets)
        transaction.user = Repeats(self.engine, self.other.remote_tag)
        self.client = None

    def unacknowledged(self, transaction: ServerTransaction, now: float) -> None:
        """No ACK for a failure of a re-INVITE came; the dialog is not affected."""

    def break_off(self, now: float) -> None:
        """Something broke here: the sender is told, and this is over; the dialog is not."""
        server = self.server
        if server is not None and server.state in (TRYING, PROCEEDING):
            self._answer(*((200, "OK") if self.method == "BYE" else (500, "Server Internal Error")), now)
        self.close()

    def close(self) -> None:
        """Lets go of both transactions; they end by their own timers."""
        if self.source.inviting is self:
            self.source.inviting = None
        if self.source.updating is self:
            self.source.updating = None
        if self.server is not None:
            self.server.user = None
            self.server = None
        if self.client is not None:
            self.client.user = None
            self.client = None
        call = self.other.call
        if call is not None and self in call.exchanges:
            call.exchanges.remove(self)
