"""Backup of a running sipguard into one file, and its restoration into empty directories.

Enters: a configuration. Leaves: a tar file; restored files. Must not: overwrite anything, hold up a running sipguard,
or hold a secret.

The database is copied before the journal, so the journal is never behind it: what is not in the copied database yet is
loaded from the copied segments after the restoration. A segment that is being written is copied up to some frame:
a frame's length is stored after its octets.

    manifest.json   configuration/NAME   elsewhere/PATH   records.sqlite   journal/WORKER/NNNNNNNN.seg   state/PATH
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import sqlite3
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from sipguard import __version__
from sipguard.service.errors import BackupError
from sipguard.settings.load import load
from sipguard.settings.named import kept_files, named_directories
from sipguard.settings.service import Service
from sipguard.settings.sources import SKIP
from sipguard.store import edits, sql
from sipguard.store.journal import segment_numbers, segment_path
from sipguard.store.upkeep import writers

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
CONFIGURATION: Final = "configuration"
ELSEWHERE: Final = "elsewhere"  # files that the configuration names outside its own directory
DATABASE: Final = "records.sqlite"
JOURNAL: Final = "journal"
STATE: Final = "state"
_UNFINISHED: Final = (".part", ".new", ".tmp")


@dataclass
class Backup:
    """What is in a backup, or was restored: how many files of each part; what is not in it."""

    path: Path
    created_at: float = 0.0
    version: str = ""
    parts: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def count(self, name: str) -> None:
        """Counts a member of the archive."""
        part = name.partition("/")[0]
        self.parts[part] = self.parts.get(part, 0) + 1


# ------------------------------------------------------------------------------------------ making one


def write(config: Path, service: Service, target: Path, details: bool = True) -> Backup:
    """Backs up what belongs to a configuration into `target`, a new file that only its owner can read.

    Without `details` only those segments are kept that are not in the database yet: `explain` knows less of older calls
    then. Raises BackupError.
    """
    if target.exists():
        raise BackupError(f"{target} exists; nothing is overwritten, name another file")
    if not target.parent.is_dir():
        raise BackupError(f"there is no directory {target.parent}; make it, or name a file elsewhere")
    part, copy = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.database")
    made = Backup(target, time.time(), __version__)
    try:
        files, made.left_out = kept_files(config)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
                _add(archive, made, MANIFEST, _manifest(made, config))
                for file in files:
                    _add(archive, made, _configured(file, config), file.read_bytes())
                positions = _copy_database(service.database, copy)
                if copy.exists():
                    archive.add(copy, DATABASE)
                    made.count(DATABASE)
                _add_journals(archive, made, service.journal_directory, positions, details)
                if _copy_sqlite(service.state_directory / edits.NAME, copy):
                    archive.add(copy, f"{STATE}/{edits.NAME}")
                    made.count(STATE)
                for file in _state_files(service):
                    with suppress(FileNotFoundError):  # replaced or pruned meanwhile
                        name = file.relative_to(service.state_directory).as_posix()
                        _add(archive, made, f"{STATE}/{name}", file.read_bytes())
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise BackupError(f"{target}: no backup was made: {error}") from error
    finally:
        part.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)
    return made


def _manifest(made: Backup, config: Path) -> bytes:
    base = config.resolve().parent
    told = {
        "format": FORMAT,
        "version": made.version,
        "created_at": made.created_at,
        "configuration": config.name,
        "directories": [
            each.relative_to(base).as_posix() for each in named_directories(config) if each.is_relative_to(base)
        ],
    }
    return json.dumps(told).encode()


def _add(archive: tarfile.TarFile, made: Backup, name: str, octets: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(octets), int(made.created_at), 0o640
    archive.addfile(member, io.BytesIO(octets))
    made.count(name)


def _configured(file: Path, config: Path) -> str:
    """The name of a file of the configuration in the archive."""
    base = config.resolve().parent
    if file.is_relative_to(base):
        return f"{CONFIGURATION}/{file.relative_to(base).as_posix()}"
    return f"{ELSEWHERE}{file.as_posix()}"


def _copy_database(database: Path, copy: Path) -> dict[str, int]:
    """Copies a database that may be written meanwhile; the segment up to which each journal is loaded in the copy."""
    if not _copy_sqlite(database, copy):
        return {}
    with closing(sqlite3.connect(copy)) as copied:
        return {str(journal): int(segment) for journal, segment, _ in copied.execute(sql.POSITIONS)}


def _copy_sqlite(database: Path, copy: Path) -> bool:
    """Copies a file of SQLite that may be written meanwhile over `copy`; whether there is one."""
    copy.unlink(missing_ok=True)
    if not database.exists():
        return False
    source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)
    try:
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        target = sqlite3.connect(copy)
        try:
            source.backup(target)  # one read transaction: the writer goes on
        finally:
            target.close()
    finally:
        source.close()
    return True


def _add_journals(
    archive: tarfile.TarFile, made: Backup, directory: Path, positions: dict[str, int], details: bool
) -> None:
    """The segments of all writers. Raises BackupError where one was deleted that the copied database lacks."""
    for name in writers(directory):
        first_needed = positions.get(name, 0)
        numbers = [n for n in segment_numbers(directory / name) if details or n >= first_needed]
        for number in numbers:
            try:
                octets = segment_path(directory / name, number).read_bytes()
            except FileNotFoundError as error:
                if number >= first_needed:
                    raise BackupError(f"segment {number} of journal {name} was deleted meanwhile; try again") from error
                continue
            _add(archive, made, f"{JOURNAL}/{name}/{segment_path(directory, number).name}", octets)


def _state_files(service: Service) -> Iterator[Path]:
    """What lies in the state directory, without journal and databases, which may lie there too."""
    databases = (service.database, service.state_directory / edits.NAME)
    apart = {each.with_name(f"{each.name}{more}") for each in databases for more in ("", "-wal", "-shm")}
    for folder, folders, names in os.walk(service.state_directory):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if here / name != service.journal_directory)
        for name in sorted(names):
            if here / name not in apart and not name.startswith(".") and not name.endswith(_UNFINISHED):
                yield here / name


# ------------------------------------------------------------------------------------------ restoring one


def restore(source: Path, config: Path) -> Backup:
    """Restores a backup to where `config` says; where that is not there, the configuration of the backup first.

    Each of the two is looked at as a whole before anything of it is written. Raises BackupError.
    """
    try:
        with tarfile.open(source, "r:gz") as archive:
            members = _members(source, archive)
            found = _read_manifest(source, archive, members)
            if not config.exists():
                _unpack(archive, members, found, {CONFIGURATION: config.parent, ELSEWHERE: config.parent / ELSEWHERE})
                named = config.parent / _name_of_configuration(archive)
                if named != config and named.exists():
                    named.rename(config)
                for directory in _directories(archive):
                    _make_directory(config.parent / directory)
            else:
                found.left_out.append(f"the configuration: {config} is there and was used")
            service = load(config, SKIP).service
            if service is None:
                raise BackupError(f"{config} has errors; see sipguard check, mend it, then restore again")
            _must_be_free(service)
            _unpack(
                archive,
                members,
                found,
                {
                    DATABASE: service.database,
                    JOURNAL: service.journal_directory,
                    STATE: service.state_directory,
                },
            )
    except (EOFError, zlib.error, tarfile.ReadError) as error:
        raise BackupError(_damaged(source, "its first octets", error)) from error
    except (OSError, tarfile.TarError, ValueError, KeyError) as error:
        raise BackupError(f"{source}: {error}") from error
    return found


def _members(source: Path, archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """What a backup holds, read to its end, where the checksum of the whole stands. Raises BackupError."""
    members: list[tarfile.TarInfo] = []
    try:
        for member in archive:
            members.append(member)
        while archive.fileobj is not None and archive.fileobj.read(1 << 20):
            pass
    except (EOFError, OSError, zlib.error, tarfile.TarError) as error:
        last = f"{members[-1].name} (member {len(members)})" if members else "its first octets"
        raise BackupError(_damaged(source, last, error)) from error
    return members


def _damaged(source: Path, where: str, error: Exception) -> str:
    said = str(error) or type(error).__name__
    return f"{source} is cut off or damaged, in or after {where}: {said}; nothing was restored; take another copy"


def _read_manifest(source: Path, archive: tarfile.TarFile, members: list[tarfile.TarInfo]) -> Backup:
    """What a backup says of itself; every name in it must be one that `write` gives."""
    told = _told(archive)
    if told.get("format") != FORMAT:
        raise BackupError(f"{source}: a backup of another format: restore it with sipguard {told.get('version')}")
    for member in members:
        if not member.isfile() or _leads_out(PurePosixPath(member.name)):
            raise BackupError(f"{source}: {member.name} has no place in a backup")
    for directory in _directories(archive):
        if _leads_out(directory):
            raise BackupError(f"{source}: {directory} has no place in a backup")
    return Backup(source, float(str(told["created_at"])), str(told["version"]))


def _leads_out(name: PurePosixPath) -> bool:
    return name.is_absolute() or ".." in name.parts


def _directories(archive: tarfile.TarFile) -> list[PurePosixPath]:
    """Directories that the configuration names, below its own; files may be in none of them."""
    told = _told(archive).get("directories", [])
    return [PurePosixPath(str(name)) for name in told] if isinstance(told, list) else []


def _told(archive: tarfile.TarFile) -> dict[str, object]:
    file = archive.extractfile(MANIFEST)
    told: dict[str, object] = json.load(file) if file is not None else {}
    return told


def _name_of_configuration(archive: tarfile.TarFile) -> str:
    return PurePosixPath(str(_told(archive)["configuration"])).name


def _must_be_free(service: Service) -> None:
    """Raises BackupError where a sipguard runs, or where there is something already."""
    lock = service.run_directory / "lock"
    if lock.exists():
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError("sipguard is running with this configuration; stop it first") from None
        finally:
            os.close(descriptor)
    databases = (service.database, service.state_directory / edits.NAME)
    taken = [each for each in databases if each.exists()]
    taken += [service.journal_directory / name for name in writers(service.journal_directory)]
    taken += list(_state_files(service)) if service.state_directory.exists() else []
    if taken:
        raise BackupError(f"{taken[0]} is there already; nothing was changed; move what is there away first")


def _unpack(archive: tarfile.TarFile, members: list[tarfile.TarInfo], found: Backup, places: dict[str, Path]) -> None:
    """Writes the members of these parts, all or none; what is new belongs to who owns the directory around it."""
    targets: list[tuple[tarfile.TarInfo, Path]] = []
    for member in members:
        part, _, rest = member.name.partition("/")
        if part in places:
            targets.append((member, places[part] / rest if rest else places[part]))
    for _, target in targets:
        if target.exists():
            raise BackupError(f"{target} is there already; nothing was changed; move what is there away first")
    for member, target in targets:
        octets = archive.extractfile(member)
        assert octets is not None  # _read_manifest has seen that all are files
        _make_directory(target.parent)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb") as file:
            while chunk := octets.read(1 << 20):
                file.write(chunk)
        _give_to_owner(target)
        found.count(member.name)


def _make_directory(directory: Path) -> None:
    """Makes a directory and those above it, each with the owner of the one around it."""
    if not directory.exists():
        _make_directory(directory.parent)
        directory.mkdir(mode=0o750)
        _give_to_owner(directory)


def _give_to_owner(path: Path) -> None:
    """Where root restores, the service must be able to write."""
    if os.geteuid() == 0:
        around = path.parent.stat()
        os.chown(path, around.st_uid, around.st_gid)
