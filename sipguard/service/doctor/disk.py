"""For how many days the disks do: what journal and database will grow to, and what is free.

Enters: their directories, how long they are kept, the calls of the last day. Leaves: a diagnosis for each file
system. Must not: write.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from sipguard.service.capacity import DAY_S, FIGURES
from sipguard.service.doctor.diagnosis import OK, PROBLEM, UNKNOWN, WARNING, Case, Diagnosis

WARN_DAYS: Final = 30.0
PROBLEM_DAYS: Final = 7.0
FULL_BYTES: Final = 512 * 2**20  # less room than this is none, whatever grows


class Growth(NamedTuple):
    """Calls a day, and for how many days there are any."""

    calls_a_day: float
    days: float


class Part(NamedTuple):
    """Something that grows: its size, what it grows by a day, and what it will be at last. Octets."""

    name: str
    path: Path
    size: float
    daily: float
    final: float


def examine(case: Case, now_at: float | None = None) -> Iterator[Diagnosis]:
    """Each file system that something is written to."""
    service = case.service
    if service is None:
        return
    growth = growth_of(service.database, time.time() if now_at is None else now_at)
    daily = growth.calls_a_day if growth is not None else 0.0
    journal_days, records_days = service.journal_keep_s / DAY_S, service.records_keep_s / DAY_S
    row, frames = FIGURES["row"].value * daily, FIGURES["journal_call"].value * daily
    parts = (
        Part(
            "journal", service.journal_directory, _size(service.journal_directory), frames,
            frames * journal_days + 3 * service.journal_segment_bytes,
        ),
        Part("database", service.database, _size(service.database), row, row * records_days),
    )  # fmt: skip
    by_device: dict[int, list[Part]] = defaultdict(list)
    for part in parts:
        by_device[_existing(part.path).stat().st_dev].append(part)
    for there in by_device.values():
        yield _diagnosis(there, growth)


def _diagnosis(parts: list[Part], growth: Growth | None) -> Diagnosis:
    place = _existing(parts[0].path)
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    subject = f"disk of {' and '.join(part.name for part in parts)}"
    shown = f"{_amount(free)} free at {place}"
    if free < FULL_BYTES:
        return Diagnosis(subject, PROBLEM, shown, "make room: frames that find none are lost")
    if growth is None:
        return Diagnosis(subject, UNKNOWN, f"{shown}, no calls yet to reckon with", "sipguard plan reckons with a rate")
    to_come = sum(max(0.0, part.final - part.size) for part in parts)
    daily = sum(part.daily for part in parts if part.final > part.size)
    what = f"{shown}, {_amount(daily)} more a day at {growth.calls_a_day:.0f} calls"
    if to_come < free - FULL_BYTES:
        return Diagnosis(subject, OK, f"{what}; {_amount(to_come)} to come, then what is old goes")
    days = (free - FULL_BYTES) / daily
    what += f": {days:.0f} days left"
    advice = "a larger disk, or a shorter journal.keep or records.keep"
    if days < PROBLEM_DAYS:
        return Diagnosis(subject, PROBLEM, what, advice)
    return Diagnosis(subject, WARNING if days < WARN_DAYS else OK, what, advice if days < WARN_DAYS else "")


def growth_of(database: Path, now_at: float) -> Growth | None:
    """The calls of the last day, or of the time since the first call; None where there are none."""
    if not database.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1.0)) as connection:
            count, first_at = connection.execute(
                "SELECT count(*), min(at) FROM call WHERE at >= ?", (now_at - DAY_S,)
            ).fetchone()
    except sqlite3.Error:
        return None
    if not count:
        return None
    days = max(now_at - first_at, 60.0) / DAY_S
    return Growth(count / days, days)


def _size(path: Path) -> float:
    """Octets that a file, or a directory's files, really take."""
    found = 0
    for each in path.rglob("*") if path.is_dir() else path.parent.glob(f"{path.name}*"):
        try:
            found += each.stat().st_blocks * 512
        except OSError:
            continue  # a segment that was deleted meanwhile
    return found


def _existing(path: Path) -> Path:
    """The path, or what of it exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def _amount(octets: float) -> str:
    return f"{octets / 1e9:.1f} GB" if octets >= 1e9 else f"{octets / 1e6:.1f} MB"
