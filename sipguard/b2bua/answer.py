"""A 2xx on its way: from its relaying until the ACK has crossed.

Enters: the 2xx that we sent to the inviting leg, expired timers, the ACK. Leaves: the 2xx again, the ACK for the
other leg. Must not: know whether the INVITE was the first of the call.

The inviting side's repeats are ours to send (RFC 3261 §13.3.1.4); the other side's are absorbed until the ACK
came, and answered with it afterwards (§13.2.2.4).
"""

from __future__ import annotations

from sipguard.b2bua.crossing import hops_left, in_dialog, request_lines
from sipguard.b2bua.leg import Leg
from sipguard.sip.flow import Address, Send
from sipguard.sip.message import Request
from sipguard.sip.timers import GIVE_UP_S, T1, T2
from sipguard.sip.transaction import ClientTransaction


class Answer:
    """A 2xx that was sent to `leg` and awaits the ACK there; `other` is where that ACK goes on to."""

    __slots__ = ("address", "client", "client_cseq", "cseq", "due", "interval", "leg", "octets", "other", "until")

    def __init__(
        self,
        leg: Leg,
        other: Leg,
        cseq: int,
        client: ClientTransaction,
        client_cseq: int,
        octets: bytes,
        address: Address,
        now: float,
    ) -> None:
        self.leg: Leg | None = leg
        self.other = other
        self.cseq = cseq
        self.client = client
        self.client_cseq = client_cseq
        self.octets = octets
        self.address = address
        self.interval = T1
        self.until = now + GIVE_UP_S
        self.due = 0
        leg.answer = self
        client.layer.wheel.set(self, now + T1)

    def expired(self, now: float) -> None:
        """Sends the 2xx again, or gives up after 64*T1: then both legs are ended (§13.3.1.4)."""
        leg = self.leg
        if leg is None or leg.call is None:
            return
        layer = self.client.layer
        if now < self.until:
            layer.out.append(Send(leg.listener, self.address, self.octets))
            layer.retransmissions += 1
            self.interval = min(2 * self.interval, T2)
            layer.wheel.set(self, min(now + self.interval, self.until))
            return
        self.cross_own_ack()
        call = leg.call
        self.close()
        call.hang_up("ack_lost", now)

    def acknowledged(self, request: Request) -> None:
        """The ACK came: it crosses with its body (an offerless INVITE has its answer there)."""
        self.client.acknowledge(
            in_dialog(
                self.other,
                "ACK",
                self.client_cseq,
                self._branch(),
                hops_left(request),
                request_lines(request),
                request.body,
            )
        )
        self.close()

    def cross_own_ack(self) -> None:
        """Acknowledges towards the other side without the inviting side's ACK, so that a BYE may follow."""
        self.client.acknowledge(
            in_dialog(self.other, "ACK", self.client_cseq, self._branch(), 70, "Content-Length: 0", b"")
        )

    def _branch(self) -> str:
        call = self.other.call
        assert call is not None
        return call.engine.ids.branch()

    def close(self) -> None:
        """Stops the repeats."""
        if self.leg is not None:
            self.leg.answer = None
            self.leg = None
        self.client.layer.wheel.cancel(self)
