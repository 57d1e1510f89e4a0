"""A 2xx on its way: from its relaying until the ACK has crossed, and its repeats afterwards.

Enters: the 2xx that we sent to the inviting leg, expired timers, the ACK. Leaves: the 2xx again, the ACK for the
other leg. Must not: know whether the INVITE was the first of the call.

The inviting side's repeats are ours to send (RFC 3261 §13.3.1.4); the other side's are absorbed until the ACK
came, and answered with it afterwards (§13.2.2.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.crossing import bare_ack, crossing_lines, hops_left, in_dialog
from sipguard.b2bua.frames import ACK_LOST
from sipguard.b2bua.leg import Leg
from sipguard.sip.flow import Send
from sipguard.sip.message import Request, Response
from sipguard.sip.timers import GIVE_UP_S, T1, T2, TICK_S
from sipguard.sip.transaction import ClientTransaction, ServerTransaction

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine

MOST_FORKS: Final = 32  # further 2xx of one INVITE that are answered; a peer may not make us send without end


def acknowledge(client: ClientTransaction, leg: Leg, octets: bytes) -> None:
    """Sends the ACK of a 2xx along the dialog of `leg`, now and for each repeat (§12.2.1.1, §13.2.2.4)."""
    client.flow, client.anew = leg.flow, leg.anew
    client.acknowledge(octets)


class Repeats:
    """The user of an INVITE's client transaction once its 2xx is known; it outlives the call."""

    __slots__ = ("acks", "engine", "remote_tag")

    def __init__(self, engine: Engine, remote_tag: str) -> None:
        self.engine = engine
        self.remote_tag = remote_tag
        self.acks: dict[str, Send] | None = None  # of further forks, by their To-tags

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A repeat gets the ACK again, if it was sent yet; the 2xx of another fork is acknowledged and ended."""
        remote_tag = response.to_tag
        if remote_tag == self.remote_tag:
            transaction.acknowledge_again()
            return
        if self.acks is None:
            self.acks = {}
        sent = self.acks.get(remote_tag)
        if sent is not None:
            transaction.layer.out.append(sent)
            return
        if len(self.acks) >= MOST_FORKS:
            return
        sent = self.engine.dismiss_stray(response, transaction.flow)
        if sent is not None:
            self.acks[remote_tag] = sent

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """It was answered."""


class Answer:
    """A 2xx that was sent to `leg` and awaits the ACK there; `other` is where that ACK goes on to."""

    __slots__ = (
        "client", "client_cseq", "cseq", "due", "engine", "interval", "leg", "octets", "other", "server", "until",
    )  # fmt: skip

    def __init__(
        self,
        engine: Engine,
        leg: Leg,
        other: Leg,
        cseq: int,
        client: ClientTransaction,
        client_cseq: int,
        octets: bytes,
        server: ServerTransaction,
        now: float,
    ) -> None:
        self.engine = engine
        self.leg: Leg | None = leg
        self.other = other
        self.cseq = cseq
        self.client = client
        self.client_cseq = client_cseq
        self.octets = octets
        self.server = server
        self.interval = T1
        self.until = now + GIVE_UP_S
        self.due = 0
        leg.answer = self
        client.user = Repeats(engine, other.remote_tag)
        client.layer.wheel.set(self, now + T1)

    def expired(self, now: float) -> None:
        """Sends the 2xx again, or gives up after 64*T1: then both legs are ended (§13.3.1.4)."""
        leg = self.leg
        if leg is None or leg.call is None:
            return
        if now >= self.until:
            leg.call.hang_up(ACK_LOST, now)
            return
        layer = self.client.layer
        self.server.repeat(self.octets)
        self.interval = min(2 * self.interval, T2)
        layer.wheel.set(self, min(now + self.interval - TICK_S, self.until))  # it fired up to a tick late

    def acknowledged(self, request: Request) -> None:
        """The ACK came: it crosses with its body (an offerless INVITE has its answer there)."""
        branch = self.engine.ids.branch()
        hops, lines = hops_left(request), crossing_lines(request, self.leg or self.other)
        octets = in_dialog(self.other, "ACK", self.client_cseq, branch, hops, lines, request.body)
        acknowledge(self.client, self.other, octets)
        call = self.leg.call if self.leg is not None else None
        self.close()
        if call is not None and call.farewell is not None:
            disposition, reason = call.farewell
            call.hang_up(disposition, self.engine.clock.now, reason)

    def cross_own_ack(self) -> None:
        """Acknowledges towards the other side without the inviting side's ACK, so that a BYE may follow."""
        octets = bare_ack(self.other, self.client_cseq, self.engine.ids.branch())
        acknowledge(self.client, self.other, octets)
        self.close()

    def close(self) -> None:
        """Stops the repeats."""
        if self.leg is not None:
            self.leg.answer = None
            self.leg = None
        self.client.layer.wheel.cancel(self)
