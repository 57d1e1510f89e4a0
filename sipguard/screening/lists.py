"""Named lists, and to what of a call each is bound.

Enters: ListSpecs of the configuration, pointing to files that were built before. Leaves: which lists a number or a pair
is on, by their bases and by the edits over them. Must not: parse text, build a set, or hold one in memory: processes
map and share the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sipguard.numbers.networkset import NetworkSet
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.pairset import PairSet, is_brand
from sipguard.numbers.textset import TextSet
from sipguard.screening.listspec import NUMBERS_OF, UNKNOWN, WHICH, ListSpec
from sipguard.screening.overlay import ADDED, SILENT, Edits, Overlay
from sipguard.screening.textlists import TextLists


class Everything:
    """What a list may hold that is missing."""

    __slots__ = ()

    def __contains__(self, entry: object) -> bool:
        return True


Members = NumberSet | frozenset[str] | Everything
Pairs = PairSet | frozenset[tuple[str, str]] | Everything
ByTrunk = dict[str, Members]  # trunk -> its own
Bound = tuple[tuple[str, Members], ...]
BoundByTrunk = tuple[tuple[str, ByTrunk], ...]
BoundPairs = tuple[tuple[str, Pairs], ...]

HELD: Final = 2_000  # entries that a list may have and be held in memory; reading them takes a millisecond
_NOTHING: Final[Members] = frozenset[str]()


class Lists:
    """The read-only view of all lists of a Ruleset. Edits that `overlay` takes later are seen here at once.

    `upstream` and `signer` are the lists of texts and networks that are bound to these, None where there are none;
    `by_trunk` says what lists by trunk are bound to. So a call asks nothing of a kind that is not configured.
    """

    __slots__ = (
        "_bound",
        "_by_name",
        "_by_trunk",
        "_pairs",
        "brands",
        "by_trunk",
        "names",
        "overlay",
        "pairs",
        "signer",
        "upstream",
    )

    def __init__(
        self,
        bound: Mapping[str, Bound],
        pairs: BoundPairs = (),
        overlay: Overlay | None = None,
        by_trunk: Mapping[str, BoundByTrunk] = MappingProxyType({}),
    ) -> None:
        """`bound`: which number -> (name, members) of the lists bound to it; the same of pairs, and by trunk."""
        self.overlay = over = overlay if overlay is not None else Overlay()
        self._bound = {
            which: tuple([(name, members, over.of(name)) for name, members in bound.get(which, ())])
            for which in WHICH
            if which != "pair"
        }
        self._by_name = {name: (members, over.of(name)) for of in bound.values() for name, members in of}
        self._pairs = tuple([(name, members, over.of(name)) for name, members in pairs])
        self.pairs = bool(pairs)  # whether there are lists of pairs
        self._by_trunk = {
            which: tuple([(name, members, over.of(name)) for name, members in of]) for which, of in by_trunk.items()
        }
        self.by_trunk = tuple([which for which in NUMBERS_OF if which in by_trunk])
        self.brands = any(_has_brands(members) for _, members in pairs)  # whether names stand among the callers
        self.upstream: TextLists | None = None
        self.signer: TextLists | None = None
        self.names = {which: tuple([name for name, _, _ in of]) for which, of in self._bound.items()}
        self.names["pair"] = tuple([name for name, _ in pairs])
        for which, of in by_trunk.items():
            self.names[which] += tuple([name for name, _ in of])

    @classmethod
    def open(cls, specs: Iterable[ListSpec], overlay: Overlay | None = None) -> Lists:
        """Map the files of `specs`. Raises NumberSetError with file and place, OSError.

        A list that shall be imported and was not yet holds nothing under its name; under that behind UNKNOWN it holds
        everything, so that no condition takes it for empty.
        """
        specs = tuple(specs)
        bound: dict[str, Bound] = {}
        by_trunk: dict[str, BoundByTrunk] = {}
        pairs: BoundPairs = ()
        for spec in specs:
            if spec.kind == "pairs":
                if spec.bind:
                    pairs += ((spec.name, _pairs(spec)),)
                    if spec.missing:
                        pairs += ((UNKNOWN + spec.name, Everything()),)
            elif spec.per_trunk:
                own = _by_trunk(spec)
                for which in spec.bind:
                    by_trunk[which] = (*by_trunk.get(which, ()), (spec.name, own))
            elif spec.kind in ("numbers", "trunks"):
                members = _numbers(spec)
                for which in spec.bind:
                    bound[which] = (*bound.get(which, ()), (spec.name, members))
                    if spec.missing:
                        bound[which] += ((UNKNOWN + spec.name, Everything()),)
        lists = cls(bound, pairs, overlay, by_trunk)
        lists._open_texts([spec for spec in specs if spec.kind in ("texts", "networks")])
        return lists

    def _open_texts(self, specs: list[ListSpec]) -> None:
        """Maps the lists of texts and networks."""
        texts = [(spec, _texts(spec)) for spec in specs if spec.kind == "texts"]
        networks = [(spec.name, _networks(spec)) for spec in specs if spec.kind == "networks" and spec.bind]
        upstream = [(spec.name, members) for spec, members in texts if "upstream" in spec.bind]
        signer = [(spec.name, members) for spec, members in texts if "signer" in spec.bind]
        if upstream or networks:
            self.upstream = TextLists(upstream, networks, self.overlay)
            self.names["upstream"] += self.upstream.names
        if signer:
            self.signer = TextLists(signer, (), self.overlay)
            self.names["signer"] += self.signer.names

    def of(self, which: str, tn: str, at: float = 0.0) -> tuple[str, ...]:
        """Names of the lists bound to `which` that `tn` is on (a trunk name for upstream), as configured.

        `at`: Unix seconds, for edits and entries with an end. Lists by trunk are asked by `of_trunk`.
        """
        found: tuple[str, ...] = ()
        if tn:
            for name, members, edits in self._bound[which]:
                if edits.entries:
                    if _holds(members, edits, tn, tn, at):
                        found += (name,)
                elif tn in members and not _is_over(members, tn, at):
                    found += (name,)
        return found

    def of_trunk(self, which: str, trunk: str, tn: str, at: float = 0.0) -> tuple[str, ...]:
        """Names of the lists by trunk bound to `which` on which `tn` stands as a number of `trunk`."""
        found: tuple[str, ...] = ()
        if tn:
            for name, own, edits in self._by_trunk.get(which, ()):
                members = own.get(trunk, _NOTHING)
                if _holds(members, edits, tn, f"{trunk},{tn}" if edits.entries else tn, at):
                    found += (name,)
        return found

    def any_has(self, names: Iterable[str], tn: str, at: float = 0.0) -> bool:
        """Whether one of these lists holds a number, whatever they are bound to."""
        return bool(tn) and any(name in self._by_name and _holds(*self._by_name[name], tn, tn, at) for name in names)

    def of_pair(self, caller: str, callee: str, at: float = 0.0, names: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Names of the lists of pairs that hold (caller, callee), or one of `names`, folded, with the callee."""
        found: tuple[str, ...] = ()
        if callee:
            pair = (caller, callee)
            for name, members, edits in self._pairs:
                if edits.entries:
                    is_on = bool(caller) and _holds_pair(members, edits, caller, callee, at)
                else:
                    is_on = pair in members and bool(caller) and not _is_past(members, pair, at)
                if is_on:
                    found += (name,)
                elif names:
                    for brand in names:
                        if _holds_pair(members, edits, brand, callee, at):
                            found += (name,)
                            break
        return found


def _has_brands(members: Pairs) -> bool:
    if isinstance(members, PairSet):
        return bool(members.brands)
    return isinstance(members, frozenset) and any(is_brand(caller) for caller, _ in members)


def _is_over(members: Members, tn: str, at: float) -> bool:
    """Whether a number that is among the members has gone off by now."""
    return isinstance(members, NumberSet) and members.ends and members.until(tn) <= at


def _holds(members: Members, edits: Edits, tn: str, entry: str, at: float) -> bool:
    """Whether a number is on a list: by its edits, where it is `entry`, else by its base."""
    said = edits.says_number(entry, at) if edits.entries else SILENT
    if said == SILENT:
        return tn in members and not _is_over(members, tn, at)
    return said == ADDED


def _holds_pair(members: Pairs, edits: Edits, caller: str, callee: str, at: float) -> bool:
    """The same of a pair."""
    said = edits.says(f"{caller},{callee}", at) if edits.entries else SILENT
    if said != SILENT:
        return said == ADDED
    pair = (caller, callee)
    return pair in members and not _is_past(members, pair, at)


def _is_past(members: Pairs, pair: tuple[str, str], at: float) -> bool:
    """Whether a pair that is among the members has gone off by now."""
    return isinstance(members, PairSet) and members.ends and members.until(pair) <= at


def _numbers(spec: ListSpec) -> Members:
    """The numbers of a list: mapped, or held where they are few; a set of Python is asked ten times as fast."""
    return _held(NumberSet.open(Path(spec.path))) if spec.path else frozenset(spec.members)


def _held(mapped: NumberSet) -> Members:
    return frozenset(mapped) if len(mapped) <= HELD and not mapped.covers else mapped


def _by_trunk(spec: ListSpec) -> ByTrunk:
    """The same for each trunk; `members` are written trunk,number."""
    if spec.path:
        return {trunk: _held(mapped) for trunk, mapped in NumberSet.open_by_trunk(Path(spec.path)).items()}
    own: dict[str, set[str]] = {}
    for member in spec.members:
        trunk, _, tn = member.partition(",")
        own.setdefault(trunk, set()).add(tn)
    return {trunk: frozenset(numbers) for trunk, numbers in own.items()}


def _texts(spec: ListSpec) -> TextSet:
    return TextSet.open(Path(spec.path)) if spec.path else TextSet.of(spec.members)


def _networks(spec: ListSpec) -> NetworkSet:
    return NetworkSet.open(Path(spec.path)) if spec.path else NetworkSet.of(spec.members)


def _pairs(spec: ListSpec) -> PairSet | frozenset[tuple[str, str]]:
    """The pairs of a list, mapped or held; `members` are written caller,callee."""
    if spec.path:
        mapped = PairSet.open(Path(spec.path))
        return frozenset(mapped) if len(mapped) <= HELD and not mapped.ends else mapped
    split = (member.partition(",") for member in spec.members)
    return frozenset((caller, callee) for caller, _, callee in split)
