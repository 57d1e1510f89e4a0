"""Which facts make conditions hold: one case for each way in which the conditions can tell facts apart.

Enters: conditions, what is known of facts. Leaves: cases, as values of variables. Must not: miss one: where a condition
says more than can be told apart here, that part is a variable by itself, and some cases may be none.

A fact that is no set is one variable: its known values, or one value for each part between those that conditions name;
None for an absent one. A set is a flag for each member that is named. That a check failed is a flag too, where asked.
A time is a variable too, beside the other times of its zone: not all of them can hold together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sipguard.numbers.glob import Glob
from sipguard.screening.finding import FactSpec, FactValue
from sipguard.screening.policy.model import AllOf, AnyOf, Compare, Condition, Not, OneOf, Time
from sipguard.screening.policy.moments import Moment, any_of, moments
from sipguard.screening.policy.predicates import FAILED, FALSE, PENDING, TRUE, Test, check_of, truth_of
from sipguard.screening.policy.times import AT, OF_NUMBERS, SECONDS_OF_DAY, offset_s, zones_fact

Variable = tuple[str, str]  # (what kind: fact | member of FACT | time | opaque | failed, which)
Case = dict[Variable, FactValue]
_Narrowed = dict[Variable, tuple[FactValue, ...]]  # the values of a fact that are left
Wanted = tuple[Condition, bool]  # a condition, and whether it must hold, or must not

LOOKS: Final = 200_000  # at single facts, before the question counts as one that is not answered: about half a second
_FACT: Final = "fact"
_OPAQUE: Final = "opaque"
_FAILED: Final = "failed"
_TIME: Final = "time"
_USUAL_ZONE: Final = "America/New_York"  # of those that a number may be in
_ANY_TEXT: Final = "\N{SECTION SIGN}"  # stands for any text: no policy has it in a pattern
OTHER: Final = "other"  # a text that no condition names


class Unanswered(Exception):
    """Too many cases to look at."""


class Space:
    """What some conditions can tell apart. `failures` has checks that may have failed; `from_day`: what is before that
    day (UTC, since 1970-01-01) does not come again."""

    def __init__(
        self, conditions: Iterable[Condition], specs: Iterable[FactSpec], failures: bool = False, from_day: int = 0
    ) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._atoms: dict[str, list[OneOf | Compare]] = {}
        self._failures = failures
        self._tests: dict[OneOf | Compare, Test] = {}
        self._members: dict[str, list[str]] = {}
        self._values: dict[Variable, tuple[FactValue, ...]] = {}
        self._fitting: dict[tuple[OneOf | Compare, int], tuple[FactValue, ...]] = {}
        self._times: dict[Time, _Timed] = {}
        self._beside: dict[Variable, list[_Timed]] = {}  # by the variable of a time, all those of its zone
        self._looks = self.spent = 0
        for condition in conditions:
            self._collect(condition)
        self._part_times(from_day)
        for fact, atoms in self._atoms.items():
            if self._is_set(fact):
                self._members[fact] = _members(atoms, self._choices(fact))
            else:
                self._values[_FACT, fact] = _apart(self._specs.get(fact), atoms)

    def _collect(self, condition: Condition) -> None:
        if isinstance(condition, OneOf | Compare):
            self._atoms.setdefault(condition.fact, []).append(condition)
        elif isinstance(condition, Time):
            self._times.setdefault(condition, _Timed((_TIME, repr(condition)), condition))
        elif isinstance(condition, Not):
            self._collect(condition.part)
        elif isinstance(condition, AllOf | AnyOf):
            for part in condition.parts:
                self._collect(part)

    def _part_times(self, from_day: int) -> None:
        """Sets the moments that the times of each zone tell apart."""
        by_zone: dict[str, list[_Timed]] = {}
        for timed in self._times.values():
            by_zone.setdefault(timed.time.zone, []).append(timed)
        for group in by_zone.values():
            found = moments([timed.time for timed in group], from_day, self._failures)
            for at, timed in enumerate(group):
                timed.moments = found if found is not None else any_of()
                place = at if found is not None else 0
                for n, moment in enumerate(timed.moments):
                    timed.when[moment.truths[place]] |= 1 << n
                self._beside[timed.variable] = group if found is not None else [timed]

    def _is_set(self, fact: str) -> bool:
        spec = self._specs.get(fact)
        return spec is not None and spec.type == "set"

    def _choices(self, fact: str) -> tuple[str, ...]:
        spec = self._specs.get(fact)
        return spec.choices if spec is not None else ()

    # -------------------------------------------------------------------------------- cases

    def cases(self, wanted: Sequence[Wanted], fixed: Mapping[str, FactValue] | None = None) -> Iterator[Case]:
        """Every case in which all that is wanted holds, as far as it matters. Raises Unanswered.

        `fixed`: facts that are given.
        """
        self._looks = 0
        case: Case = {(_FACT, name): value for name, value in (fixed or {}).items()}
        narrowed: _Narrowed = {}
        for condition, must in wanted:
            self._narrow(condition, must, narrowed)
        yield from self._search(wanted, case, narrowed)

    def _narrow(self, condition: Condition, must: bool, narrowed: _Narrowed) -> None:
        """Leaves out values of facts with which a condition cannot hold that must, where one fact decides that."""
        if not must:
            return
        if isinstance(condition, AllOf):
            for part in condition.parts:
                self._narrow(part, must, narrowed)
        atom = condition.part if isinstance(condition, Not) else condition
        if isinstance(atom, OneOf | Compare) and atom.fact not in self._members:
            self._keep(atom, TRUE if atom is condition else FALSE, narrowed)

    def _keep(self, atom: OneOf | Compare, wanted: int, narrowed: _Narrowed) -> None:
        variable = (_FACT, atom.fact)
        fitting = self._fitting.get((atom, wanted))
        if fitting is None:
            given: Case = {(_FAILED, check_of(atom.fact)): False}
            truths = [(value, self._atom(atom, {**given, variable: value})) for value in self._values[variable]]
            fitting = self._fitting[atom, wanted] = tuple(
                value for value, truth in truths if truth in (wanted, PENDING)
            )
        before = narrowed.get(variable)
        if before is not None:
            fitting = tuple(value for value in before if value in fitting)
        narrowed[variable] = fitting

    def _search(self, wanted: Sequence[Wanted], case: Case, narrowed: _Narrowed) -> Iterator[Case]:
        at = 0
        for condition, must in wanted:
            truth = self.truth(condition, case)
            if truth == PENDING:
                break
            if (truth == TRUE) is not must:
                return
            at += 1
        else:
            yield dict(case)
            return
        variable = self._first_open(condition, case)
        values = self._left(variable, case) if variable[0] == _TIME else narrowed.get(variable)
        for value in self._values.get(variable, (False, True)) if values is None else values:
            case[variable] = value
            yield from self._search(wanted[at:], case, narrowed)
        case.pop(variable, None)

    def truth(self, condition: Condition, case: Case) -> int:
        """FALSE, TRUE, FAILED; PENDING where it depends on what the case leaves open."""
        if isinstance(condition, Not):
            inner = self.truth(condition.part, case)
            return 1 - inner if inner < PENDING else inner
        if isinstance(condition, AllOf | AnyOf):
            settling = FALSE if isinstance(condition, AllOf) else TRUE
            found = 1 - settling
            for part in condition.parts:
                truth = self.truth(part, case)
                if truth == settling:
                    return settling
                if truth != 1 - settling and found != PENDING:
                    found = truth
            return found
        if isinstance(condition, Time):
            return self._timed(condition, case)
        return self._atom(condition, case)

    def _look(self) -> None:
        self._looks += 1
        self.spent += 1
        if self._looks > LOOKS:
            raise Unanswered

    def _timed(self, time: Time, case: Case) -> int:
        """Whether a time holds at the moment of a case."""
        self._look()
        truth = case.get(self._times[time].variable)
        return PENDING if truth is None else int(str(truth))

    def _left(self, variable: Variable, case: Case) -> tuple[FactValue, ...]:
        """What a time can still be beside the others of its zone."""
        group = self._beside[variable]
        left = _left_of(group, case)
        (timed,) = (each for each in group if each.variable == variable)
        return tuple(truth for truth in (FALSE, TRUE, FAILED) if timed.when[truth] & left)

    def _atom(self, atom: OneOf | Compare, case: Case) -> int:
        self._look()
        check = check_of(atom.fact)
        if self._failures and check:
            failed = _flag(case, (_FAILED, check))
            if failed != FALSE:
                return FAILED if failed == TRUE else PENDING
        if atom.fact in self._members:
            return self._held(atom, case)
        variable = (_FACT, atom.fact)
        if variable not in case:
            return PENDING
        if isinstance(atom, OneOf) and not _is_plain(atom) and not self._choices(atom.fact):
            return _flag(case, (_OPAQUE, repr(atom)))
        test = self._tests.get(atom)
        if test is None:
            test = self._tests[atom] = truth_of(atom, {})
        return test.truth({atom.fact: case[variable]}, {})

    def _held(self, atom: OneOf | Compare, case: Case) -> int:
        """Whether a set holds one of the members that are meant."""
        truth = FALSE
        for member in self._meant(atom):
            held = _flag(case, (atom.fact, member))
            if held == TRUE:
                return TRUE
            truth = max(truth, held)
        return truth

    def _meant(self, atom: OneOf | Compare) -> list[str]:
        """The members of its set that an atom asks for."""
        if isinstance(atom, Compare):
            return []
        globs = [Glob(pattern) for pattern in atom.patterns]
        return [
            member
            for member in self._members[atom.fact]
            if member in atom.values or member in atom.patterns or any(glob.fits(member) for glob in globs)
        ]

    def _first_open(self, condition: Condition, case: Case) -> Variable:
        """A variable that a condition which is open waits for."""
        if isinstance(condition, Not):
            return self._first_open(condition.part, case)
        if isinstance(condition, AllOf | AnyOf):
            return self._first_open(next(part for part in condition.parts if self.truth(part, case) == PENDING), case)
        if isinstance(condition, Time):
            return self._times[condition].variable
        check = check_of(condition.fact)
        if self._failures and check and (_FAILED, check) not in case:
            return _FAILED, check
        if condition.fact in self._members:
            return next((condition.fact, each) for each in self._meant(condition) if (condition.fact, each) not in case)
        if (_FACT, condition.fact) not in case:
            return _FACT, condition.fact
        return _OPAQUE, repr(condition)

    # -------------------------------------------------------------------------------- facts of a case

    def facts(self, case: Case) -> dict[str, FactValue] | None:
        """The facts of a case; None where it rests on what no facts are known for."""
        found: dict[str, FactValue] = {}
        for (kind, which), value in case.items():
            if kind in (_OPAQUE, _FAILED):
                if value:
                    return None
            elif kind == _TIME:
                if not self._told_by_facts((kind, which), case, found):
                    return None
            elif kind == _FACT:
                found[which] = value.replace(_ANY_TEXT, "0") if isinstance(value, str) else value
            else:
                before = found.get(kind) or ()
                assert isinstance(before, tuple)
                found[kind] = (*before, which.replace("*", "0")) if value else before
        return found

    def _told_by_facts(self, variable: Variable, case: Case, found: dict[str, FactValue]) -> bool:
        """Adds the facts by which the times of a zone are as in a case; False where there are none. Without facts no
        time is known."""
        group = self._beside[variable]
        asked = [timed for timed in group if case.get(timed.variable) is not None]
        if variable != asked[0].variable or all(case[timed.variable] == FAILED for timed in asked):
            return True
        left = _left_of(group, case)
        fitting = (each for n, each in enumerate(group[0].moments) if left >> n & 1 and each.day >= 0)
        moment, time = next(fitting, None), group[0].time
        if moment is None or not time.zones or AT in found:
            return False
        name, offsets = next((each for each in time.zones if each[0] == _USUAL_ZONE), time.zones[0])
        local_s = moment.day * SECONDS_OF_DAY + moment.second
        found[AT] = local_s - offset_s(offsets, local_s - offset_s(offsets, local_s))
        if time.zone in OF_NUMBERS:
            found[zones_fact(time.zone)] = (name,)
        return True


class _Timed:
    """A time, and at which of the moments of its zone it is what: a bit for each of them."""

    __slots__ = ("moments", "time", "variable", "when")

    def __init__(self, variable: Variable, time: Time) -> None:
        self.variable = variable
        self.time = time
        self.moments: list[Moment] = []
        self.when = {FALSE: 0, TRUE: 0, FAILED: 0}


def _left_of(group: Sequence[_Timed], case: Case) -> int:
    """The moments that what a case says of the times of a zone leaves, a bit for each."""
    left = -1
    for timed in group:
        truth = case.get(timed.variable)
        if truth is not None:
            left &= timed.when[int(str(truth))]
    return left


def _flag(case: Case, variable: Variable) -> int:
    value = case.get(variable)
    return PENDING if value is None else TRUE if value else FALSE


def _is_plain(atom: OneOf) -> bool:
    """Whether its patterns only begin or end with `*`, so that the values of `_texts` tell them apart."""
    return all(pattern.count("*") == 1 and (pattern[0] == "*" or pattern[-1] == "*") for pattern in atom.patterns)


def _members(atoms: Iterable[OneOf | Compare], choices: tuple[str, ...]) -> list[str]:
    """What is asked of a set, each member once; a pattern stands for what fits it and is not named."""
    found: dict[str, None] = {}
    for atom in atoms:
        if isinstance(atom, OneOf):
            found.update(dict.fromkeys([str(value) for value in atom.values]))
            for pattern in atom.patterns:
                fitting = [choice for choice in choices if Glob(pattern).fits(choice)]
                found.update(dict.fromkeys(fitting if choices else [pattern]))
    return list(found)


def _apart(spec: FactSpec | None, atoms: list[OneOf | Compare]) -> tuple[FactValue, ...]:
    """One value of a fact for each way in which `atoms` tell its values apart, the absent one first."""
    if spec is not None and spec.type == "flag":
        return (None, False, True)
    if spec is not None and spec.type == "number":
        if spec.choices:
            return (None, *[float(choice) for choice in spec.choices])
        within = [min(max(each, spec.least), spec.most) for each in _numbers(atoms)]  # no less than the least there is
        return (None, *dict.fromkeys(int(each) if each == int(each) else each for each in within))
    if spec is not None and spec.choices:
        return (None, *spec.choices)
    return (None, *_texts([atom for atom in atoms if isinstance(atom, OneOf)]))


def _numbers(atoms: Iterable[OneOf | Compare]) -> list[int | float]:
    """The bounds, and one number between each two and beyond the last; whole ones where there are."""
    bounds: set[float] = set()
    for atom in atoms:
        if isinstance(atom, Compare):
            bounds.add(atom.bound)
        else:
            bounds.update(float(value) for value in atom.values if not isinstance(value, str))
    named = sorted(bounds)
    found: list[float] = [0.0 if named[0] > 0.0 else named[0] - 1.0]
    for at, bound in enumerate(named):
        found.append(bound)
        after = named[at + 1] if at + 1 < len(named) else bound + 2.0
        between = float(int(bound)) + 1.0
        found.append(between if bound < between < after else (bound + after) / 2.0)
    return [int(each) if each == int(each) else each for each in found]


def _texts(atoms: Iterable[OneOf]) -> list[FactValue]:
    """The values named, one for each pattern and each two that can fit together, and one that is named nowhere."""
    values: dict[str, None] = {}
    starts: dict[str, None] = {"": None}
    ends: dict[str, None] = {"": None}
    for atom in atoms:
        values.update(dict.fromkeys([str(value) for value in atom.values]))
        for pattern in atom.patterns if _is_plain(atom) else ():
            if pattern.endswith("*"):
                starts[pattern[:-1]] = None
            else:
                ends[pattern[1:]] = None
    for start in starts:
        for end in ends:
            values[f"{start}{_ANY_TEXT}{end}" if start or end else OTHER] = None
    return list(values)
