"""Whether the file that a list was built into, or imported as, is still what was written.

Enters: a ListSpec. Leaves: what is wrong with its file. Must not: mend it, or be asked on the way of a call, as it
reads the whole file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.setfile import BY_TRUNK, NETWORKS, NUMBERS, PAIRS, TEXTS, SetFile
from sipguard.screening.listspec import ListSpec

_KINDS: Final = {"numbers": NUMBERS, "pairs": PAIRS, "texts": TEXTS, "networks": NETWORKS}


def damage(spec: ListSpec) -> str:
    """The first thing in its file that is not as it was written; "" where it is whole, or there is none.

    Opening looks at the directory of a file only; this at the checksum of every block.
    """
    path = Path(spec.path)
    if not spec.path or not path.exists():
        return ""
    try:
        kind = BY_TRUNK if spec.per_trunk else _KINDS[spec.kind]
        return next((str(error) for error in SetFile(path, kind).damaged()), "")
    except (NumberSetError, OSError) as error:
        return str(error)


def cure(spec: ListSpec) -> str:
    """What makes its file anew."""
    if spec.imported:
        return f"import the whole list again: sipguard lists import {spec.name} FILE"
    return f"delete {spec.path} and restart: it is built again"
