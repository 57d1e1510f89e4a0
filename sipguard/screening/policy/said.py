"""Facts that somebody says of a call that was not made.

Enters: facts by name, as YAML gives their values or as texts of a command line. Leaves: fact values; problems. Must
not: know of a call.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sipguard.screening.finding import FactSpec, FactValue
from sipguard.screening.policy import mistaken
from sipguard.screening.policy.errors import Path, Problem, meant

ABSENT: Final = "absent"  # a fact that the call does not have, as YAML's null


def read_said(
    written: object,
    facts: tuple[FactSpec, ...],
    lists: Mapping[str, Collection[str]] | None,
    path: Path,
    problems: list[Problem],
) -> dict[str, FactValue]:
    """The facts in a map. One that is `absent` is None. Of a set one member may stand by itself.

    `lists` are those that there are, with what they are asked about; None where any name may stand.
    """
    if written is None:
        return {}
    if not isinstance(written, Mapping):
        problems.append(Problem(path, "must map facts to values", "such as {rate.caller.attempts_1m: 80}"))
        return {}
    specs = {spec.name: spec for spec in facts}
    said: dict[str, FactValue] = {}
    for name, value in written.items():
        spec, at = specs.get(str(name)), (*path, str(name))
        if spec is None:
            problems.append(Problem(at, f"unknown fact {name}", meant(str(name), specs)))
        else:
            _put(spec, value, at, said, problems)
            for each in value if isinstance(value, list) else [value]:
                _named(spec, each, lists, at, problems)
    return said


def from_text(spec: FactSpec, text: str) -> object:
    """What stands for `text` in YAML: a number, true or false, a list where there are commas; else the text."""
    if spec.type == "set":
        return [each.strip() for each in text.split(",") if each.strip()] if text != ABSENT else None
    if spec.type == "flag":
        return {"true": True, "false": False}.get(text.lower(), text)
    if spec.type == "number":
        try:
            number = float(text)
            return int(number) if number.is_integer() else number
        except (ValueError, OverflowError):
            return text
    return text


def _put(spec: FactSpec, value: object, path: Path, said: dict[str, FactValue], problems: list[Problem]) -> None:
    """Puts the value of one fact among those said, or says what is wrong with it."""
    if value is None or value == ABSENT:
        said[spec.name] = None
    elif spec.type == "set":
        members = value if isinstance(value, list) else [value]
        for each in members:
            _chosen(spec, each, path, problems)
        said[spec.name] = tuple(str(each) for each in members)
    elif spec.type == "flag":
        if not isinstance(value, bool):
            problems.append(Problem(path, f"{spec.name} is true or false, not {_shown(value)}"))
        else:
            said[spec.name] = value
    elif spec.type == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(Problem(path, f"{spec.name} is a number, not {_shown(value)}"))
        else:
            _chosen(spec, f"{value:g}", path, problems)
            said[spec.name] = value
    else:
        _chosen(spec, value, path, problems)
        said[spec.name] = str(value)


def _named(
    spec: FactSpec, value: object, lists: Mapping[str, Collection[str]] | None, path: Path, problems: list[Problem]
) -> None:
    """A text that names a list, or an area code, and none of those that there can be."""
    if not isinstance(value, str) or value == ABSENT:
        return
    what: tuple[str, str] | None = None
    if spec.name.startswith("lists."):
        what = mistaken.listed(spec.name, value, lists) if lists is not None else None
    elif spec.name.endswith(".npa"):
        what = mistaken.area_code(value)
    if what is not None and what[0]:
        problems.append(Problem(path, *what))


def _chosen(spec: FactSpec, value: object, path: Path, problems: list[Problem]) -> None:
    """A text, and one of the closed list of values where there is one."""
    if not isinstance(value, str):
        hint = f'write "{value}" in quotes' if isinstance(value, int | float) else ""
        problems.append(Problem(path, f"{spec.name} is a text, not {_shown(value)}", hint))
    elif spec.choices and value not in spec.choices:
        problems.append(Problem(path, f"{spec.name} is never {value}", meant(value, spec.choices)))


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    return str(value).lower() if isinstance(value, bool) else str(value)
