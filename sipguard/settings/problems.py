"""What is wrong with a configuration, with the place in a file where it stands.

Enters: findings of pydantic, of the policy reader, of our own rules. Leaves: Problems that print as
`file:line:column: path: what; did you mean ...`. Must not: stop at the first one.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ValidationError

from sipguard.screening.policy.errors import ERROR, WARNING, Path, dotted, flag_meant, meant
from sipguard.settings import elsewhere
from sipguard.settings.meanings import meanings
from sipguard.settings.values import ORIGID, UUID

__all__ = ["ERROR", "WARNING", "Problem", "of_validation"]

MISSING: Final = "is missing"
RENAMED: Final = "is missing under this name"

_IN_WORDS: Final = {UUID: "write a UUID", ORIGID: "write trunk, caller or a UUID"}  # what no pattern says plainly
_WANTED: Final = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "model_attributes_type": "must be a map",
}


@dataclass(frozen=True)
class Problem:
    """One problem; `line` and `column` count from 1, 0 where the file has no such place.

    `names`: place of an index in `path` -> name of the entry of a list that it leads to.
    """

    file: str
    line: int
    column: int
    path: Path
    what: str
    hint: str = ""
    level: str = ERROR
    names: Mapping[int, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        """`file:line:column: path: what; hint`, warnings marked as such."""
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        path = f"{dotted(self.path, self.names)}: " if self.path else ""
        mark = "warning: " if self.level == WARNING else ""
        return f"{place}{mark}{path}{self.what}" + (f"; {self.hint}" if self.hint else "")


def of_validation(error: ValidationError, model: type[BaseModel]) -> Iterable[tuple[Path, str, str]]:
    """(path, what, hint) of each finding of pydantic; what is RENAMED says what is told of another key already."""
    found = [(tuple(part for part in each["loc"] if part != "[key]"), each) for each in error.errors()]
    renamed = {(*path[:-1], elsewhere.key_of(path)) for path, each in found if each["type"] == "extra_forbidden"}
    for path, finding in found:
        if finding["type"] == "missing" and path in renamed:
            yield path, RENAMED, ""
        else:
            yield path, *_said(finding["type"], finding, path, model)


def _said(kind: str, finding: Any, path: Path, model: type[BaseModel]) -> tuple[str, str]:
    """What one finding says, and its hint."""
    value, context = finding.get("input"), finding.get("ctx", {})
    if kind == "extra_forbidden":
        hint = elsewhere.hint_of(path) or meant(str(path[-1]), _keys_at(model, path[:-1]))
        return f"unknown key {path[-1]}", hint or "sipguard schema prints all keys there are"
    if kind == "missing":
        return MISSING, _wanted_at(model, path)
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        ours = elsewhere.VALUES.get(str(value).lower(), "")
        hint = f"did you mean {ours}?" if ours in words else meant(str(value), words)
        return f"must not be {_shown(value)}", hint or f"write one of {', '.join(words)}"
    if kind == "value_error":
        what, _, hint = str(context["error"]).partition("|")
        return what, hint
    if kind == "string_pattern_mismatch":
        hint = _IN_WORDS.get(context["pattern"], f"allowed is {context['pattern']}")
        return f"{_shown(value)} cannot stand here", hint
    if kind == "too_short":
        return "must not be empty", "write at least one"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        return f"{_shown(value)} is out of range", f"{'at least' if 'ge' in context else 'at most'} {bound}"
    wanted = _WANTED.get(kind)
    if not wanted and kind.endswith("_parsing"):
        wanted = _WANTED.get(kind.replace("_parsing", "_type"))
    if not wanted:
        return finding["msg"], ""
    return f"{wanted}, not {_shown(value)}", _hint(kind, value) or _example(_keys_at(model, path), path, value)


def _hint(kind: str, value: object) -> str:
    """How a value of another type is written."""
    if kind == "list_type" and isinstance(value, str | int | float):
        return f"write [{_shown(value)}]"
    if kind == "bool_type":
        meaning = flag_meant(value)
        return f"write {meaning}" if meaning else ""
    if kind == "string_type":
        return f'write "{value}" in quotes' if isinstance(value, int | float | date) else "write one text"
    if kind in ("int_parsing", "float_parsing", "int_from_float", "int_type", "float_type"):
        digits = re.match(r"[0-9]+(\.[0-9]+)?", str(value))
        return f"write {digits[0]}" if digits is not None else "write a number"
    return "write [...], or a dash before each" if kind == "list_type" else ""


def _example(keys: list[str], path: Path, value: object) -> str:
    """How a map is written that has `keys`."""
    if len(path) == 2 and path[0] in elsewhere.EXAMPLES:
        return f"write {path[1]}: {elsewhere.EXAMPLES[str(path[0])]}"
    if "to" in keys and isinstance(value, str):
        return f"write {{to: {value}}}"
    if not keys:
        return "write KEY: VALUE, one below the other"
    last = path[-1] if path and isinstance(path[-1], str) else ""
    more = ", ..." if len(keys) > 3 else ""
    pairs = ", ".join([f"{key}: ..." for key in keys[:3]])
    return f"write {last}: {{{pairs}{more}}}" if last else f"write {{{pairs}{more}}}"


def _shown(value: object) -> str:
    """A value as a message shows it."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)[:60]


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that a map at `path` may have."""
    shape: Any = model
    for part in path:
        shape = _inner(shape, part)
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        return list(shape.model_fields)
    return []


def _wanted_at(model: type[BaseModel], path: Path) -> str:
    """How to write the key that is missing at `path`, in the words of the model."""
    shape: Any = model
    for part in path[:-1]:
        shape = _inner(shape, part)
    meaning = meanings(shape).get(str(path[-1])) if isinstance(shape, type) else None
    if meaning is None:
        return ""
    meaning = " ".join(meaning.split()).rstrip(".")
    annotation = shape.model_fields[str(path[-1])].annotation
    choices = typing.get_args(annotation) if typing.get_origin(annotation) is Literal else ()
    value = f"one of {', '.join(map(str, choices))}" if choices else elsewhere.EXAMPLES.get(str(path[-1]), "VALUE")
    return f"write {path[-1]}: {value} ({meaning})"


def _inner(shape: Any, part: str | int) -> Any:
    """The type of the value at key or index `part` of a value of type `shape`."""
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        field = shape.model_fields.get(str(part))
        return _bare(field.annotation) if field is not None else None
    arguments = typing.get_args(shape)
    return _bare(arguments[-1]) if arguments else None


def _bare(shape: Any) -> Any:
    """A type without Annotated and without `| None`."""
    if typing.get_origin(shape) is Annotated:
        return _bare(typing.get_args(shape)[0])
    arguments = typing.get_args(shape)
    if type(None) in arguments:
        return _bare(next(each for each in arguments if each is not type(None)))
    return shape
