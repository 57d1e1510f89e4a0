"""What changes from one policy to another: in words, and as calls that are judged otherwise.

Enters: two policies, the trunks that calls come by. Leaves: changes, each with sample calls that both policies were run
on. Must not: call a change harmless: where no call was found, that is all that is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from typing import Final

from sipguard.screening.finding import FactSpec, FactValue
from sipguard.screening.policy.cases import Space, Unanswered, Wanted
from sipguard.screening.policy.compile import CompiledPolicy, compile_policy
from sipguard.screening.policy.decide import decide
from sipguard.screening.policy.model import LabelSpec, Policy, Redress, Response, Rule
from sipguard.screening.policy.predicates import FALSE
from sipguard.screening.policy.wording import written
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import Verdict

CALLERS: Final = tuple(f"1202555{number:04}" for number in range(100, 200))  # some are on each side of a rollout
_CASES: Final = 50  # of one question that both policies are run on
_SAMPLES: Final = 4  # of one change
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Sample:
    """A call that is judged otherwise: its facts, those that are absent left out."""

    trunk: str
    caller: str
    facts: Mapping[str, FactValue]
    before: Verdict
    after: Verdict


@dataclass(slots=True)
class Change:
    """One change: what it is about, `rule NAME`, `default`, `responses`; what changed, in words."""

    about: str
    what: tuple[str, ...]
    samples: list[Sample] = field(default_factory=list)


def differences(
    old: Policy,
    new: Policy,
    trunks: Sequence[tuple[Trunk, Trunk]],
    specs: Sequence[FactSpec],
    costs: Mapping[str, int],
    unix_day: int,
) -> list[Change]:
    """All changes from `old` to `new`, in the order of the new rules, then those that are gone, then the rest.

    `trunks`: each that calls come by, as it is before and after; another kind of one is a change too.
    """
    return _Comparison(old, new, trunks, specs, costs, unix_day).changes()


class _Comparison:
    """Two policies beside each other."""

    def __init__(
        self,
        old: Policy,
        new: Policy,
        trunks: Sequence[tuple[Trunk, Trunk]],
        specs: Sequence[FactSpec],
        costs: Mapping[str, int],
        unix_day: int,
    ) -> None:
        self.old = old
        self.new = new
        self.day = unix_day
        self.asked = dict.fromkeys(costs, FALSE)
        self.trunks = [
            _Pair(was, now, compile_policy(old, was, costs), compile_policy(new, now, costs)) for was, now in trunks
        ]
        self.before = {rule.name: rule for rule in old.rules}
        self.after = {rule.name: rule for rule in new.rules}
        self.space = Space([rule.when for rule in (*old.rules, *new.rules)], specs, from_day=unix_day)
        limited = any(rule.rollout < 10_000 for rule in (*old.rules, *new.rules))
        self.callers = CALLERS if limited else CALLERS[:1]

    def changes(self) -> list[Change]:
        """Each with its samples."""
        found = []
        moved = _moved([rule.name for rule in self.old.rules], [rule.name for rule in self.new.rules])
        for rule in self.new.rules:
            before = self.before.get(rule.name)
            what = ("added",) if before is None else tuple(_changed(before, rule))
            if rule.name in moved:
                what += (_place(rule.name, self.new),)
            if what:
                found.append(self._change(f"rule {rule.name}", what, self._around(rule.name)))
        for rule in self.old.rules:
            if rule.name not in self.after:
                found.append(self._change(f"rule {rule.name}", ("removed",), self._around(rule.name)))
        return found + self._of_the_rest() + [self._of_kind(pair) for pair in self.trunks if pair.kinds[1:]]

    def _of_kind(self, pair: _Pair) -> Change:
        """A trunk is of another kind, so that other rules ask about its calls."""
        change = Change(f"trunks.{pair.name}.kind", (" -> ".join(pair.kinds),))
        reached = (
            [(rule.when, True), *_not_ended(rule.name, policy)]
            for policy in (self.new, self.old)
            for rule in policy.rules
        )
        self._add_samples(change, reached, [pair])
        return change

    def _of_the_rest(self) -> list[Change]:
        """What is changed of the default and the answers."""
        old, new, found = self.old, self.new, []
        if old.default_basis != new.default_basis:
            what = f"{_default(old)} -> {_default(new)}"
            found.append(self._change("default", (what,), [[(rule.when, False) for rule in new.rules if _ends(rule)]]))
        for basis in dict.fromkeys((*old.responses, *new.responses)):
            before, after = _answer(old.responses.get(basis)), _answer(new.responses.get(basis))
            if before != after:
                change = Change(f"responses.{basis}", (f"{before} -> {after}",))
                mine = [rule for rule in new.rules if rule.basis == basis]
                wanted = ([(rule.when, True), *_not_ended(rule.name, new)] for rule in mine)
                samples = (self._sample(each, self.trunks) for each in wanted)
                change.samples += islice((sample for sample in samples if sample is not None), 1)
                found.append(change)
        for place in dict.fromkeys((each.trunk, each.rule) for each in (*old.overrides, *new.overrides)):
            one, other = _other(place, old), _other(place, new)
            if one != other:
                found.append(
                    self._change(f"overrides.{'.'.join(place)}", (f"{one} -> {other}",), self._around(place[1]))
                )
        if old.redress != new.redress:
            what = f"{_redress(old.redress)} -> {_redress(new.redress)}"
            found.append(Change("redress", (what,)))
        return found

    def _change(self, about: str, what: tuple[str, ...], questions: Iterable[Sequence[Wanted]]) -> Change:
        change = Change(about, what)
        self._add_samples(change, questions, self.trunks)
        return change

    def _add_samples(self, change: Change, questions: Iterable[Sequence[Wanted]], pairs: Sequence[_Pair]) -> None:
        seen: set[object] = set()
        for wanted in questions:
            if len(change.samples) == _SAMPLES:
                break
            sample = self._sample(wanted, pairs)
            if sample is not None and (key := (_told(sample.before), _told(sample.after))) not in seen:
                seen.add(key)
                change.samples.append(sample)

    # -------------------------------------------------------------------------------- sample calls

    def _around(self, name: str) -> Iterator[list[Wanted]]:
        """Calls that may be judged otherwise since the rule of this name is another, or stands elsewhere.

        It is reached under one policy; under the other no rule ends the rules, or one of them is reached.
        """
        before, after = self.before.get(name), self.after.get(name)
        for mine, other, here, there in ((after, before, self.new, self.old), (before, after, self.old, self.new)):
            if mine is not None:
                reached: list[Wanted] = [(mine.when, True), *_not_ended(mine.name, here)]
                if other is not None and other.when != mine.when:
                    yield [*reached, (other.when, False)]
                yield reached
                yield [*reached, *_not_ended("", there)]
                for rule in there.rules:
                    yield [*reached, (rule.when, True), *_not_ended(rule.name, there)]

    def _sample(self, wanted: Sequence[Wanted], pairs: Sequence[_Pair]) -> Sample | None:
        """A call of which all that is wanted holds, and that the two judge otherwise."""
        for pair in pairs:
            for kind in pair.kinds:
                fixed: dict[str, FactValue] = {"trunk.name": pair.name, "trunk.kind": kind}
                try:
                    for case in islice(self.space.cases(wanted, fixed), _CASES):
                        facts = self.space.facts(case)
                        sample = self._judged(pair, facts) if facts is not None else None
                        if sample is not None:
                            return sample
                except Unanswered:
                    continue
        return None

    def _judged(self, pair: _Pair, facts: dict[str, FactValue]) -> Sample | None:
        there = {name: value for name, value in facts.items() if value is not None and value != ()}
        for caller in self.callers:
            one = decide(facts, self.asked, pair.before, caller, self.day)
            other = decide(facts, self.asked, pair.after, caller, self.day)
            assert isinstance(one, Verdict) and isinstance(other, Verdict)
            if _told(one) != _told(other):
                return Sample(pair.name, caller, there, one, other)
        return None


class _Pair:
    """A trunk, with the policies as they stand there; what it is itself is other too, perhaps."""

    __slots__ = ("after", "before", "kinds", "name")

    def __init__(self, was: Trunk, now: Trunk, before: CompiledPolicy, after: CompiledPolicy) -> None:
        self.name = now.name
        self.kinds = tuple(dict.fromkeys((was.kind, now.kind)))
        self.before = before
        self.after = after


def _ends(rule: Rule) -> bool:
    return not rule.report and not rule.continues and rule.rollout == 10_000


def _not_ended(name: str, policy: Policy) -> list[Wanted]:
    """That no rule above the one of this name ends the rules."""
    found: list[Wanted] = []
    for rule in policy.rules:
        if rule.name == name:
            break
        if _ends(rule) and rule.until_day is None and not rule.on:
            found.append((rule.when, False))
    return found


def _told(verdict: Verdict) -> tuple[object, ...]:
    """What callers, callees and records see of a verdict, but for the name of the rule."""
    label, redirect = verdict.label, verdict.redirect
    return (
        verdict.action,
        verdict.basis,
        verdict.status,
        verdict.phrase,
        verdict.headers,
        (label.prefix, label.max, label.headers, label.verstat) if label is not None else None,
        (redirect.contact, redirect.route) if redirect is not None else None,
        frozenset(verdict.tags),
        frozenset(verdict.reported),
    )


# ------------------------------------------------------------------------------------------ in words


def _moved(before: list[str], after: list[str]) -> set[str]:
    """Names in both that must move so that the others stand in their old order: as few as can be."""
    places = {name: at for at, name in enumerate(before)}
    common = [name for name in after if name in places]
    best: list[tuple[int, int]] = []  # (how many stay up to here, place in `common` of the one before or -1)
    for at, name in enumerate(common):
        chains = [(best[n][0], n) for n in range(at) if places[common[n]] < places[name]]
        length, last = max(chains, default=(0, -1))
        best.append((length + 1, last))
    stay: set[str] = set()
    at = max(range(len(best)), key=lambda n: best[n][0], default=-1)
    while at >= 0:
        stay.add(common[at])
        at = best[at][1]
    return set(common) - stay


def _place(name: str, policy: Policy) -> str:
    names = [rule.name for rule in policy.rules]
    at = names.index(name)
    return f"moved, now before {names[at + 1]}" if at + 1 < len(names) else "moved, now the last"


def _changed(before: Rule, after: Rule) -> Iterator[str]:
    """What is other about a rule, each as `mode: report -> enforce`."""
    if before.when != after.when:
        yield f"when: {written(before.when)} -> {written(after.when)}"
    for key, one, other in zip(_KEYS, _said(before), _said(after), strict=True):
        if one != other:
            yield f"{key}: {one} -> {other}"


_KEYS: Final = ("does", "mode", "rollout", "until", "on", "label", "tag", "continue")


def _said(rule: Rule) -> tuple[str, ...]:
    return (
        _does(rule),
        "report" if rule.report else "enforce",
        f"{rule.rollout / 100:g}%",
        _day(rule.until_day) if rule.until_day is not None else "no last day",
        ", ".join(rule.on) or "all trunks",
        _label(rule.label),
        ", ".join(rule.tags) or "none",
        "true" if rule.continues else "false",
    )


def _label(label: LabelSpec | None) -> str:
    if label is None:
        return "none"
    parts = [f'"{label.prefix}"', f"max {label.max}" if label.max else "", label.verstat]
    return ", ".join([*filter(None, parts), *(f"{name}: {text}" for name, text in label.headers)])


def _does(rule: Rule) -> str:
    if rule.basis:
        return f"reject {rule.basis}"
    return f"redirect {rule.contact or rule.route}" if rule.contact or rule.route else "lets the call go on"


def _default(policy: Policy) -> str:
    return f"reject {policy.default_basis}" if policy.default_basis else "allow"


def _answer(response: Response | None) -> str:
    if response is None:
        return "none"
    return f"{response.status}{'+' if response.plus else ''} {response.phrase}".strip() if response.status else "auto"


def _other(place: tuple[str, str], policy: Policy) -> str:
    """An override in words."""
    for each in policy.overrides:
        if (each.trunk, each.rule) == place:
            mode = "off" if each.off else "report" if each.report else "enforce"
            parts = [f"mode: {mode}"] if each.off or each.report is not None else []
            parts.append(f"rollout: {each.rollout / 100:g}%" if each.rollout is not None else "")
            parts.append(f"until: {_day(each.until_day)}" if each.until_day is not None else "")
            return ", ".join(filter(None, parts)) or "as everywhere"
    return "as everywhere"


def _day(unix_day: int) -> str:
    return str(_EPOCH + timedelta(days=unix_day))


def _redress(redress: Redress) -> str:
    return ", ".join(each for each in (redress.url, redress.tel, redress.email) if each) or "none"
