"""A SIP worker: one event loop, one engine, its own journal.

Enters: a start message over the channel, listening sockets by descriptor. Leaves: SIP, journal frames, requests
for certificates. Must not: read files after its start but at a reload, parse YAML, wait for a disk, a query or a lock.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import uvloop

from sipguard.b2bua import frames
from sipguard.b2bua.commands import (
    Clock,
    Command,
    Drain,
    Fetch,
    Fetched,
    FetchFailed,
    Hangup,
    Held,
    Keep,
    Mode,
    Rekey,
    Reload,
    Resolved,
    Trust,
)
from sipguard.b2bua.engine import Engine
from sipguard.net.capture import Seen
from sipguard.net.connections import Connections, raise_limit
from sipguard.net.driver import Driver
from sipguard.net.hep import Exporter, HepSettings
from sipguard.net.udp import Port
from sipguard.numbers.errors import NumbersError
from sipguard.screening.finding import Need
from sipguard.screening.lists import Lists
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import Overlay
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.signingkey import SigningKey
from sipguard.service.cells import WorkerSlots
from sipguard.service.channel import Channel
from sipguard.service.remains import Left, left_in
from sipguard.service.starts import WorkerStart
from sipguard.service.trusting import Trusted
from sipguard.service.watch import Trace, Watch
from sipguard.sip.flow import UDP
from sipguard.sip.secret import Secret
from sipguard.stir.certificate import NO_ANCHORS, Anchors, CertificateStore
from sipguard.stir.errors import StirError
from sipguard.stir.signer import Signer
from sipguard.store.journal import Writer
from sipguard.store.live import Live

SAMPLE_S: Final = 1.0
ANSWERED: Final = ("reload", "mode", "rekey", "ping", "hang_up_one")  # what the supervisor waits for an answer to
LIVE_LEAST: Final = 4096  # calls that can be taken up after a crash, however few are allowed at a time
USUAL_AT_A_TIME: Final = 50  # trunks of which is told what is usual, of 4 kB each
TRACE_BEHIND_BYTES: Final = 1 << 20  # more is not kept for a trace that is not read


class Worker:
    """The process's parts and their wiring."""

    def __init__(self, start: WorkerStart, channel: Channel) -> None:
        self._channel = channel
        self._slots = WorkerSlots.create(start.slots)
        self._journal = Writer(start.journal, start.segment_bytes)
        left = left_in(start.journal)
        self._live = Live(start.journal, max(LIVE_LEAST, 2 * start.ruleset.overload.max_calls))
        self._certificates = CertificateStore()
        self._overlay = Overlay()
        self._overlay.take(*start.edits)
        self._engine = Engine(
            Ruleset.open(start.ruleset, start.accounts, _signers(start.signing), self._overlay),
            self._certificates,
            os.urandom,
            time.monotonic,
            start.number,
            self._slots.counts,
        )
        self._engine.modes.update(start.modes)
        self._engine.draining = start.draining
        self._connections, ports = self._take_sockets(start)
        self._driver = Driver(
            self._engine, ports, self._record, self._fetch, self._trouble, self._connections, self._keep
        )
        for trunk, octets in start.usual:
            self._recall(trunk, octets)
        self._watch = Watch(self._engine, self._give, self._traced)
        self._stopping = asyncio.Event()
        self._draining = start.draining
        self._trust(start.trusted)
        for query, answer, age_s in start.resolved:
            self._engine.control(Resolved(query, answer, age_s), self._driver.clock())
        self._told_peers: list[tuple[str, str, str]] = []
        self._told_reported: dict[tuple[str, str], int] = {}
        self._recover(left)

    def _recall(self, trunk: str, octets: bytes) -> None:
        """Goes on from what is usual on a trunk, as a predecessor has learned it."""
        try:
            self._engine.counters.recall(trunk, octets)
        except ValueError as error:
            self._trouble(f"what is usual on {trunk}: {error}")

    def _recover(self, left: Left) -> None:
        """Takes up the calls of a predecessor that crashed, before a socket is read."""
        for what in (left.trouble, self._journal.no_room, self._live.no_room):
            if what:
                self._trouble(what)
        clock = self._driver.clock()
        self._driver.execute(self._engine.recover(left.remains, left.alive_at, clock))
        self._driver.arm(clock.now)
        self._live.alive(clock.unix)
        self._live.publish()
        if left.remains:
            self._channel.send("recovered", len(self._engine.calls), len(left.remains))

    @staticmethod
    def _take_sockets(start: WorkerStart) -> tuple[Connections | None, list[Port]]:
        """The inherited sockets: connections where there is a listener for them, and ports for datagrams."""
        ports = []
        listening = {}
        listeners = start.ruleset.listeners
        for name, descriptor in start.sockets.items():
            sock = socket.socket(fileno=descriptor)
            sock.setblocking(False)
            if listeners[name].transport == UDP:
                ports.append(Port(name, sock))
            else:
                listening[name] = sock
        return Connections(listeners, listening) if listening else None, ports

    def _record(self, frame: frames.Frame) -> None:
        segment, offset = self._journal.append(frames.encode(frame))
        self._live.note(frame, segment, offset)
        if self._watch.export is not None and type(frame) is frames.VerdictFrame:
            self._watch.decided(frame)

    def _fetch(self, asked: Fetch) -> None:
        self._channel.send("fetch", asked.need.key, asked.anew, asked.used_at)

    def _keep(self, what: Keep) -> None:
        self._channel.send("keep", what.url, what.used_at)

    def _give(self, trace: int, seen: Seen) -> bool:
        """Hands a message of a trace over; False where the supervisor is behind: a call never waits for it."""
        if self._channel.unsent > TRACE_BEHIND_BYTES:
            return False
        self._channel.send("seen", trace, seen)
        return True

    def _traced(self, trace: Trace, why: str) -> None:
        """A trace is over."""
        self._channel.send("traced", trace.number, why, trace.lost)
        self._put_tap()

    def _put_tap(self) -> None:
        """The tap is on the driver only while somebody wants messages."""
        self._driver.tap = self._watch if self._watch.wanted else None

    def _export(self, settings: HepSettings | None, password: Secret | None) -> None:
        """Copies go to another collector, or to none."""
        watch = self._watch
        if watch.export is not None:
            watch.export.close()
        watch.export = Exporter(settings, password) if settings is not None else None
        self._put_tap()

    def _trust(self, trusted: Trusted) -> None:
        """Takes another trust list or CRL."""
        try:
            listed = Anchors.read((trusted.pem,)) if trusted.pem else NO_ANCHORS
        except StirError as error:  # what the fetcher could read
            self._trouble(f"trust list: {error}")
            return
        what = Trust(listed, trusted.crl, trusted.crl_required, trusted.version, trusted.notes)
        self._driver.execute(self._engine.control(what, self._driver.clock()))

    def _take_lists(self, specs: tuple[ListSpec, ...], clock: Clock) -> list[Command]:
        """Takes lists that were imported; where they cannot be opened, all stay as they are."""
        try:
            lists = Lists.open(specs, self._overlay)
        except (NumbersError, OSError) as error:
            self._trouble(f"lists: {error}")
            return []
        engine = self._engine
        return engine.control(Reload(replace(engine.ruleset, lists=lists, signers=engine.signers)), clock)

    def _trace(self, number: int, tn: str, trunk: str, messages: int, octets: int) -> None:
        self._watch.traces[number] = Trace(number, tn, trunk, messages, octets)
        self._put_tap()

    def _end_trace(self, number: int) -> None:
        trace = self._watch.traces.pop(number, None)
        if trace is not None:
            self._traced(trace, "")

    def _trouble(self, what: str) -> None:
        """Counts an error of the program; `what` is told of it, "" where that was told lately."""
        self._slots.trouble()
        if what:
            self._channel.send("trouble", what)

    def _escaped(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What nothing on the loop has met: a reader's, a callback's, a task's."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._driver.tell(error)
        else:
            self._trouble(str(context.get("message", "")))

    async def run(self) -> None:
        """Serves until told to stop or the supervisor is gone."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._channel.send("ready", os.getpid())
        for what in self._connections.unusable if self._connections is not None else ():
            self._trouble(what)
        asyncio.get_running_loop().set_exception_handler(self._escaped)
        sampling = asyncio.create_task(self._sample())
        listening = asyncio.create_task(self._listen())
        await self._stopping.wait()
        for task in (sampling, listening):
            task.cancel()
        self._driver.close()
        self._driver.safely(self._tell_usual)
        self._journal.close()
        self._live.close()
        await self._channel.flush()

    async def _listen(self) -> None:
        while True:
            octets = await self._channel.receive_octets()
            if octets is None:
                self._stopping.set()
                return
            self._driver.safely(self._hear, octets)

    def _hear(self, octets: bytes) -> None:
        """Does what the supervisor says; where that breaks, whoever waits for it is told."""
        message = self._channel.read(octets)
        if not self._driver.safely(self._told, message) and message[0] in ANSWERED:
            self._channel.send("did", message[1], "an error of the program, see the log of the worker")

    def _told(self, message: tuple[Any, ...]) -> None:
        what, *rest = message
        clock = self._driver.clock()
        commands: list[Command] = []
        if what == "fetched":
            key, reason, *values = rest
            result = FetchFailed(reason) if reason else Fetched(*values)
            commands = self._engine.answered(Need("certificate", key, 0.0), result, clock)
        elif what == "reload":
            number, plain, accounts, keys = rest
            try:
                ruleset = Ruleset.open(plain, accounts, _signers(keys), self._overlay)
                if self._connections is not None:
                    self._connections.use(plain.listeners)
            except (NumbersError, StirError, OSError) as error:  # a file that changed since it was checked
                self._channel.send("did", number, str(error))
                return
            commands = self._engine.control(Reload(ruleset), clock)
            taken = self._engine.ruleset is ruleset
            self._channel.send("did", number, "" if taken else "an error of the program, see the log of the worker")
        elif what == "resolved":
            query, answer, why = rest
            commands = self._engine.control(Resolved(query, answer, 0.0, why), clock)
        elif what == "trust":
            self._trust(rest[0])
        elif what == "lists":
            commands = self._take_lists(rest[0], clock)
        elif what == "edits":
            self._overlay.take(*rest)
        elif what == "held":
            for values in rest[0]:
                commands += self._engine.control(Held(*values), clock)
        elif what == "mode":
            number, mode, trunk = rest
            commands = self._engine.control(Mode(mode, trunk), clock)
            self._channel.send("did", number, "")
        elif what == "rekey":
            number, keys = rest
            commands = self._engine.control(Rekey(_signers(keys)), clock)
            self._channel.send("did", number, "")
        elif what == "ping":
            self._channel.send("did", rest[0], "")
        elif what == "drain":
            self._draining = True
            commands = self._engine.control(Drain(), clock)
            self._tell_if_drained()
        elif what == "hang_up_one":
            number, decision_id = rest
            problem = "" if decision_id in self._engine.calls else f"no call with the decision id {decision_id} is up"
            commands = self._engine.control(Hangup(decision_id), clock) if not problem else []
            self._channel.send("did", number, problem)
        elif what == "hangup":
            commands = self._engine.control(Hangup(*rest), clock)
        elif what == "hep":
            self._export(*rest)
        elif what == "trace":
            self._trace(*rest)
        elif what == "end_trace":
            self._end_trace(*rest)
        elif what == "stop":
            self._stopping.set()
        self._driver.execute(commands)
        self._driver.arm(clock.now)

    async def _sample(self) -> None:
        """Publishes levels once a second; what breaks of that keeps nothing else from being published."""
        while True:
            await asyncio.sleep(SAMPLE_S)
            for step in (
                self._second,
                self._tell_refused,
                self._tell_reported,
                self._tell_usual,
                self._publish,
                self._sweep,
            ):
                self._driver.safely(step)

    def _second(self) -> None:
        clock = self._driver.clock()
        self._live.alive(clock.unix)
        self._driver.execute(self._engine.second(clock))
        self._driver.arm(clock.now)
        self._tell_peers()

    def _tell_refused(self) -> None:
        """Who was turned away, for whoever asks."""
        refused = self._engine.refusals.second()
        if refused is not None:
            self._channel.send("refused", refused)

    def _tell_usual(self) -> None:
        """What is usual on trunks that have learned something, for the next worker."""
        learned = self._engine.counters.learned(USUAL_AT_A_TIME)
        if learned:
            self._channel.send("usual", learned)

    def _publish(self) -> None:
        slots = self._slots
        slots.left_out(self._live.left_out)
        slots.sample(self._driver, self._journal, self._engine.ruleset.revision)
        if self._watch.export is not None:
            slots.exported(self._watch.export)
        if self._connections is not None:
            slots.sample_connections(self._connections.counts)

    def _sweep(self) -> None:
        if self._driver.tap is not None:
            self._watch.sweep(time.time())
        if self._draining:
            self._tell_if_drained()

    def _tell_peers(self) -> None:
        """Which peers are passed over, where that has changed."""
        states = self._engine.peer_states(self._driver.clock())
        if states != self._told_peers:
            self._told_peers = states
            self._channel.send("peers", states)

    def _tell_reported(self) -> None:
        """On how many calls rules in mode report would have acted, where that has changed."""
        reported = self._engine.reported
        if reported != self._told_reported:
            self._told_reported = dict(reported)
            self._channel.send("reported", self._told_reported)

    def _tell_if_drained(self) -> None:
        if not self._engine.calls:
            self._channel.send("drained")


def _signers(keys: Iterable[SigningKey]) -> dict[str, Signer]:
    """The signers by name; their keys were checked."""
    return {key.name: key.signer() for key in keys}


async def _main(descriptor: int) -> None:
    channel = await Channel.open(socket.socket(fileno=descriptor))
    message = await channel.receive()
    if message is None:
        return
    await Worker(message[0], channel).run()


def main() -> None:
    """Entry point of the process: `python -m sipguard.service.worker DESCRIPTOR`. Signals are the supervisor's."""
    raise_limit()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    uvloop.run(_main(int(sys.argv[1])))


if __name__ == "__main__":
    main()
