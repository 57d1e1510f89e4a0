"""Instants on the command line of commands that look at files: any time, at which things are judged.

Enters: a text. Leaves: Unix seconds. Must not: read a clock. Times of calls are relative: `records.filter` reads them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sipguard.cli.exits import WRONG, stop


def instant(written: str, mark: str = "") -> float:
    """Unix seconds of an ISO 8601 time, UTC where it names no zone, or of a number of them, `mark` before it or not."""
    try:
        return float(written.removeprefix(mark))
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        stop(f"--at {written}: not a time such as 2026-11-26T12:00:00Z", WRONG)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
