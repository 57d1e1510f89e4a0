"""By which entry a recorded call was on its lists: of an edit as it was then, else of the list's base as it is now.

Enters: a verdict frame, the state directory. Leaves: ListedBy values, one for each list that the call was found on.
Must not: build a list, or hide that an entry cannot be told any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sipguard.b2bua.frames import VerdictFrame
from sipguard.numbers.errors import NumberSetError
from sipguard.records.listed import CONFIGURATION, FILE, MISSING, UNKNOWN, Asked, ListedBy, address_of, asked_of
from sipguard.screening.listspec import ListSpec
from sipguard.screening.ruleset import PlainRuleset
from sipguard.screening.trunk import Trunk
from sipguard.service import list_answers
from sipguard.service.history import Rulesets
from sipguard.service.list_answers import Question, answers
from sipguard.store.lookup import listed_by
from sipguard.store.manifest import base_of

_NOBODY = ("", 0, "", 0.0, "", 0.0, 0)


def told_of(state_directory: Path, verdict: VerdictFrame) -> tuple[ListedBy, ...]:
    """What put the call on lists. Raises StoreError where edits cannot be read."""
    ruleset = Rulesets(state_directory).of(verdict.revision)
    trunk = ruleset.trunks.get(verdict.trunk) if ruleset is not None else None
    edits = listed_by(state_directory, verdict, trunk)
    edited = {(each.which, each.name) for each in edits}
    bases = [
        next(
            _by_base(asked, verdict, ruleset, state_directory),
            ListedBy(asked.which, asked.name, *_NOBODY, MISSING if asked.missing else UNKNOWN),
        )
        for asked in asked_of(verdict, trunk)
        if (asked.which, asked.name) not in edited
    ]
    return (*edits, *bases)


def _by_base(
    asked: Asked, verdict: VerdictFrame, ruleset: PlainRuleset | None, state_directory: Path
) -> Iterator[ListedBy]:
    """The entries of the base of a list that cover what was asked."""
    specs = [spec for spec in ruleset.lists if spec.name == asked.name] if ruleset is not None else []
    for spec in specs:
        if spec.imported:
            spec = _imported(spec, state_directory)
        trunk = ruleset.trunks.get(verdict.trunk) if ruleset is not None else None
        try:
            found = [
                each
                for question in _questions(asked, verdict, trunk)
                for each in answers(spec, question, {}, verdict.at)
            ]
        except (OSError, NumberSetError):
            continue
        for standing in (each for answer in found if answer.on for each in answer.standing):
            by = CONFIGURATION if standing.by == list_answers.CONFIGURATION else FILE
            yield ListedBy(
                asked.which,
                asked.name,
                standing.entry,
                0,
                standing.added_by,
                standing.added_at or 0.0,
                standing.reason,
                standing.until or 0.0,
                0,
                by,
                standing.line or 0,
            )


def _questions(asked: Asked, verdict: VerdictFrame, trunk: Trunk | None) -> Iterator[Question]:
    """What the list was asked, once for each value that it may have been asked."""
    for value in asked.values:
        if asked.which in ("pair", "brand"):
            caller, _, callee = value.rpartition(",")
            yield Question(caller, callee)
        elif asked.which == "callee":
            yield Question("", value, trunk)
        elif asked.which == "signer":
            yield Question("", signer=(value,))
        elif asked.which == "upstream":
            yield Question("", trunk=trunk, address=address_of(verdict.source), user_agent=value)
        else:
            yield Question(value, trunk=trunk)


def _imported(spec: ListSpec, state_directory: Path) -> ListSpec:
    """An imported list with the base that it has now."""
    path = base_of(state_directory / "lists", spec.name)
    return ListSpec(spec.name, spec.kind, spec.bind, path, imported=True, per_trunk=spec.per_trunk) if path else spec
