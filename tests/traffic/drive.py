"""The screening of the shipped configuration, driven by traffic: counters, check `rate`, compiled policy.

Enters: the Ruleset, streams of calls. Leaves: each call with its verdict, and so the rules that would have acted on it.
Must not: stand in for anything but signatures: who signed a call is said, not verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.counters import ENDED as BY_ITS_PARTIES
from sipguard.screening.counters import GAVE_UP, Counters, Tally
from sipguard.screening.facts import base_facts
from sipguard.screening.finding import CLEAR, Context, FactValue, Finding, Waiting
from sipguard.screening.pipeline import VERIFICATION, Screening, screen
from sipguard.screening.policy.predicates import FALSE
from sipguard.screening.question import Question, attempt_of
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.screening.shapes import begin, tell_signer
from sipguard.screening.usual import Usual
from sipguard.screening.verdict import Verdict
from sipguard.screening.verification.replays import Replays
from sipguard.stir.certificate import CertificateStore
from tests.traffic.calls import ANSWERED, ATTEMPT, GIVEN_UP, Call, events

# further trunks, and which they are like
OTHERS: Final = {"wholesale": "carrier-a", "retail": "carrier-a", "abroad": "gateway-d"}


@dataclass(frozen=True, slots=True)
class Judged:
    """A call, its verdict, and what that was made of."""

    call: Call
    verdict: Verdict
    facts: Mapping[str, FactValue]

    @property
    def reported(self) -> tuple[str, ...]:
        """The rules in mode report that would have acted."""
        return self.verdict.reported


def with_others(plain: PlainRuleset) -> PlainRuleset:
    """The Ruleset with trunks that bring nothing but what a test sends by them."""
    trunks = dict(plain.trunks)
    for name, like in OTHERS.items():
        trunks[name] = replace(trunks[like], name=name)
    return replace(plain, trunks=trunks)


def _learned(hours: Iterable[tuple[int, int, int]]) -> bytes:
    usual = Usual()
    for hour, attempts, abroad in hours:
        for n in range(attempts):
            usual.attempted(hour, n < abroad)
    return usual.kept()


class Driven:
    """Screening with counters of its own."""

    def __init__(self, ruleset: Ruleset, usual: Mapping[str, Iterable[tuple[int, int, int]]] | None = None) -> None:
        """`usual` is what trunks had before: (hour of Unix time, attempts, of them abroad), in order of time."""
        self.ruleset = ruleset
        self.counters = Counters()
        for trunk, hours in (usual or {}).items():
            self.counters.recall(trunk, _learned(hours))
        shapes = ruleset.shapes
        self.counters.use(shapes.wanted, 100_000)
        self.context = Context(
            ruleset.lists, self.counters, CertificateStore(), Replays(), ruleset.plan, ruleset.shapes
        )

    def run(self, *streams: Iterable[Call]) -> list[Judged]:
        """All calls of the streams, in order of their INVITEs."""
        return list(self.each(*streams))

    def each(self, *streams: Iterable[Call]) -> Iterator[Judged]:
        """The same one by one."""
        tallies: dict[int, Tally | None] = {}
        for event in events(*streams):
            if event.what == ATTEMPT:
                attempt = self._attempt(event.call)
                tallies[event.n] = begin(attempt, self.context, event.at, lasting=True)
                yield self._judged(event.call, attempt)
                continue
            tally = tallies.get(event.n)
            if tally is None:
                continue
            if event.what == ANSWERED:
                self.counters.answered(tally, event.at)
            else:
                self.counters.ended(tally, GAVE_UP if event.what == GIVEN_UP else BY_ITS_PARTIES, event.at)
                del tallies[event.n]

    def _attempt(self, call: Call) -> CallAttempt:
        question = Question(f"+{call.caller}", f"+{call.callee}", (), call.at)
        return attempt_of(question, self.ruleset.trunks[call.trunk])

    def _judged(self, call: Call, attempt: CallAttempt) -> Judged:
        """The call screened; its signature is taken for verified."""
        screening = Screening()
        signed: dict[str, FactValue] = {"identity.result": "none"}
        if call.signer:
            signed = {"identity.result": "passed", "identity.attest": "B", "identity.spc": (call.signer,)}
            tell_signer(signed, attempt, (call.signer,), "", self.context)
        screening.facts = base_facts(attempt)
        screening.facts.update(signed)
        screening.findings[VERIFICATION] = Finding(CLEAR, "said", signed)
        screening.asked[VERIFICATION] = FALSE
        verdict = screen(screening, attempt, self.ruleset.compiled(call.trunk), self.ruleset, self.context)
        assert not isinstance(verdict, Waiting)
        return Judged(call, verdict, screening.facts)
