"""The initial INVITE of a call on its way: screened, tried at one peer after the other, answered or given up.

Enters: a new INVITE, its verdict carried out by `admission`, responses of the B leg, CANCEL. Leaves: what both legs
are sent until both dialogs stand, or the end of the call. Must not: screen, choose peers' addresses, outlive the 2xx.

What is done when stands in the table SETUP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sipguard.b2bua import early, frames, lifetime, refresh
from sipguard.b2bua.abandoned import Abandoned
from sipguard.b2bua.answer import Answer, Repeats, acknowledge
from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.credentials import CHALLENGED, NOT_OURS, OURS, REFUSED, WRONG, Login, log_in, once_more
from sipguard.b2bua.crossing import bare_ack, relayed
from sipguard.b2bua.failures import LAST_503, better
from sipguard.b2bua.following import FOLLOWED, Followed, follow
from sipguard.b2bua.forwarding import invite, prepare_lines
from sipguard.b2bua.leg import B, Leg
from sipguard.b2bua.privacy import NOTHING, dropped_between, stand
from sipguard.b2bua.retry_after import retry_after_of
from sipguard.b2bua.setup_table import (
    ANSWER,
    CALLING,
    CLOSE,
    DISMISS,
    ENDED,
    FAILURE,
    FORWARD,
    GIVE_UP,
    JOIN,
    LOST,
    NEXT,
    OVERDUE,
    PROVISIONAL,
    REFUSE,
    RELAY,
    SCREENING,
    SEND_CANCEL,
    SETUP,
    SUCCESS,
    TERMINATE,
    TERMINATE_AND_CANCEL,
    TRY,
)
from sipguard.sip.compose import cancel_of, local_response
from sipguard.sip.flow import TCP, UDP, Flow
from sipguard.sip.message import Request, Response, line_value
from sipguard.sip.timers import GIVE_UP_S
from sipguard.sip.transaction import PROCEEDING, ClientTransaction, ServerTransaction

if TYPE_CHECKING:
    from sipguard.b2bua.call import Call
    from sipguard.b2bua.peers import Hop
    from sipguard.screening.attempt import CallAttempt
    from sipguard.screening.finding import Context
    from sipguard.screening.pipeline import Screening
    from sipguard.screening.trunk import Peer, Trunk
    from sipguard.screening.verdict import Label

BUSY_STATUS: Final = frozenset({486, 600, 603})
NO_ANSWER_STATUS: Final = frozenset({408, 480, 487})
REACHED_STATUS: Final = frozenset({486, 487})  # somebody was there: for an emergency call all others are no answer
NEXT_PEER_STATUS: Final = frozenset({408, 500, 502, 503, 504})  # another peer may do better; never after an 18x
_ANSWERED: Final = INDEX["answered"]
_FAILOVERS: Final = INDEX["failovers"]


class Setup:
    """What a call needs until it is answered; the user of both INVITE transactions."""

    __slots__ = (
        "answered",  # how often challenges of the present peer were answered
        "asked_for",  # set of keys that a check waits for | None where it waits for nothing
        "asks_s",  # interval that a trunk of ours asked for and the caller would refresh (RFC 4028 §8), 0 for none
        "attempt",
        "best",  # Response | None: the failure of a peer that crosses if no other one does better
        "best_from",  # Peer | None: whose it is
        "call",
        "client",
        "contact",  # Request-URI where it is the far end's Contact, "" where it is written from the one received
        "context",
        "cseq",  # of the INVITE, at first the same on both legs
        "due",
        "egress",
        "elsewhere",  # a rule sends the call by another trunk
        "followed",  # Followed | None: redirections of peers that were followed
        "forks",  # list[Leg] | None: B legs of further early dialogs, see `early`
        "from_display",
        "from_rest",
        "from_uri",
        "hops",  # peers that are left to try, each with its trunk
        "identity",  # Identity values of ours
        "label",
        "lines",  # header lines that cross in the forwarded INVITE
        "no_tcp",  # Peer | None: it did not take a long INVITE by TCP
        "parting",  # the caller has sent a BYE in one early dialog of several
        "plain",  # an emergency call that goes on with what was read of it only, since something broke
        "relayed_ring",
        "removed",  # names of headers that were kept from crossing, for the record
        "request",
        "resumed",  # something broke while it was screened, and it went on
        "screening",
        "server",
        "signed",  # Signed | None: what was signed, or why not
        "state",
        "target",  # Request-URI that a peer redirected to, "" for that of the caller
        "told",  # Reason lines that the next response to the caller carries, joined, "" for none (RFC 9410)
        "unmarked",  # marking it broke: it goes on without
        "unsigned",  # the INVITE, where the present peer may challenge it
        "untouched",  # mode bypass: nothing but what each leg has of its own is changed
        "verstat",
        "wrote",  # header lines of ours in what goes out, for the record
    )

    def __init__(
        self,
        call: Call,
        request: Request,
        server: ServerTransaction,
        attempt: CallAttempt,
        screening: Screening,
        context: Context,
    ) -> None:
        self.call = call
        self.request = request
        self.server = server
        self.attempt = attempt
        self.answered = 0
        self.unsigned = b""
        self.best: Response | None = None
        self.best_from: Peer | None = None
        self.screening = screening
        self.context = context
        self.cseq = request.cseq
        self.client: ClientTransaction | None = None
        self.state = SCREENING
        self.egress: Trunk | None = None
        self.hops: list[Hop] = []
        self.label: Label | None = None
        self.untouched = self.elsewhere = self.plain = self.resumed = self.unmarked = False
        self.lines = self.verstat = self.contact = self.target = self.told = ""
        self.identity: tuple[str, ...] = ()
        self.wrote: Sequence[str] = ()
        self.removed: Sequence[str] = ()
        self.signed: frames.Signed | None = None
        self.followed: Followed | None = None
        self.from_display = self.from_uri = self.from_rest = ""
        self.asked_for: set[str] | None = None
        self.due = self.asks_s = 0
        self.relayed_ring = self.parting = False
        self.forks: list[Leg] | None = None
        self.no_tcp: Peer | None = None
        server.user = self
        call.setup = self

    # ------------------------------------------------------------------ before the next hop

    def refuse(self, status: int, phrase: str, extra: tuple[str, ...] = ()) -> None:
        """Answers the INVITE ourselves."""
        action, self.state = SETUP[self.state, REFUSE]
        if action == ANSWER:
            self.send_final(status, phrase, extra)

    def send_final(self, status: int, phrase: str, extra: tuple[str, ...] = ()) -> None:
        """A final response of our own to the caller; kept for the end frame."""
        call, server = self.call, self.server
        reason = next((line_value(line) for line in extra if line.startswith("Reason:")), "")
        if self.told:
            extra = (*extra, self.told)
        octets = local_response(server.head, server.to_line, call.a.local_tag, status, phrase, extra)
        call.final = (status, phrase, reason)
        server.respond(status, octets, call.engine.clock.now)

    def break_off(self, status: int, phrase: str) -> None:
        """Something broke here: the caller is told, unless it has a final response."""
        self.told = ""
        if self.server.state == PROCEEDING:
            self.send_final(status, phrase)

    def expired(self, now: float) -> None:
        """What a check waits for did not come within its budget."""
        self.call.engine.awaiting.late(self)

    def forward(self, hops: list[Hop]) -> None:
        """Sends the INVITE to the first of `hops` that does not fail; takes from it."""
        action, self.state = SETUP[self.state, FORWARD]
        if action == TRY:
            self.hops = hops
            self._try_peer()

    def try_next(self) -> None:
        """Sends the INVITE to the next peer as if the one before had said nothing."""
        self.state = CALLING
        self._try_peer()

    def _try_peer(self) -> None:
        """Sends the INVITE to the next peer, on a fresh B leg."""
        call = self.call
        engine = call.engine
        if call.b is not None:
            engine.counts[_FAILOVERS] += 1
            early.renew(self)
            if self.client is not None:
                self.client.user = None
        egress, peer = self.hops.pop(0)
        if self.followed is not None:
            self.target = self.followed.uris.pop(0) if self.followed.uris else ""
        if egress is not self.egress:
            if self.egress is not None:
                self._prepare_again(egress)
            self.egress = egress
            call.egress = egress.name
        call.peer = peer
        leg = self._new_b(egress, peer)
        branch = engine.ids.branch()
        octets = invite(self, leg, egress, peer, branch)
        if egress.udp_max and len(octets) > egress.udp_max and self._goes_by_tcp(leg, peer):
            octets = invite(self, leg, egress, peer, branch)
        if leg.login is not None:
            self.unsigned, self.answered = octets, 0
        engine.legs[leg.local_tag] = leg
        if not call.forward_us:
            self.server.expect(engine.clock.now)
            call.forward_us = int((engine.stopwatch() - call.received_mono) * 1e6)
        self._send(leg, branch, octets, egress)

    def _prepare_again(self, egress: Trunk) -> None:
        """Another trunk wants numbers, verstat and attestation in its own way; what it is sent is kept for the end."""
        self._nothing_written()
        prepare_lines(self, egress)
        written = frames.Written(egress.name, len(self.call.tries), self.verstat, self.wrote, self.removed)
        self.call.further = [*self.call.further, written]

    def _nothing_written(self) -> None:
        """By itself, since mypyc takes an attribute for what was put into it before in the same function."""
        self.wrote = self.removed = ()

    def _send(self, leg: Leg, branch: str, octets: bytes, egress: Trunk) -> None:
        engine = self.call.engine
        self.client = ClientTransaction(
            engine.layer, "INVITE", branch, leg.flow, octets, self, engine.clock.now, egress.try_timeout_s, leg.anew
        )

    def _goes_by_tcp(self, leg: Leg, peer: Peer) -> bool:
        """Whether an INVITE that is too long for a datagram goes by TCP, which its peer has not refused (§18.1.1)."""
        return peer.transport == UDP and self.no_tcp is not peer and leg.go_by(TCP)

    def _answer_challenge(self, leg: Leg, login: Login, response: Response) -> str:
        """OURS where the INVITE went out once more, with the trunk's credentials (RFC 3261 §22.2)."""
        engine = self.call.engine
        outcome = login.challenged(engine, response, self.answered)
        if outcome == OURS and self.client is not None and self.egress is not None:
            self.answered += 1
            self.client.user = None
            leg.cseq += 1
            branch = engine.ids.branch()
            self._send(leg, branch, login.signed(once_more(self.unsigned, branch, leg.cseq)), self.egress)
        return outcome

    def _new_b(self, egress: Trunk, peer: Peer) -> Leg:
        """A B leg with its own Call-ID and tag."""
        call = self.call
        engine = call.engine
        listener = peer.listener or egress.listeners[0]
        flow = Flow(0, peer.transport, listener, (peer.host, peer.port), peer.tls_names)
        leg = Leg(B, call, engine.listeners[listener], flow)
        if flow.reliable:
            leg.anew = flow  # a connection that stood may be gone when it is used: then one is made
        leg.call_id = engine.ids.token() + engine.ids.token()
        leg.local_tag = engine.ids.token()
        leg.cseq = self.cseq
        log_in(leg, call.ruleset, egress.name)
        stand(leg, egress, call.emergency)
        call.b = leg
        call.a.pair_with(leg)
        return leg

    # ------------------------------------------------------------------ from the B leg

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response to the forwarded INVITE."""
        status = response.status
        event = PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE
        action, self.state = SETUP[self.state, event]
        if action == RELAY:
            self._relay_provisional(response, now)
        elif action == JOIN:
            self._join(transaction, response, now)
        elif action == NEXT:
            self._failed(response)
        elif action == SEND_CANCEL:
            self._send_cancel()
        elif action == DISMISS:
            self._dismiss(transaction, response)
        elif action == CLOSE:
            self.call.close("")

    def _relay_provisional(self, response: Response, now: float) -> None:
        call = self.call
        if call.peer is not None:
            call.engine.peers.answered(call.peer)
        if response.status == 100:
            return
        if not call.ring_at:
            call.ring_at = call.engine.clock.unix
        leg = early.leg_for(self, response, call.engine.flow)
        a = leg.other if leg is not None else None
        if leg is None or a is None:
            return
        self.relayed_ring = True
        server = self.server
        dropped = dropped_between(response, leg, a)
        octets = relayed(
            response, leg, server.head, server.to_line, a.local_tag, a.contact, dropped, self.told, a.untold
        )
        self.told = ""
        server.respond(response.status, octets, now)

    def _join(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """The callee answered: both dialogs stand, the 2xx goes to the caller."""
        call, server = self.call, self.server
        engine = call.engine
        b = early.leg_for(self, response, engine.flow)
        a = b.other if b is not None else None
        if a is None or b is None:
            return
        early.confirm(self, b)
        b.learn(response, engine.flow)
        b.remote = response.value("to")
        call.final = (response.status, response.phrase, "")
        interval_s = lifetime.interval_of(response)
        ours = a.contact
        if self.asks_s and not interval_s:
            interval_s = self.asks_s
            ours += refresh.to_add(response, interval_s)
        if call.emergency:  # it is answered, whatever becomes of what is noted of that
            engine.tried(self._note_answer, a, b, response, interval_s)
            call.answer_at = engine.clock.unix
        else:
            self._note_answer(a, b, response, interval_s)
        dropped = dropped_between(response, b, a)
        octets = relayed(response, b, server.head, server.to_line, a.local_tag, ours, dropped, self.told, a.untold)
        server.respond(response.status, octets, now)
        Answer(engine, a, b, self.request.cseq, transaction, response.cseq, octets, server, now)
        server.user = None
        call.setup = None

    def _note_answer(self, a: Leg, b: Leg, response: Response, interval_s: int) -> None:
        """What else follows from the answer: its lifetime, its frame, what is known of the peer and the token."""
        call = self.call
        engine = call.engine
        call.note_try(response.status)
        egress = self.egress
        lifetime.begin(call, egress.dead_call_check_s if egress is not None else 0.0, interval_s)
        call.answer_at = engine.clock.unix
        call.record_answer(a, b)
        engine.counts[_ANSWERED] += 1
        if call.tally is not None:
            engine.counters.answered(call.tally, engine.clock.now)
        if call.peer is not None:
            engine.peers.answered(call.peer)
        if self.attempt.noted:
            self.context.replays.answered(self.attempt.noted)

    def _failed(self, response: Response) -> None:
        """A final failure of a peer: the next one is tried where that may help, else the best one crosses."""
        status = response.status
        call = self.call
        call.note_try(status)
        if call.peer is not None and self.egress is not None:
            self._note_failure(call.peer, self.egress, response)
        b = call.b
        if b is not None and b.login is not None and status in CHALLENGED and not self.relayed_ring:
            outcome = self._answer_challenge(b, b.login, response)
            if outcome == REFUSED:
                if call.emergency and self.hops:
                    self._try_peer()
                    return
                self.state = ENDED
                self.send_final(*WRONG)
                call.close(frames.FAILED)
            if outcome != NOT_OURS:
                return
        egress = self.egress
        if status in FOLLOWED and egress is not None and egress.follows_redirects and not self.relayed_ring:
            hops = follow(self, egress, response)
            if hops:
                self.hops[:0] = hops
                self._try_peer()
                return
        self.best = best = better(self.best, response)
        if best is response:
            self.best_from = call.peer
        more = self.followed is not None and bool(self.followed.uris)  # of several Contacts, the next one (§8.1.3.4)
        another = self._another_may_do_better(status) or (more and status < 600)
        if another and self.hops and not self.relayed_ring:
            self._try_peer()
            return
        self._fail_with(best)

    def _another_may_do_better(self, status: int) -> bool:
        if status in NEXT_PEER_STATUS:
            return True
        return bool(self.call.emergency) and 400 <= status < 600 and status not in REACHED_STATUS

    def _fail_with(self, response: Response) -> None:
        """The failure of a peer crosses to the caller, but for a 503: ours would be read as our own overload."""
        self.state = ENDED
        status = response.status
        call, server = self.call, self.server
        call.peer = self.best_from
        if status == 503 and call.trunk.last_503 != 503:  # RFC 3261 §16.7 step 6
            self.send_final(call.trunk.last_503, LAST_503[call.trunk.last_503])
            call.close(frames.FAILED)
            return
        a, b = call.a, call.b
        dropped = dropped_between(response, b, a) if b is not None else NOTHING
        tag = early.tag_of(self, response)
        octets = relayed(response, b or a, server.head, server.to_line, tag, "", dropped, self.told, a.untold)
        call.final = (status, response.phrase, response.value("reason"))
        server.respond(status, octets, call.engine.clock.now)
        call.close(frames.CANCELLED if self.parting and status == 487 else _disposition_of(status))

    def _note_failure(self, peer: Peer, egress: Trunk, response: Response) -> None:
        peers = self.call.engine.peers
        if response.status == 503:
            peers.refused(peer, egress, retry_after_of(response), self.call.engine.clock.now)
        else:
            peers.answered(peer)

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """The peer did not react, or rings for too long."""
        until = self._timer_b(transaction)
        if why == "timeout" and until > now:
            self.client = None
            transaction.go_on(Abandoned(self.call.engine), until, now)
        action, self.state = SETUP[self.state, OVERDUE if why == "no_answer" else LOST]
        if action == NEXT:
            self._lost_peer(why)
        elif action == TERMINATE_AND_CANCEL:
            self.call.note_try(0)
            self.send_final(408, "Request Timeout")
            self.call.record_end(frames.NO_ANSWER)
            self._send_cancel()
        elif action == CLOSE:
            self.call.close("")

    def _lost_peer(self, why: str) -> None:
        """The peer gave no answer at all: it is marked down and the next one is tried.

        One that speaks no TCP is tried by UDP, however long the INVITE is (RFC 3261 §18.1.1).
        """
        call = self.call
        self.client = None
        peer, egress = call.peer, self.egress
        by_tcp = call.b is not None and call.b.flow.reliable
        if why == "unreachable" and by_tcp and peer is not None and peer.transport == UDP and egress is not None:
            self.no_tcp = peer
            self.hops.insert(0, (egress, peer))
            if self.followed is not None and self.target:
                self.followed.uris.insert(0, self.target)
            self._try_peer()
            return
        call.note_try(0)
        if call.peer is not None and self.egress is not None:
            call.engine.peers.failed(call.peer, self.egress, call.engine.clock.now)
            if self.hops and not self.relayed_ring:
                self._try_peer()
                return
        if self.best is not None:
            self._fail_with(self.best)
            return
        self.state = ENDED
        self.send_final(500, "No Peer Reachable")
        call.close(frames.UNREACHABLE)

    # ------------------------------------------------------------------ giving up

    def cancelled(self, request: Request, now: float) -> None:
        """The caller's CANCEL, or its BYE in an early dialog."""
        self.give_up(487, "Request Terminated", frames.CANCELLED, request.value("reason"))

    def give_up(self, status: int, phrase: str, disposition: str, reason: str) -> None:
        """Answers the caller with a failure and takes back what was sent to the peer; `reason` goes there."""
        before = self.state
        action, self.state = SETUP[before, GIVE_UP]
        if action not in (TERMINATE, TERMINATE_AND_CANCEL):
            return
        call = self.call
        self.send_final(status, phrase)
        call.final = (status, phrase, reason)
        if before == SCREENING:  # nothing was decided, so nothing is kept
            call.engine.awaiting.stop(self)
            call.close("")
            return
        call.record_end(disposition)
        if action == TERMINATE_AND_CANCEL:
            self._send_cancel()
        elif self.client is not None:  # it may ring there, its 180 lost: only a repeat of the INVITE finds that out
            self.client.until = self._timer_b(self.client)

    def _timer_b(self, client: ClientTransaction) -> float:
        """When the INVITE `client` has been sent long enough, whatever the peer's `try_timeout` says."""
        tried_s = self.egress.try_timeout_s if self.egress is not None else GIVE_UP_S
        return max(client.until, client.until - tried_s + GIVE_UP_S)

    def _send_cancel(self) -> None:
        """Cancels the INVITE at the peer; within 64*T1 it must have ended (RFC 3261 §9.1)."""
        client = self.client
        if client is None or client.state != PROCEEDING:
            return
        engine = self.call.engine
        now = engine.clock.now
        reason = self.call.final[2]
        engine.send_cancel(client, cancel_of(client.octets, f"Reason: {reason}" if reason else ""), now)
        client.end_by(now + GIVE_UP_S)

    def _dismiss(self, transaction: ClientTransaction, response: Response) -> None:
        """A 2xx crossed the CANCEL: it is acknowledged and the dialog ended at once (RFC 3261 §15)."""
        engine = self.call.engine
        b = early.leg_for(self, response, engine.flow)
        if b is None:
            return
        b.learn(response, engine.flow)
        b.remote = response.value("to")
        acknowledge(transaction, b, bare_ack(b, response.cseq, engine.ids.branch()))
        engine.send_bye(b, "")
        transaction.user = Repeats(engine, b.remote_tag)
        self.client = None
        self.call.close("")

    def unacknowledged(self, transaction: ServerTransaction, now: float) -> None:
        """No ACK for our failure came (Timer H); there is nothing left to end."""

    def close(self) -> None:
        """Lets go of the transactions; they end by their own timers."""
        self.state = ENDED
        early.forget_forks(self)
        self.server.user = None
        if self.client is not None:
            self.client.user = None
            self.client = None


def _disposition_of(status: int) -> str:
    """How a call ended that a peer answered with this failure."""
    if status < 400:
        return frames.REDIRECTED
    if status in BUSY_STATUS:
        return frames.BUSY
    return frames.NO_ANSWER if status in NO_ANSWER_STATUS else frames.FAILED
