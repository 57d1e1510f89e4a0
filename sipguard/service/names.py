"""Host names of peers, kept resolved: asked again before their TTL ends, and more often while nobody answers.

Enters: the queries of a Ruleset. Leaves: answers, and reasons why there is none, as they come. Must not: judge an
answer or keep one; the worker has its own clock for what is stale.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from sipguard.net.resolve import ResolveError
from sipguard.sip.locate import Answer, Query

AHEAD: Final = 0.8  # of the TTL, then it is asked again
RETRY_S: Final = 2.0  # doubled each time
RETRY_AT_MOST_S: Final = 30.0

Tell = Callable[[Query, Answer | None, str], None]


class Asks(Protocol):
    """What is asked of a resolver."""

    async def resolve(self, query: Query) -> Answer:
        """Where a name leads. Raises ResolveError."""


class Names:
    """One task for each query."""

    def __init__(self, resolver: Asks, tell: Tell) -> None:
        self._resolver = resolver
        self._tell = tell
        self._tasks: dict[Query, asyncio.Task[None]] = {}

    def use(self, resolver: Asks) -> None:
        """Another resolver from now on; everything is asked again."""
        wanted = list(self._tasks)
        self.want(())
        self._resolver = resolver
        self.want(wanted)

    def want(self, queries: Iterable[Query]) -> None:
        """These are kept resolved, others no longer."""
        wanted = set(queries)
        for query in self._tasks.keys() - wanted:
            self._tasks.pop(query).cancel()
        for query in wanted - self._tasks.keys():
            self._tasks[query] = asyncio.create_task(self._keep(query))

    async def _keep(self, query: Query) -> None:
        retry_s = RETRY_S
        while True:
            try:
                answer = await self._resolver.resolve(query)
            except ResolveError as error:
                self._tell(query, None, str(error))
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, RETRY_AT_MOST_S)
            else:
                self._tell(query, answer, "")
                retry_s = RETRY_S
                await asyncio.sleep(answer.ttl_s * AHEAD)
