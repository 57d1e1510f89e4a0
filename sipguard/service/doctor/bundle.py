"""An archive for support: how things are here, without secrets and without telephone numbers.

Enters: a case, its diagnoses, a log file if there is one. Leaves: a .tar.gz. Must not: hold the text of a
configuration, whose comments may hold anything, or a member of a list.
"""

from __future__ import annotations

import io
import json
import os
import platform
import ssl
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sipguard import __version__
from sipguard.service.doctor.diagnosis import Case, Diagnosis
from sipguard.service.doctor.masking import mask, mask_labels, mask_values
from sipguard.settings.document import Document
from sipguard.settings.merged import Merged
from sipguard.settings.named import case_files
from sipguard.settings.policytext import PolicyText
from sipguard.settings.secret import CREDENTIAL, place, read
from sipguard.settings.secretplaces import secrets_of

FILES_LISTED: Final = 500
LOG_BYTES: Final = 256 * 1024  # of its end
WITHIN_S: Final = 5.0
_UNIT: Final = "sipguard"
_PACKAGES: Final = (
    "aiohttp", "aiosqlite", "click", "cryptography", "msgspec", "prometheus-client", "pydantic", "ruamel.yaml",
    "uvloop",
)  # fmt: skip


def write(target: Path, case: Case, diagnoses: Sequence[Diagnosis], log: Path | None) -> list[str]:
    """Writes the archive; answers the names of what it holds. Raises OSError."""
    secrets = _secrets(case)
    names = []
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in _parts(case, diagnoses, log, secrets):
            octets = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"sipguard-support/{name}")
            entry.size, entry.mtime, entry.mode = len(octets), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(octets))
            names.append(name)
    return names


def _secrets(case: Case) -> tuple[bytes, ...]:
    """Everything that is secret here, to be looked for in all that leaves."""
    found = []
    for _, secret in secrets_of(case.config) if case.config is not None else ():
        try:
            octets = read(place(case.base, secret)).reveal()
        except OSError:  # no such file: perhaps the secret itself was written where its place belongs
            octets = b"" if secret.written.startswith(CREDENTIAL) else secret.written.encode()
        found += [octets, *(line for line in octets.splitlines() if line)]
    return tuple(found)


def _parts(
    case: Case, diagnoses: Sequence[Diagnosis], log: Path | None, secrets: tuple[bytes, ...]
) -> Iterator[tuple[str, str]]:
    """(name, masked text) of each part."""
    yield "diagnoses.txt", mask("\n".join(map(str, diagnoses)) + "\n", secrets)
    yield "diagnoses.json", _json([asdict(each) for each in diagnoses], secrets)
    yield "configuration.json", _json(_values(Merged(case.path)), secrets)
    policy = case.config.policy if case.config is not None else None
    if isinstance(policy, str):
        text = PolicyText.of_file((case.base / policy).resolve())
        yield "policy.json", _json(_values(text.document), secrets)
        for file in (*text.files, *case_files(case.path)):
            yield f"policy/{file.stem}.json", _json(_values(Document(file)), secrets)
    yield "files.json", _json(list(_files(case)), secrets)
    yield "status.json", _json(case.status, secrets)
    yield "metrics.txt", mask_labels(_metrics(case), secrets)
    yield "versions.json", json.dumps(_versions(), indent=1) + "\n"
    yield "log.txt", mask(_log(log), secrets)


def _json(value: Any, secrets: tuple[bytes, ...]) -> str:
    return json.dumps(mask_values(value, secrets), indent=1, default=str) + "\n"


def _values(document: Document) -> Any:
    """The values of a document, without its comments; what is wrong with it where it cannot be read."""
    if document.plain is None:
        return {"problems": [str(problem) for problem in document.problems]}
    return document.plain


def _files(case: Case) -> Iterator[dict[str, Any]]:
    """Name, size and age of the files below the configuration's directory; not what stands in them."""
    for file in islice(case.base.rglob("*"), FILES_LISTED):
        try:
            status = file.stat()
        except OSError:
            continue
        kind = "directory" if file.is_dir() else "file"
        age_days = round((time.time() - status.st_mtime) / 86_400, 1)
        yield {"file": str(file), "kind": kind, "octets": status.st_size, "mode": f"{status.st_mode & 0o7777:04o}",
               "age_days": age_days}  # fmt: skip


def _metrics(case: Case) -> str:
    """What Prometheus would read now."""
    service = case.service
    if service is None or not service.metrics_port:
        return ""
    host = f"[{service.metrics_host}]" if ":" in service.metrics_host else service.metrics_host
    try:
        with urllib.request.urlopen(f"http://{host}:{service.metrics_port}/metrics", timeout=WITHIN_S) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except (urllib.error.URLError, OSError) as error:
        return f"# {error}\n"


def _versions() -> dict[str, str]:
    found = {
        "sipguard": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "openssl": ssl.OPENSSL_VERSION,
    }
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


def _log(file: Path | None) -> str:
    """The end of the log: of a file, or of the journal of systemd."""
    if file is not None:
        with file.open("rb") as octets:
            octets.seek(max(0, file.stat().st_size - LOG_BYTES))
            return octets.read(LOG_BYTES).decode("utf-8", "replace")
    command = ["journalctl", "--unit", _UNIT, "--lines", "1000", "--no-pager", "--output", "cat"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no log: {error}; --log FILE names one\n"
    return done.stdout[-LOG_BYTES:]
