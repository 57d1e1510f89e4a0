"""What may be wrong with a policy.

    PolicyError      a policy that cannot be used; holds all problems at once

Enters: nothing. Leaves: problems with the path of the value at fault. Must not: know of files; `settings`
adds positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

ERROR: Final = "error"
WARNING: Final = "warning"

Path = tuple[str | int, ...]

_NAMELESS: Final[Mapping[int, str]] = {}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `path` of keys and indexes to the value, what, and what was probably meant."""

    path: Path
    what: str
    hint: str = ""
    level: str = ERROR
    first: Path = ()  # the one that stood there before, where it is a second one

    def __str__(self) -> str:
        """`rules[3].when: what; hint`."""
        text = f"{dotted(self.path)}: {self.what}"
        return f"{text}; {self.hint}" if self.hint else text


class PolicyError(Exception):
    """A policy cannot be used. `problems` holds every reason, in the order of the document."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(path: Path, names: Mapping[int, str] = _NAMELESS) -> str:
    """A path as people read it: `rules[3] (dno).when`; `names`: place in `path` of an index -> the name there."""
    text = ""
    for at, part in enumerate(path):
        if isinstance(part, int):
            text += f"[{part}]" + (f" ({names[at]})" if at in names else "")
        else:
            text += f".{part}" if text else part
    return text


def meant(word: str, known: Iterable[str]) -> str:
    """`did you mean ...` where a known word is close, else the known words if they are few, else ""."""
    words = sorted(set(known))
    same = [each for each in words if each.lower() == word.lower()]
    if same:
        return f"did you mean {same[0]}?"
    close = get_close_matches(word.lower(), words, 1, 0.6)
    if close:
        return f"did you mean {close[0]}?"
    if 0 < len(words) <= 12:
        return "known are " + ", ".join(words)
    return ""


def shown(value: object) -> str:
    """A wrong value in a message, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def flag_meant(value: object) -> str:
    """`true` or `false` where a value stands for it, in quotes or as YAML 1.1 had it; "" where it does not."""
    word = value.strip().lower() if isinstance(value, str) else ""
    return {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}.get(word, "")
