"""The whole proof of a configuration, within a bound of time.

Enters: a Ruleset, what time it is, a stopwatch. Leaves: a Proof: both parts, and whether all of it was done.
Must not: say that something holds that was not gone through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sipguard.proof.emergency import MakeEngine, Proved, new_engine, prove_emergencies
from sipguard.proof.unknown import Weighed, weigh
from sipguard.screening.ruleset import Ruleset


@dataclass(frozen=True)
class Proof:
    """What was proved of the Ruleset of this revision."""

    revision: str
    emergencies: Proved
    rules: Weighed

    @property
    def holds(self) -> bool:
        """Whether nothing was found, in as much as was gone through."""
        return not self.emergencies.counterexamples and not self.rules.rejections

    @property
    def whole(self) -> bool:
        """Whether there was time for all of it."""
        return not self.emergencies.not_done and not self.rules.not_done


def prove(
    ruleset: Ruleset, at: float, stopwatch: Callable[[], float], bound_s: float, make: MakeEngine = new_engine
) -> Proof:
    """Proves it at Unix seconds `at`, within `bound_s` seconds of `stopwatch`, or as much as can be done in them."""
    ends_at = stopwatch() + bound_s

    def over() -> bool:
        return stopwatch() >= ends_at

    emergencies = prove_emergencies(ruleset, at, over, make)
    return Proof(ruleset.revision, emergencies, weigh(ruleset, over))
