"""All connections of a worker, TCP and TLS: accepted, made when something is to be sent, closed when it is time.

Enters: listening sockets, messages to send, readiness. Leaves: messages and lost connections to the driver, counts.
Must not: look into a message, wait, or let anybody in whom the engine does not know.
"""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from math import ceil
from typing import Final, Protocol

from sipguard.b2bua.refusals import HANDSHAKE, NAME, NO_CERTIFICATE, STRANGER
from sipguard.net.counts import NAMES
from sipguard.net.stream import CLOSED, CLOSING, CONNECTING, OPEN, SHAKING, Connection, open_connecting
from sipguard.net.tls import Contexts, server_name
from sipguard.screening.trunk import Listener
from sipguard.sip.flow import Address, Flow, Send
from sipguard.sip.framing import PING, PONG, Framer
from sipguard.sip.timers import Wheel

ACCEPTS: Final = 64  # connections a wake; then the loop looks at its other sockets
TICK_S: Final = 0.1
LINGER_S: Final = 1.0  # for what is still to be read by the far end when we close
FAR_S: Final = 60.0
PAUSE_S: Final = 0.5  # before accepting again where there was no descriptor
MOST_WAYS: Final = 8  # addresses that one connection is used for: who offers more of them gets no more
RESERVE: Final = 64  # descriptors that accepting leaves for connections that we make, and for files
_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Shell(Protocol):
    """What connections ask of the driver."""

    def admits(self, flow: Flow) -> str:
        """address | certificate | "": whether somebody may connect, by an address alone or by a name as well."""

    def knows(self, flow: Flow) -> bool:
        """Whether who has shown these names may send."""

    def refused(self, flow: Flow, why: str, detail: str) -> None:
        """Somebody was turned away; `detail`: names in the certificate, or why a handshake failed."""

    def heard(self, flow: Flow, messages: list[bytes], framer: Framer) -> None:
        """Messages have come; `framer` says whether what follows them can be read."""

    def lost(self, flow: Flow, stood: bool) -> None:
        """A connection that requests of ours left by is gone; `stood` is whether it was ever open."""

    def failed(self, send_id: str) -> None:
        """A response did not leave."""

    def safely(self, work: Callable[..., object], *of: object) -> bool:
        """Does a piece of work; False where something broke, which is told of."""


class Connections:
    """The table of connections. `counts` are read by name of NAMES."""

    def __init__(self, listeners: Mapping[str, Listener], sockets: Mapping[str, socket.socket]) -> None:
        """`sockets`: listening ones, by the name of their listener.

        A listener whose certificate cannot be used is mute until a reload; `unusable` says why.
        """
        self._loop = asyncio.get_running_loop()
        self.shell: Shell | None = None  # until the driver is made
        self._listeners: dict[str, Listener] = {}
        self._contexts: dict[str, Contexts] = {}
        self._sockets = dict(sockets)
        self._by_id: dict[int, Connection] = {}
        self._ways: dict[tuple[str, Address], list[Connection]] = {}
        self._open: dict[str, int] = dict.fromkeys(sockets, 0)  # by listener: accepted ones
        self._unverified: dict[tuple[str, str], int] = {}  # by listener and address
        self._paused: set[str] = set(sockets)
        self._last_id = 0
        self.unwritten: list[Connection] = []
        self._wheel = Wheel()
        self._ticking: asyncio.TimerHandle | None = None
        self._tick_due = 0.0
        self._most = _descriptors() - RESERVE
        self._late_s = 0.0
        self.lag_s = 0.0  # how late the loop is; a measure of overload
        self.counts = dict.fromkeys(NAMES, 0)
        self.unusable: list[str] = []
        for name, listener in listeners.items():
            try:
                self.use({name: listener})
            except OSError as error:  # calls of the other listeners are served all the same
                self._listeners[name] = listener
                self.unusable.append(f"listener {name}: {listener.tls}: {error}")

    def use(self, listeners: Mapping[str, Listener]) -> None:
        """Takes bounds and certificates of a Ruleset, read anew; connections that stand keep theirs. Raises OSError."""
        found = {name: each for name, each in listeners.items() if each.transport != "udp"}
        self._contexts |= {name: Contexts(each.tls) for name, each in found.items() if each.tls is not None}
        self._listeners |= found

    def begin(self, shell: Shell) -> None:
        """Accepts from now on."""
        self.shell = shell
        for name in list(self._paused):
            self._resume(name)

    def close(self) -> None:
        """Closes everything; the listening sockets belong to who opened them."""
        self.shell = None  # nobody is let in any more
        for name in self._sockets:
            self._pause(name)
        for connection in list(self._by_id.values()):
            self._drop(connection)
        if self._ticking is not None:
            self._ticking.cancel()

    # ------------------------------------------------------------------ accepting

    def _pause(self, name: str) -> None:
        if name not in self._paused:
            self._paused.add(name)
            self._loop.remove_reader(self._sockets[name].fileno())

    def _resume(self, name: str) -> None:
        if name in self._paused and self.shell is not None and not self._is_full(name):
            self._paused.discard(name)
            self._loop.add_reader(self._sockets[name].fileno(), self._acceptable, name)

    def _is_full(self, name: str) -> bool:
        return self._open[name] >= self._listeners[name].connections.most or len(self._by_id) >= self._most

    def _acceptable(self, name: str) -> None:
        """Somebody connects."""
        sock = self._sockets[name]
        for _ in range(ACCEPTS):
            if self._is_full(name):
                self.counts["refused_full"] += 1
                self._pause(name)
                return
            try:
                accepted, remote = sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _SHORT:  # it stays readable: do not look at it for a while
                    self.counts["refused_full"] += 1
                    self._pause(name)
                    self._loop.call_later(PAUSE_S, self._resume, name)
                    return
                continue  # of this one only: who connected is gone already
            self._accepted(name, accepted, (remote[0], remote[1]))

    def _accepted(self, name: str, sock: socket.socket, remote: Address) -> None:
        """Lets somebody in, or not."""
        assert self.shell is not None
        listener = self._listeners[name]
        flow = Flow(0, listener.transport, name, remote)
        how = self.shell.admits(flow)
        waiting = self._unverified.get((name, remote[0]), 0)
        why = ""
        if not how or (how == "certificate" and listener.tls is None):
            why = "refused_stranger"
        elif self._is_mute(listener):
            why = "failed_handshake"
        elif how == "certificate" and waiting >= listener.connections.unverified:
            why = "refused_unverified"
        if why:
            self.counts[why] += 1
            sock.close()
            if why == "refused_stranger":
                self.shell.refused(flow, STRANGER, "")
            return
        sock.setblocking(False)
        connection = self._enter(sock, flow, listener)
        self._open[name] += 1
        self.counts["accepted"] += 1
        if how == "certificate":
            connection.admitted = False
            self._unverified[name, remote[0]] = waiting + 1
        deadline_s = listener.connections.idle_s
        if listener.tls is not None:
            try:
                connection.wrap(self._contexts[name].server, None)
            except (OSError, ValueError):
                self._lost(connection, "failed_handshake")
                return
            deadline_s = listener.connections.handshake_s
        self._watch(connection)
        self._set_deadline(connection, connection.opened_at + deadline_s)

    def _is_mute(self, listener: Listener) -> bool:
        """Whether it should speak TLS and has no certificate."""
        return listener.tls is not None and listener.name not in self._contexts

    def _enter(self, sock: socket.socket, flow: Flow, listener: Listener) -> Connection:
        """A connection in the table, with a number."""
        self._last_id += 1
        flow = Flow(self._last_id, flow.transport, flow.listener, flow.remote)
        connection = self._by_id[flow.id] = Connection(self, sock, flow, listener, self._loop.time())
        self.counts["open_tls" if flow.transport == "tls" else "open_tcp"] += 1
        return connection

    def _watch(self, connection: Connection) -> None:
        self._loop.add_reader(connection.sock.fileno(), self._serve, self._readable, connection)

    # ------------------------------------------------------------------ making

    def send(self, send: Send) -> bool:
        """Lets a message leave by its flow, by a connection that is made where there is none; written by `flush`.

        False where its connection is gone or cannot be made: nobody will hear of this message again.
        """
        flow = send.flow
        connection = self._by_id.get(flow.id) if flow.id else self._way(flow)
        if connection is None and not flow.id:
            connection = self._make(flow)
        if connection is None or connection.state in (CLOSING, CLOSED):
            return False
        if not connection.asked and send.octets[:8] != b"SIP/2.0 ":
            connection.asked = True
        if connection.put(send):
            self.unwritten.append(connection)
        else:
            self._lost(connection, "closed_slow_reader")
        return True

    def reuse(self, flow: Flow, address: Address) -> None:
        """Lets requests to `address` use the connection of `flow` (RFC 5923)."""
        connection = self._by_id.get(flow.id)
        if connection is None or len(connection.ways) >= MOST_WAYS:
            return
        if (flow.listener, address) not in connection.ways:
            self._lead(connection, address)

    def _lead(self, connection: Connection, address: Address) -> None:
        way = (connection.flow.listener, address)
        connection.ways.append(way)
        self._ways.setdefault(way, []).append(connection)

    def _way(self, flow: Flow) -> Connection | None:
        """The connection that requests by this flow may use."""
        for connection in self._ways.get((flow.listener, flow.remote), ()):
            if connection.state != CLOSING and connection.names_fit(flow):
                return connection
        return None

    def _make(self, flow: Flow) -> Connection | None:
        """A connection on its way to where this flow leads; None where that is refused at once."""
        listener = self._listeners.get(flow.listener)
        if listener is None or self._is_mute(listener):
            return None
        try:
            sock = open_connecting(listener, flow.remote)
        except OSError:
            self.counts["failed_connect"] += 1
            return None
        connection = self._enter(sock, flow, listener)
        connection.made = True
        connection.state = CONNECTING
        if listener.tls is not None:
            connection.wanted = flow.tls_names or (flow.remote[0],)
        self.counts["made"] += 1
        self._lead(connection, flow.remote)
        connection.watched = True
        self._loop.add_writer(sock.fileno(), self._serve, self._writable, connection)
        self._set_deadline(connection, connection.opened_at + listener.connections.connect_s)
        return connection

    def _connected(self, connection: Connection) -> None:
        """The TCP connection stands, or does not."""
        if connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._lost(connection, "failed_connect")
            return
        connection.state = OPEN
        self._write_when_possible(connection, False)
        contexts = self._contexts.get(connection.flow.listener)
        if contexts is None:
            self._watch(connection)
            self._opened(connection)
            return
        try:
            connection.wrap(contexts.client, server_name(connection.wanted[0]))
        except (OSError, ValueError):  # its descriptor is closed: it must not be watched yet
            self._lost(connection, "failed_handshake")
            return
        self._watch(connection)
        self._shake(connection)

    def _shake(self, connection: Connection) -> None:
        """Goes on with a TLS handshake."""
        assert self.shell is not None
        try:
            done = connection.shake()
        except (OSError, ValueError) as error:
            if not connection.made:
                self.shell.refused(connection.flow, HANDSHAKE, str(getattr(error, "reason", "") or ""))
            self._lost(connection, "failed_handshake")
            return
        self._write_when_possible(connection, done is None)
        if not done:
            if connection.has_failed():
                self._lost(connection, "failed_handshake")
            return
        if not connection.made:
            self._verified(connection)
            if not self.shell.knows(connection.flow):
                named = connection.tls is not None and connection.tls.getpeercert()
                self.shell.refused(
                    connection.flow, NAME if named else NO_CERTIFICATE, ", ".join(connection.flow.tls_names)
                )
                self._lost(connection, "refused_name" if named else "refused_no_certificate")
                return
        self._opened(connection)

    def _verified(self, connection: Connection) -> None:
        """One less of those who have not shown who they are."""
        if not connection.admitted:
            connection.admitted = True
            key = (connection.flow.listener, connection.flow.remote[0])
            self._unverified[key] -= 1
            if not self._unverified[key]:
                del self._unverified[key]

    def _opened(self, connection: Connection) -> None:
        """Messages may come and go."""
        connection.quiet_at = self._loop.time()
        self._set_deadline(connection, connection.quiet_at + connection.listener.connections.idle_s)
        self._write(connection)
        if connection.has_more():
            self._readable(connection)

    # ------------------------------------------------------------------ reading and writing

    def _serve(self, work: Callable[[Connection], None], connection: Connection) -> None:
        """What a connection is ready for. One at which something breaks ends, else it might be ready for ever."""
        shell = self.shell
        if (
            shell is not None
            and not shell.safely(work, connection)
            and not shell.safely(self._lost, connection, "closed_lost")
        ):
            shell.safely(self._drop, connection)

    def _readable(self, connection: Connection) -> None:
        if connection.state == SHAKING:
            self._shake(connection)
            return
        if connection.state == CLOSED:
            return
        try:
            octets = connection.read()
        except OSError:
            self._lost(connection, "closed_lost")
            return
        if octets is None:
            return
        if not octets:
            self._lost(connection, "closed_peer")
            return
        if connection.state == OPEN:
            self._came(connection, octets)
            if connection.state == OPEN and connection.has_more():
                self._loop.call_soon(self._serve, self._readable, connection)
        if connection.state != CLOSED and connection.has_failed():
            self._lost(connection, "closed_lost")

    def _came(self, connection: Connection, octets: bytes) -> None:
        """Octets have come; whole messages go to the engine."""
        assert self.shell is not None
        framer = connection.framer
        connection.quiet_at = now = self._loop.time()
        messages = framer.feed(octets)
        if PING in messages:
            pongs = messages.count(PING)
            messages = [each for each in messages if each != PING]
            if not connection.put(Send(connection.flow, PONG * pongs)):
                self._lost(connection, "closed_slow_reader")
                return
            self.unwritten.append(connection)
        if not framer.partial:
            connection.partial_at = 0.0
        elif messages or not connection.partial_at:
            connection.partial_at = now
            self._set_deadline(connection, now + connection.listener.connections.message_s)
        if messages or framer.broken is not None:
            self.shell.heard(connection.flow, messages, framer)
        self.flush()
        if framer.broken is not None and connection.state == OPEN:
            self.counts["closed_unframed"] += 1
            self._finish(connection)

    def _writable(self, connection: Connection) -> None:
        if connection.state == CONNECTING:
            self._connected(connection)
        elif connection.state == SHAKING:
            self._shake(connection)
        elif connection.state != CLOSED:
            self._write(connection)

    def flush(self) -> None:
        """Writes what was sent since the last time; messages of one turn to one place leave together."""
        unwritten = self.unwritten
        while unwritten:
            connection = unwritten.pop()
            if connection.state == OPEN and not connection.watched and connection.queue:
                self._serve(self._write, connection)

    def _write(self, connection: Connection) -> None:
        try:
            done = connection.flush()
            if done and connection.state == CLOSING:
                connection.finish()
        except OSError:
            self._lost(connection, "closed_lost")
            return
        connection.quiet_at = self._loop.time()
        self._write_when_possible(connection, not done)

    def _write_when_possible(self, connection: Connection, wanted: bool) -> None:
        if wanted is not connection.watched:
            connection.watched = wanted
            if wanted:
                self._loop.add_writer(connection.sock.fileno(), self._serve, self._writable, connection)
            else:
                self._loop.remove_writer(connection.sock.fileno())

    # ------------------------------------------------------------------ ending

    def _finish(self, connection: Connection) -> None:
        """Closes when what waits was written and the far end had time to read it."""
        connection.state = CLOSING
        self._set_deadline(connection, self._loop.time() + LINGER_S)
        self._write(connection)

    def _lost(self, connection: Connection, why: str) -> None:
        """A connection is over: the engine hears of what went by it."""
        if connection.state == CLOSED:
            return
        stood = connection.state in (OPEN, CLOSING)
        if connection.state != CLOSING:
            self.counts[why] += 1
        self._drop(connection)
        shell = self.shell
        if shell is None:
            return
        if connection.asked:
            flow = connection.flow
            places = [remote for _, remote in connection.ways] or [flow.remote]
            if flow.remote not in places:
                places.append(flow.remote)
            for remote in places:
                shell.lost(Flow(flow.id, flow.transport, flow.listener, remote), stood)
        for send in connection.unsent():
            if send.send_id and send.octets[:8] == b"SIP/2.0 ":
                shell.failed(send.send_id)

    def _drop(self, connection: Connection) -> None:
        """Takes a connection out of all tables and closes its socket."""
        if connection.state == CLOSED:
            return
        connection.state = CLOSED
        self._wheel.cancel(connection)
        descriptor = connection.sock.fileno()
        if descriptor >= 0:  # libuv aborts the process where a descriptor is closed that it still watches
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
        connection.sock.close()
        flow = connection.flow
        del self._by_id[flow.id]
        self.counts["open_tls" if flow.transport == "tls" else "open_tcp"] -= 1
        for way in connection.ways:
            self._ways[way].remove(connection)
            if not self._ways[way]:
                del self._ways[way]
        if not connection.made:
            self._verified(connection)
            self._open[flow.listener] -= 1
        for name in list(self._paused):
            self._resume(name)

    def late(self, connection: Connection, now: float) -> None:
        """The deadline of a connection may be over: it is moved when something came or left meanwhile."""
        bounds = connection.listener.connections
        state = connection.state
        if state == CONNECTING:
            self._lost(connection, "failed_connect")
        elif state == SHAKING:
            self._lost(connection, "failed_handshake")
        elif state == CLOSING:
            self._lost(connection, "closed_peer")
        else:
            slow = bool(connection.partial_at)
            until = connection.partial_at + bounds.message_s if slow else connection.quiet_at + bounds.idle_s
            if now < until:
                self._set_deadline(connection, until)
            else:
                self._lost(connection, "closed_slow_message" if slow else "closed_idle")

    def _set_deadline(self, connection: Connection, at: float) -> None:
        """Far ones are whole seconds: the wheel keeps a tick that was used until it is over."""
        self._wheel.set(connection, at if at < self._loop.time() + FAR_S else ceil(at))
        if self._ticking is None:
            self._tick_due = self._loop.time() + TICK_S
            self._ticking = self._loop.call_later(TICK_S, self._tick)

    def expire(self, now: float) -> None:
        """Closes what is over its deadline."""
        self._wheel.expire(now)
        self.flush()

    def _tick(self) -> None:
        """Lets deadlines expire; runs while there are connections."""
        self._ticking = None
        now = self._loop.time()
        late_s = max(0.0, now - self._tick_due)
        self.lag_s = min(late_s, self._late_s)  # twice in a row: somebody else may have had the processor once
        self._late_s = late_s
        shell = self.shell
        while shell is not None and not shell.safely(self.expire, now):
            pass
        if self._by_id and self._ticking is None:
            self._tick_due = self._loop.time() + TICK_S
            self._ticking = self._loop.call_later(TICK_S, self._tick)
        elif not self._by_id:
            self.lag_s = 0.0


def _descriptors() -> int:
    """How many descriptors this process may have."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft if soft != resource.RLIM_INFINITY else sys.maxsize


def raise_limit() -> None:
    """Lets this process have as many descriptors as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
