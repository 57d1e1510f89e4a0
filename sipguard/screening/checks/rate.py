"""What this caller, called number, called prefix and trunk did of late, the attempt at hand included.

Enters: the counters, in which the engine has counted the attempt. Leaves: `rate.<which>.*`, attempts in any case and
otherwise what some rule asks for; all but `rate.signer.*`, which `identity` finds, since it alone knows the signer.
Must not: count, or judge what is too often; only policy does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.counters import KEYS
from sipguard.screening.finding import CLEAR, Context, FactSpec, FactValue, Finding
from sipguard.screening.shapes import prefix_of, shape_of, specs, tell
from sipguard.screening.shapesasked import CALLEE, CALLER, PREFIX, TRUNK

COST: Final = 3

FACTS: Final[tuple[FactSpec, ...]] = specs(CALLER, CALLEE, PREFIX, TRUNK)


@dataclass(frozen=True)
class Settings:
    """What is counted; windows are in the names of the facts."""

    keys: int = KEYS  # callers that are kept, and as many called numbers, prefixes, trunks and signers
    do_not_call: tuple[str, ...] = ("dnc",)  # lists whose numbers `dnc_ratio_1h` is about
    count_all: bool = False  # facts that no rule asks for are counted and recorded too


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding:
    """Always clear: what is too often, a rule says."""
    counters, shapes, tally = context.counters, context.shapes, attempt.tally
    at_ms = counters.at_ms
    caller, callee = attempt.caller.tn, attempt.callee.tn
    shape = shape_of(tally.trunk if tally is not None else None, counters.trunks, attempt.trunk.name, at_ms)
    facts: dict[str, FactValue] = {
        "rate.trunk.attempts_1m": shape.attempts_1m(at_ms),
        "rate.trunk.attempts_1h": shape.attempts_1h(at_ms),
    }
    if shapes.trunk:
        tell(facts, shapes.trunk, shape, tally, at_ms)
    if caller:
        shape = shape_of(tally.caller if tally is not None else None, counters.callers, caller, at_ms)
        facts["rate.caller.attempts_1m"] = shape.attempts_1m(at_ms)
        facts["rate.caller.attempts_1h"] = shape.attempts_1h(at_ms)
        if shapes.caller:
            tell(facts, shapes.caller, shape, tally, at_ms)
    if callee and shapes.callee:
        shape = shape_of(tally.callee if tally is not None else None, counters.callees, callee, at_ms)
        tell(facts, shapes.callee, shape, tally, at_ms)
    if shapes.prefix:
        prefix = prefix_of(attempt.callee)
        if prefix:
            shape = shape_of(tally.prefix if tally is not None else None, counters.prefixes, prefix, at_ms)
            tell(facts, shapes.prefix, shape, tally, at_ms)
    return Finding(CLEAR, "", facts)
