"""The soak: many mixed calls through one engine, and what is left of them.

    python -m tests.soak [--calls 200000] [--storms 200]      exit status 0 where nothing is left, memory does not grow
                                                              and every storm ended as it must

Enters: nothing. Leaves: counts, memory after each phase. Must not: use sockets or real time; both ends of all calls are
played here, at 100 calls of simulated time a second, with the shipped policy, and with Rulesets replaced all the time.

After each phase all calls are let come to their end, then 64*T1 pass: then every table must be empty, bounded caches
apart. As in a worker, the collector of reference cycles is off: what is not freed without it stays.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import itertools
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

from sipguard.b2bua import frames
from sipguard.b2bua.commands import Clock, Command, Fetch, Fetched, FetchFailed, Record, Reload, Trouble
from sipguard.b2bua.engine import Engine
from sipguard.screening.finding import Need
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.screening.trunk import Peer
from sipguard.sip.flow import Flow, Send
from tests.inprocess import A_AT, B_AT, C_AT, FROM_A, FROM_B, FROM_C, Shipped, by_callee, by_caller, companion, invite
from tests.simnet import weathered
from tests.simstream import StreamStorm
from tests.standin import SDP, header, reply

PHASES: Final = 5
INTERVAL_S: Final = 0.01  # between two calls
GIVE_UP_S: Final = 32.0  # 64*T1
CACHE: Final = 400  # certificates kept; full long before the first phase ends
GROWTH_MIB: Final = 1.0  # allowed for 50,000 calls
JUDGED_FROM: Final = 100_000  # calls; with fewer, what is filled once (caches, free lists) is mistaken for growth
STORM_CALLS: Final = 200
BLOCKED: Final = "+12025550121"
BAD: Final = "https://bad.example"

# What becomes of a call, and of how many in a hundred.
KINDS: Final = {
    "cancelled": 20,
    "ack_lost": 10,
    "silent": 5,
    "bad_certificate": 5,
    "bye_by_caller": 20,
    "bye_by_callee": 8,
    "reinvite": 4,
    "acknowledged_ring": 4,  # a 183 with 100rel, its PRACK, UPDATE in the early dialog (RFC 3262, RFC 3311)
    "requests": 4,  # INFO, UPDATE, and a REFER with its NOTIFY, within the dialog
    "forked": 4,  # two early dialogs, two answers
    "busy": 5,
    "blocked": 5,
    "repeated": 3,
    "emergency": 1,
    "broken": 2,
}


class Played:
    """One call: its messages so far."""

    __slots__ = ("answer", "at_b", "final", "invite", "kind", "n", "over")

    def __init__(self, n: int, kind: str, message: str) -> None:
        self.n = n
        self.kind = kind
        self.invite = message
        self.final = ""  # 2xx as the caller got it
        self.at_b = ""  # INVITE as the callee got it
        self.answer = ""  # 2xx of the callee
        self.over = False  # a BYE was sent


class Soak:
    """An engine, its simulated time, and both ends of its calls. Events wait in a heap."""

    def __init__(self, shipped: Shipped, seed: int = 1) -> None:
        self.random = Random(seed)
        self.shipped = shipped
        peers = (Peer(*B_AT), Peer(*C_AT))
        self.plain: PlainRuleset = shipped.with_peers(peers=peers, down_for_s=0.0)
        self.engine: Engine = shipped.engine(self.plain, CACHE)
        self.now = 1000.0
        self.unix_less_now = float(int(time.time())) - self.now
        self.events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self.order = itertools.count()
        self.by_caller: dict[str, Played] = {}
        self.by_callee: dict[str, Played] = {}
        self.open: set[str] = set()  # decisions without an end frame
        self.seen: Counter[str] = Counter()
        self.placed = 0
        self.kinds = [kind for kind, share in KINDS.items() for _ in range(share)]
        self.random.shuffle(self.kinds)
        self.callers = [f"+1{area}5550{number}" for area in range(212, 262) for number in range(101, 199, 2)]

    # ------------------------------------------------------------------ time

    def clock(self) -> Clock:
        """Of the next turn."""
        return Clock(self.now, self.now + self.unix_less_now)

    def later(self, seconds: float, what: Callable[..., None], *arguments: object) -> None:
        """Lets something happen."""
        heapq.heappush(self.events, (self.now + seconds, next(self.order), what, arguments))

    def run(self) -> None:
        """Plays until no event is left."""
        while self.events:
            self._advance(self.events[0][0])
            _, _, what, arguments = heapq.heappop(self.events)
            what(*arguments)

    def rest(self, seconds: float) -> None:
        """Lets time pass in which nobody sends."""
        self._advance(self.now + seconds)

    def _advance(self, until: float) -> None:
        while (due := self.engine.next_timer()) is not None and due <= until:
            self.now = max(self.now, due)
            self.carry(self.engine.timer(self.clock()))
        self.now = max(self.now, until)

    # ------------------------------------------------------------------ the engine

    def put(self, flow: Flow, message: str) -> None:
        """A datagram goes in."""
        self.carry(self.engine.received(flow, message.encode("latin-1"), self.clock()))

    def carry(self, commands: list[Command]) -> None:
        """Carries commands out; a datagram arrives a little later."""
        for command in commands:
            assert not isinstance(command, Trouble), command.what
            if isinstance(command, Send):
                text = command.octets.decode("latin-1")
                if command.flow.remote == A_AT:
                    self.later(0.001, self.at_caller, text)
                elif command.flow.remote in (B_AT, C_AT):
                    self.later(0.001, self.at_callee, text, FROM_B if command.flow.remote == B_AT else FROM_C)
            elif isinstance(command, Record):
                self.keep(command.frame)
            elif isinstance(command, Fetch):
                self.fetch(command)

    def keep(self, frame: frames.Frame) -> None:
        """Each decision that goes on has one end."""
        if isinstance(frame, frames.VerdictFrame):
            if not frame.status:
                assert frame.decision_id not in self.open, "a second verdict"
                self.open.add(frame.decision_id)
        elif isinstance(frame, frames.EndFrame):
            self.open.remove(frame.decision_id)
            self.seen[frame.disposition] += 1

    def fetch(self, command: Fetch) -> None:
        """The fetcher answers each request: with the certificate, a failure, no certificate, or late."""
        need = command.need
        self.seen["fetches"] += 1
        if not need.key.startswith(BAD):
            self.later(0.03, self.fetched, need, Fetched(self.shipped.leaf.pem, 600.0))
            return
        result = (FetchFailed("connect_refused"), Fetched(b"no certificate"))[self.seen["fetches"] % 2]
        self.later(self.random.choice((0.02, 0.1, 1.9)), self.fetched, need, result)

    def fetched(self, need: Need, result: Fetched | FetchFailed) -> None:
        """What was fetched arrives."""
        self.carry(self.engine.answered(need, result, self.clock()))

    # ------------------------------------------------------------------ the operator

    def second(self) -> None:
        """What a worker asks once a second."""
        self.carry(self.engine.second(self.clock()))

    def reload(self) -> None:
        """Another Ruleset."""
        self.seen["reloads"] += 1
        plain = replace(self.plain, revision=f"r{self.seen['reloads']}")
        self.carry(self.engine.control(Reload(Ruleset.open(plain)), self.clock()))

    # ------------------------------------------------------------------ the caller

    def schedule(self, calls: int) -> None:
        """Spreads calls and what the operator does over the time that they take."""
        for n in range(calls):
            self.later(n * INTERVAL_S, self.place)
        for n in range(0, calls, 100):
            self.later(n * INTERVAL_S, self.second)
        for n in range(0, calls, max(100, calls // 20)):
            self.later(n * INTERVAL_S, self.reload)

    def place(self) -> None:
        """The next call."""
        self.placed += 1
        n, kind = self.placed, self.kinds[self.placed % len(self.kinds)]
        caller = BLOCKED if kind == "blocked" else self.random.choice(self.callers)
        callee = "911" if kind == "emergency" else "+12125550123"
        x5u = f"{BAD}/{n}.pem" if kind == "bad_certificate" else f"https://certs.example/{n % 50}.pem"
        claims = {"iat": int(self.clock().unix)}
        identity = [self.shipped.identity(caller, callee, x5u, claims)] if n % 4 or kind == "bad_certificate" else []
        played = Played(n, kind, invite(n, f"X-Soak: {n}", *identity, caller=caller, callee=callee))
        self.by_caller[f"call-{n}"] = played
        self.later(120.0, self.forget, played)
        if kind == "broken":
            self.put(FROM_A, played.invite.replace("CSeq: 1 INVITE", "CSeq: x INVITE"))
            return
        self.put(FROM_A, played.invite)
        if kind == "cancelled":
            self.later(self.random.choice((0.0, 0.01, 0.06, 0.15, 0.201, 0.5)), self.cancel, played)
        elif kind == "repeated":
            for seconds in (0.1, 0.5, 1.5):
                self.later(seconds, self.put, FROM_A, played.invite)

    def forget(self, played: Played) -> None:
        """The ends need to know a call no longer."""
        self.by_caller.pop(f"call-{played.n}", None)
        if played.at_b:
            self.by_callee.pop(header(played.at_b, "Call-ID"), None)

    def cancel(self, played: Played) -> None:
        """The caller gives up."""
        self.put(FROM_A, companion(played.invite, "CANCEL"))

    def at_caller(self, text: str) -> None:
        """A message for the caller."""
        played = self.by_caller[header(text, "Call-ID")]
        if not text.startswith("SIP/2.0 "):
            if not text.startswith("ACK"):
                self.put(FROM_A, reply(text, "200 OK", "", f"sip:caller@{A_AT[0]}:{A_AT[1]}"))
            return
        if not header(text, "CSeq").endswith("INVITE"):
            return
        if text[8] == "1":
            if header(text, "RSeq"):
                self.acknowledge_ring(played, text)
            return
        if text[8] != "2":
            self.put(FROM_A, companion(played.invite, "ACK", header(text, "To")))
        elif played.kind != "ack_lost":
            self.answered(played, text)

    def acknowledge_ring(self, played: Played, text: str) -> None:
        """A PRACK for a reliable response, and an UPDATE in its early dialog."""
        prack = by_caller(played.invite, text, "PRACK", 2, f"p{played.n}")
        self.put(FROM_A, prack.replace("CSeq:", f"RAck: {header(text, 'RSeq')} 1 INVITE\r\nCSeq:", 1))
        self.later(0.05, self.put, FROM_A, by_caller(played.invite, text, "UPDATE", 3, f"q{played.n}", SDP))

    def answered(self, played: Played, text: str) -> None:
        """A 2xx for the caller: an ACK each time, and the call goes on."""
        cseq = int(header(text, "CSeq").partition(" ")[0])
        first, played.final = not played.final, played.final or text
        self.put(FROM_A, by_caller(played.invite, text, "ACK", cseq, f"k{played.n}-{next(self.order)}"))
        if first and played.kind == "reinvite":
            again = by_caller(played.invite, text, "INVITE", 2, f"r{played.n}", SDP)
            self.later(0.5, self.put, FROM_A, again)
        if first and played.kind == "requests":
            for n, method in enumerate(("INFO", "UPDATE", "REFER"), 4):
                request = by_caller(played.invite, text, method, n, f"s{n}x{played.n}", SDP)
                self.later(0.1 * n, self.put, FROM_A, request)
        if first and played.kind != "bye_by_callee":
            self.later(2.0, self.put, FROM_A, by_caller(played.invite, text, "BYE", 9, f"y{played.n}"))

    # ------------------------------------------------------------------ the callee

    def at_callee(self, text: str, flow: Flow) -> None:
        """A message for the callee."""
        if text.startswith(("SIP/2.0 ", "ACK")):
            return
        if text.startswith("INVITE"):
            self.invited(text, flow)
        elif text.startswith("CANCEL"):
            self.put(flow, reply(text, "200 OK", "b"))
            played = self.by_callee[header(text, "Call-ID")]
            if not played.answer:
                played.over = True
                self.put(flow, reply(played.at_b, "487 Request Terminated", "b"))
        else:
            self.put(flow, reply(text, "200 OK", ""))
            if text.startswith("REFER"):
                self.report(self.by_callee[header(text, "Call-ID")], flow)

    def report(self, played: Played, flow: Flow) -> None:
        """The last NOTIFY of what a REFER has begun (RFC 3515 §2.4.7)."""
        lines = "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\nCSeq:"
        notify = by_callee(played.at_b, played.answer, "NOTIFY", 2, f"n{played.n}", "SIP/2.0 200 OK\r\n")
        self.put(flow, notify.replace("CSeq:", lines, 1))

    def invited(self, text: str, flow: Flow) -> None:
        """An INVITE for the callee."""
        contact = f"sip:callee@{flow.remote[0]}:{flow.remote[1]}"
        if ";tag=" in header(text, "To"):
            self.put(flow, reply(text, "200 OK", "", contact, SDP))
            return
        played = self.by_caller[f"call-{header(text, 'X-Soak')}"]
        silent = played.kind == "silent" and (flow is FROM_B or played.n % 2)
        if silent or played.at_b == text:
            return
        played.at_b = text
        self.by_callee[header(text, "Call-ID")] = played
        if played.kind == "busy":
            self.later(0.05, self.put, flow, reply(text, "486 Busy Here", "b"))
            return
        if played.kind == "acknowledged_ring":
            early = reply(text, "183 Session Progress", "b", contact, SDP, "Require: 100rel\r\nRSeq: 1")
            self.later(0.05, self.put, flow, early)
        else:
            self.later(0.05, self.put, flow, reply(text, "180 Ringing", "b", contact))
        self.later(0.2, self.answer, played, flow, reply(text, "200 OK", "b", contact, SDP))
        if played.kind == "forked":
            self.later(0.06, self.put, flow, reply(text, "180 Ringing", "fork", contact))
            self.later(0.25, self.put, flow, reply(text, "200 OK", "fork", contact, SDP))

    def answer(self, played: Played, flow: Flow, text: str) -> None:
        """The callee picks up, if it still rings."""
        if played.over:
            return
        played.answer = text
        self.put(flow, text)
        if played.kind == "bye_by_callee":
            self.later(2.0, self.put, flow, by_callee(played.at_b, text, "BYE", 1, f"z{played.n}"))

    # ------------------------------------------------------------------ questions

    def left(self) -> dict[str, object]:
        """What should be empty and is not."""
        engine = self.engine
        tables = {
            "calls": engine.calls,
            "legs": engine.legs,
            "server transactions": engine.layer.servers,
            "client transactions": engine.layer.clients,
            "timers": len(engine.layer.wheel),
            "calls on trunks": sum(load.calls for load in engine._loads.values()),
            "waiting for certificates": engine.awaiting,
            "decisions without an end": self.open,
        }
        return {name: table for name, table in tables.items() if table}


def resident_mib() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def soak(directory: Path, calls: int) -> tuple[dict[str, object], list[float], Counter[str]]:
    """Plays them: what is left, memory after each phase in MiB, what was seen."""
    played = Soak(Shipped(directory))
    memory: list[float] = []
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for phase in range(PHASES):
            played.schedule(calls // PHASES)
            played.run()
            played.rest(GIVE_UP_S + 1.0)
            left = played.left()
            memory.append(resident_mib())
            print(f"phase {phase + 1}: {played.placed} calls, {memory[-1]:.2f} MiB", flush=True)
            if left:
                break
    finally:
        gc.enable()
        gc.unfreeze()
    return left, memory, played.seen


def main() -> int:
    """Soaks, and says what came of it."""
    options = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    options.add_argument("--calls", type=int, default=200_000)
    options.add_argument("--storms", type=int, default=200, help="of 200 calls each, see tests/simnet.py")
    given = options.parse_args()
    calls: int = given.calls
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sipguard-soak-") as directory:
        left, memory, seen = soak(Path(directory), calls)
    print(", ".join(f"{count} {what}" for what, count in sorted(seen.items())))
    for what, table in left.items():
        print(f"NOT EMPTY: {what}: {str(table)[:300]}")
    growth = (memory[-1] - memory[0]) / (calls * (PHASES - 1) / PHASES) * 50_000
    grows = calls >= JUDGED_FROM and growth >= GROWTH_MIB
    judged = "TOO MUCH" if grows else f"at most {GROWTH_MIB}" if calls >= JUDGED_FROM else "too few calls to judge"
    print(f"memory grows {growth:.2f} MiB in 50,000 calls ({judged}); {time.monotonic() - began:.0f} s")
    broken = storms(given.storms)
    return 1 if left or grows or broken else 0


def storms(number: int) -> int:
    """Plays storms over datagrams and connections; how many did not end as they must."""
    broken = 0
    for seed in range(1001, 1001 + number):
        transports = (("UDP", "UDP"), ("TCP", "TCP"), ("TCP", "UDP"), ("UDP", "TCP"))[seed % 4]
        storm = StreamStorm(seed, STORM_CALLS, transports)
        try:
            weathered(storm)
        except AssertionError as error:
            broken += 1
            print(f"STORM {seed} {transports}: {str(error)[:1000]}")
    print(f"{number} storms of {STORM_CALLS} calls, {broken} broken")
    return broken


if __name__ == "__main__":
    sys.exit(main())
