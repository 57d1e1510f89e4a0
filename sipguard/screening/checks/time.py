"""When did the call come? What windows of local time are compared with.

Enters: the instant of receipt. Leaves: `time.at`. Must not: read a clock, or know a time zone: the policy does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import CLEAR, Context, FactSpec, Finding

COST: Final = 0

FACTS: Final = (FactSpec("time.at", "number", "instant of receipt in Unix time, leap seconds ignored", unit="s"),)


@dataclass(frozen=True)
class Settings:
    """There is nothing to set."""


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding:
    """Always clear."""
    return Finding(CLEAR, "", {"time.at": attempt.received_at})
