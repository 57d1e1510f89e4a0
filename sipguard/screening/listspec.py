"""What is configured of a list, and to what of a call it can be bound.

Enters: nothing, these are values of the configuration. Leaves: the same, also from one process to another.
Must not: open a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KINDS: Final = ("numbers", "pairs", "networks", "texts", "trunks")
NUMBERS_OF: Final = ("shown", "asserted", "caller", "diverting", "callee")
BINDINGS: Final = {  # kind of list -> what it can be bound to
    "numbers": NUMBERS_OF,
    "pairs": ("pair",),
    "networks": ("upstream",),
    "texts": ("upstream", "signer"),
    "trunks": ("upstream",),
}
UNKNOWN: Final = "?"  # before the name of a list that is missing: whether it holds a number is not known
WHICH: Final = (*NUMBERS_OF, "pair", "upstream", "signer")


@dataclass(frozen=True)
class ListSpec:
    """One configured list.

    `kind` one of KINDS; `bind` names of BINDINGS[kind]; `path` the built set file; `file` the text it was built from,
    in `format`. A short list has `members`, canonical entries, instead of a file, and a list of trunks has both; an
    `imported` list has neither, but a `path` from its first import on. `absent`: its file was not there at the start.
    `per_trunk`: its numbers are of a trunk each, and asked about calls of that trunk only. `owner`, `purpose`,
    `source` and `version` are words for people. A list that is older than `max_age_s` seconds is stale; 0.0 for none.
    `given`: (file, SHA-256) of what it was made of; `dated_at`: of when its data is, Unix seconds, 0.0 where nobody
    knows; `imported_version`: that of its last import; `damaged`: what was imported is gone or cannot be opened.
    """

    name: str
    kind: str = "numbers"
    bind: tuple[str, ...] = ()
    path: str = ""
    file: str = ""
    format: str = "plain"
    members: tuple[str, ...] = ()
    imported: bool = False
    absent: bool = False
    per_trunk: bool = False
    owner: str = ""
    purpose: str = ""
    source: str = ""
    version: str = ""
    max_age_s: float = 0.0
    given: tuple[tuple[str, str], ...] = ()
    dated_at: float = 0.0
    imported_version: str = ""
    damaged: bool = False

    @property
    def missing(self) -> bool:
        """Whether nobody knows what it holds: no condition on it is true, not even under `not`."""
        return self.absent or (self.imported and not self.path)

    @property
    def issue(self) -> str:
        """Its version: as the configuration names it, else that of its last import."""
        return self.version or self.imported_version
