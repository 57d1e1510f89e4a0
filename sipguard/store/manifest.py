"""What is kept beside the base of a list that was imported: where it came from, and what became of it.

Enters: a directory and the name of a list. Leaves: the manifest in force, those before it. Must not: open a base.

    NAME.manifest.json   the one in force; it names the file of the base, NAME.<digits>.base
    NAME.<digits>.notes  reasons of entries, where there are any
    NAME.imports.jsonl   every import that came into force, one to a line, the last one last
    NAME.refused.json    lines that the last import refused
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sipguard.store.errors import ListFileError

KEPT_BASES: Final = 3  # of one list: what is in force, and what Rulesets of before may still have open


@dataclass(frozen=True, slots=True)
class Given:
    """A file that was imported: its name, SHA-256, length in octets, and when it was changed last (Unix seconds)."""

    name: str
    sha256: str
    octets: int
    changed_at: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """One import. `dated_at`: of the data, Unix seconds; `way` replace | update; `counts` of lines and members."""

    list: str
    kind: str
    base: str  # name of the file in the same directory
    version: str
    form: str
    way: str
    files: tuple[Given, ...]
    dated_at: float
    imported_at: float
    by: str
    counts: dict[str, int]
    refused: dict[str, int]  # reason -> lines

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Manifest:
        """The manifest that JSON holds. Raises KeyError, TypeError, ValueError for what is none."""
        files = tuple(Given(**each) for each in plain["files"])
        return cls(**{**plain, "files": files})


def manifest_path(directory: Path, name: str) -> Path:
    """Where the manifest of a list lies."""
    return directory / f"{name}.manifest.json"


def read(directory: Path, name: str) -> Manifest | None:
    """The manifest in force, None before the first import. Raises ListFileError for one that cannot be read."""
    path = manifest_path(directory, name)
    try:
        return Manifest.of(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ListFileError(str(path), f"is no manifest: {error}") from error


def usable(directory: Path, name: str) -> Manifest | None:
    """The manifest in force, None where it cannot be read or its base is gone."""
    try:
        found = read(directory, name)
    except ListFileError:
        return None
    return found if found is not None and (directory / found.base).is_file() else None


def base_of(directory: Path, name: str) -> str:
    """The path of the base in force, "" where there is none that can be read."""
    found = usable(directory, name)
    return str(directory / found.base) if found is not None else ""


def put(directory: Path, manifest: Manifest, refusals: Iterable[dict[str, Any]]) -> None:
    """Puts a base in force whose file lies there already.

    Raises OSError, and ListFileError where it is in force and its history could not be written.
    """
    name = manifest.list
    plain = asdict(manifest)
    _replace(directory / f"{name}.refused.json", json.dumps(list(refusals), indent=1, ensure_ascii=False))
    _replace(manifest_path(directory, name), json.dumps(plain, indent=1, ensure_ascii=False))
    imports = directory / f"{name}.imports.jsonl"
    try:
        _append(imports, json.dumps(plain, ensure_ascii=False).encode())
    except OSError as error:
        what = f"{name} is in force, but not noted here: {error.strerror or error}"
        raise ListFileError(str(imports), what) from error
    bases = sorted(directory.glob(f"{name}.{'[0-9a-f]' * 16}.base"), key=lambda path: path.stat().st_mtime_ns)
    for old in bases[:-KEPT_BASES]:
        if old.name != manifest.base:
            old.unlink(missing_ok=True)
            old.with_suffix(".notes").unlink(missing_ok=True)


def history(directory: Path, name: str) -> list[Manifest]:
    """Every import of a list that came into force, in their order; lines that were cut by a crash are left out."""
    try:
        lines = (directory / f"{name}.imports.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Manifest.of(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _append(path: Path, line: bytes) -> None:
    """Adds a line, also behind one that was cut."""
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, text: str) -> None:
    """Writes a file that appears whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
