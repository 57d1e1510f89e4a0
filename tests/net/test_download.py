"""What the operator's URLs serve, under the guard: https, no redirect, checked addresses, bounds; the API's login."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web

from sipguard.net.download import DownloadError, approved_list, download
from sipguard.net.sources import Guard
from tests.pki import Pki, server_context

PKI = Pki()


class Served:
    """A server on 127.0.0.1 that is good and bad by path."""

    def __init__(self, directory: Path) -> None:
        self.port = 0
        self.asked: list[tuple[str, str]] = []
        (directory / "ca.pem").write_bytes(PKI.root.pem)
        self.guard = Guard((ip_network("127.0.0.0/8"),), str(directory / "ca.pem"), 2.0)

    def url(self, path: str) -> str:
        """Where it serves `path`."""
        return f"https://127.0.0.1:{self.port}/{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What a path stands for."""
        path = request.path.lstrip("/")
        self.asked.append((request.method, path))
        if path == "redirect":
            raise web.HTTPFound(self.url("good"))
        if path == "slow":
            await asyncio.sleep(60)
        if path == "gzip":
            return web.Response(body=b"x", headers={"Content-Encoding": "gzip"})
        if path == "endless":
            stream = web.StreamResponse()
            await stream.prepare(request)
            for _ in range(1000):
                await stream.write(bytes(10_000))
            return stream
        if path == "api/v1/auth/login":
            return await self._login(request)
        if path == "api/v1/ca-list":
            if request.headers.get("Authorization") != "t0ken":
                raise web.HTTPUnauthorized
            return web.json_response({"caList": "a.b.c"})
        if path == "odd/api/v1/auth/login":
            return web.json_response({"accessToken": "a\r\nX: b"})
        if path == "good":
            return web.Response(body=b"octets")
        raise web.HTTPNotFound

    async def _login(self, request: web.Request) -> web.Response:
        if await request.json() != {"userId": "us", "password": "secret"}:
            raise web.HTTPForbidden
        return web.json_response({"accessToken": "t0ken"})


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """The server."""
    found = Served(tmp_path)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(PKI.web()))
    await site.start()
    found.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    yield found
    await runner.cleanup()


async def why(served: Served, url: str, guard: Guard | None = None) -> str:
    """The reason why nothing comes."""
    with pytest.raises(DownloadError) as raised:
        await download(url, 1000, guard or served.guard)
    return raised.value.reason


async def test_a_good_answer_comes_whole(served: Served) -> None:
    assert await download(served.url("good"), 6, served.guard) == b"octets"


async def test_what_is_not_taken(served: Served) -> None:
    assert await why(served, served.url("redirect")) == "redirect"
    assert served.asked == [("GET", "redirect")]
    assert await why(served, served.url("endless")) == "too_large"
    assert await why(served, served.url("gzip")) == "encoding"
    assert await why(served, served.url("nothing")) == "http_status"
    assert (
        await why(served, served.url("slow"), Guard(served.guard.allow_networks, served.guard.ca_file, 0.2))
        == "timeout"
    )
    assert await why(served, served.url("good").replace("https", "http")) == "url_refused"
    assert await why(served, served.url("good"), Guard()) == "address_refused"
    assert await why(served, f"https://localhost:{served.port}/good", Guard()) == "address_refused"
    assert await why(served, served.url("good"), Guard(served.guard.allow_networks)) == "tls"
    assert await why(served, "https://127.0.0.1:1/good") == "connect"
    assert await why(served, served.url("good"), Guard(served.guard.allow_networks, "/nowhere.pem")) == "ca_file"


async def test_the_api_is_asked_with_an_account(served: Served) -> None:
    answer = await approved_list(served.url(""), "us", "secret", 1000, served.guard)
    assert json.loads(answer) == {"caList": "a.b.c"}
    assert served.asked == [("POST", "api/v1/auth/login"), ("GET", "api/v1/ca-list")]


async def test_no_password_stands_in_an_error(served: Served) -> None:
    for base, password, reason in (
        (served.url(""), "wr0ng", "login_refused"),
        (served.url("odd"), "wr0ng", "login_malformed"),
        (served.url("none"), "wr0ng", "http_status"),
    ):
        with pytest.raises(DownloadError) as raised:
            await approved_list(base, "us", password, 1000, served.guard)
        assert raised.value.reason == reason and "wr0ng" not in str(raised.value)
