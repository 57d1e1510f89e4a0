"""What any database of calls can do; sqlite is the embedded one.

Enters: batches of calls, filters. Leaves: records.
Must not: be larger than a second database needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from sipguard.records.filter import Filter
from sipguard.records.record import Batch, Note, Record
from sipguard.store.journal import Position


class Count(NamedTuple):
    """How many calls had this verdict and this end."""

    action: str
    basis: str
    disposition: str
    calls: int


class RecordStore(Protocol):
    """Calls in a database. Everything raises StoreUnavailable where the database cannot be used now."""

    async def open(self) -> None:
        """Connects and brings the schema up to date. Raises StoreTooNew."""

    async def close(self) -> None:
        """Disconnects; may be called at any time."""

    async def positions(self) -> Mapping[str, Position]:
        """Up to where each journal has been loaded, by its name."""

    async def load(self, batch: Batch) -> int:
        """Stores a batch and the positions behind it in one transaction; calls whose begin is not stored.

        A batch that is stored already changes nothing. Raises PositionMoved where it does not follow on
        what is stored: ask for `positions` and read again.
        """

    async def records(self, decision_ids: list[str]) -> list[Record]:
        """Those of these calls that are stored, in any order."""

    async def find(self, wanted: Filter) -> list[Record]:
        """The calls that agree with the filter, newest first."""

    async def get(self, decision_id: str) -> Record | None:
        """One call."""

    async def counts(self, wanted: Filter) -> list[Count]:
        """How many calls of the filter had which verdict and end; its limit does not count."""

    async def notes(self, after_at: float, limit: int) -> list[Note]:
        """What concerned all calls since then, newest first."""

    async def forget(self, before_at: float, limit: int) -> int:
        """Deletes at most `limit` calls that began before then; how many."""
