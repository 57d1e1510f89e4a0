"""Micro-benchmarks of the call path: `python -m tests.bench`.

Each figure is the median of several runs, in microseconds of wall time; the ratio is to one bare ES256 verification,
which no verified call can do without, and holds on a busy machine too. A whole call is what the engine spends on all
its messages and timers, and the journal on its frames; sockets, desk and fetcher are not in it.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sipguard.b2bua import frames
from sipguard.b2bua.commands import Clock, Command, Fetched, Record
from sipguard.b2bua.engine import Engine
from sipguard.screening.attempt import CallAttempt, read_attempt
from sipguard.screening.checks import CHECKS
from sipguard.screening.finding import Finding, Need
from sipguard.screening.pipeline import Screening, screen
from sipguard.screening.policy.decide import decide
from sipguard.screening.policy.predicates import FALSE
from sipguard.screening.ruleset import PlainRuleset
from sipguard.screening.trunk import RedirectRules
from sipguard.screening.verification.evaluate import evaluate
from sipguard.screening.verification.result import PASSED
from sipguard.screening.verification.settings import Settings as IdentitySettings
from sipguard.sip.flow import Send
from sipguard.sip.message import Request
from sipguard.sip.parse import parse
from sipguard.stir.passport import read as read_passport
from sipguard.stir.signer import read as read_signer
from sipguard.stir.signing import shaken
from sipguard.store.journal import Writer
from tests.bench.sets import sets
from tests.inprocess import FROM_A, FROM_B, X5U, Shipped, by_caller, companion, invite
from tests.standin import SDP, header, reply

RUNS: Final = 9
CALLS: Final = 300
LOOPS: Final = 1000
BLOCKED: Final = "+12025550121"
RATE_S: Final = 0.001  # between two calls


def per_turn_us(act: Callable[[], object], loops: int = LOOPS) -> float:
    """Microseconds of one `act`: the median of RUNS runs."""
    return median(_run_us(act, loops) for _ in range(RUNS))


def _run_us(act: Callable[[], object], loops: int) -> float:
    turns = range(loops)
    began = time.perf_counter()
    for _ in turns:
        act()
    return (time.perf_counter() - began) / loops * 1e6


class Bench:
    """What the figures are taken on."""

    def __init__(self, directory: Path) -> None:
        self.shipped = Shipped(directory)
        self.directory = directory
        self.unix = float(int(time.time()))
        self.message = invite(0, self.shipped.identity()).encode()
        self.engine = self.new_engine()
        self.attempt = self.attempt_of(parse(self.message))

    def new_engine(self, plain: PlainRuleset | None = None) -> Engine:
        """An engine that has the signer's certificate."""
        engine = self.shipped.engine(plain)
        engine.answered(Need("certificate", X5U, 0.0), Fetched(self.shipped.leaf.pem, 3600.0), Clock(0.0, self.unix))
        return engine

    def attempt_of(self, request: object) -> CallAttempt:
        """The attempt in an INVITE."""
        assert isinstance(request, Request)
        return read_attempt(
            self.engine.ruleset.trunks["carrier-a"],
            self.unix,
            request.uri,
            request.from_value,
            request.to_value,
            request.values("p-asserted-identity"),
            (),
            request.values("identity"),
            "",
            "",
            request.call_id,
        )

    # ------------------------------------------------------------------ parts

    def sign_us(self) -> float:
        """A whole SHAKEN value: claims, JSON, signature, parameters."""
        leaf, iat = self.shipped.leaf, int(self.unix)
        own = read_signer("own", X5U, leaf.pem, leaf.key_pem)
        origid = "0b1e6f2c-0001-4000-8000-000000000001"
        return per_turn_us(lambda: shaken(own, "A", "12025550101", "12125550123", iat, origid))

    def verify_us(self) -> float:
        """The bare signature."""
        token = read_passport(self.attempt.identity[0].partition(";")[0])
        r, s = (int.from_bytes(part, "big") for part in (token.signature[:32], token.signature[32:]))
        key, der, scheme = self.shipped.leaf.key.public_key(), encode_dss_signature(r, s), ec.ECDSA(hashes.SHA256())
        return per_turn_us(lambda: key.verify(der, token.signing_input, scheme))

    def verified_us(self) -> tuple[float, float]:
        """The bare signature, and all that one Identity value with a cached key takes, in turns on the same machine.

        The second should stay within 1.6 times the first.
        """
        token = read_passport(self.attempt.identity[0].partition(";")[0])
        r, s = (int.from_bytes(part, "big") for part in (token.signature[:32], token.signature[32:]))
        key, der, scheme = self.shipped.leaf.key.public_key(), encode_dss_signature(r, s), ec.ECDSA(hashes.SHA256())
        settings = self.engine.ruleset.settings["identity"]
        assert isinstance(settings, IdentitySettings)
        certificates = self.engine.context.certificates
        assert [each.outcome for each in evaluate(self.attempt, settings, certificates)] == [PASSED]
        bare, whole = [], []
        for _ in range(RUNS):
            bare.append(_run_us(lambda: key.verify(der, token.signing_input, scheme), LOOPS))
            whole.append(_run_us(lambda: evaluate(self.attempt, settings, certificates), LOOPS))
        return median(bare), median(whole)

    def parts(self) -> Iterable[tuple[str, float]]:
        """Figures of what stands on the way to a verdict."""
        engine, attempt = self.engine, self.attempt
        ruleset, context = engine.ruleset, engine.context
        compiled = ruleset.compiled("carrier-a")
        context.unix_at = self.unix
        yield "parse the INVITE", per_turn_us(lambda: parse(self.message))
        request = parse(self.message)
        yield "read the attempt", per_turn_us(lambda: self.attempt_of(request))
        facts = dict(Screening().facts)
        for name, check in CHECKS.items():
            settings = ruleset.settings[name]
            yield f"check {name}", per_turn_us(partial(check.check, attempt, settings, context))
            found = check.check(attempt, settings, context)
            assert isinstance(found, Finding)
            facts.update(found.facts)
        facts.update({"trunk.name": "carrier-a", "trunk.kind": "interconnect", "call.anonymous": False})
        asked, day = dict.fromkeys(CHECKS, FALSE), int(self.unix // 86_400)
        yield (
            f"decide, {len(compiled.steps)} rules",
            per_turn_us(lambda: decide(facts, asked, compiled, attempt.caller.tn, day)),
        )
        yield "screen, all of it", per_turn_us(lambda: screen(Screening(), attempt, compiled, ruleset, context))
        yield "sign an Identity value", self.sign_us()
        yield "journal, a verdict", self.journal_us()

    def journal_us(self) -> float:
        """Encoding and appending one verdict frame."""
        commands = self.new_engine().received(FROM_A, self.message, Clock(1.0, self.unix))
        frame = next(each.frame for each in commands if isinstance(each, Record))
        writer = Writer(self.directory / "journal")
        try:
            return per_turn_us(lambda: writer.append(frames.encode(frame)))
        finally:
            writer.close()

    # ------------------------------------------------------------------ whole calls

    def asked(self) -> PlainRuleset:
        """The shipped Ruleset with a redirect listener."""
        plain = self.shipped.plain
        main = replace(plain.listeners["main"], redirect=RedirectRules(302, "switch.example"))
        return replace(plain, listeners={**plain.listeners, "main": main})

    def calls_us(
        self, messages: list[str], play: Callable[[Play, str], None], plain: PlainRuleset | None = None
    ) -> float:
        """Microseconds of the engine for one whole call, timers and journal included."""
        return median(Play(self, run, plain).all(messages, play) for run in range(RUNS))


class Play:
    """One run of calls over an engine of its own; only the engine's turns and the journal are timed."""

    def __init__(self, bench: Bench, run: int, plain: PlainRuleset | None = None) -> None:
        self.engine = bench.new_engine(plain)
        self.writer = Writer(bench.directory / f"journal-{bench.unix}-{id(self)}-{run}", 1 << 22)
        self.now, self.unix = 1.0, bench.unix
        self.took = 0.0

    def all(self, messages: list[str], play: Callable[[Play, str], None]) -> float:
        """Plays all calls and waits for the last timer; answers microseconds for one call."""
        for message in messages:
            play(self, message)
            self.now += RATE_S
            self._timers(self.now)
        self._timers(self.now + 40.0)
        self.writer.close()
        assert not self.engine.calls and not self.engine.layer.servers
        return self.took / len(messages) * 1e6

    def put(self, flow: object, text: str) -> list[Command]:
        """A message in."""
        octets, clock = text.encode(), Clock(self.now, self.unix)
        began = time.perf_counter()
        commands = self.engine.received(FROM_A if flow is FROM_A else FROM_B, octets, clock)
        self._record(commands)
        self.took += time.perf_counter() - began
        return commands

    def _record(self, commands: list[Command]) -> None:
        for command in commands:
            if type(command) is Record:
                self.writer.append(frames.encode(command.frame))

    def _timers(self, until: float) -> None:
        began = time.perf_counter()
        while (due := self.engine.next_timer()) is not None and due <= until:
            self._record(self.engine.timer(Clock(max(due, self.now), self.unix)))
        self.took += time.perf_counter() - began


def sent(commands: list[Command]) -> str:
    """The last message among commands."""
    return next(each.octets.decode() for each in reversed(commands) if isinstance(each, Send))


def answered(play: Play, message: str) -> None:
    """INVITE, 180, 200, ACK, BYE, 200."""
    n = header(message, "Call-ID")
    forwarded = sent(play.put(FROM_A, message))
    play.put(FROM_B, reply(forwarded, "180 Ringing", "b", "sip:b@127.0.0.1:5070"))
    final = sent(play.put(FROM_B, reply(forwarded, "200 OK", "b", "sip:b@127.0.0.1:5070", SDP)))
    play.put(FROM_A, by_caller(message, final, "ACK", 1, f"k{n}"))
    bye = sent(play.put(FROM_A, by_caller(message, final, "BYE", 2, f"y{n}")))
    play.put(FROM_B, reply(bye, "200 OK", "b"))


def refused(play: Play, message: str) -> None:
    """INVITE, failure, ACK."""
    final = sent(play.put(FROM_A, message))
    play.put(FROM_A, companion(message, "ACK", header(final, "To")))


def main() -> int:
    """Prints the figures."""
    with tempfile.TemporaryDirectory(prefix="sipguard-bench-") as directory:
        gc.disable()
        bench = Bench(Path(directory))
        bare = bench.verify_us()
        show("ES256 verify alone", bare, bare)
        beside, verified = bench.verified_us()
        show("evaluate, key cached", verified, beside)
        for what, us in bench.parts():
            show(what, us, bare)
        signed = [invite(n, bench.shipped.identity()) for n in range(CALLS)]
        show("whole call, verified", bench.calls_us(signed, answered), bare)
        show("whole call, no Identity", bench.calls_us([invite(n) for n in range(CALLS)], answered), bare)
        blocked = [invite(n, caller=BLOCKED) for n in range(CALLS)]
        show("whole call, blocked", bench.calls_us(blocked, refused), bare)
        asked = bench.asked()
        show("given back, verified", bench.calls_us(signed, refused, asked), bare)
        show("given back, no Identity", bench.calls_us([invite(n) for n in range(CALLS)], refused, asked), bare)
        for what, us in sets(Path(directory)):
            print(f"{what:26}{us:9.2f} us", flush=True)
    return 0


def show(what: str, us: float, bare: float) -> None:
    """Prints a line."""
    print(f"{what:26}{us:9.1f} us {us / bare:7.2f} x verify", flush=True)


if __name__ == "__main__":
    sys.exit(main())
