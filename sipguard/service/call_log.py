"""One structured line for each call at its end, written by the desk from what it loads.

Enters: records. Leaves: lines of JSON. Must not: run in a worker, or show a whole number unless told to.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final
from zlib import crc32

import msgspec
import structlog

from sipguard.records.record import Record

MASKED_DIGITS: Final = 4


@dataclass(frozen=True)
class LogOptions:
    """How calls are logged: what part of them, whether numbers are shown whole, and where (None: stdout)."""

    percent: int = 100
    whole_numbers: bool = False
    path: Path | None = None


class _Lines:
    """What structlog writes to: lines are collected, and written together."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: list[bytes] = []

    def msg(self, line: bytes) -> None:
        """Takes one line."""
        self._lines.append(line)

    info = msg

    def flush(self) -> None:
        """Writes what was taken."""
        if self._lines:
            self._lines.append(b"")
            self._stream.write(b"\n".join(self._lines))
            self._stream.flush()
            self._lines.clear()


_encode: Final = msgspec.json.Encoder().encode


def _as_json(_logger: object, _method: str, event: Any) -> bytes:
    return _encode(event)


class CallLog:
    """Writes calls. Which calls are in a sample depends on the decision id alone."""

    def __init__(self, options: LogOptions, stream: BinaryIO | None = None) -> None:
        self._options = options
        if stream is None:
            stream = options.path.open("ab") if options.path is not None else sys.stdout.buffer
        self._lines = _Lines(stream)
        self._log = structlog.wrap_logger(
            self._lines,
            processors=[_as_json],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )

    def wants(self, decision_id: str) -> bool:
        """Whether this call is in the sample."""
        percent = self._options.percent
        return percent >= 100 or (percent > 0 and crc32(decision_id.encode()) % 100 < percent)

    def write(self, records: Iterable[Record]) -> int:
        """Writes one line for each call, all at once; how many."""
        count = 0
        for record in records:
            self._log.info("call", **self._fields(record))
            count += 1
        self._lines.flush()
        return count

    def _fields(self, record: Record) -> dict[str, object]:
        """What a line says, in its order; fields that say nothing are left out."""
        shown = str if self._options.whole_numbers else masked
        fields: dict[str, object] = {
            "level": "info",
            "at": datetime.fromtimestamp(record.at, UTC).isoformat(timespec="milliseconds"),
            "id": record.decision_id,
            "site": record.site,
            "node": record.node,
            "trunk": record.trunk,
            "route": record.route,
            "caller": shown(record.caller),
            "shown": shown(record.shown) if record.shown != record.caller else "",
            "callee": shown(record.callee),
            "verdict": record.action,
            "rule": record.rule,
            "basis": record.basis,
            "mode": record.mode if record.mode != "enforce" else "",
            "emergency": record.emergency,
            "identity": record.identity,
            "attest": record.attest,
            "disposition": record.disposition,
            "status": record.final_status,
            "duration_s": record.duration_s,
            "screen_us": record.screen_us,
            "forward_us": record.forward_us,
            "revision": record.revision,
        }
        return {name: value for name, value in fields.items() if value not in ("", 0)}


def masked(tn: str) -> str:
    """A TN without its last digits; shorter ones (911, 988) are shown."""
    return tn[:-MASKED_DIGITS] + "*" * MASKED_DIGITS if len(tn) > 2 * MASKED_DIGITS else tn
