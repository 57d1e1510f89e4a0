"""Plain values to a Config, with every problem of their shape; what is wrong is left out, the rest goes on.

Enters: plain values of a document. Leaves: a Config of what could be read, and problems. Must not: stop at
the first.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from pydantic import ValidationError

from sipguard.screening.policy.errors import Path
from sipguard.settings.document import Document
from sipguard.settings.model import Config
from sipguard.settings.problems import MISSING, RENAMED, Problem, of_validation

_STAND_INS: Final[dict[str, Any]] = {  # for required keys, so that the rest can be looked at
    "address": "127.0.0.1",
    "bind": [],
    "kind": "interconnect",
    "listeners": {"main": {"address": "127.0.0.1"}},
    "node": "node",
    "policy": {"rules": []},
    "site": "site",
    "trunks": {"none": {"kind": "interconnect"}},
}
_ROUNDS: Final = 4  # leaving a value out may show that its key is required


def read_shape(document: Document) -> tuple[Config | None, list[Problem]]:
    """The configuration without its wrong values, and what was wrong; None where there is no map at all."""
    if not isinstance(document.plain, dict):
        return None, [document.problem((), "a configuration is a map", "of site, node, listeners, trunks ...")]
    values = deepcopy(document.plain)
    problems: list[Problem] = []
    for _ in range(_ROUNDS):
        try:
            return Config.model_validate(values), problems
        except ValidationError as error:
            paths: list[tuple[Path, bool]] = []
            for path, what, hint in of_validation(error, Config):
                paths.append((path, what in (MISSING, RENAMED)))
                if what != RENAMED and not any(path == known.path for known in problems):
                    problems.append(document.problem(path, what, hint))
            _repair(values, paths)
    return None, problems


def _repair(values: Any, paths: list[tuple[Path, bool]]) -> None:
    """Leaves the values at `paths` out, and puts something where one is missing."""
    for path, missing in sorted(paths, key=lambda item: [str(part).zfill(6) for part in item[0]], reverse=True):
        holder = values
        for part in path[:-1]:
            try:
                holder = holder[part]
            except (KeyError, IndexError, TypeError):
                holder = None
                break
        if not path or not isinstance(holder, dict | list):
            continue
        last = path[-1]
        if missing and isinstance(holder, dict):
            holder[last] = deepcopy(_STAND_INS.get(str(last)))
        elif isinstance(holder, dict):
            holder.pop(last, None)
        elif isinstance(last, int) and last < len(holder):
            del holder[last]
