"""A door on a free port of loopback."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.test_utils import BaseTestServer

from sipguard.service.door import Door


class DoorServer(BaseTestServer):
    """Serves the door for as long as its client is open."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self.door = door

    async def _make_runner(self, **_: Any) -> web.BaseRunner:
        return web.ServerRunner(self.door)
