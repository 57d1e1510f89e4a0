"""A call: two legs, and how it ends.

Enters: the legs' dialogs once `setup` has made them, BYE, an operator's or our own wish to end it. Leaves: BYE on
both legs, the end frame. Must not: screen, route, read a clock.

The initial INVITE is `setup`; requests within the dialogs are `exchange`, a 2xx on its way is `answer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sipguard.b2bua import frames
from sipguard.b2bua.commands import Record
from sipguard.b2bua.credentials import CHALLENGED, log_in
from sipguard.b2bua.leg import A, Leg
from sipguard.b2bua.privacy import stand
from sipguard.b2bua.subscription import Lingering
from sipguard.screening.counters import ASKED, BY_US, ENDED, GAVE_UP
from sipguard.sip.message import Message, Request

# of calls that were refused, hung up or lost here
ENDED_BY_US: Final = frozenset(
    {frames.UNREACHABLE, frames.ACK_LOST, frames.DRAINED, frames.ADMIN, frames.LOST, frames.BROKEN}
)

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.b2bua.exchange import Exchange
    from sipguard.b2bua.lifetime import Lifetime
    from sipguard.b2bua.setup import Setup
    from sipguard.screening.ruleset import Ruleset
    from sipguard.screening.shape import Tally
    from sipguard.screening.trunk import Peer, Trunk
    from sipguard.sip.flow import Flow


class Call:
    """Two legs and what is known of how they came together. Times `_at` are Unix seconds."""

    __slots__ = (
        "a",
        "answer_at",
        "b",
        "decided",  # its verdict frame was written
        "egress",  # name of the trunk that it left by, once it is answered
        "emergency",  # why the guard admitted it, "" for no emergency
        "end_kept",  # its end frame was written, or its verdict frame is the end
        "engine",
        "exchanges",
        "farewell",  # (disposition, Reason value) | None: it is hung up as soon as the caller's ACK has come
        "final",  # status, phrase and Reason of the final response to the caller
        "forward_us",
        "further",  # Written of each trunk that it was tried by after that of the verdict
        "id",
        "lifetime",  # Lifetime | None: once it is answered
        "listener",  # that the INVITE came by
        "marked",  # (peer, why): those of its way that had a mark when it began
        "peer",
        "received_at",
        "received_mono",
        "ring_at",
        "ruleset",
        "setup",  # Setup | None: until it is answered
        "signed",  # Signed | None: what was signed after the verdict frame
        "source",  # "ip:port" that the INVITE came from
        "tally",  # Tally | None: what it is counted for
        "transport",  # that the INVITE came by
        "tries",
        "trunk",
    )

    def __init__(self, engine: Engine, ruleset: Ruleset, trunk: Trunk, came_by: Flow, back: Flow) -> None:
        """`came_by` is the flow of the INVITE, `back` that of its responses; the A leg has no dialog yet."""
        self.engine = engine
        self.ruleset = ruleset
        self.trunk = trunk
        self.id = engine.decision_id()
        self.setup: Setup | None = None
        self.emergency = self.egress = ""
        self.decided = self.end_kept = False
        self.lifetime: Lifetime | None = None
        self.signed: frames.Signed | None = None
        self.tally: Tally | None = None
        self.peer: Peer | None = None
        self.tries: list[tuple[str, int]] = []
        self.marked: Sequence[tuple[str, str]] = ()
        self.further: Sequence[frames.Written] = ()
        self.final: tuple[int, str, str] = (0, "", "")
        self.received_at = engine.clock.unix
        self.received_mono = engine.clock.now
        self.ring_at = self.answer_at = 0.0
        self.forward_us = 0
        self.exchanges: list[Exchange] = []
        self.farewell: tuple[str, str] | None = None
        self.transport, self.listener = came_by.transport, came_by.listener
        remote = came_by.remote
        self.source = f"{remote[0]}:{remote[1]}"
        self.b: Leg | None = None
        self.a = Leg(A, self, engine.listeners[back.listener], back)

    def invited(self, invite: Request) -> None:
        """Begins the dialog of the A leg."""
        self._begin(self.a, invite)

    def caller_leg(self, invite: Request, flow: Flow) -> Leg:
        """An A leg with a To-tag of its own, for an early dialog beside the call's."""
        a = Leg(A, self, self.engine.listeners[flow.listener], flow)
        self._begin(a, invite)
        return a

    def _begin(self, a: Leg, invite: Request) -> None:
        a.call_id = invite.call_id
        a.local_tag = self.engine.ids.token()
        a.remote_tag = invite.from_tag
        a.local = f"{invite.to_value};tag={a.local_tag}"
        a.remote = invite.from_value
        a.remote_cseq = invite.cseq
        log_in(a, self.ruleset, self.trunk.name)
        stand(a, self.trunk, self.emergency)

    def refresh_target(self, leg: Leg, message: Message) -> None:
        """Takes the far end's Contact (RFC 3261 §12.2); a frame says so where it has moved after the answer."""
        before = leg.target
        if leg.set_target(message) and leg.target != before and self.answer_at:
            self.record_change(leg)

    def note_try(self, status: int) -> None:
        """Keeps what the present peer came to, 0 for silence."""
        if self.peer is not None:
            self.tries.append((f"{self.peer.host}:{self.peer.port}", status))

    # ------------------------------------------------------------------ the end

    def bye(self, source: Leg, request: Request) -> None:
        """A BYE came from `source` and crosses to the other leg: the call ends here and now."""
        self._abandon_exchanges()
        self.close(frames.ANSWERED, source.name, request.value("reason"))

    def hang_up(self, disposition: str, now: float, reason: str = "") -> None:
        """Ends the call from here: BYE on both legs where they stand, otherwise the caller gets 480.

        A caller whose ACK is awaited gets no BYE before it has come (RFC 3261 §15), unless nobody is there to wait.
        """
        setup, b = self.setup, self.b
        if setup is not None:
            setup.give_up(480, "Temporarily Unavailable", disposition, reason)
            return
        if self.a.answer is not None and disposition not in (frames.ACK_LOST, frames.DRAINED):
            self.farewell = (disposition, reason)
            return
        self._abandon_exchanges()
        self.settle()
        self.engine.send_bye(self.a, reason)
        if b is not None:
            self.engine.send_bye(b, reason)
        self.close(disposition)

    def settle(self) -> None:
        """Acknowledges a 2xx whose ACK has not crossed yet: a BYE must not overtake it (RFC 3261 §15)."""
        for leg in (self.a, self.b):
            if leg is not None and leg.answer is not None:
                leg.answer.cross_own_ack()

    def _abandon_exchanges(self) -> None:
        now = self.engine.clock.now
        for exchange in list(self.exchanges):
            exchange.abandon(now)

    def close(self, disposition: str, bye_by: str = "", reason: str = "") -> None:
        """Takes the call out of the tables and lets go of everything; an end frame is kept unless it was."""
        if disposition:
            self.record_end(disposition, bye_by, reason)
        engine, a, b = self.engine, self.a, self.b
        engine.forget(self)
        for leg in (a, b):
            if leg is not None and leg.answer is not None:
                leg.answer.close()
        if b is not None and self.answer_at and (a.subscriptions or b.subscriptions):
            Lingering(engine, a, b, engine.clock.now)
        else:
            a.part()
            if b is not None:
                b.part()
        if self.setup is not None:
            self.setup.close()
            self.setup = None
        if self.lifetime is not None:
            self.lifetime.close()
            self.lifetime = None
        self.exchanges = []

    # ------------------------------------------------------------------ frames

    def record_answer(self, a: Leg, b: Leg) -> None:
        """A frame with both dialogs, and all else that is needed to go on with the call after a crash."""
        lifetime = self.lifetime
        ends_at, interval_s = 0.0, 0
        if lifetime is not None:
            interval_s = lifetime.interval_s
            if lifetime.ends_at:
                clock = self.engine.clock
                ends_at = clock.unix + lifetime.ends_at - clock.now
        status, phrase, _ = self.final
        self.engine.layer.out.append(
            Record(
                frames.AnswerFrame(
                    self.id,
                    self.answer_at,
                    self.tries[-1][0] if self.tries else "",
                    (a.snapshot(), b.snapshot()),
                    self.received_at,
                    self.trunk.name,
                    self.egress,
                    self.emergency,
                    status,
                    phrase,
                    self.ring_at,
                    self.tries,
                    self.forward_us,
                    ends_at,
                    interval_s,
                )
            )
        )

    def record_change(self, leg: Leg) -> None:
        """A frame that says where the far end of `leg` is now, and on which interval the ends agreed."""
        interval_s = self.lifetime.interval_s if self.lifetime is not None else -1
        frame = frames.TargetFrame(
            self.id, self.engine.clock.unix, leg.name, leg.target, interval_s, leg.cseq, leg.remote_cseq
        )
        self.engine.layer.out.append(Record(frame))

    def record_end(self, disposition: str, bye_by: str = "", reason: str = "", at: float = 0.0) -> None:
        """One frame that says how the call ended; now unless `at` says otherwise."""
        if self.end_kept:
            return
        status, phrase, why = self.final
        peer = self.peer
        self.engine.layer.out.append(
            Record(
                frames.EndFrame(
                    self.id,
                    at or self.engine.clock.unix,
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
                    self.egress,
                    self.marked,
                    self.signed,
                    self.further,
                )
            )
        )
        self.end_kept = True
        if self.tally is not None:
            self.engine.counters.ended(self.tally, self._how(disposition), self.engine.clock.now)

    def _how(self, disposition: str) -> int:
        """How it ended, for the counters. What was ended by us, or never sent on, says nothing of who called."""
        if self.b is None or disposition in ENDED_BY_US:
            return BY_US
        if self.final[0] in CHALLENGED:
            return ASKED
        return GAVE_UP if disposition == frames.CANCELLED else ENDED
