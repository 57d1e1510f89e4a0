"""The files of a configuration: its own problems, anchors and their expiry, ages of lists, who may read secrets.

Enters: a configuration and the files that it names. Leaves: diagnoses. Must not: show what stands in a secret.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509

from sipguard.screening.listspec import ListSpec
from sipguard.service.capacity import DAY_S
from sipguard.service.damage import cure, damage
from sipguard.service.doctor.diagnosis import OK, PROBLEM, WARNING, Case, Diagnosis
from sipguard.settings.bases import IMPORTED, is_imported, with_base
from sipguard.settings.model import ListShape
from sipguard.settings.problems import ERROR
from sipguard.settings.secret import place
from sipguard.settings.secretplaces import secrets_of
from sipguard.stir.unreadable import UNREADABLE
from sipguard.store import manifest

EXPIRES_SOON_S: Final = 30 * DAY_S
REGISTRY: Final = ("ftc", "ftc-change")  # formats of lists that come from the Do-Not-Call registry
REGISTRY_DAYS: Final = 31  # no older than this before a call (16 CFR 310.4(b)(3)(iv))
WARN_SHARE: Final = 0.9  # of the age that is allowed


def examine(case: Case) -> Iterator[Diagnosis]:
    """Everything that files say."""
    yield from _configuration(case)
    yield from _anchors(case)
    yield from _certificates(case)
    yield from _lists(case)
    yield from _secrets(case)
    yield from _records(case)


def _configuration(case: Case) -> Iterator[Diagnosis]:
    problems = case.loaded.problems
    for problem in problems:
        level = PROBLEM if problem.level == ERROR else WARNING
        yield Diagnosis("configuration", level, str(problem))
    if not problems:
        yield Diagnosis("configuration", OK, f"{case.path}: no problems")


# ------------------------------------------------------------------ certificates


def _anchors(case: Case) -> Iterator[Diagnosis]:
    if case.config is None:
        return
    count, now_at = 0, time.time()
    for given in case.config.identity.anchors:
        file = (case.base / given).resolve()
        for each in sorted(file.glob("*.pem")) if file.is_dir() else [file]:
            for diagnosis in expiries(each, "anchor", now_at):
                count += diagnosis.level == OK
                yield diagnosis
    if not count and case.config.identity.trust_list is None:
        yield Diagnosis(
            "anchors", WARNING, "none that is good: no Identity header can pass", "put the authorities you trust there"
        )


def _certificates(case: Case) -> Iterator[Diagnosis]:
    if case.config is None:
        return
    for name, listener in case.config.listeners.items():
        if listener.tls is not None:
            file = (case.base / listener.tls.certificate).resolve()
            yield from expiries(file, f"certificate of listener {name}", time.time())
    for name, signer in case.config.signers.items():
        yield from expiries((case.base / signer.certificate).resolve(), f"certificate of signer {name}", time.time())


def expiries(file: Path, subject: str, now_at: float) -> Iterator[Diagnosis]:
    """Each certificate of a PEM file."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, *UNREADABLE) as error:
        what = error.strerror if isinstance(error, OSError) else "no PEM certificates"
        yield Diagnosis(subject, PROBLEM, f"{file}: {what}", "correct the path, or the file")
        return
    for certificate in found:
        end_at = certificate.not_valid_after_utc.timestamp()
        name = certificate.subject.rfc4514_string()
        until = time.strftime("%Y-%m-%d", time.gmtime(end_at))
        if end_at < now_at:
            yield Diagnosis(subject, PROBLEM, f"{name} in {file} expired on {until}", "replace it")
        elif end_at < now_at + EXPIRES_SOON_S:
            yield Diagnosis(subject, WARNING, f"{name} in {file} expires on {until}", "replace it before that day")
        else:
            yield Diagnosis(subject, OK, f"{name} is good until {until}")


# ------------------------------------------------------------------ lists


def _lists(case: Case) -> Iterator[Diagnosis]:
    """Lists with a `max_age`, and those of the registry, each for itself; of others the oldest."""
    if case.config is None:
        return
    damaged = list(_damaged(case))
    yield from damaged
    broken = {each.subject for each in damaged}
    others: list[tuple[float, str]] = []
    for name, shape in case.config.lists.items():
        dated_at, form = _dated_at(case, name, shape)
        if not dated_at or f"list {name}" in broken:
            continue
        days = (time.time() - dated_at) / DAY_S
        if shape.max_age:
            yield _aged(name, days, shape.max_age / DAY_S, "max_age")
        elif form in REGISTRY:
            yield _aged(name, days, REGISTRY_DAYS, "16 CFR 310.4")
        else:
            others.append((days, name))
    if others:
        days, name = max(others)
        yield Diagnosis("lists", OK, f"{len(others)} other(s), the oldest is {name}: {days:.0f} days")


def _damaged(case: Case) -> Iterator[Diagnosis]:
    """Lists whose files are not as they were written; each is read whole."""
    ruleset = case.loaded.ruleset
    built = [spec for spec in ruleset.lists if not spec.imported] if ruleset is not None else []
    for spec in built:
        if found := damage(spec):
            yield Diagnosis(f"list {spec.name}", PROBLEM, found, cure(spec))
    if case.config is None or case.service is None:
        return
    directory = case.service.state_directory / "lists"
    for name, shape in case.config.lists.items():
        if is_imported(shape) and shape.kind in IMPORTED and manifest.manifest_path(directory, name).exists():
            spec, why = with_base(directory, ListSpec(name, shape.kind))
            if why := why or damage(spec):
                yield Diagnosis(f"list {name}", PROBLEM, why, cure(spec))


def _dated_at(case: Case, name: str, shape: ListShape) -> tuple[float, str]:
    """Of when the data of a list is, by its file or by its last import, 0.0 where that is not known; its format."""
    try:
        if shape.file:
            return (case.base / shape.file).stat().st_mtime, shape.format
        if case.service is not None and is_imported(shape):
            made = manifest.usable(case.service.state_directory / "lists", name)
            return (made.dated_at, made.form) if made is not None else (0.0, "")
    except OSError:
        pass  # a problem of the configuration already
    return 0.0, ""


def _aged(name: str, days: float, most: float, why: str) -> Diagnosis:
    """A list that may be `most` days old at most."""
    what = f"{days:.0f} days old"
    advice = f"fetch it anew where it comes from; at most {most:g} days are allowed ({why})"
    if days > most:
        return Diagnosis(f"list {name}", PROBLEM, what, advice)
    if days > WARN_SHARE * most:
        return Diagnosis(f"list {name}", WARNING, what, advice)
    return Diagnosis(f"list {name}", OK, what)


# ------------------------------------------------------------------ who may read what


def _secrets(case: Case) -> Iterator[Diagnosis]:
    """Files with secrets: nobody but their owner and group may read them, nobody but their owner write."""
    if case.config is None:
        return
    for path, secret in secrets_of(case.config):
        subject = f"secret {'.'.join(map(str, path))}"
        try:
            file = place(case.base, secret)
            mode = file.stat().st_mode
        except OSError:
            continue  # a problem of the configuration already, or a credential that only the service sees
        if mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
            who = "everybody may read it" if mode & stat.S_IROTH else "others than its owner may write it"
            yield Diagnosis(subject, PROBLEM, f"{file} has mode {stat.S_IMODE(mode):04o}: {who}", f"chmod 640 {file}")
        else:
            yield Diagnosis(subject, OK, f"{file} has mode {stat.S_IMODE(mode):04o}")


def _records(case: Case) -> Iterator[Diagnosis]:
    """Records of calls hold who called whom."""
    if case.service is None:
        return
    open_to_all = [
        path
        for path in (case.service.database, case.service.journal_directory)
        if path.exists() and all(_others_pass(each) for each in (path, *path.parents))
    ]
    if open_to_all:
        what = f"everybody on this machine may read {' and '.join(map(str, open_to_all))}"
        yield Diagnosis("records", WARNING, what, f"chmod o= {' '.join(map(str, open_to_all))}; UMask=0027 in the unit")
    else:
        yield Diagnosis("records", OK, "closed to other users")


def _others_pass(path: Path) -> bool:
    """Whether others may read a file, or go through a directory."""
    mode = path.stat().st_mode
    return bool(mode & (stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH))
