"""What was found out about a call before rules could decide: steps of the guard and of the checks, with their times.

Enters: a verdict frame. Leaves: steps. Must not: tell a time that no reading of the stopwatch stands behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sipguard.b2bua.frames import VerdictFrame
from sipguard.records.step import Step
from sipguard.screening.finding import CLEAR, FAILED, HIT, FactValue
from sipguard.screening.policy.predicates import check_of

_FINDINGS: Final = {CLEAR: "has no objection", HIT: "found something", FAILED: "failed"}


def guard(verdict: VerdictFrame) -> Step:
    """What the guard said. It has no reading of its own: it was over when the first check began, or else the verdict
    stood."""
    before = (
        f"admitted ({verdict.emergency}); nothing else may stop it" if verdict.emergency else "not an emergency call"
    )
    if not verdict.received_mono:
        return Step("guard", f"emergency guard: {before}")
    after_us = _us(verdict.runs[0][1] - verdict.received_mono) if verdict.runs else verdict.screen_us
    took = f"read, admitted and guarded within {after_us} us"
    return Step("guard", f"emergency guard: {before}; {took}", after_us=after_us)


def checks(verdict: VerdictFrame) -> Iterator[Step]:
    """Each check in the order of its finding, with the runs in which it had to wait."""
    runs: dict[str, list[tuple[float, float]]] = {}
    for name, begin, over in verdict.runs:
        runs.setdefault(name, []).append((begin - verdict.received_mono, over - verdict.received_mono))
    for name, status, reason in verdict.findings:
        facts: dict[str, FactValue] = {fact: value for fact, value in verdict.facts.items() if check_of(fact) == name}
        times = runs.get(name, [])
        took_us = _us(times[-1][1] - times[-1][0]) if times else None
        text = f"check {name} {_FINDINGS.get(status, status)}" + (f": {reason}" if reason else "")
        text += f", in {took_us} us" if took_us is not None else ""
        if status == FAILED:
            text += "; no condition on its facts matches, not even under `not`"
        if facts:
            text += "; what it saw:"
        for begin, over in times[:-1]:
            waits = f"check {name} lacks a certificate, and waits"
            yield Step("wait", waits, after_us=_us(over), took_us=_us(over - begin))
        after_us = _us(times[-1][1]) if times else None
        yield Step("check", text, facts=facts, after_us=after_us, took_us=took_us)
    if verdict.not_asked:
        names = ", ".join(verdict.not_asked)
        yield Step("not_asked", f"not asked, since it could not change the verdict: {names}")


def between(verdict: VerdictFrame) -> Step | None:
    """What rules took: the time between the checks, and that from the last one to the verdict. None where no check ran.

    Single rules are not timed: reading the stopwatch would take longer than most of them.
    """
    runs = verdict.runs
    if not runs:
        return None
    pairs = [(run, runs[n + 1], [later for later, _, _ in runs[n + 1 :]]) for n, run in enumerate(runs[:-1])]
    gaps_s = sum(
        then[1] - run[2] for run, then, later in pairs if run[0] not in later
    )  # one that runs again has waited
    gaps_us, rest_us = _us(gaps_s), verdict.screen_us - _us(runs[-1][2] - verdict.received_mono)
    text = f"rules were asked for {gaps_us} us between the checks" if len(runs) > 1 else "rules were asked"
    text += f", and decided within {rest_us} us after the last one, with routing and the writing of what goes out"
    return Step("rules", text, after_us=verdict.screen_us, took_us=gaps_us + rest_us)


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
