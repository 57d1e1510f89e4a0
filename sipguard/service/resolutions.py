"""What the names of peers lead to, as the supervisor knows it: for a worker that is started again, and for the log.

Enters: what the fetcher says. Leaves: answers with their age, log lines at changes. Must not: resolve.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

import structlog

from sipguard.screening.ruleset import PlainRuleset
from sipguard.sip.locate import Answer, Query

SHOWN: Final = 10  # names in a warning

log: Final = structlog.get_logger("sipguard")


def queries_of(ruleset: PlainRuleset) -> tuple[Query, ...]:
    """The names of a Ruleset, once each."""
    named = [named.query for trunk in ruleset.trunks.values() for named in trunk.named]
    return tuple(dict.fromkeys(named))


class Resolutions:
    """The last answer to each query."""

    def __init__(self) -> None:
        self._known: dict[Query, tuple[Answer, float]] = {}
        self._failing: set[Query] = set()
        self._heard = asyncio.Event()

    def note(self, query: Query, answer: Answer | None, why: str) -> None:
        """What the fetcher says: an answer, or why there is none. The first of many failures is a log line."""
        self._heard.set()
        if answer is None:
            if query not in self._failing:
                self._failing.add(query)
                log.warning("name_not_resolved", name=query.shown, why=why, used_on=query in self._known)
            return
        before = self._known.get(query)
        if query in self._failing or before is None or before[0].places != answer.places:
            addresses = [address for place in answer.places for address in place.addresses]
            log.info("name_resolved", name=query.shown, addresses=addresses, refused=answer.refused)
        self._failing.discard(query)
        self._known[query] = (answer, time.monotonic())

    async def heard_of(self, queries: Iterable[Query], within_s: float) -> None:
        """Waits until each has an answer, or a reason why there is none; no longer than `within_s`."""
        wanted = set(queries)
        try:
            async with asyncio.timeout(within_s):
                while not wanted <= self._known.keys() | self._failing:
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return

    def warnings(self, queries: Iterable[Query]) -> list[str]:
        """A warning that names those that do not resolve now, for whoever reloads; [] where all do."""
        found = [
            f"{query.shown} (its last answer is used on)" if query in self._known else query.shown
            for query in dict.fromkeys(queries)
            if query in self._failing or query not in self._known
        ]
        if not found:
            return []
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        does = "name does" if len(found) == 1 else "names do"
        return [f"warning: {len(found)} {does} not resolve: {', '.join(found[:SHOWN])}{more}"]

    def keep(self, queries: Iterable[Query]) -> None:
        """Lets go of all other names."""
        wanted = set(queries)
        self._known = {query: known for query, known in self._known.items() if query in wanted}
        self._failing &= wanted

    def with_age(self) -> tuple[tuple[Query, Answer, float], ...]:
        """(query, answer, seconds since it came)."""
        now = time.monotonic()
        return tuple((query, answer, now - at) for query, (answer, at) in self._known.items())
