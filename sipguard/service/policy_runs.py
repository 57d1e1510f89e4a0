"""Cases run under a policy, and what came of them.

Enters: cases, an open Ruleset. Leaves: for each what was not as expected; which rules were covered. Must not: decide
(the pipeline does, as for calls).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sipguard.screening.policy.decide import MATCHED, REPORTED
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trial import Tried, tried
from sipguard.screening.verdict import Verdict
from sipguard.service.policy_cases import Case
from sipguard.service.trials import context_for
from sipguard.settings.service import Service


@dataclass(frozen=True, slots=True)
class Differs:
    """One thing that was not as expected."""

    key: str
    expected: object
    got: object


@dataclass(frozen=True, slots=True)
class Ran:
    """A case, what came of it, what differs."""

    case: Case
    found: Tried
    differs: tuple[Differs, ...]


def run(cases: Iterable[Case], ruleset: Ruleset, service: Service, now_at: float) -> Iterator[Ran]:
    """Each case as it came out. Raises StirError where the trust list cannot be used."""
    for case in cases:
        trunk = ruleset.trunks[case.trunk]
        context = context_for(case.question, trunk, ruleset, service, now_at, case.chains)
        policy = ruleset.compiled(case.trunk)
        found = tried(case.question, trunk, policy, ruleset, context, case.said, case.failed)
        yield Ran(case, found, tuple(_differences(case, found.verdict)))


def _differences(case: Case, verdict: Verdict) -> Iterator[Differs]:
    prefix = verdict.label.prefix if verdict.label is not None else ""
    got = {
        "verdict": verdict.action,
        "rule": verdict.rule,
        "status": verdict.status,
        "basis": verdict.basis,
        "tags": sorted(verdict.tags),
        "label": prefix or False,
        "reported": sorted(verdict.reported),
    }
    for key, wanted in case.expected.items():
        if key in ("tags", "reported"):
            names = wanted if isinstance(wanted, list) else [] if wanted is None else [wanted]
            wanted = sorted(map(str, names))
        if wanted != got[key]:
            yield Differs(key, wanted, got[key])


def coverage(rules: Iterable[str], ran: Iterable[Ran]) -> dict[str, int]:
    """How many cases each rule matched, those in mode report too, in the order of the policy."""
    counts = dict.fromkeys(rules, 0)
    for each in ran:
        for outcome in each.found.rules:
            if outcome.outcome in (MATCHED, REPORTED):
                counts[outcome.rule] += 1
    return counts
