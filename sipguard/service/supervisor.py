"""The supervisor: opens the sockets, starts worker, fetcher and desk, keeps them alive, carries an operator's wishes.

Enters: the configuration file, signals, requests on the control socket. Leaves: a running sipguard.
Must not: touch a call; it may die or block without one being dropped by the worker until its own end.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from sipguard import __version__
from sipguard.net.errors import CannotListen
from sipguard.net.sources import TrustSettings
from sipguard.net.stream import open_listening
from sipguard.net.udp import open_socket
from sipguard.screening.policy.times import day_of
from sipguard.screening.ruleset import PlainRuleset
from sipguard.screening.signingkey import SigningKey
from sipguard.screening.verdict import MODES
from sipguard.service import control, list_ages, peer_states, proving
from sipguard.service.bases import Bases
from sipguard.service.child import Child
from sipguard.service.damage import cure, damage
from sipguard.service.errors import AlreadyRunning
from sipguard.service.history import Modes, Rulesets
from sipguard.service.in_force import states
from sipguard.service.list_edits import LOOKED_AT_EVERY_S as EDITS_LOOKED_AT_EVERY_S
from sipguard.service.list_edits import ListEdits, portions
from sipguard.service.notify import Notify
from sipguard.service.overview import published
from sipguard.service.places import Places
from sipguard.service.policies import Policies
from sipguard.service.refused import Refused
from sipguard.service.resolutions import Resolutions, queries_of
from sipguard.service.restart import needing_restart
from sipguard.service.signers import LOOKED_AT_EVERY_S, Signers
from sipguard.service.starts import DeskStart, FetcherStart, WorkerStart
from sipguard.service.traces import Traces
from sipguard.service.trust import Material, at_start
from sipguard.service.trusted import Trusts
from sipguard.service.trusting import SourceState
from sipguard.service.usuals import WRITTEN_EVERY_S as USUALS_WRITTEN_EVERY_S
from sipguard.service.usuals import Usuals
from sipguard.settings.judged_by import octets_of
from sipguard.settings.load import Loaded, load
from sipguard.settings.remarks import remarks_on
from sipguard.settings.secret import accounts
from sipguard.settings.secret import read as read_secret
from sipguard.settings.service import Service, written
from sipguard.sip.flow import UDP
from sipguard.sip.locate import Query
from sipguard.store.errors import StoreError
from sipguard.store.in_force import InForce

log: Final = structlog.get_logger("sipguard")

READY_WITHIN_S: Final = 15.0
CHILD_PATIENCE_S: Final = 10.0
TROUBLES_KEPT: Final = 20
ASKED_EVERY_S: Final = 2.0  # whether the worker lives
RULES_NOTED_EVERY_S: Final = 3600.0  # which are in force


class Supervisor:
    """One running sipguard. Made from a configuration that was loaded without errors."""

    def __init__(self, path: Path, loaded: Loaded) -> None:
        assert loaded.ruleset is not None and loaded.service is not None
        self._path = path
        self._started_with: Loaded | None = loaded  # until it was proved
        self._ruleset: PlainRuleset = loaded.ruleset
        self._service: Service = loaded.service
        self._started_at = time.time()
        self._sockets: dict[str, socket.socket] = {}
        self._stop_asked = asyncio.Event()
        self._drained = asyncio.Event()
        self._hurried = asyncio.Event()
        self._ready = asyncio.Event()
        self._asked_worker: dict[int, asyncio.Future[str]] = {}  # by number of the message: what is not answered yet
        self._messages = 0
        self._troubles: deque[dict[str, Any]] = deque(maxlen=TROUBLES_KEPT)
        self._traces = Traces(self._tell_worker)
        self._swapping = asyncio.Lock()
        self._reloading: asyncio.Task[dict[str, Any] | control.Stream] | None = None
        self._draining = False
        self._resolutions = Resolutions()
        self._trusts = Trusts()
        self._peers: list[tuple[str, str, str]] = []  # trunk, peer, why it is passed over or ""
        self._reported: dict[tuple[str, str], int] = {}  # (rule in mode report, verdict it would have given) -> calls
        self._refusals = Refused()
        self._signers = Signers()
        self._notify = Notify()
        self._worker_up = False
        self._troubled_hosts: list[tuple[str, str, int, bool]] = []  # that certificates cannot be had from

    async def run(self) -> int:
        """Runs until stopped; answers the exit status."""
        service = self._service
        for directory in (service.run_directory, service.state_directory, service.journal_directory):
            directory.mkdir(parents=True, exist_ok=True)
        taken = self._take_run_directory(service.run_directory)
        self._modes = Modes(service.state_directory)
        self._rulesets = Rulesets(service.state_directory)
        self._edits = ListEdits(service.state_directory)
        await self._look_for_edits()
        self._bases = Bases(service.state_directory)
        self._in_force = InForce(service.state_directory / "lists")
        self._ruleset = self._bases.current(self._ruleset)
        self._keep(lambda: self._rulesets.add(self._ruleset))
        self._policies = Policies(service.state_directory)
        self._usuals = Usuals(service.state_directory)
        if self._usuals.problem:
            log.error("usual_traffic_unread", problem=self._usuals.problem, advice="it is learned again, for two weeks")
        if self._started_with is not None:
            self._keep_rules(self._started_with)
        for name, listener in self._ruleset.listeners.items():
            self._sockets[name] = open_socket(listener) if listener.transport == UDP else open_listening(listener)
        self._trusts.begin(at_start(self._service.trust, time.time()))
        self._make_children()
        children = [asyncio.create_task(child.run()) for child in (self._worker, self._fetcher, self._desk)]
        server = await control.serve(service.run_directory / "control.sock", self._asked)
        self._watch_signals()
        watching = asyncio.gather(
            self._watch_worker(),
            self._watch_signers(),
            self._watch_edits(),
            self._watch_rules(),
            self._watch_usual(),
            self._watch_damage(),
            self._prove_first(),
        )
        try:
            await asyncio.wait_for(self._ready.wait(), READY_WITHIN_S)
            self._note_lists()
            await self._resolutions.heard_of(queries_of(self._ruleset), self._service.dns.deadline_s + 1.0)
            self._say_ready()
            await self._stop_asked.wait()
            await self._drain()
        except TimeoutError:
            log.error("worker_not_ready", seconds=READY_WITHIN_S)
            return 1
        finally:
            watching.cancel()
            await asyncio.gather(
                watching, return_exceptions=True
            )  # its end is looked at, so asyncio says nothing of it
            server.close()
            await self._worker.stop(CHILD_PATIENCE_S)
            self._keep(lambda: self._in_force.ended(time.time()))
            await self._fetcher.stop(CHILD_PATIENCE_S)
            await self._desk.stop(CHILD_PATIENCE_S)
            self._keep(self._usuals.write)  # now that what the worker said at its end was heard
            for task in children:
                task.cancel()
            for sock in self._sockets.values():
                sock.close()
            (service.run_directory / "control.sock").unlink(missing_ok=True)
            os.close(taken)
        log.info("stopped")
        return 0

    @staticmethod
    def _take_run_directory(directory: Path) -> int:
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise AlreadyRunning(directory) from error
        return descriptor

    @staticmethod
    def _keep(write: Callable[[], None]) -> None:
        """Keeps something for later starts; a disk that is full or has failed ends nothing."""
        try:
            write()
        except OSError as error:
            log.error("state_not_kept", why=str(error), advice="it is lost at the next start; make room on the disk")

    def _keep_rules(self, loaded: Loaded) -> None:
        """Keeps what explanations of its calls need of a configuration that comes into force."""
        assert loaded.ruleset is not None
        revision, octets = loaded.ruleset.revision, octets_of(loaded)
        self._keep(lambda: self._policies.keep(revision, octets))

    async def _watch_rules(self) -> None:
        """Notes again and again which rules are in force, and forgets those that no record names any more."""
        while True:
            now_at, keep_s = time.time(), max(self._service.records_keep_s, self._service.journal_keep_s)
            self._keep(partial(self._policies.still, self._ruleset.revision, now_at))
            self._keep(partial(self._policies.forget, now_at - keep_s))
            await asyncio.sleep(RULES_NOTED_EVERY_S)

    async def _watch_usual(self) -> None:
        """Keeps what the worker has learned to be usual on its trunks."""
        while True:
            await asyncio.sleep(USUALS_WRITTEN_EVERY_S)
            self._keep(self._usuals.write)

    def _make_children(self) -> None:
        keep = tuple(sock.fileno() for sock in self._sockets.values())
        hidden = self._passphrase_names
        self._worker = Child(
            "worker", "sipguard.service.worker", self._worker_start, self._told, self._ended, keep, hidden=hidden
        )
        self._fetcher = Child(
            "fetcher",
            "sipguard.service.fetcher",
            self._fetcher_start,
            self._told,
            self._ended,
            niceness=5,
            hidden=hidden,
        )
        self._desk = Child(
            "desk", "sipguard.service.desk", self._desk_start, self._told, self._ended, niceness=5, hidden=hidden
        )

    def _passphrase_names(self) -> set[str]:
        """Variables of the environment that no other process is given."""
        return {each.passphrase_env for each in self._ruleset.signers.values()}

    def _worker_start(self) -> WorkerStart:
        service = self._service
        found, problems = accounts(self._ruleset.trunks)
        for problem in problems:
            log.error("password_unread", problem=problem, advice="challenges of that trunk cross to the other side")
        for problem in self._signers.take(self._ruleset.signers):
            log.error("signing_key_unusable", problem=problem, advice="calls go on unsigned, or signed as before")
            self._note_trouble("supervisor", problem)
        self._desk.tell("signing", self._desk_keys())
        return WorkerStart(
            number=0,
            ruleset=self._ruleset,
            sockets={name: sock.fileno() for name, sock in self._sockets.items()},
            journal=service.journal_directory / "0",
            segment_bytes=service.journal_segment_bytes,
            slots=service.run_directory / "worker-0.slots",
            modes=dict(self._modes.by_trunk),
            draining=self._draining,
            accounts=found,
            signing=tuple(self._signers.keys.values()),
            resolved=self._resolutions.with_age(),
            trusted=self._trusts.at_start(),
            edits=(self._edits.sequence, self._edits.at_start()),
            usual=self._usuals.at_start(),
        )

    def _fetcher_start(self) -> FetcherStart:
        service, slots = self._service, self._service.run_directory / "fetcher.slots"
        return FetcherStart(service.fetch, service.dns, queries_of(self._ruleset), slots, service.trust)

    def _desk_start(self) -> DeskStart:
        return DeskStart(
            service=self._service,
            workers=1,
            modes=self._all_modes(),
            peers=self._peers,
            reported=self._reported,
            trust=self._trusts.states,
            trusted=self._trusts.trusted(),
            signing=self._desk_keys(),
            trunks=self._ruleset.trunks if self._service.api_token_file else {},
            lists=list_ages.dated(self._ruleset.lists),
            plans=self._ruleset.plan_dates,
        )

    def _note_trouble(self, process: str, what: str) -> None:
        self._troubles.append({"at": round(time.time(), 3), "process": process, "what": what})

    def _desk_keys(self) -> tuple[SigningKey, ...]:
        """The keys that sign over HTTP; the desk is given no other."""
        service = self._service
        wanted = service.api_signers if service.api_token_file else ()
        return tuple(key for name, key in self._signers.keys.items() if name in wanted)

    def _say_ready(self) -> None:
        for name, listener in self._ruleset.listeners.items():
            log.info(
                "listening", listener=name, address=listener.host, port=listener.port, transport=listener.transport
            )
        for trunk, mode in self._modes.by_trunk.items():
            if mode != "enforce":
                log.warning("mode", mode=mode, trunk=trunk or "all", advice="sipguard mode enforce ends this")
        log.info("ready", revision=self._ruleset.revision, trunks=len(self._ruleset.trunks))
        self._notify.ready(f"Ruleset {self._ruleset.revision}")

    # ------------------------------------------------------------------ children

    def _told(self, child: Child, message: tuple[Any, ...]) -> None:
        """A message of a child."""
        what, *rest = message
        if what == "fetch":
            self._fetcher.tell("fetch", *rest)
        elif what == "keep":
            self._fetcher.tell("keep", *rest)
        elif what == "held":
            self._worker.tell("held", *rest)
        elif what == "troubled":
            self._troubled_hosts = rest[0]
        elif what == "fetched":
            self._worker.tell("fetched", *rest)
        elif what == "resolved":
            self._worker.tell("resolved", *rest)
            self._resolutions.note(*rest)
        elif what == "trust":
            self._note_trust(*rest)
        elif what == "peers":
            self._note_peers(rest[0])
        elif what == "reported":
            self._reported = rest[0]
            self._desk.tell("reported", self._reported)
        elif what == "refused":
            self._refusals.take(rest[0])
        elif what == "usual":
            self._usuals.take(rest[0])
        elif what == "ready":
            self._worker_up = True
            self._ready.set()
            self._say_hep()
            self._traces.started()
            self._fetcher.tell("preload")
            for number in list(self._asked_worker):  # what its predecessor was asked stood in its start message
                self._worker_did(number, "")
        elif what == "did":
            self._worker_did(*rest)
        elif what == "seen":
            self._traces.seen(*rest)
        elif what == "traced":
            self._traces.ended(*rest)
        elif what == "drained":
            self._drained.set()
        elif what == "recovered":
            log.warning("calls_recovered", calls=rest[0], of=rest[1], advice="the worker before ended unexpectedly")
        elif what == "trouble":
            log.error("trouble", process=child.name, what=rest[0])
            self._note_trouble(child.name, rest[0])

    def _note_peers(self, states: list[tuple[str, str, str]]) -> None:
        """Which peers are passed over has changed."""
        before = {(trunk, peer): why for trunk, peer, why in self._peers}
        self._peers = states
        self._desk.tell("peers", states)
        for trunk, peer, why in states:
            if why != before.get((trunk, peer), ""):
                if why:
                    log.warning("peer_down", trunk=trunk, peer=peer, why=why)
                else:
                    log.info("peer_up", trunk=trunk, peer=peer)

    def _note_trust(self, state: SourceState, material: Material | None) -> None:
        """A trust list or CRL came, or did not."""
        trusted = self._trusts.note(state, material)
        if trusted is not None:
            self._worker.tell("trust", trusted)
        self._desk.tell("trust", self._trusts.states, trusted)

    async def _use_trust(self, settings: TrustSettings) -> None:
        """Takes the sources of another configuration; also of the same one they are asked again at once."""
        if settings != self._service.trust:
            self._trusts.begin(await asyncio.to_thread(at_start, settings, time.time()))
            self._worker.tell("trust", self._trusts.at_start())
            self._desk.tell("trust", self._trusts.states, self._trusts.trusted())
        self._fetcher.tell("trust", settings)

    def _ended(self, child: Child, status: int) -> None:
        if child is self._worker:
            self._worker_up = False
            self._drained.set()
            (self._service.run_directory / "worker-0.slots").unlink(missing_ok=True)  # no health without a worker
        if not self._stop_asked.is_set():
            log.error("process_ended", process=child.name, status=status, advice="it is started again")

    def _tell_worker(self, *message: object) -> None:
        self._worker.tell(*message)

    def _say_hep(self) -> None:
        """Tells the worker where copies go, with the password as it is now."""
        hep = self._service.hep
        password = None
        if hep is not None and hep.password_file:
            try:
                password = read_secret(Path(hep.password_file))
            except OSError as error:
                log.error("hep_password_unread", file=hep.password_file, why=error.strerror, advice="nothing is copied")
                hep = None
        self._worker.tell("hep", hep, password)

    def _worker_did(self, number: int, problem: str) -> None:
        asked = self._asked_worker.get(number)
        if asked is not None and not asked.done():
            asked.set_result(problem)

    async def _have_worker(self, what: str, *values: object) -> str:
        """Has the worker do `what`; answers "" when it has, or what was wrong.

        The supervisor's own state must say so already: a worker that starts meanwhile is started with it.
        """
        self._messages += 1
        number = self._messages
        asked = self._asked_worker[number] = asyncio.get_running_loop().create_future()
        self._worker.tell(what, number, *values)
        try:
            return await asyncio.wait_for(asked, CHILD_PATIENCE_S)
        except TimeoutError:
            return f"the worker did not take it within {CHILD_PATIENCE_S:g} s"
        finally:
            del self._asked_worker[number]

    async def _watch_worker(self) -> None:
        """Asks the worker again and again whether it lives: systemd hears of it; one that hangs is started again."""
        await self._ready.wait()
        every_s = min(self._notify.watchdog_s / 3 or ASKED_EVERY_S, ASKED_EVERY_S)
        while True:
            await asyncio.sleep(every_s)
            asked, was_up = self._worker.starts, self._worker_up
            if not await self._have_worker("ping"):
                self._notify.alive()
            elif was_up and self._worker.starts == asked:
                log.error("worker_hangs", seconds=CHILD_PATIENCE_S, advice="it is killed and started again")
                self._worker.kill()

    async def _watch_signers(self) -> None:
        """Looks again and again whether files of keys have changed; the worker gets what fits together."""
        await self._ready.wait()
        while True:
            await asyncio.sleep(LOOKED_AT_EVERY_S)
            if not self._ruleset.signers or self._swapping.locked():
                continue
            taken, problems = self._signers.look()
            for problem in problems:
                log.error("signing_key_unusable", problem=problem, advice="the key of before stays in force")
                self._note_trouble("supervisor", problem)
            if taken:
                self._desk.tell("signing", self._desk_keys())
            if taken and not (problem := await self._have_worker("rekey", tuple(self._signers.keys.values()))):
                log.info("signing_key_taken", signers=taken)
            elif taken:
                log.error("signing_key_not_taken", signers=taken, why=problem)

    async def _watch_edits(self) -> None:
        """Looks again and again whether somebody has edited or imported a list; the worker gets what is new."""
        await self._ready.wait()
        while True:
            await asyncio.sleep(EDITS_LOOKED_AT_EVERY_S)
            if self._edits.has_news():
                await self._look_for_edits()
            if self._bases.has_news(self._ruleset):
                async with self._swapping:
                    self._take_bases()

    async def _watch_damage(self) -> None:
        """Reads files of lists through beside the calls, each once, when they are in force: opening one does not."""
        await self._ready.wait()
        seen: PlainRuleset | None = None
        while True:
            if self._ruleset is not seen:
                seen = self._ruleset
                for spec in self._bases.unread(seen):
                    if found := await asyncio.to_thread(damage, spec):
                        log.error("list_damaged", list=spec.name, problem=found, advice=cure(spec))
                        self._note_trouble("supervisor", f"list {spec.name}: {found}; {cure(spec)}")
            await asyncio.sleep(EDITS_LOOKED_AT_EVERY_S)

    def _take_bases(self) -> None:
        """Takes lists that were imported; calls that are being screened keep the ones they began with."""
        ruleset = self._bases.current(self._ruleset)
        for name, why in self._bases.problems.items():
            log.error("list_missing", list=name, why=why, advice="no condition on it holds; sipguard lists import")
        if ruleset is not self._ruleset:
            before = {spec.name: spec.path for spec in self._ruleset.lists}
            self._ruleset = ruleset
            self._worker.tell("lists", ruleset.lists)
            self._note_lists()
            self._desk.tell("lists", list_ages.dated(ruleset.lists))
            log.info("lists_imported", lists=[spec.name for spec in ruleset.lists if spec.path != before[spec.name]])

    def _note_lists(self) -> None:
        """Keeps which state of each list is in force from now on, for `lists proof`."""
        self._keep(lambda: self._in_force.note(time.time(), states(self._ruleset.lists)))

    async def _look_for_edits(self) -> None:
        """Takes new edits of lists; what cannot be read takes none back."""
        edits = self._edits
        try:
            news = await asyncio.to_thread(edits.read)
        except StoreError as error:
            if str(error) != edits.problem:
                edits.problem = str(error)
                log.error("edits_unread", problem=edits.problem, advice="lists stay as they were edited before")
                self._note_trouble("supervisor", edits.problem)
            return
        before = edits.sequence
        new = edits.take(news)
        if edits.sequence != before or new:
            log.info("lists_edited", change=edits.sequence, edits=len(new))
            for portion in portions(before, edits.sequence, new) if self._ready.is_set() else ():
                self._worker.tell("edits", *portion)

    # ------------------------------------------------------------------ signals and wishes

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up_signal)

    def _hang_up_signal(self) -> None:
        """SIGHUP reloads, as the command does; the outcome stands in the log."""
        self._reloading = asyncio.create_task(self._asked({"do": "reload"}))
        self._reloading.add_done_callback(self._reloaded)

    @staticmethod
    def _reloaded(task: asyncio.Task[dict[str, Any] | control.Stream]) -> None:
        """Says that a reload which SIGHUP asked for ended otherwise than by an answer: nobody else would."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("reload_failed", why=f"{type(error).__name__}: {error}", advice="see sipguard status; report it")

    def _stop(self) -> None:
        """The first time drains, the second time hangs up."""
        if self._stop_asked.is_set():
            self._hurried.set()
        self._stop_asked.set()

    async def _drain(self) -> None:
        """No new calls; waits for the last to end, or for the deadline, then ends those that are left."""
        service = self._service
        self._draining = True
        self._notify.stopping("draining", service.drain_deadline_s + 4 * CHILD_PATIENCE_S)
        log.info("draining", deadline_s=service.drain_deadline_s, advice="once more to hang up now")
        self._worker.tell("drain")
        try:
            await asyncio.wait_for(self._hurried.wait(), service.drain_notice_s)
        except TimeoutError:
            await self._until_the_last_call(service.drain_deadline_s - service.drain_notice_s)
        self._worker.tell("hangup", "")

    async def _until_the_last_call(self, patience_s: float) -> None:
        """Waits for the end of the last call, the deadline, or somebody who asks for a stop once more."""
        self._drained.clear()  # the worker says it again each second
        self._worker.tell("drain")
        waiting = [asyncio.create_task(event.wait()) for event in (self._drained, self._hurried)]
        done, left = await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        if not done:
            log.warning("drain_deadline_passed", advice="calls that are still up are hung up")

    async def _asked(self, asked: dict[str, Any]) -> dict[str, Any] | control.Stream:
        """Answers one request of the control socket."""
        what = asked["do"]
        if what == "trace":
            return self._trace(asked)
        if what == "reload":
            async with self._swapping:
                self._notify.reloading()
                try:
                    return await self._reload(bool(asked.get("force")))
                finally:
                    self._notify.ready(f"Ruleset {self._ruleset.revision}")
        if what == "rollback":
            async with self._swapping:
                return await self._rollback()
        if what == "mode":
            async with self._swapping:
                return await self._set_mode(asked["mode"], str(asked.get("trunk") or ""))
        if what == "hangup":
            return await self._hang_up_one(str(asked["decision_id"]))
        if what == "status":
            return self._status()
        if what == "certs":
            return {"ok": True, "sources": self._trusts.as_json()}
        if what == "certificates":  # some were put on disk
            self._fetcher.tell("preload")
            return {"ok": True}
        if what == "drain":
            self._stop()
            return {"ok": True}
        return {"ok": False, "error": f"no such request: {what}"}

    def _trace(self, asked: dict[str, Any]) -> dict[str, Any] | control.Stream:
        """A trace that begins, or why it cannot."""
        trunk = asked.get("trunk", "")
        if trunk and trunk not in self._ruleset.trunks:
            return {"ok": False, "error": f"no such trunk: {trunk}; there are {', '.join(self._ruleset.trunks)}"}
        return self._traces.begin(asked["tn"], trunk, asked["for_s"], asked["messages"], asked["octets"])

    async def _reload(self, force: bool) -> dict[str, Any]:
        """Loads the configuration again; a broken one changes nothing, nor one that harms emergency calls.

        With `force` the latter is taken up.
        """
        try:
            loaded, problems, why_not = await self._weighed(force)
        except Exception as error:  # noqa: BLE001  whatever stands in the files: what runs stays in force
            what = f"{self._path}: reading it broke: {type(error).__name__}: {str(error)[:200]}"
            loaded, problems = None, [f"{what}; see what sipguard check says, and report it"]
            why_not = problems
        if loaded is None or loaded.ruleset is None or loaded.service is None:
            log.error("reload_refused", problems=why_not)
            return {"ok": False, "problems": problems, "revision": self._ruleset.revision}
        if loaded.service.dns != self._service.dns:
            self._fetcher.tell("dns", loaded.service.dns)
        if loaded.service.fetch != self._service.fetch:
            self._fetcher.tell("settings", loaded.service.fetch)
        await self._use_trust(loaded.service.trust)
        problems += self._only_after_restart(loaded.service)
        self._service = replace(
            self._service,
            fetch=loaded.service.fetch,
            dns=loaded.service.dns,
            trust=loaded.service.trust,
            anchors=loaded.service.anchors,
            verification=loaded.service.verification,
            drain_deadline_s=loaded.service.drain_deadline_s,
            hep=loaded.service.hep,
            drain_notice_s=loaded.service.drain_notice_s,
        )
        self._say_hep()
        self._desk.tell("verification", self._service.verification, self._service.anchors)
        self._keep_rules(loaded)
        return await self._swap(loaded.ruleset, "reload", problems)

    async def _weighed(self, force: bool) -> tuple[Loaded | None, list[str], list[str]]:
        """(the configuration as it is now, all that is said of it, []); (None, all, why it is refused) where it is."""
        loaded = await asyncio.to_thread(load, self._path)
        problems = [str(problem) for problem in loaded.problems]
        remarks = await asyncio.to_thread(remarks_on, loaded, day_of(time.time()), mistakes_only=True)
        problems += [str(remark) for remark in remarks]
        if loaded.ruleset is None or loaded.service is None or loaded.errors:
            return None, problems, problems
        assert loaded.document is not None
        others = needing_restart(self._ruleset.listeners, loaded.ruleset.listeners, loaded.document)
        unlike = [str(problem) for problem in others]
        if unlike:
            return None, unlike, unlike
        harm, notes = await self._proved(loaded, loaded.ruleset)
        problems += notes + harm
        if harm and not force:
            problems.append("it harms emergency calls; `sipguard reload --force` takes it up all the same")
            return None, problems, harm
        return loaded, problems, []

    async def _proved(self, loaded: Loaded | None, ruleset: PlainRuleset) -> tuple[list[str], list[str]]:
        """What of a Ruleset harms emergency calls, a line each; and what could not be gone through.

        `loaded` says where things stand; None where it was kept, and the files are no longer what they were.
        """
        proven = await proving.proved(ruleset, hidden=self._passphrase_names())
        if isinstance(proven, str):
            return [], [f"{self._path}: warning: nothing was proved of it: {proven}"]
        notes = []
        if proven.not_done:
            undone = ", ".join(proven.not_done)
            notes.append(
                f"{self._path}: warning: no time was left to prove that it harms no emergency call of {undone}"
            )
        if loaded is None:
            return [f"Ruleset {ruleset.revision}: {each.told}" for each in proven.harm], notes
        places = Places(loaded)
        return [f"{places.of(each.path)[0]}: {each.told}" for each in proven.harm], notes

    async def _prove_first(self) -> None:
        """Tells of what harms emergency calls in the configuration it was started with; it runs all the same, since
        nobody is helped where no call passes."""
        await self._ready.wait()
        loaded, self._started_with = self._started_with, None
        if loaded is None or loaded.ruleset is None:
            return
        harm, notes = await self._proved(loaded, loaded.ruleset)
        for each in harm:
            log.error("emergency_calls_harmed", problem=each, advice="mend it and reload; see sipguard policy prove")
            self._note_trouble("supervisor", each)
        for each in notes:
            log.warning("not_proved", why=each)

    def _only_after_restart(self, service: Service) -> list[str]:
        """Warnings about settings of the processes that are taken up at the next start."""
        taken = {"fetch", "dns", "trust", "anchors", "verification", "drain_deadline_s", "hep", "drain_notice_s"}
        changed = [
            field.name
            for field in fields(Service)
            if field.name not in taken and getattr(service, field.name) != getattr(self._service, field.name)
        ]
        told = [written(name) for name in changed]
        if self._service.api_token_file and service.fetch != self._service.fetch:
            told.append("identity.fetch of api")  # calls take it up
        return [f"{self._path}: warning: {each} changed; it takes effect at the next start" for each in told]

    async def _rollback(self) -> dict[str, Any]:
        """Takes up the Ruleset before the present one."""
        before = self._rulesets.before(self._ruleset.revision)
        if before is None:
            return {"ok": False, "problems": ["there is no earlier Ruleset"], "revision": self._ruleset.revision}
        answer = await self._swap(before, "rollback", [])
        if answer["ok"]:  # at once, as somebody is in need; what it harms is told
            harm, notes = await self._proved(None, before)
            for each in harm:
                log.error(
                    "emergency_calls_harmed", problem=each, advice="mend it and reload; see sipguard policy prove"
                )
            answer["problems"] = [*answer["problems"], *harm, *notes]
        return answer

    async def _swap(self, ruleset: PlainRuleset, why: str, problems: list[str]) -> dict[str, Any]:
        before = self._ruleset
        self._keep(lambda: self._policies.still(before.revision, time.time()))
        ruleset = self._bases.current(ruleset)
        await self._resolve_first(before, ruleset)
        found, unread = accounts(ruleset.trunks)
        unread += self._signers.lost_by(ruleset.signers)
        for unsigned in self._signers.take(ruleset.signers) if not unread else ():
            log.error("signing_key_unusable", problem=unsigned, advice="it stays as it was")
        self._ruleset = ruleset
        keys = tuple(self._signers.keys.values())
        problem = unread[0] if unread else await self._have_worker("reload", ruleset, found, keys)
        if problem:
            self._ruleset = before
            if not unread:
                self._signers.take(before.signers)
            self._want_names(queries_of(before))
            log.error(f"{why}_refused", problems=[problem])
            return {"ok": False, "problems": [problem], "revision": before.revision}
        self._desk.tell("signing", self._desk_keys())
        self._want_names(queries_of(ruleset))
        self._desk.tell("trunks", ruleset.trunks)
        self._desk.tell("lists", list_ages.dated(ruleset.lists))
        self._desk.tell("plans", ruleset.plan_dates)
        self._note_lists()
        problems += self._resolutions.warnings(queries_of(ruleset))
        if why == "reload" and ruleset.revision != before.revision:
            self._keep(lambda: self._rulesets.add(ruleset))
        log.info(why, before=before.revision, revision=ruleset.revision, warnings=problems)
        return {"ok": True, "before": before.revision, "revision": ruleset.revision, "problems": problems}

    async def _resolve_first(self, before: PlainRuleset, ruleset: PlainRuleset) -> None:
        """Has the names of a Ruleset resolved before calls need them; those of the present one stay in use."""
        queries = queries_of(ruleset)
        self._fetcher.tell("names", tuple({*queries_of(before), *queries}))
        await self._resolutions.heard_of(queries, self._service.dns.deadline_s + 1.0)

    def _want_names(self, queries: tuple[Query, ...]) -> None:
        """These names are kept resolved, others no longer."""
        self._resolutions.keep(queries)
        self._fetcher.tell("names", queries)

    async def _set_mode(self, mode: str, trunk: str) -> dict[str, Any]:
        if mode not in MODES:
            return {"ok": False, "error": f"no such mode: {mode}; there are {', '.join(MODES)}"}
        if trunk and trunk not in self._ruleset.trunks:
            return {"ok": False, "error": f"no such trunk: {trunk}; there are {', '.join(self._ruleset.trunks)}"}
        self._keep(lambda: self._modes.set(mode, trunk))
        problem = await self._have_worker("mode", mode, trunk)
        self._desk.tell("modes", self._all_modes())
        log.warning("mode", mode=mode, trunk=trunk or "all")
        if problem:
            return {"ok": False, "error": f"{problem}; it stands for the next start", "modes": self._all_modes()}
        answer: dict[str, Any] = {"ok": True, "modes": self._all_modes()}
        if trunk and not self._ruleset.trunks[trunk].sources:
            answer["warning"] = f"trunk {trunk} has no sources: no call comes from it, so its mode changes nothing"
        return answer

    async def _hang_up_one(self, decision_id: str) -> dict[str, Any]:
        """Ends one call as an operator wishes, and says whether it was up."""
        if not decision_id:
            return {"ok": False, "error": "which call? the decision id is empty"}
        asked = self._worker.starts
        problem = await self._have_worker("hang_up_one", decision_id)
        if not problem and self._worker.starts != asked:
            problem = "the worker was started again meanwhile; look at the call and ask once more"
        log.warning("hangup", decision_id=decision_id, why_not=problem)
        return {"ok": False, "error": problem} if problem else {"ok": True, "decision_id": decision_id}

    def _all_modes(self) -> dict[str, str]:
        """Mode by trunk, "" for all trunks."""
        return {"": self._ruleset.mode, **self._modes.by_trunk}

    def _status(self) -> dict[str, Any]:
        processes = {
            child.name: {"pid": child.process.pid if child.process is not None else 0, "starts": child.starts}
            for child in (self._worker, self._fetcher, self._desk)
        }
        resolved = {query: answer for query, answer, _ in self._resolutions.with_age()}
        worker, desk = published(self._service.run_directory)
        return {
            "ok": True,
            "version": __version__,
            "revision": self._ruleset.revision,
            "listeners": [
                {
                    "listener": name,
                    "transport": each.transport,
                    "address": each.host,
                    "port": each.port,
                    "advertised": f"{each.public_host}:{each.public_port}" if each.advertised_host else "",
                    "redirect": each.redirect is not None,
                }
                for name, each in self._ruleset.listeners.items()
            ],
            "calls": worker.get("calls_active", 0),
            "records": {"away": bool(desk.get("store_away", 0)), "behind_s": desk.get("loader_lag_ms", 0) / 1000},
            "modes": self._all_modes(),
            "peers": peer_states.rows(self._peers, self._ruleset.trunks, resolved),
            "refused": self._refusals.as_json(),
            "lists": list_ages.rows(list_ages.dated(self._ruleset.lists)),
            "trust": self._trusts.as_json(),
            "edits": self._edits.as_json(),
            "missing_lists": self._bases.problems,
            "signers": self._signers.rows(self._trusts.trusted().crl, time.time()),
            "draining": self._draining,
            "up_s": round(time.time() - self._started_at, 1),
            "processes": processes,
            "troubles": list(self._troubles),
            "certificate_hosts": [
                {"host": host, "reason": reason, "failures": failures, "left_alone": alone}
                for host, reason, failures, alone in self._troubled_hosts
            ],
            "traces": self._traces.running(),
        }


def run(path: Path, loaded: Loaded) -> int:
    """Runs sipguard with a loaded configuration until it is stopped; answers the exit status."""
    try:
        return asyncio.run(Supervisor(path, loaded).run())
    except (CannotListen, AlreadyRunning) as error:
        log.error("cannot_start", why=str(error))
        return 1
