"""What a rule may ask of the facts, from `when` as written to a Condition.

Enters: maps, lists and scalars as YAML gives them. Leaves: Condition values; problems, all of them.
Must not: know of rules or answers.

A map means and; a list of values means any of; `all`, `any`, `not`, `is`, `time` say the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sipguard.numbers.glob import Glob
from sipguard.screening.finding import FactSpec
from sipguard.screening.policy import mistaken
from sipguard.screening.policy.errors import WARNING, Path, Problem, flag_meant, meant, shown
from sipguard.screening.policy.model import (
    COMPARISONS,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Not,
    OneOf,
    Scalar,
    Vocabulary,
)
from sipguard.screening.policy.times import read_time
from sipguard.screening.trunk import KINDS as TRUNK_KINDS

RULE_KEYS: Final = (
    "name",
    "on",
    "when",
    "reject",
    "redirect",
    "allow",
    "label",
    "tag",
    "continue",
    "mode",
    "rollout",
    "until",
)
_JOINERS: Final = ("all", "any", "not", "is", "time")
_NEVER: Final = AnyOf(())
_DEEPEST: Final = 32  # definitions that name one another
_HIGHEST: Final = 100  # conditions within one another, with those that they name
_TYPE_NAMES: Final = {
    "text": "a text",
    "number": "a number",
    "flag": "true or false",
    "set": "a text",
    "choice": "a text",
}


class ConditionReader:
    """Reads conditions against a vocabulary; `problems` grows. A part that cannot be read never holds."""

    def __init__(self, vocabulary: Vocabulary, problems: list[Problem]) -> None:
        self.vocabulary = vocabulary
        self.problems = problems
        self._facts = {spec.name: spec for spec in vocabulary.facts}
        self._written: Mapping[str, object] = {}
        self._defined: dict[str, Condition] = {}
        self._open: list[str] = []
        self._heights: dict[int, int] = {}  # by id of a condition in `_defined`

    @property
    def words(self) -> Collection[str]:
        """What a condition may begin with: facts, all, any, not, is, time."""
        return {*self._facts, *_JOINERS}

    def problem(self, path: Path, what: str, hint: str = "") -> None:
        """Notes a problem."""
        self.problems.append(Problem(path, what, hint))

    def define(self, value: object) -> None:
        """Reads the map `define:`; a definition may use others in any order, but not itself."""
        if value is None:
            return
        if not isinstance(value, dict):
            self.problem(("define",), "must map names to conditions", "such as {outside: {trunk.kind: gateway}}")
            return
        self._written = {str(name): condition for name, condition in value.items()}
        for name in self._written:
            self._named(name, ("define", name))

    def read(self, value: object, path: Path) -> Condition:
        """The condition written as `value`."""
        if not isinstance(value, dict):
            hint = "such as {lists.shown: dno}"
            if isinstance(value, list):
                hint = "take the dashes out where all of it must hold, else write any: before them"
            elif isinstance(value, str):
                hint = mistaken.condition(value, self._facts, self._written)
            elif value is None:
                hint = "write it behind the colon, or below and indented deeper"
            if path[:1] == ("define",) and path[-1] in ("rules", "default", "responses", "overrides"):
                hint = f"{path[-1]} stands beside define: begin it in the column of define"
            elif value is True or shown(value) in ("*", "always", "all", "any", "true"):
                hint = "for all calls of a trunk write on: [TRUNK] and no when; for all calls default:"
            self.problem(path, f"a condition is a map of facts, not {shown(value)}", hint)
            return _NEVER
        if not value:
            self.problem(path, "an empty condition", "leave out the rule or name a fact")
            return _NEVER
        beside = {str(key): wanted for key, wanted in value.items()}
        parts = [self._entry(key, beside, (*path, key)) for key in beside]
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _entry(self, key: str, beside: Mapping[str, object], path: Path) -> Condition:
        """One key of the map `beside`, a condition."""
        wanted = beside[key]
        if key == "all" or key == "any":
            return self._joined(key, wanted, path)
        if key == "not":
            if isinstance(wanted, list):
                self.problem(
                    path, "not wants one condition, not a list", "write not: {any: [...]}, or not: {all: [...]}"
                )
                return _NEVER
            return Not(self.read(wanted, path))
        if key == "is":
            names = wanted if isinstance(wanted, list) else [wanted]
            parts = tuple(self._named(name, path) for name in names)
            return parts[0] if len(parts) == 1 else AnyOf(parts)
        if key == "time":
            return read_time(wanted, path, self.vocabulary.zones, self.problem) or _NEVER
        spec = self._facts.get(key)
        if spec is None:
            choices = {name: each.choices for name, each in self._facts.items()}
            hint = mistaken.fact(key, beside, choices, RULE_KEYS, self.vocabulary.lists, self._written)
            self.problem(path, f"unknown fact {key}", hint)
            return _NEVER
        return self._fact(spec, wanted, path)

    def _joined(self, key: str, wanted: object, path: Path) -> Condition:
        """`all` or `any` over a list of conditions."""
        if not isinstance(wanted, list) or not wanted:
            hint = f"such as {key}: [{{lists.shown: dno}}, {{lists.caller: blocked}}]"
            self.problem(path, f"{key} wants a list of conditions, each in braces or behind a dash", hint)
            return _NEVER
        parts = tuple(self.read(part, (*path, at)) for at, part in enumerate(wanted))
        return AllOf(parts) if key == "all" else AnyOf(parts)

    def _named(self, name: object, path: Path) -> Condition:
        """The condition defined as `name`; a circle is a problem and never holds."""
        if not isinstance(name, str) or name not in self._written:
            hint = mistaken.definition(shown(name), self._written)
            if isinstance(name, dict) and len(name) == 1:
                hint = f"write is: {next(iter(name))}"
            self.problem(path, f"nothing is defined as {shown(name)}", hint)
            return _NEVER
        if name in self._defined:
            return self._defined[name]
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            self.problem(path, f"the definition goes in a circle: {circle}", "take one of these out")
            return _NEVER
        if len(self._open) >= _DEEPEST:
            return self._too_deep(path)
        self._open.append(name)
        found = self.read(self._written[name], ("define", name))
        self._open.pop()
        height = self._height(found)
        if height > _HIGHEST:
            found, height = self._too_deep(("define", name)), 1
        self._defined[name] = found
        self._heights[id(found)] = height
        return found

    def _too_deep(self, path: Path) -> Condition:
        """Notes that conditions lie too deep in one another; the least that is left never holds."""
        self.problem(path, "too many conditions lie in one another here", "write fewer, or name their parts apart")
        return _NEVER

    def _height(self, condition: Condition) -> int:
        """How many conditions lie in one another, itself among them."""
        known = self._heights.get(id(condition))
        if known is not None:
            return known
        if isinstance(condition, Not):
            return 1 + self._height(condition.part)
        if isinstance(condition, AllOf | AnyOf):
            return 1 + max([self._height(part) for part in condition.parts], default=0)
        return 1

    # -------------------------------------------------------------------------------- values

    def _fact(self, spec: FactSpec, wanted: object, path: Path) -> Condition:
        """What is wanted of one fact."""
        if isinstance(wanted, dict):
            return self._compared(spec, wanted, path)
        values: list[Scalar] = []
        patterns: list[str] = []
        if isinstance(wanted, list):
            if not wanted:
                self.problem(
                    path, "an empty list matches nothing", "write what is wanted into it, or take the fact out"
                )
            if len(wanted) > 1 and spec.type != "number" and all(type(value) is int for value in wanted):
                texts = ", ".join([f'"{value}"' for value in wanted])
                self.problem(path, f"{spec.name} is {_kind(spec)}, not a number", f"write [{texts}]")
                return _NEVER
            for at, value in enumerate(wanted):
                self._value(spec, value, (*path, at), values, patterns)
        else:
            self._value(spec, wanted, path, values, patterns)
        return OneOf(spec.name, tuple(values), tuple(patterns))

    def _compared(self, spec: FactSpec, wanted: dict[object, object], path: Path) -> Condition:
        """`{over: 3, at_most: 9}`."""
        parts: list[Condition] = []
        if spec.type != "number":
            hint = mistaken.compared(spec.name, wanted, "VALUE" if spec.type != "flag" else "true")
            self.problem(path, f"{spec.name} is {_kind(spec)}, only numbers are compared", hint)
            return _NEVER
        for key, bound in wanted.items():
            at = (*path, str(key))
            if key not in COMPARISONS:
                self.problem(at, f"unknown comparison {key}", mistaken.comparison(str(key), COMPARISONS))
            elif isinstance(bound, bool) or not isinstance(bound, int | float):
                self.problem(at, f"{spec.name} is compared with a number, not {_quoted(bound)}", _bound_meant(bound))
            else:
                self._ratio(spec, bound, at)
                parts.append(Compare(spec.name, str(key), float(bound)))
        if not wanted:
            self.problem(path, "an empty comparison", "known are " + ", ".join(COMPARISONS))
        if not parts:
            return _NEVER
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _value(self, spec: FactSpec, value: object, path: Path, values: list[Scalar], patterns: list[str]) -> None:
        """Checks one wanted value and puts it among `values` or `patterns`."""
        if spec.type == "flag":
            if not isinstance(value, bool):
                self.problem(path, f"{spec.name} is true or false, not {_quoted(value)}", _flag_hint(value))
            else:
                values.append(value)
        elif spec.type == "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                self.problem(path, f"{spec.name} is a number, not {_quoted(value)}", _number_meant(value))
            else:
                self._chosen(spec, f"{value:g}", path)
                self._ratio(spec, value, path)
                values.append(value)
        elif not isinstance(value, str):
            self.problem(path, f"{spec.name} is {_kind(spec)}, not {shown(value)}", _text_hint(spec, value))
        elif "*" in value:
            if spec.choices and not any(Glob(value).fits(choice) for choice in spec.choices):
                self.problem(path, f"{spec.name} is never {value}", meant(value.replace("*", ""), spec.choices))
            self._expression(spec, value, path)
            patterns.append(value)
        else:
            self._expression(spec, value, path)
            self._word(spec, value, path)
            values.append(value)
        if spec.name.endswith(".npa") and isinstance(value, str) and (what := mistaken.area_code(value)):
            self.problem(path, *what)

    def _ratio(self, spec: FactSpec, bound: float, path: Path) -> None:
        """A ratio that is written as a percentage would never be reached, or always."""
        what, hint = mistaken.ratio(bound) if "_ratio_" in spec.name else ("", "")
        if what:
            self.problem(path, what, hint)

    def _expression(self, spec: FactSpec, text: str, path: Path) -> None:
        """A regular expression is understood by none of these; where a text can be one, that is told."""
        if spec.choices or spec.name.startswith("lists."):
            return
        if text[:1] == text[-1:] == "/" or text[:1] == "^" or text[-1:] == "$" or "\\" in text or "[0-9" in text:
            what = f"{text} reads like a regular expression, which it is not"
            self.problems.append(Problem(path, what, "* is any text", WARNING))

    def _word(self, spec: FactSpec, word: str, path: Path) -> None:
        """Problems of a text that must be one of known words."""
        if spec.name.startswith("lists."):
            what, hint = mistaken.listed(spec.name, word, self.vocabulary.lists)
            if what:
                self.problem(path, what, hint)
            return
        if spec.name == "trunk.name":
            if word not in self.vocabulary.trunks and self.vocabulary.trunks:
                hint = mistaken.value(spec.name, word, self.vocabulary.trunks)
                if word in TRUNK_KINDS:
                    hint = f"{word} is a kind of trunk; write trunk.kind: {word}"
                self.problem(path, f"{spec.name} is never {word}", hint)
            return
        if spec.name == "trunk.kind" and word not in spec.choices and word in self.vocabulary.trunks:
            self.problem(path, f"{spec.name} is never {word}", f"{word} is a trunk; write trunk.name: {word}")
            return
        self._chosen(spec, word, path)

    def _chosen(self, spec: FactSpec, word: str, path: Path) -> None:
        """A fact with a closed list of values has no other."""
        if spec.choices and word not in spec.choices:
            self.problem(path, f"{spec.name} is never {word}", mistaken.value(spec.name, word, spec.choices))


def _quoted(value: object) -> str:
    """A wrong value in a message; of a text one sees that it is one."""
    return f'"{shown(value)}"' if isinstance(value, str) else shown(value)


def _kind(spec: FactSpec) -> str:
    """What a value of this fact is."""
    return _TYPE_NAMES.get(spec.type, spec.type)


def _bound_meant(value: object) -> str:
    """A hint where a text stands for a bound."""
    return (mistaken.number(value) if isinstance(value, str) else "") or "write a number"


def _number_meant(value: object) -> str:
    """A hint where a text stands for a number, or a comparison."""
    return (mistaken.number(value) if isinstance(value, str) else "") or "write a number, or a bound such as {over: 5}"


def _flag_hint(value: object) -> str:
    """A hint where a text stands for true or false."""
    meaning = flag_meant(value)
    return f"write {meaning} without quotes" if meaning else "write true or false"


def _text_hint(spec: FactSpec, value: object) -> str:
    """A hint where no text stands in the place of one."""
    if value is None:
        return "write its value behind the colon"
    if spec.name.startswith("lists."):
        return "write the name of a list; sipguard lists add NAME NUMBER puts a number on one"
    if spec.name.endswith(".npa") and (what := mistaken.area_code(str(value))):
        return what[1]
    if isinstance(value, bool):
        return f"known are {', '.join(spec.choices)}" if spec.choices else "write a text"
    return f'write "{value}" in quotes' if isinstance(value, int | float) else "write a text, or a list of texts"
