"""What must survive a restart of the service: the modes an operator set, and the last Rulesets.

Enters: modes, Rulesets in their plain form. Leaves: the same after a restart. Must not: hold secrets; the files
are readable by their owner only all the same. Must not: take up what another version wrote in another shape.

A kept Ruleset is a line of JSON, {"format": 1, "shapes": {class: [names of its fields]}}, and the pickled values.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Final

from sipguard.screening.ruleset import PlainRuleset
from sipguard.screening.verdict import MODES
from sipguard.service.atomically import write_atomically

KEPT: Final = 20
FORMAT: Final = 1


class Modes:
    """Mode by trunk, "" for all trunks, in `mode.json`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "mode.json"
        self.by_trunk: dict[str, str] = {}
        try:
            kept = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            kept = {}
        if isinstance(kept, dict):
            self.by_trunk = {str(trunk): mode for trunk, mode in kept.items() if mode in MODES}

    def set(self, mode: str, trunk: str) -> None:
        """Sets the mode of one trunk, or of all; a mode for all forgets what was set for single trunks."""
        if not trunk:
            self.by_trunk.clear()
        self.by_trunk[trunk] = mode
        write_atomically(self._path, json.dumps(self.by_trunk).encode())


class Rulesets:
    """The last KEPT Rulesets, oldest first, as files `NNNNNNNN.ruleset`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "rulesets"

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("*.ruleset"))

    def add(self, ruleset: PlainRuleset) -> None:
        """Keeps a Ruleset as the newest."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = self._files()
        number = int(files[-1].stem) + 1 if files else 1
        write_atomically(self._directory / f"{number:08d}.ruleset", _written(ruleset))
        for old in self._files()[:-KEPT]:
            old.unlink(missing_ok=True)

    def of(self, revision: str) -> PlainRuleset | None:
        """The newest kept Ruleset of this revision, None where there is none."""
        found = (_read(path) for path in reversed(self._files()))
        return next((each for each in found if each is not None and each.revision == revision), None)

    def before(self, revision: str) -> PlainRuleset | None:
        """The newest kept Ruleset older than the newest one with `revision`; None where there is none."""
        found = False
        for path in reversed(self._files()):
            ruleset = _read(path)
            if ruleset is None:
                continue
            if found and ruleset.revision != revision:
                return ruleset
            found = found or ruleset.revision == revision
        return None


def _written(ruleset: PlainRuleset) -> bytes:
    """The octets of a kept Ruleset."""
    head = {"format": FORMAT, "shapes": dict(_shapes(ruleset))}
    return json.dumps(head).encode() + b"\n" + pickle.dumps(ruleset, protocol=5)


def _read(path: Path) -> PlainRuleset | None:
    """A kept Ruleset, None where a version wrote it whose classes had other fields: a pickle would mix them up."""
    try:
        head, _, values = path.read_bytes().partition(b"\n")
        told = json.loads(head)
        ruleset = pickle.loads(values) if told["format"] == FORMAT else None
        fits = isinstance(ruleset, PlainRuleset) and all(told["shapes"][name] == now for name, now in _shapes(ruleset))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError, EOFError, pickle.UnpicklingError):
        return None
    return ruleset if fits else None


def _shapes(value: object) -> Iterator[tuple[str, list[str]]]:
    """(class, names of its fields) of each dataclass within a value, the same one again and again."""
    if is_dataclass(value):
        names = [field.name for field in fields(value)]
        yield f"{type(value).__module__}.{type(value).__qualname__}", names
        for name in names:
            yield from _shapes(getattr(value, name, None))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _shapes(inner)
    elif isinstance(value, list | tuple | frozenset):
        for inner in value:
            yield from _shapes(inner)
