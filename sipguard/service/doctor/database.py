"""Whether the database of calls is sound, and whether the running sipguard can store into it.

Enters: its file, the status. Leaves: a diagnosis. Must not: write, or read for longer than a few seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sipguard.service.doctor.diagnosis import OK, PROBLEM, UNKNOWN, Case, Diagnosis
from sipguard.store.errors import StoreDamaged, StoreError, cure_of
from sipguard.store.sqlite import SqliteReading

WITHIN_S: Final = 5.0
_SUBJECT: Final = "database"


def examine(case: Case, within_s: float = WITHIN_S) -> Iterator[Diagnosis]:
    """Nothing where there is no database yet and nobody wants to store."""
    service = case.service
    if service is None:
        return
    away = case.status.get("records", {}).get("away", False)
    path = service.database
    if not path.exists() and not away:
        return
    try:
        with SqliteReading(path) as store:
            whole = store.check(within_s)
    except StoreDamaged as error:
        yield Diagnosis(_SUBJECT, PROBLEM, f"{path} is damaged: {error.what}", cure_of(path))
        return
    except StoreError as error:
        yield Diagnosis(_SUBJECT, PROBLEM if away else UNKNOWN, f"it cannot be read: {error}", "see who may read it")
        return
    if away:
        advice = "the log says why (database_away); calls wait in the journal"
        yield Diagnosis(_SUBJECT, PROBLEM, f"the running sipguard cannot store into {path}", advice)
    elif whole:
        yield Diagnosis(_SUBJECT, OK, "it is sound")
    else:
        advice = f'sqlite3 {path} "PRAGMA quick_check" looks at all of it'
        yield Diagnosis(_SUBJECT, UNKNOWN, f"no damage was found in {within_s:g} s; it is too large for more", advice)
