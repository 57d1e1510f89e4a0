"""Which state of each list was in force, and from when on: a file that only grows.

Enters: what is said of the lists of a Ruleset when it comes into force. Leaves: a line for each change; the times of
each state again. Must not: open a list, or rewrite what was written.

    in_force.jsonl   {"at": ..., "what": "began", "lists": [...]}   sipguard began to take calls, with these lists
                     {"at": ..., "what": "changed", "lists": [...]} those that are others from here on; "gone": true
                     {"at": ..., "what": "ended"}                   it takes calls no longer

The end of a process that was killed has no line: nobody knows it, and the next beginning ends what was before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

NAME: Final = "in_force.jsonl"
BEGAN: Final = "began"
CHANGED: Final = "changed"
ENDED: Final = "ended"


@dataclass(frozen=True, slots=True)
class ListState:
    """What was in force under the name of a list. `given`: (file, SHA-256); `dated_at`: of when its data was, Unix
    seconds, 0.0 where nobody knows; `entries` without edits, None where they could not be counted."""

    list: str
    kind: str
    bind: tuple[str, ...]
    owner: str
    source: str
    version: str
    max_age_s: float
    given: tuple[tuple[str, str], ...]
    dated_at: float
    entries: int | None
    imported_at: float = 0.0
    imported_by: str = ""
    missing: bool = False  # it should have been imported, and was not yet
    damaged: bool = False  # it is missing, since what was imported was gone or damaged

    @classmethod
    def of(cls, plain: dict[str, Any]) -> ListState:
        """The state that JSON holds. Raises KeyError, TypeError, ValueError for what is none."""
        given = tuple((str(file), str(digest)) for file, digest in plain["given"])
        return cls(**{**plain, "given": given, "bind": tuple(plain["bind"])})


@dataclass(frozen=True, slots=True)
class Term:
    """A state with its time: `from_at` <= at < `to_at`, Unix seconds; `to_at` None while it lasts.

    `cut`: its end was not written, since the process was killed; it lies before `to_at`.
    """

    state: ListState
    from_at: float
    to_at: float | None
    cut: bool = False


class InForce:
    """Writes the file, only what has changed. Raises OSError."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._said: dict[str, ListState] | None = None

    def note(self, at: float, states: Iterable[ListState]) -> None:
        """These are all lists from `at` on, Unix seconds."""
        now = {each.list: each for each in states}
        before = self._said
        if before is None:
            self._write({"at": at, "what": BEGAN, "lists": [asdict(each) for each in now.values()]})
        else:
            changed: list[dict[str, Any]] = [asdict(each) for each in now.values() if before.get(each.list) != each]
            changed += [{"list": name, "gone": True} for name in before if name not in now]
            if changed:
                self._write({"at": at, "what": CHANGED, "lists": changed})
        self._said = now

    def ended(self, at: float) -> None:
        """No list is in force any more."""
        if self._said is not None:
            self._write({"at": at, "what": ENDED})
            self._said = None

    def _write(self, line: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


def terms(directory: Path) -> list[Term]:
    """Every state that was in force, in the order of their beginnings; lines that cannot be read are passed over."""
    try:
        lines = (directory / NAME).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[Term] = []
    open_: dict[str, tuple[ListState, float]] = {}
    for line in lines:
        try:
            read = json.loads(line)
            at, what = float(read["at"]), read["what"]
            new = {each["list"]: None if each.get("gone") else ListState.of(each) for each in read.get("lists", ())}
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        for name in new if what == CHANGED else tuple(open_):
            if name in open_:
                state, from_at = open_.pop(name)
                found.append(Term(state, from_at, at, cut=what == BEGAN))
        open_ |= {name: (state, at) for name, state in new.items() if state is not None}
    found += [Term(state, from_at, None) for state, from_at in open_.values()]
    return sorted(found, key=lambda term: (term.from_at, term.state.list))
