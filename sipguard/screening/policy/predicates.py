"""Conditions as functions of the facts, with four truth values.

Enters: Condition values. Leaves: functions `(facts, asked) -> FALSE | TRUE | PENDING | FAILED`.
Must not: hold anything of a call.

`facts` maps full fact names to values; `asked` maps a check that has run to FALSE, one that failed to
FAILED. So a fact that is not there is PENDING until its check has run, then absent (nothing compares with
it), or FAILED. PENDING says that the truth may still become any of the others; FAILED matches nothing, not
even under `not`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Final

from sipguard.screening.finding import FactValue
from sipguard.screening.policy.model import AllOf, Compare, Condition, Not, OneOf, Scalar

FALSE: Final = 0
TRUE: Final = 1
PENDING: Final = 2
FAILED: Final = 3

BASE: Final = frozenset({"trunk", "call"})  # facts of the attempt itself: no check finds them

Facts = Mapping[str, FactValue]
Asked = Mapping[str, int]
Test = Callable[[Facts, Asked], int]

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "over": gt,
    "under": lt,
    "at_least": ge,
    "at_most": le,
}


def check_of(fact: str) -> str:
    """The check that finds a fact, "" for facts of the attempt itself."""
    room = fact.partition(".")[0]
    return "" if room in BASE else room


def truth_of(condition: Condition, costs: Mapping[str, int]) -> Test:
    """The function of a condition; its parts are asked in the order of what their checks cost."""
    if isinstance(condition, OneOf):
        return _one_of(condition)
    if isinstance(condition, Compare):
        return _compare(condition)
    if isinstance(condition, Not):
        return _negated(truth_of(condition.part, costs))
    ordered = sorted(condition.parts, key=lambda part: cost_of(part, costs))
    tests = [truth_of(part, costs) for part in ordered]
    if isinstance(condition, AllOf):
        return _all_of(tests)
    return _any_of(tests)


def facts_of(condition: Condition) -> frozenset[str]:
    """Names of all facts that a condition asks for."""
    if isinstance(condition, OneOf | Compare):
        return frozenset((condition.fact,))
    if isinstance(condition, Not):
        return facts_of(condition.part)
    return frozenset[str]().union(*(facts_of(part) for part in condition.parts))


def cost_of(condition: Condition, costs: Mapping[str, int]) -> int:
    """What the dearest check of a condition costs."""
    return max((costs.get(check_of(fact), 0) for fact in facts_of(condition)), default=0)


# ------------------------------------------------------------------------------------------ one fact


def _one_of(condition: OneOf) -> Test:
    """A fact is one of some values, or holds one of them; the common shapes have functions of their own."""
    fact, values, patterns = condition.fact, condition.values, condition.patterns
    if patterns or not all(isinstance(value, str) for value in values):
        return _fits(fact, values, patterns)
    if fact.startswith("lists."):
        if len(values) == 1:
            return _on_list(fact, str(values[0]))
        return _on_lists(fact, frozenset(str(value) for value in values))
    return _is_one(fact, frozenset(str(value) for value in values))


def _missing(fact: str) -> tuple[str, int]:
    """The check to look up in `asked` where a fact is not there, and the truth where it has not run."""
    check = check_of(fact)
    return check, PENDING if check else FALSE


def _on_list(fact: str, name: str) -> Test:
    """`lists.shown: dno`."""
    check, otherwise = _missing(fact)

    def test(facts: Facts, asked: Asked) -> int:
        try:
            value = facts[fact]
        except KeyError:
            return asked.get(check, otherwise)
        return TRUE if value and name in value else FALSE  # type: ignore[operator]

    return test


def _on_lists(fact: str, names: frozenset[str]) -> Test:
    """`lists.pair: [consent, ebr]`."""
    check, otherwise = _missing(fact)

    def test(facts: Facts, asked: Asked) -> int:
        try:
            value = facts[fact]
        except KeyError:
            return asked.get(check, otherwise)
        return FALSE if not value or names.isdisjoint(value) else TRUE  # type: ignore[arg-type]

    return test


def _is_one(fact: str, values: frozenset[str]) -> Test:
    """`identity.result: [failed, none]`, for texts and sets of texts."""
    check, otherwise = _missing(fact)

    def test(facts: Facts, asked: Asked) -> int:
        try:
            value = facts[fact]
        except KeyError:
            return asked.get(check, otherwise)
        if value.__class__ is tuple:
            return FALSE if values.isdisjoint(value) else TRUE
        return TRUE if value in values else FALSE

    return test


def _fits(fact: str, values: tuple[Scalar, ...], patterns: tuple[str, ...]) -> Test:
    """Any values and patterns: flags, numbers, texts with `*`."""
    check, otherwise = _missing(fact)
    globs = [Glob(pattern) for pattern in patterns]

    def test(facts: Facts, asked: Asked) -> int:
        try:
            value = facts[fact]
        except KeyError:
            return asked.get(check, otherwise)
        if value is None:
            return FALSE
        for one in value if isinstance(value, tuple) else (value,):
            if any(_same(one, wanted) for wanted in values):
                return TRUE
            if isinstance(one, str) and any(glob.fits(one) for glob in globs):
                return TRUE
        return FALSE

    return test


def _same(value: Scalar, wanted: Scalar) -> bool:
    """Equality that keeps flags and numbers apart."""
    return value == wanted and isinstance(value, bool) is isinstance(wanted, bool)


def _compare(condition: Compare) -> Test:
    """`rate.caller.attempts_1h: {over: 300}`."""
    fact, bound, holds = condition.fact, condition.bound, _COMPARE[condition.operator]
    check, otherwise = _missing(fact)

    def test(facts: Facts, asked: Asked) -> int:
        try:
            value = facts[fact]
        except KeyError:
            return asked.get(check, otherwise)
        if value.__class__ is int or value.__class__ is float:
            return TRUE if holds(value, bound) else FALSE
        return FALSE

    return test


class Glob:
    """A text with `*`, which stands for any run of characters."""

    __slots__ = ("_first", "_last", "_middle")

    def __init__(self, pattern: str) -> None:
        self._first, *self._middle, self._last = pattern.split("*")

    def fits(self, text: str) -> bool:
        """Whether the whole of `text` fits."""
        first, last = self._first, self._last
        if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in self._middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True


# ------------------------------------------------------------------------------------------ several


def _negated(inner: Test) -> Test:
    """`not`: PENDING and FAILED stay what they are."""

    def test(facts: Facts, asked: Asked) -> int:
        outcome = inner(facts, asked)
        return 1 - outcome if outcome < PENDING else outcome

    return test


def _all_of(tests: list[Test]) -> Test:
    """And: FALSE where one is, else PENDING where one is, else FAILED where one is."""
    if not tests:
        return _always
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        return _both(*tests)

    def test(facts: Facts, asked: Asked) -> int:
        truth = TRUE
        for part in tests:
            outcome = part(facts, asked)
            if not outcome:
                return FALSE
            if outcome != TRUE and truth != PENDING:
                truth = outcome
        return truth

    return test


def _both(first: Test, second: Test) -> Test:
    """And of two."""

    def test(facts: Facts, asked: Asked) -> int:
        left = first(facts, asked)
        if not left:
            return FALSE
        right = second(facts, asked)
        if not right or left == TRUE:
            return right
        if right == TRUE:
            return left
        return PENDING if left == PENDING else right

    return test


def _any_of(tests: list[Test]) -> Test:
    """Or: TRUE where one is, else PENDING where one is, else FAILED where one is."""
    if len(tests) == 1:
        return tests[0]

    def test(facts: Facts, asked: Asked) -> int:
        truth = FALSE
        for part in tests:
            outcome = part(facts, asked)
            if outcome == TRUE:
                return TRUE
            if outcome and truth != PENDING:
                truth = outcome
        return truth

    return test


def _always(facts: Facts, asked: Asked) -> int:
    """And of nothing."""
    return TRUE
