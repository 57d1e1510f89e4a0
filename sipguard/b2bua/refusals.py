"""Who was turned away lately, for whoever turns a customer up: a short table, whatever comes.

Enters: sources that are in no trunk, connections without the right certificate, about once a second a tick.
Leaves: rows. Must not: grow beyond KEPT rows, answer anybody.
"""

from __future__ import annotations

from typing import Final

STRANGER: Final = "stranger"  # no trunk has this source at this listener
NAME: Final = "name"  # a certificate, but for none of the trunk's `tls_names`
NO_CERTIFICATE: Final = "no_certificate"
HANDSHAKE: Final = "handshake"  # the TLS handshake failed
KEPT: Final = 20
NEW_A_SECOND: Final = 5  # further new rows are not taken: a flood of forged sources costs a look-up each
DETAIL_CHARS: Final = 200

Key = tuple[str, str, str]
Row = tuple[str, str, str, str, int, float]  # source address, listener, why, detail, times, Unix seconds of the last


class Refusals:
    """The last sources that were refused, each with its listener and reason."""

    __slots__ = ("_new", "_rows", "changed")

    def __init__(self) -> None:
        self._rows: dict[Key, Row] = {}  # the last one refused stands last
        self._new = 0
        self.changed = False

    def note(self, source: str, listener: str, why: str, detail: str, at: float) -> None:
        """One more refusal. `detail`: the names in the certificate, or why a handshake failed."""
        rows = self._rows
        key = (source, listener, why)
        times = 1
        if key in rows:
            times += rows.pop(key)[4]
        elif self._new >= NEW_A_SECOND:
            return
        else:
            self._new += 1
            if len(rows) >= KEPT:
                del rows[next(iter(rows))]
        rows[key] = (source, listener, why, detail[:DETAIL_CHARS], times, at)
        self.changed = True

    def second(self) -> list[Row] | None:
        """About once a second: the rows where they have changed since, the last one first."""
        self._new = 0
        if not self.changed:
            return None
        self.changed = False
        return list(self._rows.values())[::-1]
