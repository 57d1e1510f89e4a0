"""Conditions as tests of the facts, with four truth values.

Enters: Condition values. Leaves: Tests, whose `truth(facts, asked)` is FALSE | TRUE | PENDING | FAILED.
Must not: hold anything of a call.

`facts` maps full fact names to values; `asked` maps a check that has run to FALSE, one that failed to
FAILED. So a fact that is not there is PENDING until its check has run, then absent (nothing compares with
it), or FAILED. PENDING says that the truth may still become any of the others; FAILED matches nothing, not
even under `not`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import ge, gt, le, lt
from typing import Final

from sipguard.numbers.glob import Glob
from sipguard.screening.checks import FOUND_BY
from sipguard.screening.finding import FactValue
from sipguard.screening.listspec import UNKNOWN
from sipguard.screening.policy.model import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Not,
    Offsets,
    OneOf,
    Policy,
    Scalar,
    Time,
)
from sipguard.screening.policy.times import AT, OF_NUMBERS, holds_in, local_time, zones_fact
from sipguard.screening.trunk import SignRules

FALSE: Final = 0
TRUE: Final = 1
PENDING: Final = 2
FAILED: Final = 3

BASE: Final = frozenset({"trunk", "call"})  # facts of the attempt itself: no check finds them

Facts = dict[str, FactValue]
Asked = dict[str, int]
_UNASSIGNED: Final = "unassigned_npa"
_NOT_THERE: Final = "<not there>"  # told from every value of a fact by its identity
_NUMBERS: Final = (int, float)  # a union would be made anew each time it is asked

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "over": gt,
    "under": lt,
    "at_least": ge,
    "at_most": le,
}


def check_of(fact: str) -> str:
    """The check that finds a fact, as the FACTS of all say, "" for facts of the attempt itself."""
    found = FOUND_BY.get(fact)
    if found is None:
        room = fact.partition(".")[0]
        return "" if room in BASE else room
    return found


class Test:
    """A condition, ready to be asked."""

    __slots__ = ()

    def truth(self, facts: Facts, asked: Asked) -> int:
        """FALSE, TRUE, PENDING or FAILED."""
        raise NotImplementedError


def truth_of(condition: Condition, costs: Mapping[str, int]) -> Test:
    """The test of a condition; its parts are asked in the order of what their checks cost."""
    if isinstance(condition, OneOf):
        return _one_of(condition)
    if isinstance(condition, Compare):
        return _Compared(condition.fact, condition.operator, condition.bound)
    if isinstance(condition, Time):
        return _InTime(condition)
    if isinstance(condition, Not):
        return _Negated(truth_of(condition.part, costs))
    ordered = sorted(condition.parts, key=lambda part: cost_of(part, costs))
    tests = [truth_of(part, costs) for part in ordered]
    if isinstance(condition, AllOf):
        return _joined(tests, FALSE)
    return _joined(tests, TRUE)


def facts_of(condition: Condition) -> frozenset[str]:
    """Names of all facts that a condition asks for."""
    if isinstance(condition, OneOf | Compare):
        return frozenset((condition.fact,))
    if isinstance(condition, Time):
        return frozenset((AT, zones_fact(condition.zone)) if condition.zone in OF_NUMBERS else (AT,))
    if isinstance(condition, Not):
        return facts_of(condition.part)
    return frozenset[str]().union(*(facts_of(part) for part in condition.parts))


def asks_plan(condition: Condition) -> bool:
    """Whether a condition needs the numbering plan: for facts of the check plan, or for `unassigned_npa`."""
    if isinstance(condition, OneOf) and condition.fact.endswith(".class"):
        return _UNASSIGNED in condition.values or any(Glob(each).fits(_UNASSIGNED) for each in condition.patterns)
    if isinstance(condition, Not):
        return asks_plan(condition.part)
    if isinstance(condition, AllOf | AnyOf):
        return any(asks_plan(part) for part in condition.parts)
    return any(check_of(fact) == "plan" for fact in facts_of(condition))


def wants_plan(policy: Policy, trunks: Iterable[SignRules | None]) -> bool:
    """Whether a rule, or one by which calls of a trunk are signed, needs the numbering plan."""
    whens = [rule.when for rule in policy.rules]
    whens += [rule.when for rules in trunks if rules is not None for rule in rules.rules]
    return any(asks_plan(when) for when in whens)


def cost_of(condition: Condition, costs: Mapping[str, int]) -> int:
    """What the dearest check of a condition costs."""
    return max((costs.get(check_of(fact), 0) for fact in facts_of(condition)), default=0)


# ------------------------------------------------------------------------------------------ one fact


class _OfFact(Test):
    """What tests of one fact share: the truth where the fact is not there."""

    __slots__ = ("_check", "_fact", "_otherwise")

    def __init__(self, fact: str) -> None:
        self._fact = fact
        self._check = check = check_of(fact)
        self._otherwise = PENDING if check else FALSE

    def truth(self, facts: Facts, asked: Asked) -> int:
        """As Test.truth."""
        value = facts.get(self._fact, _NOT_THERE)
        if value is _NOT_THERE:
            return asked.get(self._check, self._otherwise)
        return TRUE if self.holds(value) else FALSE

    def holds(self, value: FactValue) -> bool:
        """Whether a value of the fact is one that is meant."""
        raise NotImplementedError


def _one_of(condition: OneOf) -> Test:
    """A fact is one of some values, or holds one of them; the common shapes have tests of their own."""
    fact, values, patterns = condition.fact, condition.values, condition.patterns
    if patterns or not all(isinstance(value, str) for value in values):
        return _Fits(fact, values, patterns)
    if fact.startswith("lists."):
        return _OnLists(fact, frozenset(str(value) for value in values))
    return _IsOne(fact, frozenset(str(value) for value in values))


class _OnLists(_OfFact):
    """`lists.pair: [consent, ebr]`. A list that is missing makes it FAILED, unless another one holds."""

    __slots__ = ("_names", "_unknown")

    def __init__(self, fact: str, names: frozenset[str]) -> None:
        super().__init__(fact)
        self._names = names
        self._unknown = frozenset([UNKNOWN + name for name in names])

    def truth(self, facts: Facts, asked: Asked) -> int:
        value = facts.get(self._fact, _NOT_THERE)
        if value is _NOT_THERE:
            return asked.get(self._check, self._otherwise)
        if self.holds(value):
            return TRUE
        return FAILED if value and isinstance(value, tuple) and not self._unknown.isdisjoint(value) else FALSE

    def holds(self, value: FactValue) -> bool:
        return isinstance(value, tuple) and value != () and not self._names.isdisjoint(value)


class _IsOne(_OfFact):
    """`identity.result: [failed, none]`, for texts and sets of texts."""

    __slots__ = ("_values",)

    def __init__(self, fact: str, values: frozenset[str]) -> None:
        super().__init__(fact)
        self._values = values

    def holds(self, value: FactValue) -> bool:
        if isinstance(value, tuple):
            return not self._values.isdisjoint(value)
        return value in self._values


class _Fits(_OfFact):
    """Any values and patterns: flags, numbers, texts with `*`."""

    __slots__ = ("_globs", "_values")

    def __init__(self, fact: str, values: tuple[Scalar, ...], patterns: tuple[str, ...]) -> None:
        super().__init__(fact)
        self._values = values
        self._globs = [Glob(pattern) for pattern in patterns]

    def holds(self, value: FactValue) -> bool:
        if value is None:
            return False
        for one in value if isinstance(value, tuple) else (value,):
            for wanted in self._values:
                if one == wanted and isinstance(one, bool) is isinstance(wanted, bool):
                    return True  # flags and numbers are kept apart
            if isinstance(one, str) and any(glob.fits(one) for glob in self._globs):
                return True
        return False


class _Compared(_OfFact):
    """`rate.caller.attempts_1h: {over: 300}`."""

    __slots__ = ("_bound", "_compare")

    def __init__(self, fact: str, operator: str, bound: float) -> None:
        super().__init__(fact)
        self._compare = _COMPARE[operator]
        self._bound = bound

    def holds(self, value: FactValue) -> bool:
        return isinstance(value, _NUMBERS) and not isinstance(value, bool) and self._compare(value, self._bound)


class _InTime(Test):
    """`time: {zone: callee, outside: "08:00-21:00"}`.

    FAILED, so that it matches nothing even under `not`, where the zone of the number is not known, or where it holds
    in some of the zones that the number may be in and not in others.
    """

    __slots__ = ("_fact", "_time", "_zones")

    def __init__(self, time: Time) -> None:
        self._time = time
        self._zones = dict(time.zones)
        self._fact = zones_fact(time.zone) if time.zone in OF_NUMBERS else ""

    def truth(self, facts: Facts, asked: Asked) -> int:
        at = facts.get(AT)
        if not isinstance(at, _NUMBERS):
            return asked.get(check_of(AT), PENDING) or FAILED
        names: FactValue = (self._time.zone,)
        if self._fact:
            names = facts.get(self._fact)
            if not isinstance(names, tuple) or names == ():
                return asked.get(check_of(self._fact), PENDING) or FAILED
        assert isinstance(names, tuple)
        truth = -1
        for name in names:
            offsets = self._zones.get(name)
            if offsets is None:
                return FAILED
            here = TRUE if holds_in(self._time, offsets, at) else FALSE
            if truth not in (-1, here):
                return FAILED
            truth = here
        return truth


def compared_times(condition: Condition, facts: Facts) -> dict[str, str]:
    """What the times in a condition were compared with: `time.callee` -> local times with their zones."""
    if isinstance(condition, Not):
        return compared_times(condition.part, facts)
    if isinstance(condition, AllOf | AnyOf):
        found: dict[str, str] = {}
        for part in condition.parts:
            found |= compared_times(part, facts)
        return found
    if not isinstance(condition, Time):
        return {}
    at = facts.get(AT)
    names = facts.get(zones_fact(condition.zone)) if condition.zone in OF_NUMBERS else (condition.zone,)
    if not isinstance(at, int | float) or not isinstance(names, tuple):
        return {}
    zones: dict[str, Offsets] = dict(condition.zones)
    shown = [f"{local_time(zones[name], at)} {name}" for name in names if name in zones]
    return {f"time.{condition.zone}": ", ".join(dict.fromkeys(shown))}


# ------------------------------------------------------------------------------------------ several


class _Negated(Test):
    """`not`: PENDING and FAILED stay what they are."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Test) -> None:
        self._inner = inner

    def truth(self, facts: Facts, asked: Asked) -> int:
        outcome = self._inner.truth(facts, asked)
        return 1 - outcome if outcome < PENDING else outcome


def _joined(tests: list[Test], settling: int) -> Test:
    """Several tests as one; FALSE settles an and, TRUE an or."""
    return tests[0] if len(tests) == 1 else _Joined(tests, settling)


class _Joined(Test):
    """And, or: what settles it where one is, else PENDING where one is, else FAILED where one is."""

    __slots__ = ("_settling", "_tests")

    def __init__(self, tests: list[Test], settling: int) -> None:
        self._tests = tests
        self._settling = settling

    def truth(self, facts: Facts, asked: Asked) -> int:
        settling = self._settling
        neutral = truth = 1 - settling
        for test in self._tests:
            outcome = test.truth(facts, asked)
            if outcome == settling:
                return settling
            if outcome != neutral and truth != PENDING:
                truth = outcome
        return truth
