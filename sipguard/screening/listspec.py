"""What is configured of a list, and to which number of a call it can be bound.

Enters: nothing, these are values of the configuration. Leaves: the same, also from one process to another.
Must not: open a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KINDS: Final = ("numbers", "pairs", "trunks")
NUMBERS_OF: Final = ("shown", "asserted", "caller", "diverting", "callee")
BINDINGS: Final = {  # kind of list -> what it can be bound to
    "numbers": NUMBERS_OF,
    "pairs": ("pair",),
    "trunks": ("upstream",),
}
UNKNOWN: Final = "?"  # before the name of a list that is missing: whether it holds a number is not known
WHICH: Final = (*NUMBERS_OF, "pair", "upstream")


@dataclass(frozen=True)
class ListSpec:
    """One configured list.

    `kind` one of KINDS; `bind` names of BINDINGS[kind]; `path` the built set file; `source` the text it
    was built from, in `format`. A list of trunks, or a short list, has `members` instead of a file. An `imported` list
    has neither, but a `path` from its first import on.
    """

    name: str
    kind: str = "numbers"
    bind: tuple[str, ...] = ()
    path: str = ""
    source: str = ""
    format: str = "plain"
    members: tuple[str, ...] = ()
    imported: bool = False
