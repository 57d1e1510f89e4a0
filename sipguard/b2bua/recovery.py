"""What a process left behind that ended without hanging up: its answered calls are taken up again, the rest is ended.

Enters: the frames of calls without an end. Leaves: Calls whose dialogs go on, frames. Must not: read a journal.

CSeq numbers go on with a gap, since requests may have been sent after the last frame (RFC 3261 §12.2.1.1 asks only
that they grow). Each call gets another answer frame, so that the next crash finds it with the numbers of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from sipguard.b2bua import frames
from sipguard.b2bua.call import Call
from sipguard.b2bua.commands import Record
from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.credentials import log_in
from sipguard.b2bua.leg import B, Leg
from sipguard.b2bua.lifetime import TOO_LONG, Lifetime
from sipguard.b2bua.privacy import stand
from sipguard.screening.trunk import Peer, Trunk
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import UDP, Flow
from sipguard.sip.message import Request
from sipguard.sip.parse import parse
from sipguard.sip.transaction import server_key

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine

CSEQ_GAP: Final = 1000
CSEQ_MOST: Final = 2**31 - 1  # RFC 3261 §8.1.1.5
FIRST_CHECK_S: Final = 5.0  # then both sides are asked whether the call is still up
CHECKS_A_S: Final = 100.0  # calls that are asked a second, so that a full table does not flood its peers
TELL_AFTER_S: Final = 4.0  # an INVITE without any response came again by then
LONGEST_BODY: Final = 1 << 16
RECOVERED: Final = INDEX["recovered"]
LOST: Final = INDEX["lost"]


class Unanswered:
    """The caller of a call that was lost before its answer: it is told so, unless its INVITE comes again.

    One that had no response yet is repeated (RFC 3261 §17.1.1.2), and is a new call then.
    """

    __slots__ = ("due", "engine", "flow", "key", "request")

    def __init__(self, engine: Engine, request: Request, flow: Flow) -> None:
        self.engine = engine
        self.request = request
        self.flow = flow
        self.key = server_key(request)
        self.due = 0

    def expired(self, now: float) -> None:
        """It did not come again."""
        engine = self.engine
        if self.key not in engine.layer.servers:
            server = engine.server_for(self.flow, self.request, self.key)
            engine.answer(server, self.request, 500, "Restarted")


class Remains:
    """A call without an end: its answer frame, or its verdict frame; None where that cannot be read any more.

    `changes` are the last target frames of its legs, at most one of each.
    """

    __slots__ = ("changes", "decision_id", "frame")

    def __init__(
        self,
        decision_id: str,
        frame: frames.AnswerFrame | frames.VerdictFrame | None,
        changes: Sequence[frames.TargetFrame] = (),
    ) -> None:
        self.decision_id = decision_id
        self.frame = frame
        self.changes = changes


def take_up(engine: Engine, remains: Iterable[Remains], alive_at: float) -> None:
    """Goes on with what can go on; ends the others as lost, when the process was seen alive last (Unix seconds)."""
    counts, out = engine.counts, engine.layer.out
    recovered = lost = 0
    for each in remains:
        frame = each.frame
        resumed: list[bool] = []
        if isinstance(frame, frames.AnswerFrame) and not engine.tried(
            _take_up, engine, frame, each.changes, recovered, resumed
        ):
            half = engine.calls.get(each.decision_id)
            if half is not None:
                engine.tried(half.close, "")
        if resumed and resumed[0]:
            recovered += 1
        else:
            lost += 1
            out.append(Record(_lost(each, alive_at)))
            if isinstance(frame, frames.VerdictFrame):
                engine.tried(_tell_caller, engine, frame)
    counts[RECOVERED] += recovered
    counts[LOST] += lost
    if recovered or lost:
        text = f"{recovered} taken up, {lost} lost"
        out.append(Record(frames.NoteFrame(engine.clock.unix, "recovery", text, engine.ruleset.revision)))


def _take_up(
    engine: Engine, frame: frames.AnswerFrame, changes: Sequence[frames.TargetFrame], number: int, resumed: list[bool]
) -> None:
    """Notes in `resumed` whether the call goes on."""
    resumed.append(_resume(engine, frame, changes, number))


def _resume(
    engine: Engine, frame: frames.AnswerFrame, changes: Sequence[frames.TargetFrame], number: int
) -> bool:  # fmt: skip
    """Builds the `number`th call anew; False where a listener of it is gone or its frame says too little."""
    state_a, state_b = frame.legs
    if state_a.listener not in engine.listeners or state_b.listener not in engine.listeners:
        return False
    ruleset = engine.ruleset
    trunk = ruleset.trunks.get(frame.trunk) or Trunk(frame.trunk, "interconnect")
    flow = flow_of(state_a)
    call = Call(engine, ruleset, trunk, flow, flow)
    call.id = frame.decision_id
    call.b = Leg(B, call, engine.listeners[state_b.listener], flow_of(state_b))
    try:
        restore(call.a, state_a, _last(changes, "a"))
        restore(call.b, state_b, _last(changes, "b"))
    except MalformedMessage:
        call.close("")
        return False
    call.emergency, call.egress = frame.emergency, frame.egress
    call.received_at, call.ring_at, call.answer_at = frame.received_at or frame.at, frame.ring_at, frame.at
    call.final = (frame.final_status, frame.final_phrase, "")
    call.tries = [(peer, status) for peer, status in frame.tries]
    call.forward_us = frame.forward_us
    call.peer = _peer(frame.peer)
    call.a.pair_with(call.b)
    log_in(call.a, ruleset, frame.trunk)
    log_in(call.b, ruleset, frame.egress)
    stand(call.a, trunk, frame.emergency)
    egress = ruleset.trunks.get(frame.egress)
    if egress is not None:
        stand(call.b, egress, frame.emergency)
    engine.enter(call)
    engine.legs[call.b.local_tag] = call.b
    if 0.0 < frame.ends_at <= engine.clock.unix:
        _end_overdue(engine, call, call.b, frame.ends_at)
        return True
    _watch(call, frame, changes, FIRST_CHECK_S + number / CHECKS_A_S)
    call.record_answer(call.a, call.b)
    return True


def flow_of(state: frames.LegState) -> Flow:
    """Where requests of a leg go."""
    host, _, port = state.address.rpartition(":")
    return Flow(0, state.transport, state.listener, (host, int(port)), tuple(state.tls_names))


def restore(leg: Leg, state: frames.LegState, change: frames.TargetFrame | None) -> None:
    """Fills a leg with its dialog as it was kept, and as a later frame says. Raises MalformedMessage."""
    leg.call_id = state.call_id
    leg.local_tag, leg.remote_tag = state.local_tag, state.remote_tag
    leg.local, leg.remote = state.local_uri, state.remote_uri
    cseq, leg.remote_cseq = state.local_cseq, state.remote_cseq
    leg.routes = list(state.route_set)
    flow = leg.flow
    leg.aim_at(state.remote_target)
    leg.contact = state.contact or leg.contact
    leg.flow, leg.anew = flow, None  # what was kept counts: a name was not looked up, a neighbour spoke for it
    if change is not None:
        cseq, leg.remote_cseq = max(cseq, change.local_cseq), max(leg.remote_cseq, change.remote_cseq)
        leg.aim_at(change.remote_target)
    leg.cseq = max(cseq, min(cseq + CSEQ_GAP, CSEQ_MOST - CSEQ_GAP))


def _last(changes: Sequence[frames.TargetFrame], leg: str) -> frames.TargetFrame | None:
    found = [change for change in changes if change.leg == leg]
    return found[-1] if found else None


def _peer(text: str) -> Peer | None:
    """The peer that answered, as an end frame names it."""
    host, _, port = text.rpartition(":")
    return Peer(host, int(port)) if host and port.isdigit() else None


def _watch(call: Call, frame: frames.AnswerFrame, changes: Sequence[frames.TargetFrame], first_check_s: float) -> None:
    """Its lifetime goes on. When it was refreshed last is not known, so the interval begins anew."""
    clock = call.engine.clock
    interval_s = frame.interval_s
    for change in sorted(changes, key=lambda each: each.at):
        if change.interval_s >= 0:
            interval_s = change.interval_s
    egress = call.ruleset.trunks.get(frame.egress)
    max_s = frame.ends_at - clock.unix if frame.ends_at else 0.0
    check_b_s = egress.dead_call_check_s if egress is not None else 0.0
    call.lifetime = lifetime = Lifetime(call, max_s, call.trunk.dead_call_check_s, check_b_s)
    lifetime.agree(interval_s, first_check_s)


def _end_overdue(engine: Engine, call: Call, b: Leg, ended_at: float) -> None:
    """The longest duration passed while nobody was there to end the call."""
    engine.send_bye(call.a, TOO_LONG)
    engine.send_bye(b, TOO_LONG)
    call.record_end(frames.OVERTIME, "", TOO_LONG, ended_at)
    call.close("")


def _tell_caller(engine: Engine, frame: frames.VerdictFrame) -> None:
    """Lets the caller of a lost call know by and by; over a connection the loss of that has told it already."""
    host, _, port = frame.source.rpartition(":")
    if frame.transport != UDP or frame.listener not in engine.listeners or not port.isdigit():
        return
    try:
        request = parse(frame.head + b"\r\n\r\n" + bytes(LONGEST_BODY))  # its body was not kept
    except MalformedMessage:
        return
    if isinstance(request, Request):
        waiting = Unanswered(engine, request, Flow(0, UDP, frame.listener, (host, int(port))))
        engine.layer.wheel.set(waiting, engine.clock.now + TELL_AFTER_S)


def _lost(remains: Remains, alive_at: float) -> frames.EndFrame:
    """The end of a call that cannot go on: it was not answered, or its frame does not say enough."""
    frame = remains.frame
    if isinstance(frame, frames.AnswerFrame):
        return frames.EndFrame(
            remains.decision_id,
            max(alive_at, frame.at),
            frames.LOST,
            frame.final_status,
            frame.final_phrase,
            "",
            frame.legs[1].call_id,
            frame.peer,
            frame.ring_at,
            frame.at,
            "",
            frame.tries,
            frame.forward_us,
        )
    return frames.EndFrame(
        remains.decision_id, max(alive_at, frame.at) if frame is not None else alive_at, frames.LOST
    )  # fmt: skip
