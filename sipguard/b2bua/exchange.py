"""A request within the call's dialogs, crossing from one leg to the other and its responses back.

Enters: a request that belongs to a leg, responses to what was sent on. Leaves: the same for the other leg.
Must not: know a method, but for what RFC 3261 says of INVITE (2xx, ACK, glare) and of BYE (the end).
"""

from __future__ import annotations

from typing import Final

from sipguard.b2bua.answer import Answer
from sipguard.b2bua.crossing import hops_left, in_dialog, relayed, request_lines
from sipguard.b2bua.leg import Leg
from sipguard.sip.compose import cancel_of, local_response
from sipguard.sip.message import Request, Response
from sipguard.sip.timers import GIVE_UP_S
from sipguard.sip.transaction import PROCEEDING, ClientTransaction, ServerTransaction

# states of an exchange
WAITING: Final = "waiting"  # no response from the other side yet
RINGING: Final = "ringing"  # a provisional one
CANCEL_LATER: Final = "cancel_later"  # cancelled before the first provisional response
CANCELLED: Final = "cancelled"
DONE: Final = "done"

# events
PROVISIONAL: Final = "1xx"
FINAL: Final = "final"
LOST: Final = "lost"
CANCEL: Final = "cancel"

# actions
RELAY: Final = "relay"
CLOSE: Final = "close"
TIMEOUT: Final = "timeout"
REFUSE: Final = "refuse"  # 487 to the canceller, nothing to the other side yet
REFUSE_AND_CANCEL: Final = "refuse_and_cancel"
SEND_CANCEL: Final = "send_cancel"
IGNORE: Final = "ignore"

EXCHANGE: Final[dict[tuple[str, str], tuple[str, str]]] = {
    (WAITING, PROVISIONAL): (RELAY, RINGING),
    (WAITING, FINAL): (RELAY, DONE),
    (WAITING, LOST): (TIMEOUT, DONE),
    (WAITING, CANCEL): (REFUSE, CANCEL_LATER),
    (RINGING, PROVISIONAL): (RELAY, RINGING),
    (RINGING, FINAL): (RELAY, DONE),
    (RINGING, LOST): (TIMEOUT, DONE),
    (RINGING, CANCEL): (REFUSE_AND_CANCEL, CANCELLED),
    (CANCEL_LATER, PROVISIONAL): (SEND_CANCEL, CANCELLED),
    (CANCEL_LATER, FINAL): (CLOSE, DONE),
    (CANCEL_LATER, LOST): (CLOSE, DONE),
    (CANCEL_LATER, CANCEL): (IGNORE, CANCEL_LATER),
    (CANCELLED, PROVISIONAL): (IGNORE, CANCELLED),
    (CANCELLED, FINAL): (CLOSE, DONE),
    (CANCELLED, LOST): (CLOSE, DONE),
    (CANCELLED, CANCEL): (IGNORE, CANCELLED),
    (DONE, PROVISIONAL): (IGNORE, DONE),
    (DONE, FINAL): (IGNORE, DONE),
    (DONE, LOST): (IGNORE, DONE),
    (DONE, CANCEL): (IGNORE, DONE),
}


class Exchange:
    """One request from leg `source` on its way to leg `other`."""

    __slots__ = ("client", "client_cseq", "cseq", "method", "other", "server", "source", "state")

    def __init__(self, source: Leg, other: Leg, request: Request, server: ServerTransaction, now: float) -> None:
        call = other.call
        assert call is not None
        self.source = source
        self.other = other
        self.server: ServerTransaction | None = server
        self.method = method = request.method
        self.cseq = request.cseq
        self.state = WAITING
        other.cseq += 1
        self.client_cseq = other.cseq
        if method == "INVITE":
            source.inviting = self
            server.user = self
        if method != "BYE":
            call.exchanges.append(self)
        branch = call.engine.ids.branch()
        octets = in_dialog(
            other, method, other.cseq, branch, hops_left(request), request_lines(request), request.body
        )
        self.client: ClientTransaction | None = ClientTransaction(
            call.engine.layer, method, branch, other.listener, other.address, octets, self, now
        )

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response of the other side."""
        if self.state == DONE:  # a repeat of a 2xx to INVITE
            transaction.acknowledge_again()
            return
        event = PROVISIONAL if response.status < 200 else FINAL
        action, self.state = EXCHANGE[self.state, event]
        if action == RELAY:
            self._relay(transaction, response, now)
        elif action == SEND_CANCEL:
            self._cancel_other(now)
        elif action == CLOSE:
            if self.method == "INVITE" and response.status < 300:
                self._accept_unwanted(transaction)
            self._close()

    def _relay(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        server = self.server
        if server is None or response.status == 100:
            return
        if self.method in TARGET_REFRESH and 200 <= response.status < 300:
            self.other.set_target(response)
        if self.method == "BYE" and response.status in GONE:
            self._answer(200, "OK", now)
            self._close()
            return
        contact = self.source.contact if self.method in TARGET_REFRESH or response.status == 485 else ""
        octets = relayed(response, server.head, server.to_line, "", contact)
        server.respond(response.status, octets, now)
        if response.status < 200:
            return
        if self.method == "INVITE" and response.status < 300:
            Answer(
                self.source, self.other, self.cseq, transaction, self.client_cseq, octets, server.address, now
            )
        self._close(keep_user=self.method == "INVITE" and response.status < 300)

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """The other side gave no final response: 408 for the sender (RFC 3261 §16.8 as for a proxy)."""
        if why == "no_answer" and self.state == RINGING:
            self._cancel_other(now)
            return
        action, self.state = EXCHANGE[self.state, LOST]
        if action == TIMEOUT and self.server is not None:
            self._answer(408, "Request Timeout", now)
        if action in (TIMEOUT, CLOSE):
            self._close()

    def cancelled(self, request: Request, now: float) -> None:
        """The sender of a re-INVITE cancels it."""
        action, self.state = EXCHANGE[self.state, CANCEL]
        if action in (REFUSE, REFUSE_AND_CANCEL):
            self._answer(487, "Request Terminated", now)
            if action == REFUSE_AND_CANCEL:
                self._cancel_other(now)

    def abandon(self, now: float) -> None:
        """The call ends while this is going on: 487 for an INVITE, 481 for anything else (§15.1.2)."""
        if self.state != DONE:
            status, phrase = (
                (487, "Request Terminated") if self.method == "INVITE" else (481, "Call/Transaction Does Not Exist")
            )
            self._answer(status, phrase, now)
            self.state = CANCELLED

    def _answer(self, status: int, phrase: str, now: float) -> None:
        server = self.server
        if server is not None:
            server.respond(status, local_response(server.head, server.to_line, "", status, phrase), now)

    def _cancel_other(self, now: float) -> None:
        client = self.client
        call = self.other.call
        if client is None or call is None or client.state != PROCEEDING:
            return
        call.engine.send_cancel(client, cancel_of(client.octets), now)
        client.end_by(now + GIVE_UP_S)

    def _accept_unwanted(self, transaction: ClientTransaction) -> None:
        """A 2xx crossed the CANCEL of a re-INVITE: it is acknowledged, the dialog goes on as it was (§14.1)."""
        call = self.other.call
        if call is None:
            return
        transaction.acknowledge(
            in_dialog(
                self.other, "ACK", self.client_cseq, call.engine.ids.branch(), 70, "Content-Length: 0", b""
            )
        )

    def unacknowledged(self, transaction: ServerTransaction, now: float) -> None:
        """No ACK for a failure of a re-INVITE came; the dialog is not affected."""

    def _close(self, keep_user: bool = False) -> None:
        if self.source.inviting is self:
            self.source.inviting = None
        if self.server is not None:
            self.server.user = None
            self.server = None
        if self.client is not None and not keep_user:
            self.client.user = None
        self.client = None
        call = self.other.call
        if call is not None and self in call.exchanges:
            call.exchanges.remove(self)


GONE: Final = frozenset({408, 481})  # answers to a BYE that say that there is nothing left to end
TARGET_REFRESH: Final = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
