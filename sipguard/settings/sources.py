"""The files that a configuration names: lists of numbers, trust anchors.

Enters: paths and what is declared of them. Leaves: built set files, PEM octets, members; problems with file
and line. Must not: build again what did not change.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path as File
from typing import Final

from sipguard.numbers import notes
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.formats import ListReader, compile_list
from sipguard.numbers.rules import READ_AS_NANP
from sipguard.screening.listspec import ListSpec
from sipguard.settings.problems import Problem
from sipguard.stir.certificate import Anchors
from sipguard.stir.errors import StirError

BUILD: Final = "build"  # what has changed is built into the state directory
READ: Final = "read"  # what has changed is read, nothing is written
BUILT: Final = "built"  # lists are as they were built; what has changed since counts as absent, and is not read
SKIP: Final = "skip"  # lists are not looked at
_CHUNK: Final = 1 << 20
_KEPT: Final = 21  # built files of one list: those of the Rulesets that can be rolled back to


@dataclass(frozen=True)
class _Stamp:
    """How a file looked when it was hashed."""

    size: int
    mtime_ns: int
    digest: str


class ListBuilder:
    """Builds the set files of lists in `directory`; remembers what files it has seen, by size and time.

    `trunks`: names of those that lists may speak of.
    """

    def __init__(self, directory: File, mode: str, trunks: frozenset[str]) -> None:
        self._directory = directory
        self._mode = mode
        self._trunks = trunks
        self._stamps = self._read_stamps()
        self.problems: list[Problem] = []

    def build(self, spec: ListSpec) -> tuple[ListSpec, str]:
        """`spec` with the path of its set file, and the digest of its source. Problems are added."""
        source = File(spec.file)
        try:
            if self._mode == BUILT and not self._is_known(source):
                return replace(spec, absent=True), ""
            digest = self._digest(source, spec)
            target = self._directory / f"{spec.name}-{digest}.set"
            if target.exists():
                if self._mode == BUILD:
                    os.utime(target)
            elif self._mode == BUILD:
                self._directory.mkdir(parents=True, exist_ok=True)
                made = (source, target, spec.kind, spec.format, READ_AS_NANP, spec.per_trunk, self._trunks)
                self.problems += problems_of(source, compile_list(*made)[1])
                self._forget_old(spec.name)
            elif self._mode == READ:
                self.problems += problems_of(source, self._read_through(source, spec))
            stamp = self._stamps[str(source)]
            given = ((str(source), stamp.digest),)
            return replace(spec, path=str(target), given=given, dated_at=stamp.mtime_ns / 1e9), digest
        except (OSError, NumberSetError) as error:
            what = error.strerror if isinstance(error, OSError) else str(error)
            where = error.filename if isinstance(error, OSError) and error.filename else source
            self.problems.append(Problem(str(where), 0, 0, (), f"cannot be read or built: {what}"))
            return spec, ""

    def close(self) -> None:
        """Keeps what was seen for the next time."""
        if self._mode != BUILD or not self._directory.is_dir():
            return
        target = self._directory / "stamps.json"
        new = target.with_suffix(".new")
        stamps = {name: [s.size, s.mtime_ns, s.digest] for name, s in sorted(self._stamps.items())}
        try:
            new.write_text(json.dumps(stamps, indent=1))
            new.replace(target)
        except OSError as error:
            self.problems.append(Problem(str(target), 0, 0, (), f"cannot be written: {error.strerror}"))

    def _read_stamps(self) -> dict[str, _Stamp]:
        try:
            read = json.loads((self._directory / "stamps.json").read_text())
            return {name: _Stamp(*stamp) for name, stamp in read.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _is_known(self, source: File) -> bool:
        """Whether a source is as it was when it was hashed."""
        status, stamp = source.stat(), self._stamps.get(str(source))
        return stamp is not None and (stamp.size, stamp.mtime_ns) == (status.st_size, status.st_mtime_ns)

    def _digest(self, source: File, spec: ListSpec) -> str:
        """16 hexadecimal digits for the content of a source and how it is read."""
        if not self._is_known(source):
            status = source.stat()
            digest = sha256()
            with source.open("rb") as octets:
                while chunk := octets.read(_CHUNK):
                    digest.update(chunk)
            stamp = _Stamp(status.st_size, status.st_mtime_ns, digest.hexdigest())
            self._stamps[str(source)] = stamp
        stamp = self._stamps[str(source)]
        kind = f"{spec.kind} by trunk" if spec.per_trunk else spec.kind
        return sha256(f"{kind} {spec.format} {stamp.digest}".encode()).hexdigest()[:16]

    def _read_through(self, source: File, spec: ListSpec) -> ListReader:
        """Reads a list for its problems only."""
        reader = ListReader(spec.format, READ_AS_NANP, spec.kind, spec.per_trunk, self._trunks)
        with source.open(encoding="utf-8", errors="replace") as lines:
            reader.read_through(lines)
        return reader

    def _forget_old(self, name: str) -> None:
        """Removes set files that no Ruleset can refer to any more."""
        built = list(self._directory.glob(f"{name}-{'[0-9a-f]' * 16}.set"))
        built.sort(key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for old in built[_KEPT:]:
            old.unlink(missing_ok=True)
            notes.beside(old).unlink(missing_ok=True)


def problems_of(source: File, reader: ListReader) -> list[Problem]:
    """The problems of a list that was read from `source`."""
    found = []
    for each in reader.problems:
        found.append(Problem(str(source), each.line, each.column, (), each.what, each.hint))
    more = reader.problem_count - len(reader.problems)
    if more > 0:
        found.append(Problem(str(source), 0, 0, (), f"and {more} more problems"))
    return found


def read_anchors(given: File) -> tuple[list[bytes], int, list[tuple[str, str]]]:
    """PEM octets of anchors, how many certificates, (what, hint) of flaws. A directory means its .pem files."""
    octets: list[bytes] = []
    flaws: list[tuple[str, str]] = []
    count = 0
    if not os.path.lexists(given):
        hint = "correct the path" if given.suffix == ".pem" else f"correct the path, or mkdir {given}"
        return [], 0, [(f"there is no file or directory {given}", hint)]
    try:
        inside = sorted(File(each.path) for each in os.scandir(given) if each.name.endswith(".pem"))
    except NotADirectoryError:
        inside = [given]
    except OSError as error:
        return [], 0, [(f"{given} cannot be read: {error.strerror}", "")]
    for file in inside:
        try:
            pem = file.read_bytes()
            count += len(Anchors.read([pem]))
            octets.append(pem)
        except OSError as error:
            flaws.append((f"{file} cannot be read: {error.strerror}", ""))
        except StirError as error:
            flaws.append((f"{file} holds no PEM certificates: {error.reason}", ""))
    return octets, count, flaws
