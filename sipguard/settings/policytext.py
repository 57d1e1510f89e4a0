"""A policy as it was written, in its own file or in the configuration, and where each thing in it stands.

Enters: a Document and the path of the policy in it, or a file. Leaves: plain values, problems with their places. Must
not: know what the keys mean.
"""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

from sipguard.screening.policy.errors import ERROR, Path
from sipguard.screening.policy.errors import Problem as PolicyProblem
from sipguard.settings.document import Document
from sipguard.settings.problems import Problem


class PolicyText:
    """What was written. `plain` is None, and `problems` says why, where it cannot be read."""

    def __init__(self, document: Document, written: object, at: Path = ()) -> None:
        """`written` stands at the path `at` of `document`."""
        self.document = document
        self.problems = list(document.problems)
        self.plain: Any = written
        self._at = at

    @classmethod
    def of_file(cls, file: File) -> PolicyText:
        """The policy that is a file by itself."""
        document = Document(file)
        return cls(document, document.plain)

    @property
    def octets(self) -> tuple[bytes, ...]:
        """What stands in the files that were read for it, besides the configuration's."""
        return () if self._at else (self.document.text,)

    def problem(self, path: Path, what: str, hint: str = "", level: str = ERROR) -> Problem:
        """A problem of the value at `path` of the policy."""
        return self.document.problem((*self._at, *path), what, hint, level)

    def placed(self, problem: PolicyProblem) -> Problem:
        """The same problem with its place in a file."""
        return self.problem(problem.path, problem.what, problem.hint, problem.level)
