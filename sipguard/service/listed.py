"""A list as people look at it: how much stands on it, from where, how old it is.

Enters: a ListSpec, its files. Leaves: values to be shown. Must not: build a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sipguard.numbers.networkset import NetworkSet
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.pairset import PairSet
from sipguard.numbers.textset import TextSet
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, REMOVED
from sipguard.store import manifest
from sipguard.store.edits import EditStore
from sipguard.store.manifest import Manifest


@dataclass(frozen=True, slots=True)
class EditCount:
    """How many entries of a list are added and removed by edits in force."""

    added: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def __str__(self) -> str:
        return f"{self.added:,} added, {self.removed:,} removed by edits"


UNEDITED: Final = EditCount()


@dataclass(frozen=True, slots=True)
class Listed:
    """One list: `entries` None where it was not built yet; `age_s` None where it stands in the configuration.

    `entries` are of its base, `edits` are beside them. `changed_at`: when its data is of, by the time of its file or by
    what its import was told. `made`: its last import.
    """

    spec: ListSpec
    entries: int | None
    changed_at: float | None  # Unix seconds
    age_s: float | None
    made: Manifest | None = None
    edits: EditCount = UNEDITED

    @property
    def stale(self) -> bool:
        """Whether it is older than it may be."""
        return bool(self.spec.max_age_s) and self.age_s is not None and self.age_s > self.spec.max_age_s

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        spec = self.spec
        return {
            "list": spec.name,
            "kind": spec.kind,
            "bind": list(spec.bind),
            "entries": self.entries,
            "edits": {"added": self.edits.added, "removed": self.edits.removed},
            "file": spec.file or None,
            "format": spec.format,
            "per_trunk": spec.per_trunk,
            "owner": spec.owner,
            "purpose": spec.purpose,
            "source": spec.source,
            "version": spec.issue,
            "imported": spec.imported,
            "damaged": spec.damaged,
            "imported_at": self.made.imported_at if self.made is not None else None,
            "imported_by": self.made.by if self.made is not None else None,
            "made_of": [{"file": file, "sha256": digest} for file, digest in spec.given],
            "changed_at": self.changed_at,
            "age_s": self.age_s,
            "max_age_s": spec.max_age_s or None,
            "stale": self.stale,
        }


def edit_counts(path: Path, now_at: float) -> dict[str, EditCount]:
    """The edits in force at `now_at`, of each list that has any; `path`: lists.db. Raises StoreError."""
    store = EditStore.reading(path)
    if store is None:
        return {}
    with store:
        found = Counter((name, said) for name, _, said, _ in store.whole(now_at)[1])
    return {name: EditCount(found[name, ADDED], found[name, REMOVED]) for name, _ in found}


def listed(spec: ListSpec, now_at: float, edits: EditCount = UNEDITED) -> Listed:
    """What there is to say of a list. Raises NumberSetError of a damaged file, OSError of a source that is gone."""
    changed_at = Path(spec.file).stat().st_mtime if spec.file else spec.dated_at or None
    age_s = None if changed_at is None else max(0.0, now_at - changed_at)
    return Listed(spec, entry_count(spec), changed_at, age_s, made_by(spec), edits)


def made_by(spec: ListSpec) -> Manifest | None:
    """The import that its base is of."""
    return manifest.usable(Path(spec.path).parent, spec.name) if spec.imported and spec.path else None


def entry_count(spec: ListSpec) -> int | None:
    """How many entries a list has, prefixes among them."""
    if not spec.path:
        return None if spec.missing else len(spec.members)
    built = Path(spec.path)
    if not built.exists():
        return None
    if spec.per_trunk:
        return sum(map(entries_in, NumberSet.open_by_trunk(built).values()))
    if spec.kind == "pairs":
        return len(PairSet.open(built))
    if spec.kind == "networks":
        return len(NetworkSet.open(built))
    if spec.kind == "texts":
        return len(TextSet.open(built))
    return entries_in(NumberSet.open(built))


def entries_on(spec: ListSpec) -> Iterator[str]:
    """Every entry of a list that was built, in canonical form, also what has ended. Raises NumberSetError, OSError."""
    path = Path(spec.path)
    if not spec.path:
        yield from spec.members
    elif spec.per_trunk:
        for trunk, own in NumberSet.open_by_trunk(path).items():
            yield from (f"{trunk},{entry}" for entry in own.entries())
    elif spec.kind == "pairs":
        yield from (f"{caller},{callee}" for caller, callee in PairSet.open(path))
    elif spec.kind == "networks":
        yield from NetworkSet.open(path)
    elif spec.kind == "texts":
        yield from TextSet.open(path)
    else:
        yield from NumberSet.open(path).entries()


def entries_in(mapped: NumberSet) -> int:
    """Numbers, prefixes and ranges of a set, ranges that touch counted as one."""
    return len(mapped) + len(mapped.prefixes) + sum(1 for _ in mapped.wide.ranges())


def whence(spec: ListSpec) -> str:
    """Where its entries stand, for people."""
    if spec.file:
        return spec.file
    if spec.imported:
        files = ", ".join(Path(file).name for file, _ in spec.given)
        if spec.damaged:
            return "its base is damaged: import it again"
        return f"imported: {files}" if spec.path else "nothing imported yet"
    return "the configuration"
