"""By which entry a recorded call was on its lists: of an edit as it was then, else of the list's base as it
is now, or of an import as it was then where that is kept; and which state of the list was in force.

Enters: a verdict frame, the state directory. Leaves: ListedBy values, one for each list that the call was found on.
Must not: build a list, or hide that an entry cannot be told any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sipguard.b2bua.frames import VerdictFrame
from sipguard.numbers.errors import NumberSetError
from sipguard.records.listed import (
    MISSING,
    UNKNOWN,
    Asked,
    Base,
    ListedBy,
    address_of,
    asked_of,
)
from sipguard.screening.listspec import ListSpec
from sipguard.screening.ruleset import PlainRuleset
from sipguard.screening.trunk import Trunk
from sipguard.service.history import Rulesets
from sipguard.service.list_answers import Question, answers
from sipguard.store.in_force import ListState, Term, terms
from sipguard.store.lookup import listed_by
from sipguard.store.manifest import base_of, history

_NOBODY: Final = ("", 0, "", 0.0, "", 0.0, 0)


def told_of(state_directory: Path, verdict: VerdictFrame) -> tuple[ListedBy, ...]:
    """What put the call on lists. Raises StoreError where edits cannot be read."""
    ruleset = Rulesets(state_directory).of(verdict.revision)
    trunk = ruleset.trunks.get(verdict.trunk) if ruleset is not None else None
    edits = listed_by(state_directory, verdict, trunk)
    edited = {(each.which, each.name) for each in edits}
    rest = [asked for asked in asked_of(verdict, trunk) if (asked.which, asked.name) not in edited]
    history_of = terms(state_directory / "lists") if rest else []
    return (*edits, *(_told(asked, verdict, ruleset, state_directory, history_of) for asked in rest))


def _told(
    asked: Asked, verdict: VerdictFrame, ruleset: PlainRuleset | None, state_directory: Path, history_of: list[Term]
) -> ListedBy:
    """What is known of a call on a list that no edit put it on."""
    if asked.missing:
        return ListedBy(asked.which, asked.name, *_NOBODY, MISSING)
    of_list = [each for each in history_of if each.state.list == asked.name and _covers(each, verdict)]
    term = of_list[-1] if of_list else None
    path = _path_then(term.state, state_directory) if term is not None else ""
    found = _by_base(asked, verdict, ruleset, state_directory, path)
    by = next(found, ListedBy(asked.which, asked.name, *_NOBODY, UNKNOWN))
    return by._replace(base=_base(term, bool(path))) if term is not None else by


def _covers(term: Term, verdict: VerdictFrame) -> bool:
    return term.from_at <= verdict.at and (term.to_at is None or verdict.at < term.to_at)


def _base(term: Term, as_then: bool) -> Base:
    state = term.state
    files = tuple([file for file, _ in state.given])
    return Base(
        term.from_at,
        term.to_at or 0.0,
        state.version,
        state.dated_at,
        state.imported_at,
        state.imported_by,
        files,
        as_then,
    )


def _path_then(state: ListState, state_directory: Path) -> str:
    """The base of the import that was in force, "" where it is none or is not kept any more."""
    directory = state_directory / "lists"
    made = history(directory, state.list) if state.imported_at else []
    paths = [directory / each.base for each in made if each.imported_at == state.imported_at]
    return str(paths[-1]) if paths and paths[-1].is_file() else ""


def _by_base(
    asked: Asked, verdict: VerdictFrame, ruleset: PlainRuleset | None, state_directory: Path, path: str
) -> Iterator[ListedBy]:
    """The entries of the base of a list that cover what was asked; `path`: that of the import in force then, "" for the
    one of now."""
    specs = [spec for spec in ruleset.lists if spec.name == asked.name] if ruleset is not None else []
    for spec in specs:
        if spec.imported:
            spec = _imported(spec, path or base_of(state_directory / "lists", spec.name))
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
            by = standing.by
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


def _imported(spec: ListSpec, path: str) -> ListSpec:
    """An imported list with this base."""
    return ListSpec(spec.name, spec.kind, spec.bind, path, imported=True, per_trunk=spec.per_trunk) if path else spec
