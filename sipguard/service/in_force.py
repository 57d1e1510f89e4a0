"""What is said of the lists of a Ruleset when it comes into force.

Enters: ListSpecs, their files. Leaves: ListStates. Must not: read what stands on a list.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from sipguard.numbers.errors import NumberSetError
from sipguard.screening.listspec import ListSpec
from sipguard.service.listed import entry_count, made_by
from sipguard.store.in_force import ListState


def states(specs: Iterable[ListSpec]) -> list[ListState]:
    """The lists as they are in force from now on."""
    return [_state(spec) for spec in specs]


def _state(spec: ListSpec) -> ListState:
    made = made_by(spec)
    given = spec.given
    dated_at = spec.dated_at
    if spec.missing:
        given = ()
    elif not given and spec.file:  # a list of trunks, which is not built
        given, dated_at = ((spec.file, sha256("\n".join(spec.members).encode()).hexdigest()),), _written_at(spec.file)
    elif not given and not spec.imported:
        given = (("the configuration", sha256("\n".join(spec.members).encode()).hexdigest()),)
    return ListState(
        list=spec.name,
        kind=f"{spec.kind} by trunk" if spec.per_trunk else spec.kind,
        bind=spec.bind,
        owner=spec.owner,
        source=spec.source,
        version=spec.issue,
        max_age_s=spec.max_age_s,
        given=given,
        dated_at=dated_at,
        entries=_count(spec),
        imported_at=made.imported_at if made is not None else 0.0,
        imported_by=made.by if made is not None else "",
        missing=spec.missing,
        damaged=spec.damaged,
    )


def _written_at(file: str) -> float:
    try:
        return Path(file).stat().st_mtime
    except OSError:
        return 0.0


def _count(spec: ListSpec) -> int | None:
    try:
        return entry_count(spec)
    except (NumberSetError, OSError):
        return None
