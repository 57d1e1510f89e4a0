"""URLs that are fetched when nobody waits for them: one after the other at each host, so many a second.

Enters: URLs with their host. Leaves: calls of `fetch`, one for each. Must not: fetch two of one host at once, hold more
URLs than its limit, know what comes of a fetch.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

LIMIT: Final = 20_000  # URLs that wait


class Rounds:
    """Lives on one event loop. `idle` is set while nothing waits or runs."""

    def __init__(self, fetch: Callable[[str], Awaitable[None]], rate: float) -> None:
        """`rate` is a second and host."""
        self._fetch = fetch
        self._every_s = 1.0 / rate
        self._waiting: dict[str, deque[str]] = {}  # by host; a host stands here while its task runs
        self._urls: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.idle = asyncio.Event()
        self.idle.set()

    def __len__(self) -> int:
        return len(self._urls)

    def add(self, url: str, host: str) -> bool:
        """Whether `url` has a place in its host's queue; one that waits there already has."""
        if url in self._urls:
            return True
        if len(self._urls) >= LIMIT:
            return False
        self._urls.add(url)
        self.idle.clear()
        waiting = self._waiting.get(host)
        if waiting is not None:
            waiting.append(url)
            return True
        self._waiting[host] = deque((url,))
        task = asyncio.create_task(self._one_host(host))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def close(self) -> None:
        """Ends what runs and forgets what waits."""
        for task in self._tasks:
            task.cancel()
        self._urls.clear()
        self.idle.set()

    async def _one_host(self, host: str) -> None:
        waiting = self._waiting[host]
        while waiting:
            began_at = time.monotonic()
            url = waiting.popleft()
            try:
                await self._fetch(url)
            finally:
                self._urls.discard(url)
                if not self._urls:
                    self.idle.set()
            await asyncio.sleep(max(0.0, began_at + self._every_s - time.monotonic()))
        del self._waiting[host]
