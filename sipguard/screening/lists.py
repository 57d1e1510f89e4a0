"""Named lists, and to which number of a call each is bound.

Enters: ListSpecs of the configuration, pointing to files that were built before. Leaves: which lists a
number is on. Must not: parse text, build a set, or hold one in memory: processes map and share the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sipguard.numbers.numberset import NumberSet, PairSet
from sipguard.screening.listspec import WHICH, ListSpec

Members = NumberSet | frozenset[str]
Bound = tuple[tuple[str, Members], ...]
BoundPairs = tuple[tuple[str, PairSet | frozenset[tuple[str, str]]], ...]

HELD: Final = 2_000  # entries that a list may have and be held in memory; reading them takes a millisecond


class Lists:
    """The read-only view of all lists of a Ruleset."""

    __slots__ = ("_bound", "_by_name", "_pairs", "names")

    def __init__(self, bound: Mapping[str, Bound], pairs: BoundPairs = ()) -> None:
        """`bound`: which number -> (name, members) of the lists bound to it; `pairs` the same of pairs."""
        self._bound = {which: bound.get(which, ()) for which in WHICH if which != "pair"}
        self._by_name = {name: members for of in bound.values() for name, members in of}
        self._pairs = pairs
        self.names = {which: tuple(name for name, _ in of) for which, of in self._bound.items()}
        self.names["pair"] = tuple(name for name, _ in pairs)

    @classmethod
    def open(cls, specs: Iterable[ListSpec]) -> Lists:
        """Map the files of `specs`. Raises NumberSetError with file and place, OSError."""
        bound: dict[str, Bound] = {}
        pairs: BoundPairs = ()
        for spec in specs:
            if spec.kind == "pairs":
                if spec.bind:
                    pairs += ((spec.name, _pairs(spec)),)
                continue
            members = _numbers(spec)
            for which in spec.bind:
                bound[which] = (*bound.get(which, ()), (spec.name, members))
        return cls(bound, pairs)

    def of(self, which: str, tn: str) -> tuple[str, ...]:
        """Names of the lists bound to `which` that `tn` is on (a trunk name for upstream), as configured."""
        found: tuple[str, ...] = ()
        if tn:
            for name, members in self._bound[which]:
                if tn in members:
                    found += (name,)
        return found

    def any_has(self, names: Iterable[str], tn: str) -> bool:
        """Whether one of these lists holds a number, whatever they are bound to."""
        return bool(tn) and any(name in self._by_name and tn in self._by_name[name] for name in names)

    def of_pair(self, caller: str, callee: str) -> tuple[str, ...]:
        """Names of the lists of pairs that hold (caller, callee)."""
        found: tuple[str, ...] = ()
        if self._pairs and caller and callee:
            pair = (caller, callee)
            for name, members in self._pairs:
                if pair in members:
                    found += (name,)
        return found


def _numbers(spec: ListSpec) -> NumberSet | frozenset[str]:
    """The numbers of a list: mapped, or held where they are few; a set of Python is asked ten times as fast."""
    if not spec.path:
        return frozenset(spec.members)
    mapped = NumberSet.open(Path(spec.path))
    return frozenset(mapped) if len(mapped) <= HELD and not mapped.prefixes else mapped


def _pairs(spec: ListSpec) -> PairSet | frozenset[tuple[str, str]]:
    """The pairs of a list, mapped or held; `members` are written caller,callee."""
    if spec.path:
        mapped = PairSet.open(Path(spec.path))
        return frozenset(mapped) if len(mapped) <= HELD else mapped
    split = (member.partition(",") for member in spec.members)
    return frozenset((caller, callee) for caller, _, callee in split)
