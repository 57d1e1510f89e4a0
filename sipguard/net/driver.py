"""The shell around the engine: sockets, the one timer, execution of commands.

Enters: readiness of sockets, what comes by connections, the clock. Leaves: messages, journal frames, needs.
Must not: know SIP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from sipguard.b2bua.commands import Clock, Command, Fetch, Keep, Record, Reuse, Trouble
from sipguard.b2bua.frames import Frame
from sipguard.b2bua.troubles import Troubles
from sipguard.net.connections import Connections
from sipguard.net.udp import Port
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import Flow, Send
from sipguard.sip.framing import Framer

DRAIN: Final = 64  # datagrams a wake; then the loop looks at its timers and other sockets


class Door(Protocol):
    """What the driver asks of an engine."""

    def received(self, flow: Flow, octets: bytes, clock: Clock) -> list[Command]:
        """A datagram, or a message of a stream."""

    def unframed(self, flow: Flow, head: bytes, why: MalformedMessage, clock: Clock) -> list[Command]:
        """A stream that cannot be read on; its connection is closed afterwards."""

    def closed(self, flow: Flow, stood: bool, clock: Clock) -> list[Command]:
        """A connection that requests left by is gone."""

    def admits(self, flow: Flow) -> str:
        """address | certificate | "": whether somebody may connect."""

    def knows(self, flow: Flow) -> bool:
        """Whether who has shown these names may send."""

    def turned_away(self, flow: Flow, why: str, detail: str, at: float) -> None:
        """Somebody may not connect, at Unix seconds `at`."""

    def send_failed(self, send_id: str, why: str, clock: Clock) -> list[Command]:
        """A Send that the network refused."""

    def timer(self, clock: Clock) -> list[Command]:
        """The time of `next_timer` has come."""

    def next_timer(self) -> float | None:
        """Monotonic instant of the next timer."""


class Tap(Protocol):
    """Who looks on: sees every message that comes and leaves, decrypted. It must not raise, and must not wait."""

    def received(self, flow: Flow, octets: bytes, at: float, commands: list[Command]) -> None:
        """A message came at `at` (Unix seconds); `commands` is what the engine returned, not carried out yet."""

    def sent(self, flow: Flow, octets: bytes, at: float) -> None:
        """A message has left."""


class Driver:
    """Feeds one engine and executes what it returns. `longest_turn_s` is since it was read; `tap` may change.

    `trouble` is told of each error that was survived, as a line for the log, "" where it was told of lately.
    """

    def __init__(
        self,
        engine: Door,
        ports: list[Port],
        record: Callable[[Frame], None],
        fetch: Callable[[Fetch], None],
        trouble: Callable[[str], None],
        connections: Connections | None = None,
        keep: Callable[[Keep], None] = lambda what: None,
    ) -> None:
        self._engine = engine
        self._ports = {port.listener: port for port in ports}
        self._record = record
        self._fetch = fetch
        self._keep = keep
        self._trouble = trouble
        self._loop = asyncio.get_running_loop()
        self._busy_since: float | None = None
        self._armed_at = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self.longest_turn_s = 0.0
        self._troubles = Troubles()
        self.unsent = 0  # datagrams that the kernel had no room for
        self.tap: Tap | None = None
        self.connections = connections
        for port in ports:
            self._loop.add_reader(port.sock.fileno(), self._readable, port)
        if connections is not None:
            connections.begin(self)

    def clock(self) -> Clock:
        """The time of this turn."""
        now = time.monotonic()
        return Clock(now, time.time(), now - self._busy_since if self._busy_since is not None else 0.0)

    def _readable(self, port: Port) -> None:
        clock = self.clock()
        received = self._engine.received
        commands: list[Command] = []
        for n in range(DRAIN):
            try:
                datagram = None if n and port.is_empty() else port.receive()
            except OSError:
                continue  # of this datagram only; a peer that is gone is found by the transaction's timer
            if datagram is None:
                self._busy_since = None
                break
            if n:  # it may have come since the turn began
                clock = Clock(clock.now, time.time(), clock.backlog_s)
            try:
                found = received(datagram[0], datagram[1], clock)
                commands += found
                if self.tap is not None:
                    self.tap.received(datagram[0], datagram[1], clock.unix, found)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001  as `safely`, but free: the loop goes on for all other calls
                self.tell(error)
        else:
            if self._busy_since is None:
                self._busy_since = clock.now
        self.execute(commands)  # all at once: who is woken by the first datagram is awake for the others
        self._turned(clock.now)

    def safely(self, work: Callable[..., object], *of: object) -> bool:
        """Does a piece of the loop's work; False where something broke, which is told of and ends nothing else."""
        try:
            work(*of)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  the loop goes on for all other calls; a panic of Rust is no Exception
            self.tell(error)
            return False
        return True

    def tell(self, error: BaseException) -> None:
        """Tells of an error that was survived."""
        self._trouble(self._troubles.line(error, "", time.monotonic()))

    # ------------------------------------------------------------------ what connections ask

    def admits(self, flow: Flow) -> str:
        """address | certificate | "": whether somebody may connect."""
        return self._engine.admits(flow)

    def knows(self, flow: Flow) -> bool:
        """Whether who has shown these names may send."""
        return self._engine.knows(flow)

    def refused(self, flow: Flow, why: str, detail: str) -> None:
        """Somebody was turned away before a message was read."""
        self._engine.turned_away(flow, why, detail, time.time())

    def heard(self, flow: Flow, messages: list[bytes], framer: Framer) -> None:
        """Messages of a stream; `framer` says whether what follows them can be read."""
        clock = self.clock()
        if self.connections is not None and self.connections.lag_s > clock.backlog_s:
            clock = Clock(clock.now, clock.unix, self.connections.lag_s)
        commands: list[Command] = []
        for octets in messages:
            self.safely(self._take, flow, octets, clock, commands)
        if framer.broken is not None:
            self.safely(self._take_unframed, flow, framer, clock, commands)
        self.execute(commands)
        self._turned(clock.now)

    def _take(self, flow: Flow, octets: bytes, clock: Clock, commands: list[Command]) -> None:
        found = self._engine.received(flow, octets, clock)
        commands += found
        if self.tap is not None:
            self.tap.received(flow, octets, clock.unix, found)

    def _take_unframed(self, flow: Flow, framer: Framer, clock: Clock, commands: list[Command]) -> None:
        if framer.broken is not None:
            commands += self._engine.unframed(flow, framer.head, framer.broken, clock)

    def lost(self, flow: Flow, stood: bool) -> None:
        """A connection that requests left by is gone."""
        clock = self.clock()
        self.safely(self._closed, flow, stood, clock)
        self.arm(clock.now)

    def _closed(self, flow: Flow, stood: bool, clock: Clock) -> None:
        self.execute(self._engine.closed(flow, stood, clock))

    def failed(self, send_id: str) -> None:
        """A response did not leave by its connection."""
        self.safely(self._send_failed, send_id, "connection lost")

    def _send_failed(self, send_id: str, why: str) -> None:
        self.execute(self._engine.send_failed(send_id, why, self.clock()))

    # ------------------------------------------------------------------ time and commands

    def _timer(self) -> None:
        self._handle = None
        self._armed_at = 0.0
        clock = self.clock()
        self.safely(self._expire, clock)
        self._turned(clock.now)

    def _expire(self, clock: Clock) -> None:
        self.execute(self._engine.timer(clock))

    def _turned(self, began_at: float) -> None:
        """Notes the length of a turn and arms the one timer."""
        now = time.monotonic()
        if now - began_at > self.longest_turn_s:
            self.longest_turn_s = now - began_at
        self.arm(now)

    def arm(self, now: float) -> None:
        """Sets the timer to the engine's next one, unless it is set to no later."""
        due = self._engine.next_timer()
        if due is None or (self._armed_at and self._armed_at <= due):
            return
        if self._handle is not None:
            self._handle.cancel()
        self._armed_at = due
        self._handle = self._loop.call_later(max(0.0, due - now), self._timer)

    def execute(self, commands: list[Command]) -> None:
        """Carries out commands in their order; where one breaks, the others are carried out all the same."""
        left = iter(commands)
        while not self.safely(self._execute, left):
            pass
        connections = self.connections
        if connections is not None and connections.unwritten:
            while not self.safely(connections.flush):
                pass

    def _execute(self, commands: Iterator[Command]) -> None:
        for command in commands:
            kind = type(command)
            if kind is Send:
                self._send(command)  # type: ignore[arg-type]
            elif kind is Record:
                self._record(command.frame)  # type: ignore[union-attr]
            elif kind is Fetch:
                self._fetch(command)  # type: ignore[arg-type]
            elif kind is Keep:
                self._keep(command)  # type: ignore[arg-type]
            elif kind is Trouble:
                self._trouble(command.what)  # type: ignore[union-attr]
            elif kind is Reuse and self.connections is not None:
                self.connections.reuse(command.flow, command.address)  # type: ignore[union-attr]

    def _send(self, send: Send) -> None:
        if send.flow.reliable:
            self._send_by_stream(send)
            return
        try:
            self._ports[send.flow.listener].sock.sendto(send.octets, send.flow.remote)
        except BlockingIOError:
            self.unsent += 1  # as if lost on the way: retransmission repairs it
        except (OSError, ValueError, OverflowError, LookupError, TypeError) as error:  # what can be no address, no port
            if send.send_id:
                self._send_failed(send.send_id, getattr(error, "strerror", "") or "unreachable")
        else:
            if self.tap is not None:
                self.tap.sent(send.flow, send.octets, time.time())

    def _send_by_stream(self, send: Send) -> None:
        if self.connections is not None and self.connections.send(send):
            if self.tap is not None:
                self.tap.sent(send.flow, send.octets, time.time())
        elif send.send_id:
            self._send_failed(send.send_id, "no connection")

    def close(self) -> None:
        """Stops reading and the timer, closes connections; the sockets belong to who opened them."""
        if self.connections is not None:
            self.connections.close()
        for port in self._ports.values():
            self._loop.remove_reader(port.sock.fileno())
        if self._handle is not None:
            self._handle.cancel()
