"""What a stranger can hold or burn at the door of the HTTP API: nothing, or not for long."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from sipguard.net.fetch import CertificateFetcher
from sipguard.net.sources import FetchSettings
from sipguard.screening.verification.settings import Settings
from sipguard.service import door as doors
from sipguard.service.api import VERIFICATION, Api
from sipguard.sip.secret import Secret
from tests.service.serving import DoorServer

TOKEN = {"Authorization": "Bearer open sesame"}
HEAD = f"POST {VERIFICATION} HTTP/1.1\r\nHost: sipguard.example\r\n"


@pytest.fixture
async def server() -> AsyncIterator[DoorServer]:
    api = Api(Secret(b"open sesame"), Settings(), (), CertificateFetcher(FetchSettings()), {})
    async with DoorServer(api.door()) as serving:
        yield serving
    await api.close()


async def exchange(server: DoorServer, octets: bytes) -> bytes:
    """All that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(octets)
    try:
        return await asyncio.wait_for(reader.read(), 5.0)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("encoding", ["deflate", "gzip", "br", "x"])
async def test_nothing_is_inflated_for_who_has_the_token(server: DoorServer, encoding: str) -> None:
    bomb = zlib.compress(b"\0" * 10_000_000)
    headers = TOKEN | {"Content-Encoding": encoding}
    async with TestClient(server) as client, client.post(VERIFICATION, data=bomb, headers=headers) as answer:
        assert answer.status == 415
        assert (await answer.json())["requestError"]["serviceException"]["messageId"] == "encoded"


async def test_a_stranger_is_answered_before_the_body_and_the_connection_ends(server: DoorServer) -> None:
    found = await exchange(server, f"{HEAD}Content-Encoding: deflate\r\nContent-Length: 400000\r\n\r\n".encode())
    assert found.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nConnection: close\r\n" in found


async def test_half_a_head_is_not_waited_for(server: DoorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "HEAD_S", 0.01)
    assert await exchange(server, HEAD.encode()) == b""
    assert await exchange(server, b"") == b""


async def test_half_a_body_is_not_waited_for(server: DoorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "BODY_S", 0.01)
    found = await exchange(server, f"{HEAD}Authorization: Bearer open sesame\r\nContent-Length: 40\r\n\r\n{{".encode())
    assert found.startswith(b"HTTP/1.1 408 ")


async def test_connections_are_limited(server: DoorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "CONNECTIONS", 1)
    request = f"{HEAD}Content-Length: 0\r\n\r\n".encode()
    _, first = await asyncio.open_connection("127.0.0.1", server.port)
    assert await exchange(server, request) == b""
    first.close()
    await first.wait_closed()
    while not (found := await exchange(server, request)):  # until the server has seen that it is gone
        pass
    assert found.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/metrics", 200, "counts"),
        ("GET", "/metrics?a=b", 200, "counts"),
        ("HEAD", "/metrics", 200, ""),
        ("GET", "/", 404, ""),
        ("POST", "/metrics", 405, ""),
    ],
)
async def test_pages_are_behind_a_door_too(method: str, path: str, status: int, text: str) -> None:
    pages = {"/metrics": lambda: web.Response(text="counts")}
    async with (
        TestClient(DoorServer(doors.of_pages(pages))) as client,
        client.request(method, path, data=b"x" if method == "POST" else None) as answer,
    ):
        assert (answer.status, await answer.text()) == (status, text)


async def test_a_request_of_its_time_outlives_the_deadline_of_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "HEAD_S", 0.01)
    deadline = asyncio.Event()

    async def answered(_: web.BaseRequest) -> web.Response:
        asyncio.get_running_loop().call_later(0.02, deadline.set)
        await deadline.wait()
        return web.Response(text="here")

    async with TestClient(DoorServer(doors.Door(answered, 10))) as client, client.get("/") as answer:
        assert await answer.text() == "here"
