"""What is other in one configuration than in another, but for its policy: by the path of each value, in words.

Enters: the plain trees of two configurations. Leaves: (path, what) pairs. Must not: know what a setting means, or weigh
a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sipguard.screening.policy.errors import Path, dotted

POLICY: Final = "policy"  # is compared rule by rule
MARKS: Final = ("trunks", "listeners", "policy")  # keys that a configuration has and a policy has not


def is_configuration(plain: object) -> bool:
    """Whether a file is a whole configuration, and not a policy by itself."""
    return isinstance(plain, dict) and any(key in plain for key in MARKS)


def changes(old: dict[Any, Any], new: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """(path, `before -> after`) of each value that is other, in the order of the new tree, then what is gone."""
    for path, what in _changes(old, new, ()):
        yield dotted(path), what


def _changes(old: dict[Any, Any], new: dict[Any, Any], at: Path) -> Iterator[tuple[Path, str]]:
    for key in dict.fromkeys((*new, *old)):
        path = (*at, str(key))
        if path == (POLICY,):
            continue
        if key not in old:
            yield path, f"added: {_written(new[key])}"
        elif key not in new:
            yield path, f"removed: {_written(old[key])}"
        elif isinstance(old[key], dict) and isinstance(new[key], dict):
            yield from _changes(old[key], new[key], path)
        elif type(old[key]) is not type(new[key]) or old[key] != new[key]:
            yield path, f"{_written(old[key])} -> {_written(new[key])}"


def _written(value: object) -> str:
    """A value on one line, near to how YAML has it."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_written(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)
