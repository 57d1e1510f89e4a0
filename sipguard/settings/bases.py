"""Lists that are imported: which they are, and the base that is in force.

Enters: the shape of a list, the directory of bases. Leaves: ListSpecs with a base that can be mapped. Must not: import.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as File
from typing import Final

from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.pairset import PairSet
from sipguard.screening.listspec import ListSpec
from sipguard.settings.model import ListShape
from sipguard.store import manifest

IMPORTED: Final = ("numbers", "pairs")  # kinds of lists that are imported


def is_imported(shape: ListShape) -> bool:
    """Whether a list has neither a file nor members, were it an empty list of them."""
    return not shape.file and "members" not in shape.model_fields_set


def with_base(directory: File, spec: ListSpec) -> tuple[ListSpec, str]:
    """A list with the base in `directory` that is in force and what that was made of; and "", or why it has none."""
    made = manifest.usable(directory, spec.name)
    without = replace(spec, path="", given=(), dated_at=0.0, imported_version="", imported=True, damaged=False)
    damaged = replace(without, damaged=True)
    if made is None:
        if manifest.manifest_path(directory, spec.name).exists():
            return damaged, "what was imported is gone or damaged"
        return without, "nothing was imported yet"
    path = directory / made.base
    if made.kind != spec.kind:
        return without, f"what was imported are {made.kind}"
    try:
        (PairSet if spec.kind == "pairs" else NumberSet).open(path)
    except (NumberSetError, OSError) as error:
        return damaged, f"what was imported cannot be used: {error}"
    given = tuple((each.name, each.sha256) for each in made.files)
    return replace(without, path=str(path), given=given, dated_at=made.dated_at, imported_version=made.version), ""
