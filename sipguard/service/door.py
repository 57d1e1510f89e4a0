"""The door of an HTTP service: bounds on connections, on the time a request takes and on what is read of it.

Enters: connections, before anything is known of who asks. Leaves: requests whose head is complete, bodies as sent.
Must not: inflate a body, wait for a head without a deadline, read a body that nobody asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sipguard.net.http import web

CONNECTIONS: Final = 256  # at a time; one more is closed at once
HEAD_S: Final = 10.0  # a connection that has not sent the head of its first request by then is closed
IDLE_S: Final = 30.0  # between two requests of a connection, the head of the second included
BODY_S: Final = 10.0  # from the head of a request to the end of its body


class Door(web.Server):
    """Serves `answered`, requests of at most `body_limit` octets."""

    def __init__(self, answered: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], body_limit: int) -> None:
        super().__init__(
            self._heard,
            request_factory=self._request,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=IDLE_S,
            lingering_time=0.0,
        )
        self._answered = answered
        self._body_limit = body_limit
        self._unheard: dict[object, asyncio.TimerHandle] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Gives a connection its deadline; it is over at once where there are too many."""
        super().connection_made(handler, transport)
        loop = asyncio.get_running_loop()
        if len(self.connections) > CONNECTIONS:
            loop.call_soon(transport.abort)  # the task of the connection is not made yet, and must end as others do
        else:
            self._unheard[handler] = loop.call_later(HEAD_S, transport.abort)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Forgets a connection."""
        self._is_heard(handler)
        super().connection_lost(handler, exc)

    def _is_heard(self, handler: object) -> None:
        timer = self._unheard.pop(handler, None)
        if timer is not None:
            timer.cancel()

    async def _heard(self, request: web.BaseRequest) -> web.StreamResponse:
        self._is_heard(request.protocol)
        return await self._answered(request)

    def _request(
        self, message: Any, payload: Any, protocol: web.RequestHandler, writer: Any, task: asyncio.Task[None]
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._body_limit)


def of_pages(pages: Mapping[str, Callable[[], web.Response]]) -> Door:
    """Serves pages by their paths to whoever gets them; what else is asked is 404 or 405, its body unread."""

    async def answered(request: web.BaseRequest) -> web.Response:
        page = pages.get(request.path)
        if page is None:
            found = web.Response(status=404)
        elif request.method not in ("GET", "HEAD"):
            found = web.Response(status=405, headers={"Allow": "GET, HEAD"})
        else:
            found = page()
        if request.body_exists:
            found.force_close()
        return found

    return Door(answered, 0)


async def body_of(request: web.BaseRequest) -> bytes:
    """The body of a request. Raises TimeoutError, and HTTPRequestEntityTooLarge."""
    async with asyncio.timeout(BODY_S):
        return await request.read()
