"""A list as people look at it: how much stands on it, from where, how old it is.

Enters: a ListSpec, its files. Leaves: values to be shown. Must not: build a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sipguard.numbers.numberset import NumberSet, PairSet
from sipguard.screening.listspec import ListSpec


@dataclass(frozen=True, slots=True)
class Listed:
    """One list: `entries` None where it was not built yet; `age_s` None where it stands in the configuration."""

    spec: ListSpec
    entries: int | None
    changed_at: float | None  # Unix seconds
    age_s: float | None

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        spec = self.spec
        return {
            "list": spec.name,
            "kind": spec.kind,
            "bind": list(spec.bind),
            "entries": self.entries,
            "source": spec.source or None,
            "format": spec.format,
            "changed_at": self.changed_at,
            "age_s": self.age_s,
        }


def listed(spec: ListSpec, now_at: float) -> Listed:
    """What there is to say of a list. Raises NumberSetError of a damaged file, OSError of a source that is gone."""
    changed_at = Path(spec.source).stat().st_mtime if spec.source else None
    return Listed(spec, _entries(spec), changed_at, None if changed_at is None else max(0.0, now_at - changed_at))


def _entries(spec: ListSpec) -> int | None:
    """How many entries a list has, prefixes among them."""
    if not spec.path:
        return len(spec.members)
    built = Path(spec.path)
    if not built.exists():
        return None
    if spec.kind == "pairs":
        return len(PairSet.open(built))
    mapped = NumberSet.open(built)
    return len(mapped) + len(mapped.prefixes)
