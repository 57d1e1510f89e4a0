"""How often this caller and this trunk tried of late, the attempt at hand included.

Enters: the counters, in which the engine has counted the attempt. Leaves: `rate.<which>.attempts_1m` and
`.attempts_1h`. Must not: count, or judge what is too often; only policy does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import CLEAR, Context, FactSpec, FactValue, Finding

COST: Final = 3

FACTS: Final = (
    FactSpec("rate.caller.attempts_1m", "number", "attempts by the caller, last minute; absent without a TN"),
    FactSpec("rate.caller.attempts_1h", "number", "attempts by the caller, last hour; absent without a TN"),
    FactSpec("rate.trunk.attempts_1m", "number", "attempts on the trunk in the last minute"),
    FactSpec("rate.trunk.attempts_1h", "number", "attempts on the trunk in the last hour"),
)


@dataclass(frozen=True)
class Settings:
    """There is nothing to set: the windows are in the names of the facts."""


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding:
    """Always clear: what is too often, a rule says."""
    counters = context.counters
    now = counters.now
    caller, trunk = attempt.caller.tn, attempt.trunk.name
    facts: dict[str, FactValue] = {
        "rate.trunk.attempts_1m": counters.trunks.attempts_1m(trunk, now),
        "rate.trunk.attempts_1h": counters.trunks.attempts_1h(trunk, now),
    }
    if caller:
        facts["rate.caller.attempts_1m"] = counters.callers.attempts_1m(caller, now)
        facts["rate.caller.attempts_1h"] = counters.callers.attempts_1h(caller, now)
    return Finding(CLEAR, "", facts)
