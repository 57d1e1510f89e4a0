"""Lists that are imported: which they are, and the base that is in force.

Enters: the shape of a list, the directory of bases. Leaves: the path of a base that can be mapped. Must not: import.
"""

from __future__ import annotations

from pathlib import Path as File
from typing import Final

from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.numberset import NumberSet
from sipguard.settings.model import ListShape
from sipguard.store.manifest import base_of, manifest_path

IMPORTED: Final = ("numbers",)  # kinds of lists that are imported


def is_imported(shape: ListShape) -> bool:
    """Whether a list has neither a file nor members, were it an empty list of them."""
    return not shape.file and "members" not in shape.model_fields_set


def base_in(directory: File, name: str) -> tuple[str, str]:
    """The path of the base of a list in `directory`, and ""; or "" and why there is none."""
    path = base_of(directory, name)
    if not path:
        if manifest_path(directory, name).exists():
            return "", "what was imported is gone or damaged"
        return "", "nothing was imported yet"
    try:
        NumberSet.open(File(path))
    except (NumberSetError, OSError) as error:
        return "", f"what was imported cannot be used: {error}"
    return path, ""
