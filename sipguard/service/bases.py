"""Which bases of imported lists are in force, and when another one has come.

Enters: the directory of bases, a Ruleset. Leaves: the lists as they are to be opened now, and those whose files nobody
has read through yet. Must not: open a base while nothing has changed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from sipguard.screening.listspec import ListSpec
from sipguard.screening.ruleset import PlainRuleset
from sipguard.settings.bases import with_base
from sipguard.store.manifest import manifest_path

ABSENT: Final = "its file was not there at the start; put it there and reload"

Stamp = tuple[int, int]  # inode, time of the last write in ns; 0, 0 where there is none


class Bases:
    """The bases in one directory. `problems`: name of a list -> why it is missing."""

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "lists"
        self._seen: dict[str, Stamp] = {}
        self._read: dict[str, Stamp] = {}  # path of a built file -> which one of that name was handed out
        self.problems: dict[str, str] = {}

    def has_news(self, ruleset: PlainRuleset) -> bool:
        """Whether a manifest of its lists has been written since `current`; a call to the system for each."""
        return any(spec.imported and self._stamp(spec.name) != self._seen.get(spec.name) for spec in ruleset.lists)

    def current(self, ruleset: PlainRuleset) -> PlainRuleset:
        """The Ruleset with the bases that are in force now; the same one where it has them."""
        self.problems = {spec.name: ABSENT for spec in ruleset.lists if spec.absent}
        lists = tuple(self._current(spec) if spec.imported else spec for spec in ruleset.lists)
        return ruleset if lists == ruleset.lists else replace(ruleset, lists=lists)

    def _current(self, spec: ListSpec) -> ListSpec:
        self._seen[spec.name] = self._stamp(spec.name)
        found, why = with_base(self._directory, spec)
        if why:
            self.problems[spec.name] = why
        return found

    def unread(self, ruleset: PlainRuleset) -> list[ListSpec]:
        """Its lists with a file that was not among those of an earlier answer."""
        files = {spec.path: _stamp(Path(spec.path)) for spec in ruleset.lists if spec.path}
        found = [spec for spec in ruleset.lists if spec.path and self._read.get(spec.path) != files[spec.path]]
        self._read = files
        return found

    def _stamp(self, name: str) -> Stamp:
        return _stamp(manifest_path(self._directory, name))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns
