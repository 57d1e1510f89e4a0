"""The control socket: whatever is written to it, it answers or closes, and goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sipguard.service import control


async def answer(asked: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "did": asked["do"]}


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    """A socket that is served."""
    path = tmp_path / "control.sock"
    server = await control.serve(path, answer)
    yield path
    server.close()


async def said(path: Path, octets: bytes, *, all_of_it: bool = True) -> bytes:
    """What comes back, up to the end."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(octets)
    if all_of_it:
        writer.write_eof()
    async with asyncio.timeout(20):
        got = await reader.read()
    writer.close()
    return got


GARBAGE = {
    "nothing": b"\n",
    "no JSON": b"do status\n",
    "no UTF-8": b"\xff\xfe\x00\n",
    "a list": b"[1, 2]\n",
    "a string": b'"do"\n',
    "a number": b"7\n",
    "nothing to do": b"{}\n",
    "nested": b"[" * 100_000 + b"\n",
    "half a line": b'{"do": "sta',
    "a line without end": b"x" * (control.LONGEST_LINE + 2),
}


@pytest.mark.parametrize("octets", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_not_understood(path: Path, octets: bytes) -> None:
    assert json.loads(await said(path, octets))["error"].startswith("not understood")
    assert await control.ask(path, "status") == {"ok": True, "did": "status"}


async def test_of_many_lines_the_first_is_answered(path: Path) -> None:
    line = b'{"do": "status"}\n'
    assert json.loads(await said(path, line * 10_000, all_of_it=False)) == {"ok": True, "did": "status"}
    assert await said(path, b"") == b""


async def test_who_never_ends_a_line_is_cut_off(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of them keep nobody away."""
    monkeypatch.setattr(control, "ASKED_WITHIN_S", 0.2)
    slow = [asyncio.create_task(said(path, b'{"do"', all_of_it=False)) for _ in range(100)]
    assert await control.ask(path, "status") == {"ok": True, "did": "status"}
    assert set(await asyncio.gather(*slow)) == {b""}
