"""What would become of a call: the same screening as for a call on the wire, asked without one.

Enters: a question, facts that are said beforehand, a Ruleset, what checks read. Leaves: the verdict with all that led
to it. Must not: decide by itself (the pipeline does), count the call, or wait for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.facts import base_facts
from sipguard.screening.finding import CLEAR, Context, FactValue, Finding, Waiting
from sipguard.screening.pipeline import VERIFICATION, Screening, give_up, screen, skip
from sipguard.screening.policy.compile import CompiledPolicy
from sipguard.screening.policy.decide import RuleOutcome, trace
from sipguard.screening.policy.predicates import FALSE, check_of
from sipguard.screening.policy.times import day_of
from sipguard.screening.question import Question, attempt_of
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import Verdict

SAID: Final = "said"  # reason of a finding that was said beforehand
NOT_AT_HAND: Final = "not_at_hand"  # why a check came to nothing that needs a certificate nobody has here
NOTHING_SAID: Final[Mapping[str, FactValue]] = {}


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it: the verdict, the rules in order with what became of each, the findings of the checks."""

    attempt: CallAttempt
    verdict: Verdict
    screening: Screening
    rules: tuple[RuleOutcome, ...]


def tried(
    question: Question,
    trunk: Trunk,
    policy: CompiledPolicy,
    ruleset: Ruleset,
    context: Context,
    said: Mapping[str, FactValue] = NOTHING_SAID,
    failed: Iterable[str] = (),
    stopwatch: Callable[[], float] | None = None,
) -> Tried:
    """The verdict on a call that `trunk` brings, under `policy`: that of `ruleset`, or one that is weighed.

    `said` stands for what the call and its checks would have found; a check of which one fact is said does not run, and
    its other facts are absent, as is one said to be None. The checks `failed` fail where they are needed. What is not
    in local memory (a certificate that `context` does not hold) does not come: its check answers as at the end of its
    budget. `stopwatch` says in seconds what each check takes.
    """
    attempt = attempt_of(question, trunk)
    screening = Screening(None, stopwatch)
    _say(screening, said, attempt)
    for check in failed:
        skip(screening, check, SAID)
    outcome = screen(screening, attempt, policy, ruleset, context)
    while isinstance(outcome, Waiting):
        give_up(screening, attempt, ruleset, context, VERIFICATION, NOT_AT_HAND)
        outcome = screen(screening, attempt, policy, ruleset, context)
    day = day_of(question.at)
    rules = () if screening.emergency else trace(screening.facts, screening.asked, policy, attempt.caller.tn, day)
    return Tried(attempt, outcome, screening, tuple(rules))


def _say(screening: Screening, said: Mapping[str, FactValue], attempt: CallAttempt) -> None:
    """Has the facts that were said stand as if they had been found."""
    if not said:
        return
    facts = screening.facts = base_facts(attempt)
    for name, value in said.items():
        if value is not None or name in facts:
            facts[name] = value
    for check in dict.fromkeys(check_of(name) for name in said):
        if check:
            own = {name: value for name, value in said.items() if check_of(name) == check}
            screening.findings[check] = Finding(CLEAR, SAID, own)
            screening.asked[check] = FALSE
