"""That no rule rejects on a fact that is unknown: shown for each by going through the truth of its condition.

Enters: a Ruleset. Leaves: Weighed: how many combinations of facts were gone through, and a counterexample for each rule
that fails. Must not: run a check or place a call; the tests are those of the compiled policy.

With the facts of a check unknown, a rule may hold only if it holds whatever those facts are. So for each check that a
rule asks, with all facts of that check unknown and the others of every value that the condition can tell apart: where
the rule holds, it must hold as well with each value of what is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import combinations
from math import prod
from typing import Final

from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.finding import FactValue
from sipguard.screening.policy.compile import CompiledRule, reduced
from sipguard.screening.policy.model import AllOf, AnyOf, Compare, Condition, Not, OneOf, Time
from sipguard.screening.policy.predicates import FAILED, FALSE, TRUE, Asked, Facts, Test, check_of, facts_of
from sipguard.screening.policy.times import AT, SECONDS_OF_DAY, offset_s
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import REDIRECT, REJECT

MOST: Final = 5_000  # combinations of the known facts of one rule, and for each where it holds of the unknown ones
ABSENT: Final = "<absent>"  # its check has run and there is no such fact
OTHER: Final = "none of those"
_SOME_DAY: Final = 20_801  # a Monday of 2026, in days since 1970-01-01
_SPECS: Final = {spec.name: spec for spec in ALL_FACTS}

Values = Mapping[str, Sequence[FactValue]]
Known = dict[str, FactValue]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rule that rejects though a fact is unknown, and that would not if it were known."""

    trunk: str
    rule: str
    position: int  # in the policy
    checks: tuple[str, ...]  # that have failed
    known: tuple[tuple[str, object], ...]
    unknown: tuple[tuple[str, object], ...]  # values of the unknown facts with which the rule does not hold


@dataclass
class Weighed:
    """What was gone through."""

    rules: int = 0
    combinations: int = 0
    sampled: list[str] = field(default_factory=list)  # rules of which only a part was gone through, in words
    not_done: list[str] = field(default_factory=list)  # rules that there was no time for
    rejections: list[Rejection] = field(default_factory=list)


def weigh(ruleset: Ruleset, over: Callable[[], bool] = lambda: False) -> Weighed:
    """Goes through every rule that rejects or redirects, on every trunk that calls come in by."""
    weighed = Weighed()
    seen: set[tuple[str, str]] = set()
    for trunk in ruleset.trunks.values():
        if trunk.sources:
            _on(trunk, ruleset, weighed, seen, over)
    return weighed


def _on(trunk: Trunk, ruleset: Ruleset, weighed: Weighed, seen: set[tuple[str, str]], over: Callable[[], bool]) -> None:
    """The rules of one trunk, less those that stand for it as they stood for one before."""
    compiled = ruleset.compiled(trunk.name).rules
    for position, (rule, as_it_stands) in enumerate(zip(ruleset.policy.rules, compiled, strict=True)):
        if as_it_stands.test is None or as_it_stands.verdict.action not in (REJECT, REDIRECT):
            continue
        here = reduced(rule.when, {"trunk.name": trunk.name, "trunk.kind": trunk.kind})
        key = (rule.name, repr(here))
        if isinstance(here, bool) or key in seen:
            continue
        seen.add(key)
        if over():
            weighed.not_done.append(f"{rule.name} on trunk {trunk.name}")
            continue
        weighed.rules += 1
        found = rejects(here, as_it_stands.test, weighed, as_it_stands)
        if found is not None:
            weighed.rejections.append(Rejection(trunk.name, rule.name, position, *found))


Pairs = tuple[tuple[str, object], ...]


def rejects(
    condition: Condition, test: Test, weighed: Weighed, rule: CompiledRule | None = None
) -> tuple[tuple[str, ...], Pairs, Pairs] | None:
    """(checks that failed, known facts, facts not known) by which a condition holds and would not if all were known.

    None where there are none. `test` is what is asked, `condition` only says which facts and values matter.
    """
    values = values_of(condition)
    checks = sorted({check_of(fact) for fact in values} - {""})
    whole = True
    for size in range(1, len(checks) + 1):
        for failed in combinations(checks, size):
            unknown = {fact: each for fact, each in values.items() if check_of(fact) in failed}
            known = {fact: each for fact, each in values.items() if fact not in unknown}
            whole = whole and _size(known) <= MOST and _size(unknown) <= MOST
            for given in _combined(known):
                weighed.combinations += 1
                if not _holds(test, given, checks, failed):
                    continue
                for further in _combined(unknown):
                    weighed.combinations += 1
                    if test.truth(_facts({**given, **further}), dict.fromkeys(checks, FALSE)) != TRUE:
                        return failed, tuple(given.items()), tuple(further.items())
    if not whole or not _is_told(condition):
        name = rule.name if rule is not None else "this"
        weighed.sampled.append(f"rule {name}: of its combinations of facts {MOST} at a time, evenly spread")
    return None


def _holds(test: Test, given: Known, checks: Sequence[str], failed: Sequence[str]) -> bool:
    """Whether the condition holds while these checks have failed, or have not been asked yet."""
    facts = _facts(given)
    late: Asked = {check: FAILED if check in failed else FALSE for check in checks}
    if test.truth(facts, late) == TRUE:
        return True
    return test.truth(facts, {check: FALSE for check in checks if check not in failed}) == TRUE


def _facts(given: Known) -> Facts:
    return {fact: value for fact, value in given.items() if value is not ABSENT}


# ------------------------------------------------------------------------------------------ values


def values_of(condition: Condition) -> dict[str, list[FactValue]]:
    """For each fact that a condition asks, values of all kinds that it can tell apart."""
    found: dict[str, list[FactValue]] = {}
    for leaf in _leaves(condition):
        for fact in sorted(facts_of(leaf)):
            kept = found.setdefault(fact, [ABSENT])
            kept += [value for value in _told_apart(leaf, fact) if not _is_in(value, kept)]
    return found


def _is_in(value: FactValue, kept: Sequence[FactValue]) -> bool:
    """As `in`, with True and 1 told apart."""
    return any(type(value) is type(one) and value == one for one in kept)


def _leaves(condition: Condition) -> Iterator[Condition]:
    """The parts of a condition that ask facts."""
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from _leaves(part)
    elif isinstance(condition, Not):
        yield from _leaves(condition.part)
    else:
        yield condition


def _told_apart(leaf: Condition, fact: str) -> list[FactValue]:
    """Values of a fact with which one part of a condition may hold, and with which not."""
    spec = _SPECS.get(fact)
    kind = spec.type if spec is not None else "text"
    if isinstance(leaf, Compare):
        return [leaf.bound - 1, leaf.bound, leaf.bound + 1]
    if isinstance(leaf, Time):
        return _times_told_apart(leaf, fact)
    written: list[FactValue] = []
    if isinstance(leaf, OneOf):
        written = [*leaf.values, *(pattern.replace("*", "x") for pattern in leaf.patterns)]
    else:  # a kind of condition that is not known here: the scalars in it, and what its facts may be
        scalars = [getattr(leaf, each.name) for each in fields(leaf)]
        written = [value for value in scalars if isinstance(value, int | float | str) and value != fact]
    if kind == "flag":
        return [True, False]
    if kind == "number":
        numbers = [float(each) for each in written if isinstance(each, int | float)]
        return [*written, *(each + step for each in numbers for step in (-1, 1))] or [0.0, 1.0]
    if kind == "set":
        return [(), (OTHER,), *((str(value),) for value in written)]
    others = [each for each in spec.choices if each not in written][:1] if spec is not None else []
    return [*written, *(others or [OTHER])]


def _times_told_apart(time: Time, fact: str) -> list[FactValue]:
    """Of a window: zones, alone and together; or instants within, at its edges and beyond, on several days."""
    zones = [time.zones[0], time.zones[-1]] if time.zones else []
    if fact != AT:
        return [(), (OTHER,), *((name,) for name, _ in zones), tuple(name for name, _ in zones)]
    length = (time.end_s - time.begin_s) % SECONDS_OF_DAY
    first = min(time.dates, default=_SOME_DAY)
    days = [first - 1, first, *(first + day for day in range(1, 7) if time.days and not time.dates)]
    seconds = (time.begin_s - 1, time.begin_s, time.begin_s + length // 2, time.end_s)
    found: list[FactValue] = []
    for _, offsets in zones:
        for day in days:
            at = day * SECONDS_OF_DAY
            found += [float(at + second - offset_s(offsets, at)) for second in seconds]
    return found


def _is_told(condition: Condition) -> bool:
    """Whether every part is of a kind whose values are known here."""
    return all(isinstance(leaf, OneOf | Compare | Time) for leaf in _leaves(condition))


def _size(values: Values) -> int:
    return prod(len(each) for each in values.values())


def _combined(values: Values) -> Iterator[Known]:
    """Every combination; where there are more than MOST, so many of them, evenly spread."""
    size = _size(values)
    step = 1 if size <= MOST else (size // MOST) | 1
    for n in range(0, size, step):
        given: Known = {}
        left = n
        for fact, each in values.items():
            left, at = divmod(left, len(each))
            given[fact] = each[at]
        yield given
