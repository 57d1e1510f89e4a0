"""The directories that the processes write in, looked at before anything is written.

Enters: a Config and where its relative paths begin. Leaves: what cannot be written, one problem for each cause.
Must not: make a directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path as File
from typing import Final

from sipguard.screening.policy.errors import ERROR, WARNING, Path, dotted
from sipguard.settings.build import at
from sipguard.settings.model import Config

DATABASE: Final = ("records", "database")
WRITTEN: Final = (("run", "directory"), ("state", "directory"), ("journal", "directory"), DATABASE)


def directories(config: Config, base: File) -> Iterator[tuple[Path, File]]:
    """(path of the setting, directory) of each directory that is made or written in."""
    for path in WRITTEN:
        place = at(base, _value(config, path))
        yield path, place.parent if path == DATABASE else place


def _value(config: Config, path: Path) -> str:
    section, key = path
    return str(getattr(getattr(config, str(section)), str(key)))


def unwritable(config: Config, base: File) -> Iterator[tuple[Path, str, str, str]]:
    """(path of the setting, what, hint, level) of each cause for which this user cannot write where it must.

    Settings that fail for the same cause are named in one. A database that cannot be written is a warning: calls go on
    without it. A read-only disk is none, where the directory is there: sipguard starts without a journal then.
    """
    causes: dict[str, list[tuple[Path, File]]] = {}
    for path, directory in directories(config, base):
        if why := why_not(directory):
            causes.setdefault(why, []).append((path, directory))
    for why, hit in causes.items():
        path, directory = hit[0]
        others = [dotted(other) for other, _ in hit[1:]]
        what = f"{directory} cannot be written: {why}" + (f" (the same for {', '.join(others)})" if others else "")
        level = WARNING if all(each == DATABASE for each, _ in hit) else ERROR
        yield path, what, _hint(config, [each for each, _ in hit]), level


def why_not(directory: File) -> str:
    """Why this user can neither write in a directory nor make it, "" where it can."""
    there = next(each for each in (directory, *directory.parents) if _seen(each))
    if not there.is_dir():
        return f"{there} is no directory"
    if os.access(there, os.W_OK | os.X_OK):
        return ""
    if not os.statvfs(there).f_flag & os.ST_RDONLY:
        return f"permission denied for {there}"
    return "" if there == directory else f"{there} is on a read-only disk"


def _seen(path: File) -> bool:
    """Whether something is there; what stands in a closed directory is not seen."""
    try:
        return path.exists()
    except PermissionError:
        return False


def _hint(config: Config, paths: list[Path]) -> str:
    """What to do; a setting that is written says what it is without."""
    make = "name what the user of sipguard may write, or make it for that user: install -d -o USER DIRECTORY"
    defaults = [(path, str(getattr(Config.model_fields[str(path[0])].get_default(), str(path[1])))) for path in paths]
    written = [default for path, default in defaults if default != _value(config, path)]
    return f"{make}; the default is {', '.join(written)}" if written else make
