"""Everything that is looked at, in the order to read it.

Enters: the path of a configuration, the status of the running sipguard. Leaves: diagnoses. Must not: stop at the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sipguard.service.doctor import (
    access,
    certificates,
    clock,
    database,
    disk,
    files,
    kernel,
    names,
    ports,
    signers,
    trust,
)
from sipguard.service.doctor.diagnosis import OK, UNKNOWN, WARNING, Case, Diagnosis
from sipguard.settings.load import load
from sipguard.settings.merged import Merged
from sipguard.settings.shape import read_shape
from sipguard.settings.sources import READ


def case_of(path: Path, status: dict[str, Any]) -> Case:
    """What is looked at; of a broken configuration as much as can be read."""
    document = Merged(path)
    config = read_shape(document)[0] if document.plain is not None else None
    return Case(path, config, load(path, READ), status)


def examine(case: Case, ntp: str = "") -> Iterator[Diagnosis]:
    """All diagnoses. `ntp` is a server to ask for the time, "" for none."""
    yield from files.examine(case)
    yield from trust.examine(case)
    yield from signers.examine(case)
    yield from certificates.examine(case)
    yield from access.examine(case)
    yield _running(case)
    yield from ports.examine(case)
    yield from names.examine(case)
    yield from names.running(case)
    yield clock.examine(ntp)
    yield from database.examine(case)
    yield from disk.examine(case)
    yield from kernel.examine(case)


def _running(case: Case) -> Diagnosis:
    status = case.status
    if not status:
        return Diagnosis("sipguard", UNKNOWN, "does not run with this configuration")
    starts = {name: process["starts"] for name, process in status["processes"].items()}
    again = ", ".join(f"{name} was {count} times" for name, count in starts.items() if count > 1)
    if again:
        return Diagnosis(
            "sipguard", WARNING, f"runs for {status['up_s']:.0f} s, but {again} started", "see its log for why"
        )
    return Diagnosis("sipguard", OK, f"runs for {status['up_s']:.0f} s")
