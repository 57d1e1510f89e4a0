"""One decision as steps in the order of time, and how they are written.

Enters: what `explain` tells. Leaves: lines for people, a document for programs. Must not: find anything out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from math import isfinite
from typing import Final

LAST_AT: Final = 253_370_764_800.0  # begin of the year 9999
_IN_US: Final = 10_000  # from so many microseconds on an instant is told in seconds


@dataclass(frozen=True)
class Step:
    """One thing that happened. `kind`: arrival, guard, wait, check, not_asked, listed, rules, rule, judged, verdict,
    route, sent, signed, marked, try, ringing, answer, end, gap.

    `at` is Unix seconds, 0.0 where only the order is known; `after_us` microseconds from receipt to its end, and
    `took_us` what it took, None where that was not measured. `lines` are header lines. `rule` and `outcome` are those
    of a rule.
    """

    kind: str
    text: str
    at: float = 0.0
    facts: Mapping[str, object] = field(default_factory=dict)
    after_us: int | None = None
    took_us: int | None = None
    lines: tuple[str, ...] = ()
    rule: str = ""
    outcome: str = ""

    def as_json(self) -> dict[str, object]:
        """The step for programs."""
        told: dict[str, object] = {
            "kind": self.kind,
            "text": self.text,
            "at": self.at or None,
            "after_us": self.after_us,
            "took_us": self.took_us,
            "facts": dict(self.facts),
            "lines": list(self.lines),
        }
        return told | ({"rule": self.rule, "outcome": self.outcome} if self.rule else {})


@dataclass(frozen=True)
class Explanation:
    """The steps of one call."""

    decision_id: str
    began_at: float
    steps: tuple[Step, ...]
    head: bytes = b""  # start line and headers of the INVITE as received

    def lines(self, zone: tzinfo = UTC) -> list[str]:
        """Text, one step a line, its facts and header lines indented below it."""
        began = moment(self.began_at, zone).isoformat(" ", "milliseconds")
        lines = [f"Decision {self.decision_id}, {began}"]
        for number, step in enumerate(self.steps, 1):
            lines.append(f"{number:3}. {self._after(step):>10}  {step.text}")
            lines += [f"{'':17}{name} = {written(value)}" for name, value in step.facts.items()]
            lines += [f"{'':17}{line}" for line in step.lines]
        return lines

    def _after(self, step: Step) -> str:
        """How long after receipt it was over."""
        after_us = step.after_us
        if after_us is None and not step.at:
            return ""
        if after_us is None:
            after_s = step.at - self.began_at
            if not isfinite(after_s):
                return ""
            after_us = round(after_s * 1e6)
        return f"+{after_us} us" if after_us < _IN_US else f"+{after_us / 1e6:.3f} s"

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "decision_id": self.decision_id,
            "began_at": self.began_at,
            "steps": [step.as_json() for step in self.steps],
            "head": self.head.decode("utf-8", "replace"),
        }


def moment(at: float, zone: tzinfo) -> datetime:
    """An instant as a date; one that no calendar has, as a record may hold that nobody wrote so, is the nearest."""
    return datetime.fromtimestamp(min(max(0.0, at), LAST_AT), zone)


def tn(number: str) -> str:
    """A TN as it is written for people."""
    return f"+{number}" if len(number) > 6 and number.isdigit() else number or "no number"


def written(value: object) -> str:
    """A fact as it is written for people; where a policy may write it, as it is written there."""
    if value is None:
        return "none"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
