"""Who was turned away lately, as the supervisor knows it: for `sipguard status` and the log.

Enters: rows that the worker sends, once a second at most. Leaves: one log line for what is new; rows.
Must not: grow, or log once a packet.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from sipguard.b2bua.refusals import HANDSHAKE, NAME, NO_CERTIFICATE, STRANGER, Row

log: Final = structlog.get_logger("sipguard")

WHY: Final = {
    STRANGER: "no trunk of this listener has this source",
    NAME: "its certificate is for none of the trunk's tls_names",
    NO_CERTIFICATE: "it showed no certificate, and the trunk has tls_names",
    HANDSHAKE: "the TLS handshake failed",
}


class Refused:
    """The rows of the worker."""

    def __init__(self) -> None:
        self._rows: Sequence[Row] = ()

    def take(self, rows: Sequence[Row]) -> None:
        """What the worker says. Of several new rows the last one is logged, the others are counted."""
        known = {row[:3] for row in self._rows}
        self._rows = rows
        new = [row for row in rows if row[:3] not in known]
        if new:
            source, listener, why, detail, _, _ = new[0]
            log.warning("refused", source=source, listener=listener, why=why, detail=detail, others=len(new) - 1)

    def as_json(self) -> list[dict[str, Any]]:
        """The rows by name, the last one first."""
        names = ("source", "listener", "why", "detail", "times", "last_at")
        return [dict(zip(names, row, strict=True)) for row in self._rows]


def line(row: Mapping[str, Any]) -> str:
    """One row of `as_json` for people."""
    detail = f" ({row['detail']})" if row["detail"] else ""
    ago_s = max(0.0, time.time() - row["last_at"])
    why = WHY.get(row["why"], row["why"])
    return f"{row['source']} at listener {row['listener']}: {why}{detail}; {row['times']} time(s), {ago_s:.0f} s ago"
