"""A configuration file and the files of `conf.d` beside it, as one document.

Enters: the path of the first file. Leaves: one tree, each problem with the file, line and column where its value
stands. Must not: let one file silently override another.
"""

from __future__ import annotations

from pathlib import Path as File
from typing import Any, Final

from sipguard.screening.policy.errors import ERROR, Path
from sipguard.settings.document import Document
from sipguard.settings.problems import Problem

DIRECTORY: Final = "conf.d"
WHOLE: Final[tuple[Path, ...]] = (("trunks",), ("listeners",), ("lists",))  # an entry of these stands in one file


class Merged(Document):
    """Keys that two files set are `problems`; where a file cannot be read, `plain` is None as well."""

    def __init__(self, file: File) -> None:  # not the parent's: it reads one file
        self.file = file
        self._parts = [Document(each) for each in (file, *sorted((file.parent / DIRECTORY).glob("[!.]*.yaml")))]
        self.text = b"\0".join(part.text for part in self._parts)
        self.problems = [problem for part in self._parts for problem in part.problems]
        self.plain: Any = None
        if self.problems:
            return
        self.plain = {} if self._parts[0].plain is None and len(self._parts) > 1 else self._parts[0].plain
        for part in self._parts[1:]:
            if part.plain is None:
                continue
            if isinstance(part.plain, dict) and isinstance(self.plain, dict):
                self.plain = self._merged(self.plain, part, part.plain, ())
            else:
                self.problems.append(
                    part.problem((), "a configuration is a map", "of site, node, listeners, trunks ...")
                )

    def _merged(self, before: dict[Any, Any], part: Document, more: dict[Any, Any], path: Path) -> dict[Any, Any]:
        """A map with what another file adds to it; a key that both set is a problem."""
        found = dict(before)
        for key, value in more.items():
            here = (*path, key)
            if key not in found:
                found[key] = value
            elif isinstance(value, dict) and isinstance(found[key], dict) and path not in WHOLE and here != ("policy",):
                found[key] = self._merged(found[key], part, value, here)
            else:
                first = self.problem(here, "")
                what = f"is set in {first.file}:{first.line}:{first.column} already"
                self.problems.append(part.problem(here, what, "write it in one of them"))
        return found

    @property
    def further(self) -> list[File]:
        """The files of `conf.d`."""
        return [part.file.resolve() for part in self._parts[1:]]

    def problem(self, path: Path, what: str, hint: str = "", level: str = ERROR) -> Problem:
        """A problem of the value at `path`, in the file that goes furthest along it; the first of several."""
        return self._part(path).problem(path, what, hint, level)

    def position(self, path: Path) -> tuple[int, int]:
        """(line, column) in that file."""
        return self._part(path).position(path)

    def depth(self, path: Path) -> int:
        """How many keys of `path` are there."""
        return self._part(path).depth(path)

    def _part(self, path: Path) -> Document:
        return max(self._parts, key=lambda each: each.depth(path))
