"""Named lists, and to which number of a call each is bound.

Enters: ListSpecs of the configuration, pointing to files that were built before. Leaves: which lists a
number is on, by its base and by the edits over it. Must not: parse text, build a set, or hold one in memory: processes
map and share the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sipguard.numbers.numberset import NumberSet, PairSet
from sipguard.screening.listspec import UNKNOWN, WHICH, ListSpec
from sipguard.screening.overlay import ADDED, SILENT, Edits, Overlay


class Everything:
    """What a list may hold that is missing."""

    __slots__ = ()

    def __contains__(self, entry: object) -> bool:
        return True


Members = NumberSet | frozenset[str] | Everything
Bound = tuple[tuple[str, Members], ...]
BoundPairs = tuple[tuple[str, PairSet | frozenset[tuple[str, str]] | Everything], ...]

HELD: Final = 2_000  # entries that a list may have and be held in memory; reading them takes a millisecond


class Lists:
    """The read-only view of all lists of a Ruleset. Edits that `overlay` takes later are seen here at once."""

    __slots__ = ("_bound", "_by_name", "_pairs", "names", "overlay")

    def __init__(self, bound: Mapping[str, Bound], pairs: BoundPairs = (), overlay: Overlay | None = None) -> None:
        """`bound`: which number -> (name, members) of the lists bound to it; `pairs` the same of pairs."""
        self.overlay = over = overlay if overlay is not None else Overlay()
        self._bound = {
            which: tuple([(name, members, over.of(name)) for name, members in bound.get(which, ())])
            for which in WHICH
            if which != "pair"
        }
        self._by_name = {name: (members, over.of(name)) for of in bound.values() for name, members in of}
        self._pairs = tuple([(name, members, over.of(name)) for name, members in pairs])
        self.names = {which: tuple([name for name, _, _ in of]) for which, of in self._bound.items()}
        self.names["pair"] = tuple([name for name, _ in pairs])

    @classmethod
    def open(cls, specs: Iterable[ListSpec], overlay: Overlay | None = None) -> Lists:
        """Map the files of `specs`. Raises NumberSetError with file and place, OSError.

        A list that shall be imported and was not yet holds nothing under its name; under that behind UNKNOWN it holds
        everything, so that no condition takes it for empty.
        """
        bound: dict[str, Bound] = {}
        pairs: BoundPairs = ()
        for spec in specs:
            if spec.kind == "pairs":
                if spec.bind:
                    pairs += ((spec.name, _pairs(spec)),)
                    if _is_missing(spec):
                        pairs += ((UNKNOWN + spec.name, Everything()),)
                continue
            members = _numbers(spec)
            for which in spec.bind:
                bound[which] = (*bound.get(which, ()), (spec.name, members))
                if _is_missing(spec):
                    bound[which] += ((UNKNOWN + spec.name, Everything()),)
        return cls(bound, pairs, overlay)

    def of(self, which: str, tn: str, at: float = 0.0) -> tuple[str, ...]:
        """Names of the lists bound to `which` that `tn` is on (a trunk name for upstream), as configured.

        `at`: Unix seconds, for edits with an end.
        """
        found: tuple[str, ...] = ()
        if tn:
            for name, members, edits in self._bound[which]:
                if tn in members if not edits.entries else _holds(members, edits, tn, at):
                    found += (name,)
        return found

    def any_has(self, names: Iterable[str], tn: str, at: float = 0.0) -> bool:
        """Whether one of these lists holds a number, whatever they are bound to."""
        return bool(tn) and any(name in self._by_name and _holds(*self._by_name[name], tn, at) for name in names)

    def of_pair(self, caller: str, callee: str, at: float = 0.0) -> tuple[str, ...]:
        """Names of the lists of pairs that hold (caller, callee)."""
        found: tuple[str, ...] = ()
        if self._pairs and caller and callee:
            pair = (caller, callee)
            for name, members, edits in self._pairs:
                said = edits.says(f"{caller},{callee}", at) if edits.entries else SILENT
                if said == ADDED or (said == SILENT and pair in members):
                    found += (name,)
        return found


def _holds(members: Members, edits: Edits, tn: str, at: float) -> bool:
    """Whether a number is on a list: by its edits, else by its base."""
    said = edits.says(tn, at)
    return said == ADDED or (said == SILENT and tn in members)


def _is_missing(spec: ListSpec) -> bool:
    return spec.imported and not spec.path


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
