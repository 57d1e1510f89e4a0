"""The tap of a worker: knows to which call a message belongs, and gives it to traces and to the export.

Enters: every message that came or left, while somebody wants them. Leaves: messages with their decision id.
Must not: raise for what stands in a message, wait, or stay on the driver when nobody wants anything.

A call is followed by the Call-IDs of its legs. That of the A leg is learned from what an INVITE came to, others from
the engine's table of legs. They are forgotten some time after the call has ended, when no retransmission comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from msgspec.json import encode

from sipguard.b2bua.commands import Command, Record
from sipguard.b2bua.engine import KEEP_ALIVE, Engine
from sipguard.b2bua.frames import VerdictFrame
from sipguard.net.capture import Seen
from sipguard.net.hep import Exporter
from sipguard.net.udp import local_host
from sipguard.screening.attempt import CallAttempt, read_attempt
from sipguard.screening.trunk import Trunk
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import Address, Flow
from sipguard.sip.message import Request, Response
from sipguard.sip.parse import parse
from sipguard.sip.uri import name_addr, tag_of

KEPT_S: Final = 40.0  # 64*T1 and some more: so long after its end, messages of a call may still come (RFC 3261 §17)
CALL_IDS_KEPT: Final = 200_000  # calls beyond are not followed
ADDRESSES_KEPT: Final = 10_000
EXPORTED: Final = (  # of a verdict frame
    "decision_id", "call_id_a", "site", "node", "trunk", "route", "shown", "asserted", "caller", "callee", "action",
    "rule", "basis", "status", "mode", "emergency", "revision", "attest", "identity", "screen_us", "facts", "tags",
    "matched", "reported", "unscreened",
)  # fmt: skip
STRANGER: Final = Trunk("", "interconnect")  # whose INVITEs are read as those of no trunk


class Trace:
    """What one trace wants: calls with the number `tn` or "" for any, from `trunk` or "" for any, so much at most."""

    __slots__ = ("lost", "messages", "number", "octets", "tn", "trunk")

    def __init__(self, number: int, tn: str, trunk: str, messages: int, octets: int) -> None:
        self.number = number
        self.tn = tn
        self.trunk = trunk
        self.messages = messages
        self.octets = octets
        self.lost = 0

    def wants(self, attempt: CallAttempt) -> bool:
        """Whether this is a call to follow."""
        if self.trunk and attempt.trunk.name != self.trunk:
            return False
        asserted = attempt.asserted
        return not self.tn or self.tn in (
            attempt.shown.tn, attempt.caller.tn, attempt.callee.tn, asserted.tn if asserted is not None else "",
        )  # fmt: skip


class Thread:
    """The messages of one call, and the traces that follow it. `decision_id` is "" where none was made."""

    __slots__ = ("call_ids", "decision_id", "over", "traces")

    def __init__(self, decision_id: str) -> None:
        self.decision_id = decision_id
        self.call_ids: list[str] = []
        self.traces: tuple[Trace, ...] = ()
        self.over = False  # the engine did not know the call any more when it was last asked


class Watch:
    """The tap. `give` takes a message of a trace and says whether there was room; `full` is told of an end."""

    def __init__(self, engine: Engine, give: Callable[[int, Seen], bool], full: Callable[[Trace, str], None]) -> None:
        self._engine = engine
        self._give = give
        self._full = full
        self.traces: dict[int, Trace] = {}
        self.export: Exporter | None = None
        self._threads: dict[str, Thread] = {}  # by Call-ID
        self._by_decision: dict[str, Thread] = {}
        self._due: deque[tuple[float, Thread]] = deque()
        self._local: dict[tuple[str, str], Address] = {}

    @property
    def wanted(self) -> bool:
        """Whether anybody wants messages."""
        return bool(self.traces) or (self.export is not None and self.export.settings.sip)

    # ------------------------------------------------------------------ the tap

    def received(self, flow: Flow, octets: bytes, at: float, commands: list[Command]) -> None:
        """A message came."""
        if octets[:1] in KEEP_ALIVE:
            octets = octets.lstrip(b"\r\n\0 ")
            if not octets:
                return
        call_id = call_id_of(octets)
        thread = self._threads.get(call_id)
        if octets.startswith(b"INVITE ") and (commands or thread is None):
            thread = self._invited(flow, octets, at, call_id, commands, thread)
        elif thread is None:
            thread = self._of_engine(octets, call_id, sent=False)
        self._pass(thread, False, flow, octets, at)

    def sent(self, flow: Flow, octets: bytes, at: float) -> None:
        """A message has left."""
        call_id = call_id_of(octets)
        thread = self._threads.get(call_id) or self._of_engine(octets, call_id, sent=True)
        self._pass(thread, True, flow, octets, at)

    def _pass(self, thread: Thread | None, sent: bool, flow: Flow, octets: bytes, at: float) -> None:
        """Gives a message to whoever wants it."""
        if self.export is None and (thread is None or not thread.traces):
            return
        decision_id = thread.decision_id if thread is not None else ""
        seen = Seen(at, sent, flow.transport, self._local_of(flow), flow.remote, decision_id, octets)
        if self.export is not None and self.export.settings.sip:
            self.export.message(seen)
        for trace in thread.traces if thread is not None else ():
            if trace.number not in self.traces:
                continue
            if not self._give(trace.number, seen):
                trace.lost += 1
                continue
            trace.messages -= 1
            trace.octets -= len(seen.octets)
            if trace.messages <= 0 or trace.octets <= 0:
                del self.traces[trace.number]
                self._full(trace, "messages" if trace.messages <= 0 else "size")

    def decided(self, verdict: VerdictFrame) -> None:
        """Exports a verdict, as JSON and with the addresses of its INVITE."""
        if self.export is None or not self.export.settings.verdicts:
            return
        host, _, port = verdict.source.rpartition(":")
        flow = Flow(0, verdict.transport, verdict.listener, (host.strip("[]"), int(port)))
        written = {"type": "verdict", **{name: getattr(verdict, name) for name in EXPORTED}}
        self.export.verdict(
            verdict.at, flow.transport, flow.remote, self._local_of(flow), verdict.decision_id, encode(written)
        )

    # ------------------------------------------------------------------ whose it is

    def _invited(
        self, flow: Flow, octets: bytes, at: float, call_id: str, commands: list[Command], known: Thread | None
    ) -> Thread | None:
        """The thread of an INVITE that something came of: of a call that is known, or of a new one.

        A Call-ID may come again for another call, as after a 401.
        """
        decision_id = self._decided(call_id, commands)
        if known is not None and decision_id in ("", known.decision_id):
            return known
        if not decision_id:
            thread = self._of_engine(octets, call_id, sent=False)
            if thread is not None:
                return thread
        thread = Thread(decision_id)
        thread.traces = self._followers(flow, octets, at)
        self._link(thread, call_id, at)
        return thread

    def _decided(self, call_id: str, commands: list[Command]) -> str:
        """The decision id of the call that this turn began, "" where it began none."""
        for command in commands:
            if type(command) is Record:
                frame = command.frame
                if type(frame) is VerdictFrame and frame.call_id_a == call_id:
                    return frame.decision_id
        newest = next(reversed(self._engine.calls.values()), None)  # it waits for its verdict
        return newest.id if newest is not None and newest.a.call_id == call_id else ""

    def _followers(self, flow: Flow, octets: bytes, at: float) -> tuple[Trace, ...]:
        """The traces that want the call of a new INVITE."""
        if not self.traces:
            return ()
        try:
            request = parse(octets)
        except MalformedMessage:
            return ()
        if not isinstance(request, Request):
            return ()
        trunk = self._engine.sources.trunk_of(flow) or STRANGER
        asserted, diversion = request.values("p-asserted-identity"), request.values("diversion")
        attempt = read_attempt(
            trunk, at, request.uri, request.from_value, request.to_value, asserted, diversion, (), "", "", ""
        )
        return tuple(trace for trace in self.traces.values() if trace.wants(attempt))

    def _of_engine(self, octets: bytes, call_id: str, sent: bool) -> Thread | None:
        """The thread of a message whose Call-ID is new here, by our tag in it: of a B leg, or of a call of before."""
        try:
            message = parse(octets)
        except MalformedMessage:
            return None
        leg = self._engine.legs.get(_own_tag(message, sent))
        if leg is None or leg.call is None or leg.call_id != call_id:
            return None
        decision_id = leg.call.id
        thread = self._by_decision.get(decision_id) or Thread(decision_id)
        self._link(thread, call_id, self._engine.clock.unix)
        return thread

    def _link(self, thread: Thread, call_id: str, at: float) -> None:
        if len(self._threads) >= CALL_IDS_KEPT:
            return
        self._threads[call_id] = thread
        if not thread.call_ids:
            self._due.append((at + KEPT_S, thread))
            if thread.decision_id:
                self._by_decision[thread.decision_id] = thread
        thread.call_ids.append(call_id)

    def sweep(self, at: float) -> None:
        """Forgets calls that are over; to be called about once a second."""
        due, calls = self._due, self._engine.calls
        while due and due[0][0] <= at:
            thread = due.popleft()[1]
            if thread.over:
                self._forget(thread)
            else:
                thread.over = thread.decision_id not in calls
                due.append((at + KEPT_S, thread))

    def _forget(self, thread: Thread) -> None:
        for call_id in thread.call_ids:
            if self._threads.get(call_id) is thread:
                del self._threads[call_id]
        self._by_decision.pop(thread.decision_id, None)

    def _local_of(self, flow: Flow) -> Address:
        """The local address of a flow; where a listener is bound to any, the one that the kernel would use."""
        key = (flow.listener, flow.remote[0])
        found = self._local.get(key)
        if found is None:
            place = self._engine.listeners.get(flow.listener)
            listener = place.listener if place is not None else None
            found = (listener.host, listener.port) if listener is not None else ("0.0.0.0", 0)
            if ip_address(found[0]).is_unspecified:
                found = (local_host(flow.remote), found[1])
            if len(self._local) >= ADDRESSES_KEPT:
                self._local.clear()
            self._local[key] = found
        return found


def call_id_of(octets: bytes) -> str:
    """The Call-ID of a message, "" where it has none that can be read."""
    end = octets.find(b"\r\n\r\n")
    at = octets.find(b"\r\nCall-ID:", 0, end)
    if at >= 0:
        value = octets[at + 10 : octets.find(b"\r\n", at + 10)].strip(b" \t")
        if value:
            return value.decode("latin-1")
    try:
        return parse(octets).value("call-id")
    except MalformedMessage as error:
        return error.message.value("call-id") if error.message is not None else ""


def _own_tag(message: Request | Response, sent: bool) -> str:
    """The tag that is ours in a message: a request's receiver and a response's sender stand in To."""
    if isinstance(message, Request):
        return message.from_tag if sent else message.to_tag
    if sent:
        return message.to_tag
    try:
        return tag_of(name_addr(message.value("from"))[2])
    except MalformedMessage:
        return ""
