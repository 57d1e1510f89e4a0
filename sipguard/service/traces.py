"""The traces that run: asked for over the control socket, filled by the worker, read by a command.

Enters: wishes, messages that the worker saw. Leaves: lines of JSON, one for each message, and how the trace ended.
Must not: keep more than a bound of what is not read, or make the worker wait.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections.abc import Callable
from typing import Any, Final

from sipguard.net.capture import Seen
from sipguard.service.control import Lines, Stream

AT_ONCE: Final = 4  # traces
QUEUED: Final = 2_000  # messages that wait for a reader
QUEUED_BYTES: Final = 16 * 2**20
LONGEST_S: Final = 24 * 3600.0
MOST_MESSAGES: Final = 1_000_000
MOST_BYTES: Final = 2**32
LAST_WORD_S: Final = 2.0  # the worker has this long to say what it lost

BOUNDS: Final = f"for_s up to {LONGEST_S:g}, messages up to {MOST_MESSAGES}, octets up to {MOST_BYTES}"


class _Trace:
    """One trace and what waits for its reader. `tell` reaches the worker."""

    def __init__(
        self, wish: tuple[Any, ...], for_s: float, tell: Callable[..., None], over: Callable[[], None]
    ) -> None:
        self.wish = wish  # as the worker is told: number first
        self.queue: asyncio.Queue[Seen | None] = asyncio.Queue()  # None: it is over
        self.queued_bytes = 0
        self.lost = 0
        self.why: str | None = None
        self.until = time.monotonic() + for_s
        self._tell = tell
        self._over = over

    async def lines(self) -> Lines:
        """Each message, and at last why it ended and how many were lost."""
        try:
            yield {"ok": True}
            while (seen := await self._next()) is not None:
                self.queued_bytes -= len(seen.octets)
                yield {"seen": [*seen[:-1], base64.b64encode(seen.octets).decode()]}
            yield {"end": self.why, "lost": self.lost}
        finally:
            self._end("")
            self._over()

    async def _next(self) -> Seen | None:
        """The next message, None at the end; what waits when the time is over still comes."""
        left_s = self.until - time.monotonic()
        if left_s > 0 and self.why is None:
            try:
                return await asyncio.wait_for(self.queue.get(), left_s)
            except TimeoutError:
                pass
        self._end("time")
        try:
            return await asyncio.wait_for(self.queue.get(), LAST_WORD_S)
        except TimeoutError:
            return None

    def stop(self) -> None:
        """The reader wants no more."""
        self._end("")

    def _end(self, why: str) -> None:
        """Has the worker end it, once."""
        if self.why is None:
            self.why = why
            self._tell("end_trace", self.wish[0])


class Traces:
    """All of them."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._running: dict[int, _Trace] = {}
        self._numbers = itertools.count(1)

    def begin(self, tn: str, trunk: str, for_s: float, messages: int, octets: int) -> dict[str, Any] | Stream:
        """A new trace, or why there is none."""
        if len(self._running) >= AT_ONCE:
            return {"ok": False, "error": f"{AT_ONCE} traces run already; end one of them first"}
        if not (
            0 < for_s <= LONGEST_S and 0 < messages <= MOST_MESSAGES and 0 < octets <= MOST_BYTES and (tn or trunk)
        ):
            return {"ok": False, "error": f"out of bounds: {BOUNDS}"}
        number = next(self._numbers)
        wish = (number, str(tn), str(trunk), int(messages), int(octets))
        trace = self._running[number] = _Trace(wish, for_s, self._tell, lambda: self._forget(number))
        self._tell("trace", *wish)
        return trace

    def running(self) -> list[dict[str, Any]]:
        """What runs: number, trunk, how long it still may."""
        now = time.monotonic()
        return [
            {"tn": trace.wish[1], "trunk": trace.wish[2], "left_s": round(max(0.0, trace.until - now), 1)}
            for trace in self._running.values()
        ]

    def _forget(self, number: int) -> None:
        self._running.pop(number, None)

    def seen(self, number: int, seen: Seen) -> None:
        """The worker saw a message of a trace. It is lost where the reader is behind."""
        trace = self._running.get(number)
        if trace is None:
            return
        if trace.queue.qsize() >= QUEUED or trace.queued_bytes + len(seen.octets) > QUEUED_BYTES:
            trace.lost += 1
            return
        trace.queued_bytes += len(seen.octets)
        trace.queue.put_nowait(seen)

    def ended(self, number: int, why: str, lost: int) -> None:
        """The worker has ended a trace, of itself if there is a `why`."""
        trace = self._running.get(number)
        if trace is not None:
            trace.lost += lost
            trace.why = trace.why or why
            trace.queue.put_nowait(None)

    def started(self) -> None:
        """The worker is a new one: it is told again."""
        for trace in self._running.values():
            if trace.why is None:
                self._tell("trace", *trace.wish)
