"""One structured line for each call at its end, written by the desk from what it loads.

Enters: records. Leaves: lines of JSON. Must not: run in a worker, or show a whole number unless told to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final
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


class CallLine(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """A line; fields that say nothing are left out."""

    event: str
    level: str
    at: str
    id: str
    site: str = ""
    node: str = ""
    trunk: str = ""
    route: str = ""
    caller: str = ""
    shown: str = ""  # only where it is not the caller
    callee: str = ""
    verdict: str = ""
    rule: str = ""
    basis: str = ""
    mode: str = ""
    emergency: str = ""
    identity: str = ""
    attest: str = ""
    disposition: str = ""
    status: int = 0
    duration_s: float = 0.0
    screen_us: int = 0
    forward_us: int = 0
    revision: str = ""


_encode: Final = msgspec.json.Encoder().encode


class CallLog:
    """Writes calls, all of a batch in one go: a pass through the processors for each would cost 10 us.

    Which calls are in a sample depends on the decision id alone.
    """

    def __init__(self, options: LogOptions, stream: BinaryIO | None = None) -> None:
        self._options = options
        self._number: Callable[[str], str] = str if options.whole_numbers else masked
        if stream is None:
            stream = options.path.open("ab") if options.path is not None else sys.stdout.buffer
        self._out = structlog.BytesLogger(stream)

    def wants(self, decision_id: str) -> bool:
        """Whether this call is in the sample."""
        percent = self._options.percent
        return percent >= 100 or (percent > 0 and crc32(decision_id.encode()) % 100 < percent)

    def write(self, records: Iterable[Record]) -> int:
        """Writes one line for each call; how many."""
        lines = [_encode(self._line(record)) for record in records]
        if lines:
            self._out.info(b"\n".join(lines))
        return len(lines)

    def _line(self, record: Record) -> CallLine:
        number = self._number
        return CallLine(
            event="call",
            level="info",
            at=datetime.fromtimestamp(record.at, UTC).isoformat(timespec="milliseconds"),
            id=record.decision_id,
            site=record.site,
            node=record.node,
            trunk=record.trunk,
            route=record.route,
            caller=number(record.caller),
            shown=number(record.shown) if record.shown != record.caller else "",
            callee=number(record.callee),
            verdict=record.action,
            rule=record.rule,
            basis=record.basis,
            mode=record.mode,
            emergency=record.emergency,
            identity=record.identity,
            attest=record.attest,
            disposition=record.disposition,
            status=record.final_status,
            duration_s=record.duration_s,
            screen_us=record.screen_us,
            forward_us=record.forward_us,
            revision=record.revision,
        )


def masked(tn: str) -> str:
    """A TN without its last digits; shorter ones (911, 988) are shown."""
    return tn[:-MASKED_DIGITS] + "*" * MASKED_DIGITS if len(tn) > 2 * MASKED_DIGITS else tn
