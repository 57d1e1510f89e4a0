"""What became of the lines of a list that is imported.

Enters: what was read of each line. Leaves: counts, and the first lines that were refused with line, column and reason.
Must not: grow with the list.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Final

from sipguard.numbers.canonical import IMPOSSIBLE, SHORT, classify, read

KEPT: Final = 1000  # lines that are told of one by one
NOBODYS: Final = IMPOSSIBLE | {SHORT}  # classes of what is no subscriber's number; registries cannot hold such


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not taken: its place (`line` and `column` count from 1), a reason slug, and what is wrong."""

    file: str
    line: int
    column: int
    reason: str
    what: str


class Tally:
    """Counts of one import; `file` is the one that is being read."""

    __slots__ = ("accepted", "deleted", "empty", "file", "lines", "odd", "passed_over", "refused", "told")

    def __init__(self) -> None:
        self.file = ""
        self.lines = 0  # of the file that is being read
        self.accepted = 0
        self.deleted = 0
        self.empty = 0  # blank, or a comment
        self.passed_over = 0  # rows that say nothing of this list, such as an answer "no"
        self.odd: Counter[str] = Counter()  # class -> entries that were taken though nobody's number has it
        self.refused: Counter[str] = Counter()  # reason -> lines
        self.told: list[Refusal] = []

    def refuse(self, line: int, column: int, reason: str, what: str) -> None:
        """A line was not taken."""
        self.refused[reason] += 1
        if len(self.told) < KEPT:
            self.told.append(Refusal(self.file, line, column, reason, what))

    @property
    def refusals(self) -> int:
        """How many lines were not taken."""
        return self.refused.total()

    def plain(self) -> dict[str, Any]:
        """All of it as values of JSON, for `of`."""
        return {
            **{name: getattr(self, name) for name in ("accepted", "deleted", "empty", "file", "lines", "passed_over")},
            "odd": dict(self.odd), "refused": dict(self.refused), "told": [asdict(each) for each in self.told],
        }  # fmt: skip

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Tally:
        """The tally that `plain` was made from. Raises KeyError, TypeError for what is none."""
        tally = cls()
        tally.accepted, tally.deleted = int(plain["accepted"]), int(plain["deleted"])
        tally.empty, tally.passed_over = int(plain["empty"]), int(plain["passed_over"])
        tally.file, tally.lines = str(plain["file"]), int(plain["lines"])
        tally.odd.update(plain["odd"])
        tally.refused.update(plain["refused"])
        tally.told = [Refusal(**each) for each in plain["told"]]
        return tally


def class_of(entry: str, tn: str) -> str:
    """The class of a TN that was read from `entry`."""
    number = read(entry)
    return classify(number if number.tn == tn else read("+" + tn))


def reason_of(entry: str) -> str:
    """The reason slug for an entry that is no number, after facts of numbering where they say it."""
    if not entry:
        return "missing"
    if "\0" in entry or "\ufffd" in entry:
        return "not_text"
    if entry[-1] == "*":
        return "no_prefix"
    if "," in entry:
        return "extra_field"
    return classify(read(entry)) or "no_number"
