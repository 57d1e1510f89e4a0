"""What is odd about a policy that can be used: rules that never act, words that are never used.

Enters: a Policy, the document that it was read from, its vocabulary, the day. Leaves: remarks with the path of what
they are about. Must not: remark on what is not certain: where a question has too many cases, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain, combinations
from typing import Final

from sipguard.screening.finding import FactValue
from sipguard.screening.policy.cases import Case, Space, Unanswered
from sipguard.screening.policy.errors import Path
from sipguard.screening.policy.model import AllOf, Condition, Override, Policy, Rule, Time, Vocabulary
from sipguard.screening.policy.predicates import facts_of
from sipguard.screening.policy.wording import written

_EPOCH = date(1970, 1, 1)
_AS_WRITTEN = Override("", "")
LOOKS_AT_ALL: Final = 4_000_000  # at single facts, for all rules of a policy together: some ten seconds
_LISTED = ".dnc_ratio_1h"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is odd. `mistake`: nobody can have meant it."""

    path: Path
    what: str
    hint: str = ""
    mistake: bool = False


@dataclass(frozen=True)
class Surroundings:
    """What a policy stands in: kinds of trunks by name, lists without entries, lists that nobody has imported yet,
    `is:` of other documents, the day; whether all lists of `checks.rate.do_not_call` are there."""

    unix_day: int
    trunks: Mapping[str, str] = field(default_factory=dict)
    empty_lists: frozenset[str] = frozenset()
    missing_lists: frozenset[str] = frozenset()
    used_elsewhere: frozenset[str] = frozenset()
    do_not_call: bool = True


def lint(policy: Policy, document: object, vocabulary: Vocabulary, around: Surroundings) -> list[Remark]:
    """All remarks, in the order of the rules, then of the definitions."""
    linter = _Linter(policy, vocabulary, around)
    remarks = [remark for at, rule in enumerate(policy.rules) for remark in linter.of_rule(at, rule)]
    remarks += _empty(policy, document)
    remarks += _traps(document, vocabulary)
    remarks += _definitions(document, around)
    remarks += _overrides(policy, around)
    if not vocabulary.redress and (policy.default_basis or any(rule.basis for rule in policy.rules)):
        hint = "write redress: {url: ..., tel: ...}; who blocks calls must name a contact (47 CFR 64.1200(k)(8))"
        remarks.append(Remark(("rules",), "calls are rejected, and nobody is named to complain to", hint))
    return remarks


class _Linter:
    """The rules of one policy, each looked at beside those above it."""

    def __init__(self, policy: Policy, vocabulary: Vocabulary, around: Surroundings) -> None:
        self._rules = policy.rules
        self._other = {(each.trunk, each.rule): each for each in policy.overrides}
        self._around = around
        conditions = [rule.when for rule in policy.rules]
        self._named = any("trunk.name" in facts_of(rule.when) for rule in policy.rules)
        self._trunks = _unlike(policy, around.trunks, self._named)
        self._space = Space(conditions, vocabulary.facts, from_day=around.unix_day)
        self._failing = Space(conditions, vocabulary.facts, failures=True, from_day=around.unix_day)

    def of_rule(self, at: int, rule: Rule) -> Iterator[Remark]:
        """Remarks on one rule."""
        path: Path = ("rules", at)
        if self._has_expired(rule):
            assert rule.until_day is not None
            last = _EPOCH + timedelta(days=rule.until_day)
            yield Remark((*path, "until"), f"the rule acts no more: its last day was {last}", "take it out", True)
        if not rule.rollout:
            yield Remark((*path, "rollout"), "the rule acts for no caller", "write a share, such as 1%")
        if rule.basis == "analytics" and not rule.report and rule.rollout == 10_000:
            what = "rejects every caller that analytics finds"
            yield Remark((*path, "reject"), what, "try it first: mode: report, then rollout: 5%")
        empty = [name for name in _lists_in(rule.when) if name in self._around.empty_lists]
        for name in empty:
            yield Remark((*path, "when"), f"list {name} has no entry", f"fill it, or see whether {rule.name} is needed")
        for name in _lists_in(rule.when):
            if name in self._around.missing_lists:
                what = f"nothing was imported as {name} yet: no condition on it holds, not even under not"
                yield Remark((*path, "when"), what, f"sipguard lists import {name} FILE")
        if not self._around.do_not_call and any(fact.endswith(_LISTED) for fact in facts_of(rule.when)):
            what = "a list of checks.rate.do_not_call is missing, so dnc_ratio_1h is absent and compares with nothing"
            yield Remark((*path, "when"), what, "name lists of numbers that are there, such as do_not_call: [dnc]")
        yield from self._reach(at, rule, path)

    def _reach(self, at: int, rule: Rule, path: Path) -> Iterator[Remark]:
        """Whether any call can match the rule, and come to it."""
        try:
            case = self._first(rule.when)
            if case is None:
                yield Remark((*path, "when"), f"no call can match: {self._why_never(rule.when)}", "", True)
                return
            places = self._places(rule)
            if not places:
                what = "no trunk of this configuration brings calls that match"
                if any((name, rule.name) in self._other for name in self._around.trunks):
                    what += ", or the rule is off there"
                yield Remark((*path, "on" if rule.on and rule.when == AllOf(()) else "when"), what)
                return
            shadows = self._shadows(at, rule, places)
        except Unanswered:
            return
        if shadows:
            names = ", ".join(each.name for each in shadows)
            what = f"every call that matches has matched above, in {names}"
            yield Remark(path, what, f"put {rule.name} before {shadows[0].name}, or take it out", True)

    def _first(self, *conditions: Condition, fixed: Mapping[str, FactValue] | None = None) -> Case | None:
        """A case in which all conditions hold."""
        return next(self._space.cases([(condition, True) for condition in conditions], fixed), None)

    def _why_never(self, condition: Condition) -> str:
        """The least of it that holds of no call."""
        if isinstance(condition, AllOf):
            for part in condition.parts:
                if self._first(part) is None:
                    return self._why_never(part)
            for one, other in combinations(condition.parts, 2):
                if self._first(one, other) is None:
                    return f"{written(one)} and {written(other)} exclude each other"
        over = isinstance(condition, Time) and condition.dates and self._around.unix_day > max(condition.dates)
        return f"{written(condition)} never holds{', since its dates are over' if over else ''}"

    def _places(self, rule: Rule) -> list[str]:
        """The trunks by which calls can come that match the rule, of like ones one; [""] where no trunks are known."""
        if not self._around.trunks:
            return [""]
        return [
            name
            for name in self._trunks
            if (not rule.on or name in rule.on)
            and not self._at(rule, name).off
            and self._first(rule.when, fixed=self._fixed(name)) is not None
        ]

    def _fixed(self, trunk: str) -> dict[str, FactValue]:
        """The facts of calls of a trunk."""
        return {"trunk.name": trunk, "trunk.kind": self._around.trunks[trunk]} if trunk else {}

    def _at(self, rule: Rule, trunk: str) -> Override:
        """How the rule acts on a trunk."""
        other = self._other.get((trunk, rule.name), _AS_WRITTEN)
        return Override(
            trunk,
            rule.name,
            other.off,
            rule.report if other.report is None else other.report,
            rule.rollout if other.rollout is None else other.rollout,
            rule.until_day if other.until_day is None else other.until_day,
        )

    def _shadows(self, at: int, rule: Rule, places: list[str]) -> tuple[Rule, ...]:
        """Rules above that leave this one no call on these trunks, whichever checks fail; none where it gets one."""
        if self._has_expired(rule):
            return ()
        ending = {trunk: [each for each in self._rules[:at] if self._ends_for(each, rule, trunk)] for trunk in places}
        found = {trunk: self._alone(trunk, rule, ending[trunk]) for trunk in places}
        alike: dict[str, list[str]] = {}
        for trunk in places:
            if not found[trunk]:
                alike.setdefault(trunk if self._named else self._around.trunks.get(trunk, ""), []).append(trunk)
        for trunks in alike.values():  # a call that all of them leave, fewer of them leave too
            every = {each.name: each for trunk in trunks for each in ending[trunk]}
            if not every or self._escapes(rule, list(every.values()), trunks[0]):
                return ()
        for trunk in chain(*alike.values()):
            found[trunk] = self._together(trunk, rule, ending[trunk])
            if not found[trunk]:
                return ()
        names = {each.name for there in found.values() for each in there}
        return tuple(each for each in self._rules[:at] if each.name in names)

    def _alone(self, trunk: str, rule: Rule, above: list[Rule]) -> list[Rule]:
        """The first of those above that by itself leaves the rule no call of a trunk, if one does."""
        known = facts_of(rule.when) | {"trunk.name", "trunk.kind"}
        for each in above:
            if facts_of(each.when) <= known and not self._escapes(rule, [each], trunk):
                return [each]
        return []

    def _together(self, trunk: str, rule: Rule, above: list[Rule]) -> list[Rule]:
        """Those above, as few as will do, that leave the rule no call of a trunk, if they do."""
        if not above or self._escapes(rule, above, trunk):
            return []
        for each in tuple(above):
            rest = [other for other in above if other is not each]
            if not self._escapes(rule, rest, trunk):
                above = rest
        return above

    def _escapes(self, rule: Rule, above: list[Rule], trunk: str) -> bool:
        """Whether a call of a trunk can match `rule` and none of those above. Raises Unanswered."""
        if self._failing.spent > LOOKS_AT_ALL:
            raise Unanswered
        wanted = [(rule.when, True), *((each.when, False) for each in above)]
        return next(self._failing.cases(wanted, self._fixed(trunk)), None) is not None

    def _ends_for(self, above: Rule, rule: Rule, trunk: str) -> bool:
        """Whether a rule above ends the rules for each call of a trunk that matches it, where the other would act."""
        if above.continues or (not trunk and any(name == above.name for _, name in self._other)):
            return False
        one, other = self._at(above, trunk), self._at(rule, trunk)
        if one.off or one.report or one.rollout != 10_000:
            return False
        if one.until_day is not None and (other.until_day is None or other.until_day > one.until_day):
            return False
        if not trunk:
            return not above.on or (bool(rule.on) and set(rule.on) <= set(above.on))
        return not above.on or trunk in above.on

    def _has_expired(self, rule: Rule) -> bool:
        return rule.until_day is not None and rule.until_day < self._around.unix_day


def _unlike(policy: Policy, trunks: Mapping[str, str], all_named: bool) -> tuple[str, ...]:
    """Of trunks that no rule tells apart one: those of a kind of which the policy names none."""
    named = {name for rule in policy.rules for name in rule.on} | {each.trunk for each in policy.overrides}
    named |= set(trunks) if all_named else set()
    found: dict[tuple[str, str], str] = {}
    for name, kind in trunks.items():
        found.setdefault((kind, name if name in named else ""), name)
    return tuple(found.values())


def _lists_in(condition: Condition) -> list[str]:
    """Names of the lists that a condition asks for, each once."""
    found: dict[str, None] = {}
    stack: list[Condition] = [condition]
    while stack:
        each = stack.pop()
        stack += getattr(each, "parts", ())
        part = getattr(each, "part", None)
        if part is not None:
            stack.append(part)
        if getattr(each, "fact", "").startswith("lists."):
            found.update(dict.fromkeys(getattr(each, "values", ())))
    return list(found)


def _empty(policy: Policy, document: object) -> Iterator[Remark]:
    """That no rule stands in a policy."""
    if policy.rules or not isinstance(document, dict):
        return
    becomes = f"is rejected on the basis {policy.default_basis}" if policy.default_basis else "passes"
    path: Path = ("rules",) if "rules" in document else ()
    hint = "write - {name: ..., when: {...}, reject: BASIS} below rules"
    yield Remark(path, f"no rule stands here: every call {becomes}", hint, True)


# ------------------------------------------------------------------------------------------ traps


def _traps(document: object, vocabulary: Vocabulary) -> Iterator[Remark]:
    """What reads as if it said something else, wherever a condition is written."""
    if not isinstance(document, dict):
        return
    counts = frozenset(each.name for each in vocabulary.facts if each.type == "number" and each.name[:5] == "rate.")
    rules, defined = document.get("rules"), document.get("define")
    for at, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict):
            yield from _trap(rule.get("when"), ("rules", at, "when"), counts)
            label = rule.get("label")
            prefix = label.get("prefix") if isinstance(label, dict) else None
            if isinstance(prefix, str) and (prefix[-1:].isalnum() or prefix[-1:] in tuple("?!:.-")):
                what = f"the prefix {prefix} runs into the name behind it"
                yield Remark(("rules", at, "label", "prefix"), what, f'write "{prefix} " in quotes')
    for name, condition in defined.items() if isinstance(defined, dict) else ():
        yield from _trap(condition, ("define", str(name)), counts)


def _trap(condition: object, path: Path, counts: frozenset[str]) -> Iterator[Remark]:
    """`not` of a map, which is not all of it instead of none of it; a count that must be exactly so many."""
    if isinstance(condition, list):
        for at, part in enumerate(condition):
            yield from _trap(part, (*path, at), counts)
    if not isinstance(condition, dict):
        return
    for key, wanted in condition.items():
        here: Path = (*path, str(key))
        if key == "not" and isinstance(wanted, dict) and len(wanted) > 1:
            parts = ", ".join(f"{{{each}: ...}}" for each in wanted)
            what = f"this holds where only one of {' and '.join(map(str, wanted))} is not so"
            yield Remark(
                here, what, f"write not: {{any: [{parts}]}} for none of them, or not: {{all: [{parts}]}}", True
            )
        if key in counts and isinstance(wanted, int | float) and not isinstance(wanted, bool):
            what = f"this holds at exactly {wanted:g} only"
            yield Remark(
                here, what, f"write {{over: {wanted:g}}}, or {{at_least: {wanted:g}, at_most: {wanted:g}}}", True
            )
        below = [each for each in ("over", "at_least") if key in counts and _is_negative(wanted, each)]
        for each in below:
            what = f"no count and no ratio is below 0: this holds wherever there is a {key}"
            yield Remark((*here, each), what, "write {over: 0}, or take it out", True)
        yield from _trap(wanted, here, counts)


def _is_negative(compared: object, key: str) -> bool:
    """Whether `key` of a comparison is a bound below 0."""
    bound = compared.get(key) if isinstance(compared, dict) else None
    return isinstance(bound, int | float) and bound < 0


def _overrides(policy: Policy, around: Surroundings) -> Iterator[Remark]:
    """What is other on one trunk, and over there, or of a rule that is not asked there."""
    on = {rule.name: rule.on for rule in policy.rules}
    for each in policy.overrides:
        only = on.get(each.rule, ())
        if only and each.trunk not in only:
            what = f"rule {each.rule} is not asked about calls of trunk {each.trunk} in any case"
            yield Remark(("overrides", each.trunk, each.rule), what, f"its on names {', '.join(only)}")
        if not each.off and each.until_day is not None and each.until_day < around.unix_day:
            last = _EPOCH + timedelta(days=each.until_day)
            what = f"on trunk {each.trunk} rule {each.rule} acts no more: its last day was {last}"
            yield Remark(("overrides", each.trunk, each.rule, "until"), what, "take it out, or write off", True)


# ------------------------------------------------------------------------------------------ definitions


def names_used(document: object) -> frozenset[str]:
    """Names that stand under an `is:` anywhere in a document."""
    if isinstance(document, list):
        return frozenset[str]().union(*(names_used(each) for each in document))
    if not isinstance(document, dict):
        return frozenset()
    wanted = document.get("is", ())
    own = frozenset(each for each in (wanted if isinstance(wanted, list) else [wanted]) if isinstance(each, str))
    return own.union(*(names_used(each) for each in document.values()))


def _definitions(document: object, around: Surroundings) -> Iterator[Remark]:
    """Definitions that nobody uses."""
    defined = document.get("define") if isinstance(document, dict) else None
    if not isinstance(defined, dict):
        return
    used = names_used(document) | around.used_elsewhere
    for name in defined:
        if name not in used:
            yield Remark(("define", str(name)), f"nothing uses {name}", f"write is: {name}, or take it out")
