"""A call: two legs, the INVITE that joins them, and how it ends.

Enters: the initial INVITE with its verdict, responses of the B leg, CANCEL, ACK, BYE. Leaves: what the other leg
is sent, and the frames of the journal. Must not: screen, choose peers' addresses, read a clock.

The initial INVITE is the table SETUP; requests within the dialogs are `exchange`, a 2xx on its way is `answer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import frames
from sipguard.b2bua.answer import Answer
from sipguard.b2bua.commands import Record
from sipguard.b2bua.crossing import in_dialog, relayed
from sipguard.b2bua.exchange import Exchange
from sipguard.b2bua.leg import A, B, Leg
from sipguard.sip.compose import cancel_of, local_response
from sipguard.sip.message import Request, Response, line_value
from sipguard.sip.timers import GIVE_UP_S
from sipguard.sip.transaction import PROCEEDING as IN_PROGRESS
from sipguard.sip.transaction import ClientTransaction, ServerTransaction
from sipguard.sip.uri import name_addr

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.screening.finding import Need
    from sipguard.screening.pipeline import Screening
    from sipguard.screening.ruleset import Ruleset
    from sipguard.screening.trunk import Peer, Trunk
    from sipguard.screening.verdict import Verdict

# states
SCREENING: Final = "screening"
CALLING: Final = "calling"
RINGING: Final = "ringing"
CANCEL_LATER: Final = "cancel_later"  # the caller gave up before the next hop said anything
CANCELLING: Final = "cancelling"
ANSWERED: Final = "answered"
ENDED: Final = "ended"

# events
FORWARD: Final = "forward"
REFUSE: Final = "refuse"
PROVISIONAL: Final = "1xx"
SUCCESS: Final = "2xx"
FAILURE: Final = "3xx-6xx"
LOST: Final = "lost"
OVERDUE: Final = "overdue"  # Timer C
GIVE_UP: Final = "give_up"  # CANCEL of the caller, or hung up by us

# actions
IGNORE: Final = "ignore"
TRY: Final = "try"  # send the INVITE to the first peer
ANSWER: Final = "answer"  # a final response of our own
RELAY: Final = "relay"
JOIN: Final = "join"  # relay the 2xx, both dialogs stand
NEXT: Final = "next"  # another peer, or relay the failure
TERMINATE: Final = "terminate"  # 487 to the caller
TERMINATE_AND_CANCEL: Final = "terminate_and_cancel"
SEND_CANCEL: Final = "send_cancel"
DISMISS: Final = "dismiss"  # a 2xx nobody waits for: ACK and BYE
CLOSE: Final = "close"

SETUP: Final[dict[tuple[str, str], tuple[str, str]]] = {
    (SCREENING, FORWARD): (TRY, CALLING),
    (SCREENING, REFUSE): (ANSWER, ENDED),
    (SCREENING, PROVISIONAL): (IGNORE, SCREENING),
    (SCREENING, SUCCESS): (IGNORE, SCREENING),
    (SCREENING, FAILURE): (IGNORE, SCREENING),
    (SCREENING, LOST): (IGNORE, SCREENING),
    (SCREENING, OVERDUE): (IGNORE, SCREENING),
    (SCREENING, GIVE_UP): (TERMINATE, ENDED),
    (CALLING, FORWARD): (IGNORE, CALLING),
    (CALLING, REFUSE): (ANSWER, ENDED),
    (CALLING, PROVISIONAL): (RELAY, RINGING),
    (CALLING, SUCCESS): (JOIN, ANSWERED),
    (CALLING, FAILURE): (NEXT, CALLING),
    (CALLING, LOST): (NEXT, CALLING),
    (CALLING, OVERDUE): (IGNORE, CALLING),
    (CALLING, GIVE_UP): (TERMINATE, CANCEL_LATER),
    (RINGING, FORWARD): (IGNORE, RINGING),
    (RINGING, REFUSE): (IGNORE, RINGING),
    (RINGING, PROVISIONAL): (RELAY, RINGING),
    (RINGING, SUCCESS): (JOIN, ANSWERED),
    (RINGING, FAILURE): (NEXT, CALLING),
    (RINGING, LOST): (NEXT, CALLING),
    (RINGING, OVERDUE): (TERMINATE_AND_CANCEL, CANCELLING),
    (RINGING, GIVE_UP): (TERMINATE_AND_CANCEL, CANCELLING),
    (CANCEL_LATER, FORWARD): (IGNORE, CANCEL_LATER),
    (CANCEL_LATER, REFUSE): (IGNORE, CANCEL_LATER),
    (CANCEL_LATER, PROVISIONAL): (SEND_CANCEL, CANCELLING),
    (CANCEL_LATER, SUCCESS): (DISMISS, ENDED),
    (CANCEL_LATER, FAILURE): (CLOSE, ENDED),
    (CANCEL_LATER, LOST): (CLOSE, ENDED),
    (CANCEL_LATER, OVERDUE): (IGNORE, CANCEL_LATER),
    (CANCEL_LATER, GIVE_UP): (IGNORE, CANCEL_LATER),
    (CANCELLING, FORWARD): (IGNORE, CANCELLING),
    (CANCELLING, REFUSE): (IGNORE, CANCELLING),
    (CANCELLING, PROVISIONAL): (IGNORE, CANCELLING),
    (CANCELLING, SUCCESS): (DISMISS, ENDED),
    (CANCELLING, FAILURE): (CLOSE, ENDED),
    (CANCELLING, LOST): (CLOSE, ENDED),
    (CANCELLING, OVERDUE): (CLOSE, ENDED),
    (CANCELLING, GIVE_UP): (IGNORE, CANCELLING),
    (ANSWERED, FORWARD): (IGNORE, ANSWERED),
    (ANSWERED, REFUSE): (IGNORE, ANSWERED),
    (ANSWERED, PROVISIONAL): (IGNORE, ANSWERED),
    (ANSWERED, SUCCESS): (IGNORE, ANSWERED),
    (ANSWERED, FAILURE): (IGNORE, ANSWERED),
    (ANSWERED, LOST): (IGNORE, ANSWERED),
    (ANSWERED, OVERDUE): (IGNORE, ANSWERED),
    (ANSWERED, GIVE_UP): (IGNORE, ANSWERED),
    (ENDED, FORWARD): (IGNORE, ENDED),
    (ENDED, REFUSE): (IGNORE, ENDED),
    (ENDED, PROVISIONAL): (IGNORE, ENDED),
    (ENDED, SUCCESS): (DISMISS, ENDED),
    (ENDED, FAILURE): (IGNORE, ENDED),
    (ENDED, LOST): (IGNORE, ENDED),
    (ENDED, OVERDUE): (IGNORE, ENDED),
    (ENDED, GIVE_UP): (IGNORE, ENDED),
}

BUSY_STATUS: Final = frozenset({486, 600, 603})
NO_ANSWER_STATUS: Final = frozenset({408, 480, 487})
NEXT_PEER_STATUS: Final = frozenset({408, 500, 502, 503, 504})  # another peer may do better; never after an 18x


class Call:
    """Two legs and what is known of how they came together. Times `_at` are Unix seconds."""

    __slots__ = (
        "a",
        "answer_at",
        "b",
        "client",
        "client_cseq",
        "due",
        "egress",
        "emergency",
        "engine",
        "exchanges",
        "final",
        "forward_us",
        "from_display",
        "from_rest",
        "from_uri",
        "id",
        "late_for",
        "lines",
        "peer",
        "peers",
        "received_at",
        "received_mono",
        "relayed_ring",
        "request",
        "ring_at",
        "ruleset",
        "screening",
        "server",
        "state",
        "tag_by_remote",
        "tries",
        "trunk",
        "verdict",
        "verstat",
    )

    def __init__(
        self, engine: Engine, ruleset: Ruleset, trunk: Trunk, request: Request, server: ServerTransaction
    ) -> None:
        self.engine = engine
        self.ruleset = ruleset
        self.trunk = trunk
        self.id = engine.decision_id()
        self.request: Request | None = request
        self.server: ServerTransaction | None = server
        self.client: ClientTransaction | None = None
        self.client_cseq = 0
        self.state = SCREENING
        self.screening: Screening | None = None
        self.verdict: Verdict | None = None
        self.egress: Trunk | None = None
        self.emergency = ""
        self.peer: Peer | None = None
        self.peers: list[Peer] = []
        self.tries: list[tuple[str, int]] = []
        self.lines = ""  # header lines that cross in the forwarded INVITE
        self.from_display = self.from_uri = self.from_rest = ""
        self.verstat = ""
        self.late_for: Need | None = None  # what a check waits for
        self.due = 0
        self.final: tuple[int, str, str] = (0, "", "")
        self.received_at = engine.clock.unix
        self.received_mono = engine.clock.now
        self.ring_at = self.answer_at = 0.0
        self.forward_us = 0
        self.relayed_ring = False
        self.tag_by_remote: dict[str, str] | None = None
        self.exchanges: list[Exchange] = []
        self.b: Leg | None = None
        listener = engine.listeners[server.listener]
        self.a = a = Leg(A, self, listener.listener, listener.via, listener.contact)
        a.call_id = request.call_id
        a.local_tag = engine.ids.token()
        a.remote_tag = request.from_tag
        a.local = f"{request.to_value};tag={a.local_tag}"
        a.remote = request.from_value
        a.remote_cseq = request.cseq
        a.address = server.address
        server.user = self

    # ------------------------------------------------------------------ before the next hop

    def prepare(self, request: Request) -> bool:
        """Takes the A leg's route set and target; False where the INVITE has no Contact that can be read."""
        a = self.a
        if "contact" not in request.at and not request.from_tag:
            return a.aim_at(name_addr(request.from_value)[1])  # RFC 2543 asked for no Contact
        return a.set_target(request) and a.set_routes(request, reverse=False)

    def refuse(self, status: int, phrase: str, extra: tuple[str, ...] = ()) -> None:
        """Answers the INVITE ourselves."""
        action, self.state = SETUP[self.state, REFUSE]
        if action == ANSWER:
            self.send_final(status, phrase, extra)

    def send_final(self, status: int, phrase: str, extra: tuple[str, ...] = ()) -> None:
        """A final response of our own to the caller; kept for the end frame."""
        server = self.server
        if server is None:
            return
        octets = local_response(server.head, server.to_line, self.a.local_tag, status, phrase, extra)
        reason = next((line_value(line) for line in extra if line.startswith("Reason:")), "")
        self.final = (status, phrase, reason)
        server.respond(status, octets, self.engine.clock.now)

    def forward(self, egress: Trunk, peers: list[Peer]) -> None:
        """Sends the INVITE to the first of `peers`."""
        action, self.state = SETUP[self.state, FORWARD]
        if action == TRY:
            self.egress = egress
            self.peers = peers
            self.engine.try_peer(self)

    def expired(self, now: float) -> None:
        """What a check waits for did not come within its budget."""
        self.engine.late(self)

    # ------------------------------------------------------------------ from the B leg

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response to the forwarded INVITE."""
        status = response.status
        b = self.b
        if b is None:
            return
        if status >= 200 and status < 300 and self.state == ANSWERED:
            self._success_again(transaction, response)
            return
        if transaction is not self.client:
            return
        event = PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE
        action, self.state = SETUP[self.state, event]
        if action == RELAY:
            self._relay_provisional(b, response, now)
        elif action == JOIN:
            self._join(b, transaction, response, now)
        elif action == NEXT:
            self._failed(response)
        elif action == SEND_CANCEL:
            self._send_cancel()
        elif action == DISMISS:
            self._dismiss(b, transaction, response, now)
        elif action == CLOSE:
            self._note_try(status)
            self.close("")

    def _relay_provisional(self, b: Leg, response: Response, now: float) -> None:
        if self.peer is not None and self.client is not None:
            self.engine.peers.answered(self.peer)
        server = self.server
        if response.status == 100 or server is None:
            return
        if not self.ring_at:
            self.ring_at = self.engine.clock.unix
        tag = ""
        remote_tag = response.to_tag
        if remote_tag:
            tag = self._tag_for(remote_tag)
            if not b.remote_tag:
                b.remote_tag = remote_tag
                b.remote = response.value("to")
            if b.remote_tag == remote_tag:
                self._learn_dialog(b, response)
        self.relayed_ring = True
        server.respond(response.status, relayed(response, server.head, server.to_line, tag, self.a.contact), now)

    def _learn_dialog(self, b: Leg, response: Response) -> None:
        """Route set and target of the B dialog (RFC 3261 §12.1.2): Record-Route in reverse order."""
        b.set_routes(response, reverse=True)
        b.set_target(response)

    def _tag_for(self, remote_tag: str) -> str:
        """Our To-tag on the A leg for a To-tag of the B leg: each early dialog has its own."""
        tags = self.tag_by_remote
        if tags is None:
            self.tag_by_remote = {remote_tag: self.a.local_tag}
            return self.a.local_tag
        tag = tags.get(remote_tag)
        if tag is None:
            tags[remote_tag] = tag = self.engine.ids.token()
        return tag

    def _join(self, b: Leg, transaction: ClientTransaction, response: Response, now: float) -> None:
        """The callee answered: both dialogs stand, the 2xx goes to the caller."""
        server = self.server
        if server is None:
            return
        engine = self.engine
        a = self.a
        remote_tag = response.to_tag
        tag = self._tag_for(remote_tag)
        if tag != a.local_tag:
            engine.legs.pop(a.local_tag, None)
            a.local_tag = tag
            a.local = f"{line_value(server.to_line)};tag={tag}"
            engine.legs[tag] = a
        if b.remote_tag != remote_tag:
            b.routes = []
            b.route_lines = ""
            b.remote_tag = remote_tag
            b.remote = response.value("to")
        self._learn_dialog(b, response)
        self.answer_at = engine.clock.unix
        self._note_try(response.status)
        if self.peer is not None:
            engine.peers.answered(self.peer)
        engine.layer.out.append(
            Record(
                frames.AnswerFrame(
                    self.id, self.answer_at, self.tries[-1][0], (self._leg_state(a), self._leg_state(b))
                )
            )
        )
        octets = relayed(response, server.head, server.to_line, tag, a.contact)
        self.final = (response.status, response.phrase, "")
        server.respond(response.status, octets, now)
        Answer(a, b, a.remote_cseq, transaction, self.client_cseq, octets, server.address, now)
        server.user = None
        self.server = None
        self.client = None
        self.request = None
        self.screening = None
        self.lines = ""
        self.tag_by_remote = None
        self.peers = []

    def _success_again(self, transaction: ClientTransaction, response: Response) -> None:
        """A 2xx after the first: a repeat gets the ACK again, one of another fork is acknowledged and ended."""
        b = self.b
        if b is not None and response.to_tag != b.remote_tag:
            self.engine.dismiss_stray(response, transaction.listener, transaction.address)
        else:
            transaction.acknowledge_again()

    def _failed(self, response: Response) -> None:
        """A final failure of a peer: the next one is tried where that may help, else it crosses to the caller."""
        status = response.status
        self._note_try(status)
        if self.peer is not None:
            self.engine.peers.answered(self.peer)
        if status in NEXT_PEER_STATUS and self.peers and not self.relayed_ring:
            self.engine.try_peer(self)
            return
        self.state = ENDED
        server = self.server
        if server is None:
            return
        if status == 503:  # ours would be read as our own overload (RFC 3261 §16.7 step 6)
            self.send_final(500, "Server Internal Error")
            self.close(frames.FAILED)
            return
        octets = relayed(response, server.head, server.to_line, self._tag_for(response.to_tag), "")
        self.final = (status, response.phrase, response.value("reason"))
        server.respond(status, octets, self.engine.clock.now)
        if status < 400:
            self.close(frames.REDIRECTED)
        elif status in BUSY_STATUS:
            self.close(frames.BUSY)
        else:
            self.close(frames.NO_ANSWER if status in NO_ANSWER_STATUS else frames.FAILED)

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """The peer did not react, or rings for too long."""
        if transaction is not self.client:
            return
        action, self.state = SETUP[self.state, OVERDUE if why == "no_answer" else LOST]
        if action == NEXT:
            self.lost_peer()
        elif action == TERMINATE_AND_CANCEL:
            self.send_final(408, "Request Timeout")
            self._send_cancel()
        elif action == CLOSE:
            self._note_try(0)
            transaction.close()
            self.close("")

    def lost_peer(self) -> None:
        """The peer gave no answer at all: it is marked down and the next one is tried."""
        self._note_try(0)
        engine = self.engine
        if self.peer is not None and self.egress is not None:
            engine.peers.failed(self.peer, self.egress, engine.clock.now)
        self.client = None
        if self.peers:
            engine.try_peer(self)
            return
        self.state = ENDED
        self.send_final(500, "No Peer Reachable")
        self.close(frames.UNREACHABLE)

    def _note_try(self, status: int) -> None:
        if self.peer is not None:
            self.tries.append((f"{self.peer.host}:{self.peer.port}", status))

    # ------------------------------------------------------------------ giving up

    def cancelled(self, request: Request, now: float) -> None:
        """The caller's CANCEL."""
        self._give_up(487, "Request Terminated", frames.CANCELLED, request.value("reason"))

    def _give_up(self, status: int, phrase: str, disposition: str, reason: str = "") -> None:
        action, self.state = SETUP[self.state, GIVE_UP]
        if action not in (TERMINATE, TERMINATE_AND_CANCEL):
            return
        self.send_final(status, phrase)
        self.final = (status, phrase, reason)
        self.record_end(disposition)
        if action == TERMINATE_AND_CANCEL:
            self._send_cancel(reason)
        elif self.state == ENDED:
            self.engine.stop_screening(self)
            self.close("")

    def _send_cancel(self, reason: str = "") -> None:
        client = self.client
        if client is None or client.state != IN_PROGRESS:
            return
        now = self.engine.clock.now
        line = f"Reason: {reason}" if reason else ""
        self.engine.send_cancel(client, cancel_of(client.octets, line), now)
        client.end_by(now + GIVE_UP_S)

    def _dismiss(self, b: Leg, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A 2xx crossed the CANCEL: it is acknowledged and the dialog ended at once (RFC 3261 §15)."""
        self._note_try(response.status)
        b.remote_tag = response.to_tag
        b.remote = response.value("to")
        self._learn_dialog(b, response)
        transaction.acknowledge(
            in_dialog(b, "ACK", self.client_cseq, self.engine.ids.branch(), 70, "Content-Length: 0", b"")
        )
        self.engine.send_bye(b, "")
        self.close("")

    # ------------------------------------------------------------------ the end

    def unacknowledged(self, transaction: ServerTransaction, now: float) -> None:
        """No ACK for our failure came (Timer H); there is nothing left to end."""

    def bye(self, source: Leg, request: Request) -> None:
        """A BYE came from `source` and crosses to the other leg: the call ends here and now."""
        self._abandon_exchanges()
        self.close(frames.ANSWERED, source.name, request.value("reason"))

    def hang_up(self, disposition: str, now: float, reason: str = "") -> None:
        """Ends the call from here: BYE on both legs where they stand, otherwise the caller gets 480."""
        if self.state == ANSWERED:
            self._abandon_exchanges()
            answer = self.a.answer
            if answer is not None:
                answer.cross_own_ack()
            self.engine.send_bye(self.a, reason)
            if self.b is not None:
                self.engine.send_bye(self.b, reason)
            self.close(disposition)
        else:
            self._give_up(480, "Temporarily Unavailable", disposition, reason)

    def _abandon_exchanges(self) -> None:
        now = self.engine.clock.now
        for exchange in self.exchanges:
            exchange.abandon(now)

    def close(self, disposition: str, bye_by: str = "", reason: str = "") -> None:
        """Takes the call out of the tables and lets go of everything; an end frame is kept unless it was."""
        self.state = ENDED
        if disposition:
            self.record_end(disposition, bye_by, reason)
        engine = self.engine
        engine.forget(self)
        for leg in (self.a, self.b):
            if leg is not None:
                if leg.answer is not None:
                    leg.answer.close()
                leg.inviting = None
                leg.call = None
        if self.server is not None:
            self.server.user = None
            self.server = None
        if self.client is not None:
            self.client.user = None
            self.client = None
        self.request = None
        self.screening = None
        self.exchanges = []

    def record_end(self, disposition: str, bye_by: str = "", reason: str = "") -> None:
        """One frame that says how the call ended."""
        status, phrase, why = self.final
        peer = self.peer
        self.engine.layer.out.append(
            Record(
                frames.EndFrame(
                    self.id,
                    self.engine.clock.unix,
                    disposition,
                    status,
                    phrase,
                    reason or why,
                    self.b.call_id if self.b is not None else "",
                    f"{peer.host}:{peer.port}" if peer is not None else "",
                    self.ring_at,
                    self.answer_at,
                    bye_by,
                    self.tries,
                    self.forward_us,
                )
            )
        )

    @staticmethod
    def _leg_state(leg: Leg) -> frames.LegState:
        return frames.LegState(
            leg.call_id,
            leg.local_tag,
            leg.remote_tag,
            leg.cseq,
            leg.remote_cseq,
            leg.routes,
            leg.target,
            leg.local,
            leg.remote,
            f"{leg.address[0]}:{leg.address[1]}",
            leg.listener,
        )

    def other(self, leg: Leg) -> Leg | None:
        """The other leg."""
        return self.b if leg.name == A else self.a

    def new_b(self, egress: Trunk, request: Request) -> Leg:
        """A fresh B leg for the next try, with its own Call-ID and tag."""
        engine = self.engine
        listener = engine.listeners[egress.listener]
        leg = Leg(B, self, listener.listener, listener.via, listener.contact)
        leg.call_id = engine.ids.token() + engine.ids.token()
        leg.local_tag = engine.ids.token()
        leg.cseq = request.cseq
        self.client_cseq = request.cseq
        self.b = leg
        return leg
