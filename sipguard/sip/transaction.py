"""The four transactions of RFC 3261 §17 with RFC 6026, as literal tables.

Enters: requests and responses that were parsed, what the user of a transaction wants sent, expired timers.
Leaves: Send commands in `layer.out`, calls to the transaction's user. Must not: read a clock, build a message
other than the ACK of a failed INVITE.

Every table says for each (state, event) what is done and which state follows; tests walk all of it.
"""

from __future__ import annotations

from typing import Final, Protocol

from sipguard.sip.compose import ack_of_failure, local_response
from sipguard.sip.flow import Flow, Send
from sipguard.sip.message import Request, Response
from sipguard.sip.timers import GIVE_UP_S, T1, T2, T4, TICK_S, TIMER_C_S, TIMER_D_S, TRYING_S, Wheel

MAGIC: Final = "z9hG4bK"
MADE_ANEW_MOST: Final = 3  # connections in a row that may break under a request without any response to it

# states
TRYING: Final = "trying"
CALLING: Final = "calling"
PROCEEDING: Final = "proceeding"
ACCEPTED: Final = "accepted"
COMPLETED: Final = "completed"
CONFIRMED: Final = "confirmed"
TERMINATED: Final = "terminated"

# events
REQUEST: Final = "request"  # the request again
ACK: Final = "ack"
PROVISIONAL: Final = "1xx"
SUCCESS: Final = "2xx"
FAILURE: Final = "3xx-6xx"
RETRANSMIT: Final = "retransmit"  # Timers A, E, G
EXPIRE: Final = "expire"  # Timers B, C, D, F, H, I, J, K, L, M; the time to say 100
UNREACHABLE: Final = "unreachable"

# actions
IGNORE: Final = "ignore"
SEND: Final = "send"
RESEND: Final = "resend"
PASS: Final = "pass"  # to the user
LATE: Final = "late"  # an answer that the user knows: sent before, or too late
PROMISE: Final = "promise"  # 100 Trying: something was not answered for a while
END: Final = "end"
LOST: Final = "lost"  # the peer did not react: end, and tell the user
OVERDUE: Final = "overdue"  # it rings for too long: tell the user, who cancels

Table = dict[tuple[str, str], tuple[str, str]]

INVITE_SERVER: Final[Table] = {  # RFC 3261 figure 7, RFC 6026 figure 5
    (PROCEEDING, REQUEST): (RESEND, PROCEEDING),
    (PROCEEDING, ACK): (IGNORE, PROCEEDING),
    (PROCEEDING, PROVISIONAL): (SEND, PROCEEDING),
    (PROCEEDING, SUCCESS): (SEND, ACCEPTED),
    (PROCEEDING, FAILURE): (SEND, COMPLETED),
    (PROCEEDING, RETRANSMIT): (IGNORE, PROCEEDING),
    (PROCEEDING, EXPIRE): (PROMISE, PROCEEDING),
    (PROCEEDING, UNREACHABLE): (IGNORE, PROCEEDING),
    (ACCEPTED, REQUEST): (IGNORE, ACCEPTED),
    (ACCEPTED, ACK): (PASS, ACCEPTED),
    (ACCEPTED, PROVISIONAL): (LATE, ACCEPTED),
    (ACCEPTED, SUCCESS): (SEND, ACCEPTED),
    (ACCEPTED, FAILURE): (LATE, ACCEPTED),
    (ACCEPTED, RETRANSMIT): (IGNORE, ACCEPTED),
    (ACCEPTED, EXPIRE): (END, TERMINATED),
    (ACCEPTED, UNREACHABLE): (IGNORE, ACCEPTED),
    (COMPLETED, REQUEST): (RESEND, COMPLETED),
    (COMPLETED, ACK): (IGNORE, CONFIRMED),
    (COMPLETED, PROVISIONAL): (LATE, COMPLETED),
    (COMPLETED, SUCCESS): (LATE, COMPLETED),
    (COMPLETED, FAILURE): (LATE, COMPLETED),
    (COMPLETED, RETRANSMIT): (RESEND, COMPLETED),
    (COMPLETED, EXPIRE): (LOST, TERMINATED),
    (COMPLETED, UNREACHABLE): (IGNORE, COMPLETED),
    (CONFIRMED, REQUEST): (IGNORE, CONFIRMED),
    (CONFIRMED, ACK): (IGNORE, CONFIRMED),
    (CONFIRMED, PROVISIONAL): (LATE, CONFIRMED),
    (CONFIRMED, SUCCESS): (LATE, CONFIRMED),
    (CONFIRMED, FAILURE): (LATE, CONFIRMED),
    (CONFIRMED, RETRANSMIT): (IGNORE, CONFIRMED),
    (CONFIRMED, EXPIRE): (END, TERMINATED),
    (CONFIRMED, UNREACHABLE): (IGNORE, CONFIRMED),
}

SERVER: Final[Table] = {  # RFC 3261 figure 8
    (TRYING, REQUEST): (IGNORE, TRYING),
    (TRYING, ACK): (IGNORE, TRYING),
    (TRYING, PROVISIONAL): (SEND, PROCEEDING),
    (TRYING, SUCCESS): (SEND, COMPLETED),
    (TRYING, FAILURE): (SEND, COMPLETED),
    (TRYING, RETRANSMIT): (IGNORE, TRYING),
    (TRYING, EXPIRE): (IGNORE, TRYING),
    (TRYING, UNREACHABLE): (IGNORE, TRYING),
    (PROCEEDING, REQUEST): (RESEND, PROCEEDING),
    (PROCEEDING, ACK): (IGNORE, PROCEEDING),
    (PROCEEDING, PROVISIONAL): (SEND, PROCEEDING),
    (PROCEEDING, SUCCESS): (SEND, COMPLETED),
    (PROCEEDING, FAILURE): (SEND, COMPLETED),
    (PROCEEDING, RETRANSMIT): (IGNORE, PROCEEDING),
    (PROCEEDING, EXPIRE): (IGNORE, PROCEEDING),
    (PROCEEDING, UNREACHABLE): (IGNORE, PROCEEDING),
    (COMPLETED, REQUEST): (RESEND, COMPLETED),
    (COMPLETED, ACK): (IGNORE, COMPLETED),
    (COMPLETED, PROVISIONAL): (LATE, COMPLETED),
    (COMPLETED, SUCCESS): (LATE, COMPLETED),
    (COMPLETED, FAILURE): (LATE, COMPLETED),
    (COMPLETED, RETRANSMIT): (IGNORE, COMPLETED),
    (COMPLETED, EXPIRE): (END, TERMINATED),
    (COMPLETED, UNREACHABLE): (IGNORE, COMPLETED),
}

INVITE_CLIENT: Final[Table] = {  # RFC 3261 figure 5, RFC 6026 figure 4; PROCEEDING expires by Timer C (§16.6)
    (CALLING, PROVISIONAL): (PASS, PROCEEDING),
    (CALLING, SUCCESS): (PASS, ACCEPTED),
    (CALLING, FAILURE): (PASS, COMPLETED),
    (CALLING, RETRANSMIT): (RESEND, CALLING),
    (CALLING, EXPIRE): (LOST, TERMINATED),
    (CALLING, UNREACHABLE): (LOST, TERMINATED),
    (PROCEEDING, PROVISIONAL): (PASS, PROCEEDING),
    (PROCEEDING, SUCCESS): (PASS, ACCEPTED),
    (PROCEEDING, FAILURE): (PASS, COMPLETED),
    (PROCEEDING, RETRANSMIT): (IGNORE, PROCEEDING),
    (PROCEEDING, EXPIRE): (OVERDUE, PROCEEDING),
    (PROCEEDING, UNREACHABLE): (IGNORE, PROCEEDING),
    (ACCEPTED, PROVISIONAL): (LATE, ACCEPTED),
    (ACCEPTED, SUCCESS): (PASS, ACCEPTED),
    (ACCEPTED, FAILURE): (LATE, ACCEPTED),
    (ACCEPTED, RETRANSMIT): (IGNORE, ACCEPTED),
    (ACCEPTED, EXPIRE): (END, TERMINATED),
    (ACCEPTED, UNREACHABLE): (IGNORE, ACCEPTED),
    (COMPLETED, PROVISIONAL): (LATE, COMPLETED),
    (COMPLETED, SUCCESS): (LATE, COMPLETED),
    (COMPLETED, FAILURE): (RESEND, COMPLETED),
    (COMPLETED, RETRANSMIT): (IGNORE, COMPLETED),
    (COMPLETED, EXPIRE): (END, TERMINATED),
    (COMPLETED, UNREACHABLE): (IGNORE, COMPLETED),
}

CLIENT: Final[Table] = {  # RFC 3261 figure 6
    (TRYING, PROVISIONAL): (PASS, PROCEEDING),
    (TRYING, SUCCESS): (PASS, COMPLETED),
    (TRYING, FAILURE): (PASS, COMPLETED),
    (TRYING, RETRANSMIT): (RESEND, TRYING),
    (TRYING, EXPIRE): (LOST, TERMINATED),
    (TRYING, UNREACHABLE): (LOST, TERMINATED),
    (PROCEEDING, PROVISIONAL): (PASS, PROCEEDING),
    (PROCEEDING, SUCCESS): (PASS, COMPLETED),
    (PROCEEDING, FAILURE): (PASS, COMPLETED),
    (PROCEEDING, RETRANSMIT): (RESEND, PROCEEDING),
    (PROCEEDING, EXPIRE): (LOST, TERMINATED),
    (PROCEEDING, UNREACHABLE): (LOST, TERMINATED),
    (COMPLETED, PROVISIONAL): (LATE, COMPLETED),
    (COMPLETED, SUCCESS): (LATE, COMPLETED),
    (COMPLETED, FAILURE): (LATE, COMPLETED),
    (COMPLETED, RETRANSMIT): (IGNORE, COMPLETED),
    (COMPLETED, EXPIRE): (END, TERMINATED),
    (COMPLETED, UNREACHABLE): (IGNORE, COMPLETED),
}


class ServerUser(Protocol):
    """Who answers a server transaction."""

    def unacknowledged(self, transaction: ServerTransaction, now: float) -> None:
        """No ACK came for the failure that was sent (Timer H)."""


class ClientUser(Protocol):
    """Who sent a request."""

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response that is new to the user; repeats of a 2xx to an INVITE included."""

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """No final response came: `why` is timeout, unreachable, or no_answer (Timer C, see `end_by`)."""


class Layer:
    """All transactions of one engine, its timers, and the commands of the present input.

    `at_work` is whom the present input is for, as far as it is known: who is to be ended if something breaks.
    """

    __slots__ = ("at_work", "clients", "out", "retransmissions", "servers", "wheel")

    def __init__(self) -> None:
        self.at_work: object = None
        self.servers: dict[str, ServerTransaction] = {}
        self.clients: dict[str, ClientTransaction] = {}
        self.wheel = Wheel()
        self.out: list[object] = []
        self.retransmissions = 0  # messages sent again since the start


class ServerTransaction:
    """A request received. `head` are the lines that all its responses share (see compose.response_head).

    Responses leave by `flow`; by `anew` once the connection that `flow` names is gone.
    """

    __slots__ = (
        "anew",
        "due",
        "flow",
        "head",
        "interval",
        "key",
        "layer",
        "method",
        "octets",
        "state",
        "table",
        "to_line",
        "until",
        "user",
    )

    def __init__(
        self,
        layer: Layer,
        key: str,
        method: str,
        flow: Flow,
        head: str,
        to_line: str,
        anew: Flow | None = None,
    ) -> None:
        self.layer = layer
        self.key = key
        self.method = method
        self.flow = flow
        self.anew = anew
        self.head = head
        self.to_line = to_line
        self.octets = b""
        self.due = 0
        self.interval = self.until = 0.0
        self.user: ServerUser | None = None
        if method == "INVITE":
            self.table, self.state = INVITE_SERVER, PROCEEDING
        else:
            self.table, self.state = SERVER, TRYING
        layer.servers[key] = self

    def again(self) -> None:
        """The request was received again (§17.2.1, §17.2.2)."""
        action, self.state = self.table[self.state, REQUEST]
        if action == RESEND and self.octets:
            self._send()
            self.layer.retransmissions += 1
        elif action == RESEND and self.table is INVITE_SERVER:
            self._promise()

    def expect(self, now: float) -> None:
        """The answer to an INVITE depends on others: 100 Trying, if nothing else was sent within 200 ms (§17.2.1)."""
        if not self.octets and self.state == PROCEEDING:
            self.layer.wheel.set(self, now + TRYING_S - TICK_S)

    def _promise(self) -> None:
        """100 Trying, where nothing was sent yet."""
        if not self.octets:
            self.octets = local_response(self.head, self.to_line, "", 100, "Trying")
            self._send()

    def acknowledged(self, now: float) -> bool:
        """An ACK with this transaction's key came; True where it is for a 2xx, the user's (RFC 6026 §7.1)."""
        before = self.state
        action, self.state = self.table[before, ACK]
        if self.state == CONFIRMED and before == COMPLETED:
            self.until = now if self.flow.reliable else now + T4
            self.layer.wheel.set(self, self.until)
        return action == PASS

    def respond(self, status: int, octets: bytes, now: float) -> bool:
        """Sends a response; False where the transaction has had its final one."""
        before = self.state
        event = PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE
        action, self.state = self.table[before, event]
        if action != SEND:
            return False
        self.octets = octets
        self._send()
        if self.state != before:
            self._entered(now)
        elif before == PROCEEDING:
            self.layer.wheel.cancel(self)  # no 100 any more
        return True

    def _entered(self, now: float) -> None:
        """Starts the timers of a state: G and H, J, L. G and J are for datagrams (§17.2.1, §17.2.2)."""
        self.until = now + GIVE_UP_S
        if self.state == PROCEEDING:
            return
        self.head = self.to_line = ""  # no other response is composed
        reliable = self.flow.reliable
        if self.state == ACCEPTED:
            self.octets = b""  # the user repeats the 2xx
        elif self.table is INVITE_SERVER:
            if not reliable:
                self.interval = T1
                self.layer.wheel.set(self, now + T1)
                return
        elif reliable:
            self.until = now
        self.layer.wheel.set(self, self.until)

    def expired(self, now: float) -> None:
        """Timer G, H, I, J or L."""
        event = RETRANSMIT if now < self.until else EXPIRE
        action, self.state = self.table[self.state, event]
        if action == RESEND:
            self._send()
            self.layer.retransmissions += 1
            self.interval = min(2 * self.interval, T2)
            # it fired up to a tick late
            self.layer.wheel.set(self, min(now + self.interval - TICK_S, self.until))
        elif action == PROMISE:
            self._promise()
        elif self.state == TERMINATED:
            user = self.user
            self.close()
            if action == LOST and user is not None:
                user.unacknowledged(self, now)

    def repeat(self, octets: bytes) -> None:
        """Sends a 2xx to an INVITE once more; its repeats are the user's (RFC 6026 §7.1)."""
        self.layer.retransmissions += 1
        self.layer.out.append(Send(self.flow, octets, self.key if self.anew is not None else ""))

    def disconnected(self) -> None:
        """The connection that the request came by is gone: what was to be sent leaves by another (§18.2.2)."""
        if self.anew is not None:
            self.flow, self.anew = self.anew, None
            if self.octets:
                self._send()

    def close(self) -> None:
        """Takes the transaction out of the tables and lets go of its user."""
        self.state = TERMINATED
        self.user = None
        self.layer.wheel.cancel(self)
        self.layer.servers.pop(self.key, None)

    def _send(self) -> None:
        self.layer.out.append(Send(self.flow, self.octets, self.key if self.anew is not None else ""))


def client_key(branch: str, method: str) -> str:
    """Key of a client transaction; a CANCEL has the branch of its INVITE (§17.1.3)."""
    return branch if method != "CANCEL" else f"{branch} CANCEL"


class ClientTransaction:
    """A request sent; `key` as client_key makes it.

    `octets` is the request, later the ACK that answers repeats of the final response. It leaves by `flow`; by `anew`
    once the connection that `flow` names is gone.
    """

    __slots__ = (
        "anew",
        "due",
        "flow",
        "interval",
        "key",
        "layer",
        "made_anew",
        "method",
        "octets",
        "patient",  # provisional responses prolong the wait; not after a CANCEL
        "state",
        "table",
        "until",
        "user",
    )

    def __init__(
        self,
        layer: Layer,
        method: str,
        branch: str,
        flow: Flow,
        octets: bytes,
        user: ClientUser,
        now: float,
        give_up_s: float = GIVE_UP_S,
        anew: Flow | None = None,
    ) -> None:
        self.layer = layer
        self.method = method
        self.key = key = client_key(branch, method)
        self.flow = flow
        self.anew = anew
        self.octets = octets
        self.user: ClientUser | None = user
        self.interval = T1
        self.until = now + give_up_s
        self.due = 0
        self.patient = True
        self.made_anew = 0
        if method == "INVITE":
            self.table, self.state = INVITE_CLIENT, CALLING
        else:
            self.table, self.state = CLIENT, TRYING
        layer.clients[key] = self
        layer.wheel.set(self, self.until if flow.reliable else now + T1)  # Timers A and E are for datagrams
        layer.out.append(Send(flow, octets, key))

    def receive(self, response: Response, now: float) -> None:
        """A response whose branch and CSeq method are this transaction's (§17.1.3)."""
        status = response.status
        before = self.state
        event = PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE
        action, self.state = self.table[before, event]
        if action == PASS:
            if self.state != before or status < 200:
                self._entered(before, status, response, now)
            user = self.user
            if user is not None:
                self.layer.at_work = user
                user.responded(self, response, now)
        elif action == RESEND:
            self._send()
            self.layer.retransmissions += 1

    def _entered(self, before: str, status: int, response: Response, now: float) -> None:
        """Starts the timers of a state: C, D, E, K, M; acknowledges a failed INVITE (§17.1.1.3)."""
        wheel = self.layer.wheel
        state = self.state
        self.made_anew = 0
        if self.table is CLIENT:
            if state == PROCEEDING:
                self.interval = T2  # Timer E runs on and is T2 from then on (§17.1.2.2)
            else:
                self.octets = b""
                self.until = now if self.flow.reliable else now + T4
                wheel.set(self, self.until)
        elif state == PROCEEDING:
            if self.patient and (status > 100 or before != state):  # §16.7 step 2: 100 does not start C again
                self.until = now + TIMER_C_S
                wheel.set(self, self.until)
        elif state == ACCEPTED:
            self.octets = b""
            self.until = now + GIVE_UP_S
            wheel.set(self, self.until)
        else:
            self.octets = ack_of_failure(self.octets, response)
            self.until = now if self.flow.reliable else now + TIMER_D_S
            wheel.set(self, self.until)
            self._send()

    def expired(self, now: float) -> None:
        """Timer A, B, C, D, E, F, K or M."""
        event = RETRANSMIT if now < self.until else EXPIRE
        action, self.state = self.table[self.state, event]
        if action == RESEND:
            self._send()
            self.layer.retransmissions += 1
            self.interval = min(2 * self.interval, T2 if self.table is CLIENT else GIVE_UP_S)
            # it fired up to a tick late
            self.layer.wheel.set(self, min(now + self.interval - TICK_S, self.until))
        elif action == LOST:
            self._lost("timeout", now)
        elif action == OVERDUE:
            self._overdue(now)
        elif action == END:
            self.close()

    def _overdue(self, now: float) -> None:
        """Timer C, or the wait after a CANCEL. The user may wait on by `end_by`; else this is the end."""
        if self.user is not None:
            self.user.unanswered(self, "no_answer", now)
        if not self.due and self.state == PROCEEDING:
            self.close()

    def unreachable(self, now: float, stood: bool = False) -> None:
        """The network said that the request cannot arrive (§17.1.4); by another connection it may.

        `stood`: its connection was open and is gone. Then another may be made, but not without end: whoever is asked
        may close each time.
        """
        if self.anew is not None:
            self.flow, self.anew = self.anew, None
            if self.octets:
                self._send()
            return
        if stood and not self.flow.id and self.made_anew < MADE_ANEW_MOST:
            self.made_anew += 1
            if self.octets:
                self._send()
            return
        action, self.state = self.table[self.state, UNREACHABLE]
        if action == LOST:
            self._lost("unreachable", now)

    def _lost(self, why: str, now: float) -> None:
        user = self.user
        self.close()
        if user is not None:
            self.layer.at_work = user  # from here on nothing else leads to it
            user.unanswered(self, why, now)
            self.layer.at_work = None

    def end_by(self, at: float) -> None:
        """Waits no longer than `at` for a final response (§9.1: after a CANCEL, 64*T1)."""
        self.patient = False
        self.until = at
        self.layer.wheel.set(self, at)

    def go_on(self, user: ClientUser, until: float, now: float) -> None:
        """An INVITE that nobody answered in the time that it was given goes on, for `user` now, until Timer B."""
        self.state = CALLING
        self.user = user
        self.until = until
        self.layer.clients[self.key] = self
        self.layer.wheel.set(self, self.until if self.flow.reliable else now + self.interval)

    def acknowledge(self, octets: bytes) -> None:
        """Sends the ACK of a 2xx and keeps it for repeats of that 2xx (§13.2.2.4)."""
        self.octets = octets
        self._send()

    def acknowledge_again(self) -> bool:
        """Answers a repeat of the 2xx with the ACK sent before; False where none was sent yet."""
        if not self.octets:
            return False
        self._send()
        return True

    def close(self) -> None:
        """Takes the transaction out of the tables and lets go of its user."""
        self.state = TERMINATED
        self.user = None
        self.layer.wheel.cancel(self)
        self.layer.clients.pop(self.key, None)

    def _send(self) -> None:
        self.layer.out.append(Send(self.flow, self.octets, self.key))


def server_key(request: Request) -> str:
    """Key that a request shares with its retransmissions, and an ACK with its INVITE (§17.2.3)."""
    method = request.method
    branch = request.branch
    if branch.startswith(MAGIC) and len(branch) > 7:
        if method == "ACK":
            method = "INVITE"
        return f"{branch} {request.sent_by} {method}"
    if method == "ACK":
        method = "INVITE"
    return f"{request.call_id} {request.from_tag} {request.cseq} {method} {request.via} {request.uri}"


def cancelled_key(cancel: Request) -> str:
    """Key of the INVITE that a CANCEL is for (§9.2)."""
    method, cancel.method = cancel.method, "INVITE"
    key = server_key(cancel)
    cancel.method = method
    return key
