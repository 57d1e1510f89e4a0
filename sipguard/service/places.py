"""Where settings and rules stand in the files of a configuration.

Enters: a configuration as loaded, paths in it. Leaves: file, line and column. Must not: read a file.
"""

from __future__ import annotations

from sipguard.screening.policy.errors import dotted
from sipguard.settings.load import Loaded


class Places:
    """Where settings and rules stand in the files."""

    def __init__(self, loaded: Loaded) -> None:
        assert loaded.document is not None
        self._document = loaded.document
        self._text = loaded.text

    def of(self, path: tuple[str | int, ...]) -> tuple[str, str]:
        """(file:line:column, path in that file) of a setting, or of the nearest above it that is written."""
        if path[:1] == ("policy",) and self._text is not None:
            problem = self._text.problem(path[1:], "")
        else:
            problem = self._document.problem(path, "")
        return f"{problem.file}:{problem.line}:{problem.column}", dotted(problem.path, problem.names)
