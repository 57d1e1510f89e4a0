"""From an attempt to its verdict: the guard, then checks as the rules need them, then what forwarding needs.

Enters: an attempt, the Ruleset, what checks may read. Leaves: a Verdict, or what a check waits for.
Must not: decide (policy does), do I/O, or let a check that fails end anything but itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from zlib import crc32

from sipguard.screening import guard
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.attestation import Attested
from sipguard.screening.checks import CHECKS
from sipguard.screening.facts import base_facts
from sipguard.screening.finding import FAILED, Context, FactValue, Finding, Waiting
from sipguard.screening.policy import predicates
from sipguard.screening.policy.compile import CompiledPolicy
from sipguard.screening.policy.decide import Pending, decide
from sipguard.screening.policy.times import day_of
from sipguard.screening.ruleset import CLOSED, Ruleset
from sipguard.screening.signed import signed_priority
from sipguard.screening.verdict import ALLOW, EMERGENCY_RULE, UNSCREENED_RULE, Verdict, unscreened
from sipguard.screening.verification.settings import Settings as Verifying

VERIFICATION: Final = "identity"
_EMERGENCY: Final = Verdict(ALLOW, EMERGENCY_RULE)
_UNSCREENED: Final = Verdict(ALLOW, UNSCREENED_RULE)


class Screening:
    """How far the screening of one call has come."""

    __slots__ = (
        "asked",  # dict: check -> predicates.FALSE where it ran, predicates.FAILED where it failed
        "attested",  # Attested | None: what the call may be signed with, once that was asked
        "awaited",  # Waiting | None: for a certificate that may prove that the call must pass
        "emergency",  # reason the guard admitted it, "" for no emergency, None before it was asked
        "facts",  # dict: full name -> value
        "failed",  # whether a check that was needed has failed or was late
        "findings",  # dict: check -> Finding, in the order they came
        "runs",  # list: (check, begin, end) of each run by the stopwatch, in order; one that waits runs again
        "settled",  # whether `verdict` stands and only checks for the sample are left
        "signed",  # dict: facts of the token that lifted it
        "skipped",  # dict: check -> reason, of those that are not to run if they are needed
        "stopwatch",  # in seconds, None where nobody wants to know what took how long
        "verdict",  # Verdict | None: once the rules have decided
        "waited_for",  # Pending | None: where the rules stand
    )

    def __init__(self, emergency: str | None = None, stopwatch: Callable[[], float] | None = None) -> None:
        self.emergency = emergency
        self.stopwatch = stopwatch
        self.runs: list[tuple[str, float, float]] = []
        self.attested: Attested | None = None
        self.facts: dict[str, FactValue] = {}
        self.awaited: Waiting | None = None
        self.signed: dict[str, FactValue] = {}
        self.failed = False
        self.settled = False
        self.asked: dict[str, int] = {}
        self.findings: dict[str, Finding] = {}
        self.skipped: dict[str, str] = {}
        self.verdict: Verdict | None = None
        self.waited_for: Pending | None = None

    def not_asked(self) -> list[str]:
        """Names of the checks that did not run, because the verdict did not need them."""
        return [name for name in CHECKS if name not in self.findings]

    def told(self) -> str:
        """Header lines with what verification tells the caller's side, joined, "" for none.

        Of an emergency call nothing is told: some take any Reason for a failure.
        """
        finding = self.findings.get(VERIFICATION)
        return finding.told if finding is not None and not self.emergency else ""

    def facts_noted(self) -> dict[str, FactValue]:
        """All facts, with those that checks which failed noted."""
        facts = self.facts
        if self.failed:
            for finding in self.findings.values():
                if finding.status == FAILED and finding.facts:
                    facts = facts | finding.facts
        return facts

    def unscreened(self) -> list[str]:
        """Names of the checks that were needed and failed or were late."""
        return [name for name, finding in self.findings.items() if finding.status == FAILED]


def screen(
    screening: Screening, attempt: CallAttempt, compiled: CompiledPolicy, ruleset: Ruleset, context: Context
) -> Verdict | Waiting:
    """The verdict, or what a check waits for; then call again once that came, or after `fail`."""
    if screening.emergency is None:
        admit(screening, attempt, ruleset, context)
    if screening.awaited is not None and VERIFICATION not in screening.findings and not screening.skipped:
        if attempt.evaluated is None:
            _by_signature(screening, attempt, ruleset, context)
        waiting = _awaited(screening)
        if waiting is not None:
            attempt.evaluated = None  # what comes next changes it
            return waiting
    if screening.emergency:
        _verify_at_hand(screening, attempt, ruleset, context)
        return _EMERGENCY
    context.unix_at = attempt.received_at
    if not screening.settled:
        waiting = _settle(screening, attempt, compiled, ruleset, context)
        if waiting is not None:
            return waiting
    if attempt.trunk.sign is not None and screening.attested is None:
        waiting = attest(screening, attempt, ruleset, context, may_wait=True)
        if waiting is not None:
            return waiting
    if ruleset.complete_percent and _is_sampled(attempt.call_id, ruleset.complete_percent):
        waiting = _complete(screening, attempt, ruleset, context)
        if waiting is not None:
            return waiting
    assert screening.verdict is not None
    return screening.verdict


def _awaited(screening: Screening) -> Waiting | None:
    """What its signed priority waits for by now; asked here since mypyc takes an attribute for what it was before."""
    return screening.awaited


def attest(
    screening: Screening, attempt: CallAttempt, ruleset: Ruleset, context: Context, may_wait: bool
) -> Waiting | None:
    """Sets what a call may be signed with, by the first rule of its trunk that holds; checks run as rules need them.

    A rule whose check has failed does not hold, nor one that would wait where `may_wait` is false: an emergency call
    waits for nothing.
    """
    context.unix_at = attempt.received_at
    attestation = ruleset.attestations[attempt.trunk.name]
    facts, asked = screening.facts, screening.asked
    for step in attestation.steps:
        truth = step.test.truth(facts, asked)
        while truth == predicates.PENDING:
            check = next(name for name in step.checks if name not in asked)
            waiting = _run(check, screening, attempt, ruleset, context)
            if waiting is not None:
                if may_wait:
                    return waiting
                break
            truth = step.test.truth(facts, asked)
        if truth == predicates.TRUE:
            screening.attested = Attested(step.attest, step.origid, step.asks_shown)
            return None
    screening.attested = attestation.otherwise
    return None


def admit(screening: Screening, attempt: CallAttempt, ruleset: Ruleset, context: Context) -> str:
    """Why nothing may stop the call, "" where the usual screening applies, as far as that can be told at once."""
    screening.emergency = guard.admit(attempt, ruleset.emergency)
    if not screening.emergency and attempt.resource_priority:
        _by_signature(screening, attempt, ruleset, context)
    return screening.emergency


def _by_signature(screening: Screening, attempt: CallAttempt, ruleset: Ruleset, context: Context) -> None:
    """Lifts a call whose priority is signed, or notes what that waits for."""
    verifying = ruleset.settings[VERIFICATION]
    assert isinstance(verifying, Verifying)
    found = _checked(signed_priority, attempt, ruleset.emergency, verifying, context)  # broken: nothing lifts the call
    screening.awaited = found if isinstance(found, Waiting) else None
    if isinstance(found, dict):
        screening.emergency = guard.SIGNED
        screening.signed = {name: value for name, value in found.items() if value is not None}


def _verify_at_hand(screening: Screening, attempt: CallAttempt, ruleset: Ruleset, context: Context) -> None:
    """Sets the facts of a call that nothing may stop: verification runs once, and what it would wait for is left."""
    if not screening.facts:
        screening.facts = base_facts(attempt)
    if attempt.trunk.verify and VERIFICATION not in screening.asked and VERIFICATION not in screening.skipped:
        context.unix_at = attempt.received_at
        _run(VERIFICATION, screening, attempt, ruleset, context)
    if screening.signed:
        screening.facts.update(screening.signed)


def break_off(screening: Screening, compiled: CompiledPolicy, ruleset: Ruleset) -> Verdict:
    """The verdict of a call whose screening broke outside a check: one that stands holds.

    Else every check that has not answered has failed, and the call goes on unless one of them must not fail.
    """
    verdict = screening.verdict
    if verdict is None or not screening.settled:
        for name in CHECKS:
            fail(screening, name, "broken")
        if verdict is None:
            verdict = _UNSCREENED
        if verdict.goes_on and _must_not_fail(screening, ruleset):
            verdict = unscreened(verdict, compiled.unscreened)
        screening.verdict, screening.settled = verdict, True
    return verdict


def fail(screening: Screening, check: str, reason: str) -> None:
    """Lets a check that is late have failed; a check that has answered is left alone."""
    if check not in screening.findings:
        _keep(screening, check, Finding(FAILED, reason, {}))


def give_up(
    screening: Screening, attempt: CallAttempt, ruleset: Ruleset, context: Context, check: str, reason: str
) -> None:
    """Runs `check` for the last time, as nothing more will come: it answers by what came, or has failed."""
    context.unix_at = attempt.received_at
    context.late = reason
    waiting = _run(check, screening, attempt, ruleset, context)
    context.late = ""
    if waiting is not None:
        fail(screening, check, reason)


def skip(screening: Screening, check: str, reason: str) -> None:
    """Lets a check fail for `reason`, without running it, if the verdict should need it."""
    screening.skipped[check] = reason


def _settle(
    screening: Screening, attempt: CallAttempt, compiled: CompiledPolicy, ruleset: Ruleset, context: Context
) -> Waiting | None:
    """Sets the verdict: of the rules, then of a check that must not fail. What is waited for, if anything."""
    verdict = screening.verdict
    if verdict is None:
        outcome = _by_rules(screening, attempt, compiled, ruleset, context)
        if type(outcome) is Waiting:
            return outcome
        assert isinstance(outcome, Verdict)
        verdict = screening.verdict = outcome
    if verdict.goes_on:
        if attempt.trunk.verify and VERIFICATION not in screening.asked:
            waiting = _run(VERIFICATION, screening, attempt, ruleset, context)
            if waiting is not None:
                return waiting
        if screening.failed and _must_not_fail(screening, ruleset):
            screening.verdict = unscreened(verdict, compiled.unscreened)
    screening.settled = True
    return None


def _by_rules(
    screening: Screening, attempt: CallAttempt, compiled: CompiledPolicy, ruleset: Ruleset, context: Context
) -> Verdict | Waiting:
    """The verdict of the rules; checks run as far as the rules ask them."""
    if not screening.facts:
        screening.facts = base_facts(attempt)
    facts, asked, caller_tn = screening.facts, screening.asked, attempt.caller.tn
    day = day_of(attempt.received_at)
    outcome = decide(facts, asked, compiled, caller_tn, day, screening.waited_for)
    while type(outcome) is Pending:
        screening.waited_for = outcome
        if outcome.check not in asked:
            waiting = _run(outcome.check, screening, attempt, ruleset, context)
            if waiting is not None:
                return waiting
        outcome = decide(facts, asked, compiled, caller_tn, day, outcome)
    assert isinstance(outcome, Verdict)
    return outcome


def _run(check: str, screening: Screening, attempt: CallAttempt, ruleset: Ruleset, context: Context) -> Waiting | None:
    """Runs one check and keeps its finding; what it waits for, if it does."""
    if check in screening.skipped:
        fail(screening, check, screening.skipped[check])
        return None
    settings = ruleset.settings.get(check)
    if settings is None:  # it fails alone, as one that raises
        fail(screening, check, "no_settings")
        return None
    stopwatch = screening.stopwatch
    if stopwatch is None:
        finding = _checked(CHECKS[check].check, attempt, settings, context)
    else:
        began = stopwatch()
        finding = _checked(CHECKS[check].check, attempt, settings, context)
        screening.runs.append((check, began, stopwatch()))
    if type(finding) is Waiting:
        return finding
    if isinstance(finding, str):
        fail(screening, check, finding)
    else:
        assert isinstance(finding, Finding)
        _keep(screening, check, finding)
    return None


def _checked(check: Callable[..., object], *of: object) -> object:
    """What a check answers; as a reason slug what it raised, since it fails alone."""
    try:
        return check(*of)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  strangers send what it reads, and a panic of Rust is no Exception
        return "raised_" + type(error).__name__.lower()


def _keep(screening: Screening, check: str, finding: Finding) -> None:
    """Keeps what a check found; what one that failed noted is for the record only."""
    screening.findings[check] = finding
    if finding.status == FAILED:
        screening.asked[check] = predicates.FAILED
        screening.failed = True
    else:
        screening.asked[check] = predicates.FALSE
        screening.facts.update(finding.facts)


def _must_not_fail(screening: Screening, ruleset: Ruleset) -> bool:
    """Whether a check has failed that the operator wants closed."""
    for name, finding in screening.findings.items():
        if finding.status == FAILED and ruleset.on_failure.get(name) == CLOSED:
            return True
    return False


def _complete(screening: Screening, attempt: CallAttempt, ruleset: Ruleset, context: Context) -> Waiting | None:
    """Runs the checks that the verdict did not need, so that other policies can be tried on this call."""
    for name in CHECKS:
        if name not in screening.asked:
            waiting = _run(name, screening, attempt, ruleset, context)
            if waiting is not None:
                return waiting
    return None


def _is_sampled(call_id: str, percent: float) -> bool:
    """Whether a call is among the sample; the same on every node that sees this Call-ID."""
    return crc32(call_id.encode()) % 10_000 < percent * 100
