"""What the user of sipguard may read and write, told by modes: for who looks as root, to whom all is open.

Enters: a configuration, the owner of the running processes or of the state directory. Leaves: diagnoses. Must not:
open a file, or become that user.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sipguard.service.doctor.diagnosis import OK, PROBLEM, Case, Diagnosis
from sipguard.settings.directories import directories
from sipguard.settings.named import named_files
from sipguard.settings.secret import place
from sipguard.settings.secretplaces import secrets_of

READ: Final = 4
WRITE: Final = 2
PASS: Final = 1
MADE_AT_START: Final = "/run"  # what is missing there, systemd makes for the unit at each start


@dataclass(frozen=True)
class User:
    """Whose permissions count."""

    name: str
    uid: int
    group: str
    groups: frozenset[int]


def examine(case: Case) -> Iterator[Diagnosis]:
    """One line for each file or directory that is closed to the service; none where whoever looks is the service."""
    if case.config is None or os.geteuid() != 0 or (user := user_of(case)) is None:
        return
    found = [*_unread(case, user), *_unwritten(case, user)]
    yield from found
    if not found:
        yield Diagnosis("permissions", OK, f"user {user.name} may read and write what it needs")


def user_of(case: Case) -> User | None:
    """The owner of the running processes, else of the state directory; None where that is root or cannot be told."""
    places = [Path(f"/proc/{pid}") for pid in sorted(case.pids)]
    if case.service is not None:
        places.append(case.service.state_directory)
    for each in places:
        try:
            uid = each.stat().st_uid
        except OSError:
            continue
        return _named(uid) if uid else None
    return None


def _named(uid: int) -> User:
    try:
        entry = pwd.getpwuid(uid)
        group = grp.getgrgid(entry.pw_gid).gr_name
    except KeyError:
        return User(str(uid), uid, str(uid), frozenset())
    return User(entry.pw_name, uid, group, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def _unread(case: Case, user: User) -> Iterator[Diagnosis]:
    """Files of the configuration, its secrets, keys and certificates."""
    assert case.config is not None
    named = [(file, "configuration") for file in named_files(case.path)]
    named += [(case.base / anchors, "anchors") for anchors in case.config.identity.anchors]
    for name, listener in case.config.listeners.items():
        if listener.tls is not None:
            named.append((case.base / listener.tls.certificate, f"certificate of listener {name}"))
    for path, secret in secrets_of(case.config):
        try:
            named.append((place(case.base, secret), f"secret {'.'.join(map(str, path))}"))
        except OSError:
            continue  # a credential: systemd hands it over
    for file, subject in named:
        resolved = file.resolve()
        bits = READ | PASS if resolved.is_dir() else READ
        if closed := closed_to(user, resolved, bits):
            what = f"user {user.name} may not read {resolved}" + (f": {closed} is closed" if closed != resolved else "")
            mode = "750" if closed.is_dir() else "640"
            yield Diagnosis(subject, PROBLEM, what, f"chgrp {user.group} {closed} && chmod {mode} {closed}")


def _unwritten(case: Case, user: User) -> Iterator[Diagnosis]:
    """Directories that are there already; what is made at a start needs the one around it."""
    assert case.config is not None
    for path, directory in directories(case.config, case.base):
        if directory.is_relative_to(MADE_AT_START) and not directory.exists():
            continue
        there = next(each for each in (directory, *directory.parents) if each.exists())
        if closed := closed_to(user, there, WRITE | PASS):
            what = f"user {user.name} may not write {directory}"
            what += f": {closed} is closed" if closed != directory else ""
            advice = f"install -d -m 750 -o {user.name} {directory}, or name another directory"
            yield Diagnosis(".".join(map(str, path)), PROBLEM, what, advice)


def closed_to(user: User, path: Path, bits: int) -> Path | None:
    """The first of `path` and the directories above it that keeps the user out; None where none does, or it is gone."""
    for each in (*reversed(path.parents), path):
        wanted = bits if each == path else PASS
        try:
            status = each.stat()
        except OSError:
            return None  # a problem of the configuration already
        mode = status.st_mode
        shift = 6 if status.st_uid == user.uid else 3 if status.st_gid in user.groups else 0
        if (mode >> shift) & wanted != wanted:
            return each
    return None
