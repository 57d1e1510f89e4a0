"""What became of the calls that were on lists, counted: by hour, list, trunk and rule.

Enters: verdict frames. Leaves: counts. Must not: read a journal, or know what a list held.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from sipguard.b2bua.frames import ListedFacts, VerdictLists
from sipguard.screening.listspec import UNKNOWN
from sipguard.screening.verdict import ENFORCE, LABEL, REDIRECT, REJECT

HOUR_S: Final = 3600
REJECTED: Final = "rejected"
LABELLED: Final = "labelled"
REDIRECTED: Final = "redirected"
REPORTED: Final = "reported"  # a rule in report mode, or all of sipguard in it, let the call pass
PASSED: Final = "passed"  # no rule did anything to it
OUTCOMES: Final = (REJECTED, LABELLED, REDIRECTED, REPORTED, PASSED)
_DONE: Final = {REJECT: REJECTED, LABEL: LABELLED, REDIRECT: REDIRECTED}


class Counted(NamedTuple):
    """What is counted together. `hour_at`: Unix seconds of its beginning; `since`: when the state of the list came into
    force, 0.0 where that is not known; `rule` "" for none."""

    hour_at: int
    list: str
    since: float
    trunk: str
    rule: str
    basis: str
    outcome: str


class Tally:
    """Counts verdicts. `since` tells by the name of a list when each of its states came into force, in order."""

    def __init__(self, since: Mapping[str, list[float]]) -> None:
        self._since = since
        self.calls = 0
        self.counted: Counter[Counted] = Counter()

    def take(self, verdict: VerdictLists) -> None:
        """One more call."""
        self.calls += 1
        names = {name for name in _names(verdict.facts) if name[:1] != UNKNOWN}
        if not names or verdict.emergency:
            return
        hour_at = int(verdict.at) // HOUR_S * HOUR_S
        for rule, basis, outcome in _outcomes(verdict):
            for name in names:
                begun = self._since.get(name, ())
                at = bisect_right(begun, verdict.at)
                since = begun[at - 1] if at else 0.0
                self.counted[Counted(hour_at, name, since, verdict.trunk, rule, basis, outcome)] += 1

    def rows(self) -> list[list[object]]:
        """All counts, as JSON has them, in order."""
        return [[*key, count] for key, count in sorted(self.counted.items())]


def of_rows(rows: Iterable[list[object]]) -> Iterator[tuple[Counted, int]]:
    """What `rows` was made from. Raises TypeError, ValueError for what is none."""
    for *key, count in rows:
        hour_at, name, since, trunk, rule, basis, outcome = key
        told = (str(trunk), str(rule), str(basis), str(outcome))
        yield Counted(int(str(hour_at)), str(name), float(str(since)), *told), int(str(count))


def _names(facts: ListedFacts) -> Iterator[str]:
    for names in (
        facts.shown, facts.asserted, facts.caller, facts.diverting, facts.callee, facts.pair, facts.upstream,
        facts.signer,
    ):  # fmt: skip
        yield from names


def _outcomes(verdict: VerdictLists) -> Iterator[tuple[str, str, str]]:
    """(rule, basis, outcome) of all that rules said of a call; of a call that none touched one, without a rule."""
    done = _DONE.get(verdict.action, "")
    if done:
        yield verdict.rule, verdict.basis, done if verdict.mode == ENFORCE else REPORTED
    yield from ((rule, "", REPORTED) for rule in verdict.reported)
    if not done and not verdict.reported:
        yield "", "", PASSED
