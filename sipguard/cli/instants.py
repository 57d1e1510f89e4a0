"""Instants on the command line of commands that look at files: any time, at which things are judged.

Enters: a text. Leaves: Unix seconds. Must not: read a clock. Times of calls are relative: `records.filter` reads them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sipguard.cli.exits import WRONG, stop


def instant(written: str, mark: str = "") -> float:
    """Unix seconds of an ISO 8601 time, UTC where it names no zone, or of a number of them, `mark` before it or not."""
    try:
        return _dated(float(written.removeprefix(mark)))
    except (OverflowError, OSError):
        stop(f"--at {written}: no calendar has that time", WRONG)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(written)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        stop(f"--at {written}: not a time such as 2026-11-26T12:00:00Z", WRONG)


def _dated(unix_at: float) -> float:
    """These seconds. Raises ValueError or OverflowError where they are no number, or of no year from 1 to 9999."""
    datetime.fromtimestamp(unix_at, UTC)
    return unix_at
