"""A YAML file with the place of every key.

Enters: a path. Leaves: plain maps, lists and scalars, and positions. Must not: know what the keys mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from math import isfinite
from pathlib import Path as File
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, SequenceNode

from sipguard.screening.policy.errors import ERROR, Path
from sipguard.settings.problems import Problem
from sipguard.settings.syntax import Said, said_of, tagged, too_deep, too_long

_TWICE: Final = {  # key of a policy -> how two of it are written
    "when": "write one: when: {all: [{...}, {...}]}",
    "not": "write all: [{not: ...}, {not: ...}]",
    "any": "write all: [{any: ...}, {any: ...}]",
    "is": "write all: [{is: ...}, {is: ...}] for both, is: [..., ...] for any of them",
}

DEEPEST: Final = 64  # maps and lists within one another
_LONGEST_NAME: Final = 64  # that is repeated in a message


class _Dates(RoundTripConstructor):
    """As its base, but a date that no calendar has is a text, so that it is told where it stands."""

    def construct_yaml_timestamp(self, node: Any, values: Any = None) -> Any:
        try:
            return super().construct_yaml_timestamp(node, values)
        except ValueError:
            return node.value


_Dates.add_constructor("tag:yaml.org,2002:timestamp", _Dates.construct_yaml_timestamp)


def _reader() -> YAML:
    yaml = YAML(typ="rt")
    yaml.Constructor = _Dates
    return yaml


class Document:
    """One file. `plain` is None, and `problems` says why, where it cannot be read."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.text = b""
        self.problems: list[Problem] = []
        self.plain: Any = None
        self._tree: Any = None
        try:
            self.text = file.read_bytes()
            text = self.text.decode()
            self.problems += [Problem(str(file), line, at, (), what, hint) for line, at, what, hint in tagged(text)]
            if self.problems:
                return
            self._tree = _reader().load(text)
            self.plain = _plain(self._tree)
            self.problems += self._endless()
            if self.problems:
                self.plain = None
        except _NoKey as error:
            line, column = error.args
            what, hint = (
                "a map or list in the place of a key",
                "put the text in quotes; {{ }} is filled in by nobody here",
            )
            self.problems.append(Problem(str(file), line, column, (), what, hint))
        except RecursionError:
            self._unreadable("refers to itself, or is nested too deeply", too_deep(self.text.decode(), DEEPEST))
        except OSError as error:
            self._unreadable(f"cannot be read: {error.strerror}")
        except UnicodeDecodeError as error:
            before = self.text[: error.start].decode(errors="replace")
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            what, hint = f"the octet 0x{self.text[error.start]:02x} is not UTF-8", "save the file as UTF-8"
            self.problems.append(Problem(str(file), line, column, (), what, hint))
        except DuplicateKeyError:
            self.problems += sorted(_repeated(file, self.text.decode()), key=lambda each: (each.line, each.column))
        except MarkedYAMLError as error:
            line, column, what, hint = said_of(error, self.text.decode())
            self.problems.append(Problem(str(file), line, column, (), what, hint))
        except YAMLError as error:
            self._unreadable(str(error).split("\n")[0])
        except ValueError as error:  # such as an integer of some thousand digits
            self._unreadable(f"holds a value that cannot be read: {error}", too_long(self.text.decode()))

    def _unreadable(self, what: str, said: Said | None = None) -> None:
        """Notes why nothing of it is read: as `said`, with its place, where that is known."""
        line, column, what, hint = said or (0, 0, what, "")
        self.problems.append(Problem(str(self.file), line, column, (), what, hint))

    def _endless(self) -> list[Problem]:
        """A problem for each number that is not finite, or too large to be reckoned with."""
        found: list[Problem] = []
        left: list[tuple[Path, Any]] = [((), self.plain)]
        while left:
            path, value = left.pop()
            if isinstance(value, dict):
                left += [((*path, key), each) for key, each in value.items()]
            elif isinstance(value, list):
                left += [((*path, at), each) for at, each in enumerate(value)]
            elif isinstance(value, int | float) and not _is_finite(value):
                hint = "write one such as 60; to set no limit, leave its key out"
                found.append(self.problem(path, "a number that is not finite", hint))
        return sorted(found, key=lambda each: (each.line, each.column))

    def problem(self, path: Path, what: str, hint: str = "", level: str = ERROR) -> Problem:
        """A problem of the value at `path`."""
        line, column = self.position(path)
        return Problem(str(self.file), line, column, path, what, hint, level, self._names(path))

    def problems_for(self, document: Document, path: Path) -> Iterator[Problem]:
        """Why this file cannot be used: where it says so itself, else at the `path` of `document` that names it."""
        for each in self.problems:
            if each.line:
                yield each
            else:
                yield document.problem(path, f"{self.file} {each.what}", "write the path of a YAML file")

    def _names(self, path: Path) -> dict[int, str]:
        """Names of the entries of lists that `path` leads through, by their places in it."""
        node, names = self.plain, {}
        for at, part in enumerate(path):
            if isinstance(node, dict):
                node = node.get(part)
            elif isinstance(node, list) and isinstance(part, int) and part < len(node):
                node = node[part]
                name = node.get("name") if isinstance(node, dict) else None
                if isinstance(name, str) and name.isprintable() and 0 < len(name) <= _LONGEST_NAME:
                    names[at] = name
            else:
                break
        return names

    def position(self, path: Path) -> tuple[int, int]:
        """(line, column), from 1, of the key or list item at `path`, or of what of it is there."""
        places = self._places(path)
        return places[-1] if places else (1, 1)

    def depth(self, path: Path) -> int:
        """How many keys of `path` are there."""
        return len(self._places(path))

    def _places(self, path: Path) -> list[tuple[int, int]]:
        """(line, column) of each key of `path`, as far as it is there."""
        node, places = self._tree, []
        for part in path:
            found = _place(node, part)
            if found is None:
                break
            places.append(found)
            node = node[part]
        return places


def _repeated(file: File, text: str) -> Iterator[Problem]:
    """A problem for each key that a map has before. What it maps to is not shown: it may be a secret."""
    nodes, known = [YAML(typ="rt").compose(text)], set()
    while nodes:
        node = nodes.pop()
        if id(node) in known:
            continue  # an alias leads here too
        known.add(id(node))
        if isinstance(node, SequenceNode):
            nodes += node.value
        if not isinstance(node, MappingNode):
            continue
        first: dict[str, Any] = {}
        for key, value in node.value:
            nodes += [key, value]
            before = first.setdefault(str(key.value), key.start_mark)
            if before is not key.start_mark:
                here = key.start_mark
                if key.value == "name" and not node.flow_style:  # all that follows is another rule's
                    what, hint = (
                        "a second name: a new rule begins here",
                        f"write - before it, in column {here.column - 1}",
                    )
                    yield Problem(str(file), here.line + 1, here.column + 1, (), what, hint)
                    break
                what = f"{key.value} stands here again; first in line {before.line + 1}, column {before.column + 1}"
                yield Problem(
                    str(file),
                    here.line + 1,
                    here.column + 1,
                    (),
                    what,
                    _twice(str(key.value), value),
                )


def _twice(key: str, value: object) -> str:
    """How to write what was written under one key twice."""
    if key in _TWICE:
        return _TWICE[key]
    if "." in key and not isinstance(value, MappingNode):
        return f"write all: [{{{key}: ...}}, {{{key}: ...}}] for both, {key}: [..., ...] for any of them"
    return "put what stands under both under one" if isinstance(value, CollectionNode) else "take one of them out"


def _place(node: Any, part: str | int) -> tuple[int, int] | None:
    """Where key or index `part` stands in a map or list, None where it does not."""
    if isinstance(node, CommentedMap) and part in node:
        try:
            line, column = node.lc.key(part)
        except KeyError:  # it came in by a merge key
            return None
        return line + 1, column + 1
    if isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
        line, column = node.lc.item(part)
        return line + 1, column + 1
    return None


class _NoKey(Exception):
    """A key that is no text and no number; its line and column."""


def _is_finite(value: float) -> bool:
    """Whether a number is finite as a float too."""
    try:
        return isfinite(value)
    except OverflowError:  # an integer of some hundred digits
        return False


def _plain(node: Any, depth: int = 0) -> Any:
    """The tree without what the reader keeps for writing it again. Raises _NoKey; RecursionError below DEEPEST."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(node, Mapping):
        for key in node:
            if isinstance(key, Mapping | list | tuple):
                raise _NoKey(*(_place(node, key) or (1, 1)))  # type: ignore[arg-type]
        return {_plain(key): _plain(value, depth + 1) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(item, depth + 1) for item in node]
    if node is None or isinstance(node, bool | date):
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)
