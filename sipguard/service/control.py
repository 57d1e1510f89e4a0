"""The control socket: one line of JSON in, one or many lines of JSON out, for the commands of an operator.

Enters: connections on a Unix socket that only its owner and group may open. Leaves: what the supervisor answers.
Must not: listen on a network.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol

from sipguard.service.errors import NotRunning

LONGEST_LINE: Final = 1 << 20

LAST_LINES_S: Final = 5.0
ASKED_WITHIN_S: Final = 10.0  # who has not said its line by then is cut off

Lines = AsyncGenerator[dict[str, Any], None]


class Stream(Protocol):
    """An answer of many lines."""

    def lines(self) -> Lines:
        """Each of them, up to the end."""

    def stop(self) -> None:
        """The reader wants no more; what ends the lines is still read."""


Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | Stream]]


async def serve(path: Path, answer: Answer) -> asyncio.Server:
    """Opens the socket at `path`; a socket file left by a dead process is replaced."""
    path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at the start

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        result: dict[str, Any] | Stream
        try:
            line = b""
            try:
                async with asyncio.timeout(ASKED_WITHIN_S):
                    line = await reader.readline()
                result = await answer(json.loads(line)) if line else {}
            except (ValueError, KeyError, TypeError, RecursionError) as error:  # also a line that is too long
                result = {"ok": False, "error": f"not understood: {error}"}
            if result:
                if isinstance(result, dict):
                    writer.write(_line(result))
                    await writer.drain()
                else:
                    await _write_lines(result, reader, writer)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(one, path, limit=LONGEST_LINE)
    path.chmod(0o660)  # noqa: ASYNC240 - as above
    return server


async def _write_lines(stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Writes lines as they come, no faster than they are read, until they end or the other side wants no more."""
    lines = stream.lines()

    async def write() -> None:
        async for line in lines:
            writer.write(_line(line))
            await writer.drain()

    writing = asyncio.create_task(write())
    leaving = asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
        stream.stop()
        await asyncio.wait((writing,), timeout=LAST_LINES_S)
    finally:
        for task in (writing, leaving):
            task.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)
        await lines.aclose()


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


async def ask(path: Path, what: str, **arguments: object) -> dict[str, Any]:
    """The answer of a running sipguard. Raises NotRunning."""
    lines = listen(path, {"do": what, **arguments})
    try:
        async for answer in lines:
            return answer
    finally:
        await lines.aclose()
    raise NotRunning(path, OSError("the connection was closed"))


async def listen(path: Path, asked: dict[str, Any], enough: asyncio.Event | None = None) -> Lines:
    """Each line of an answer with many, up to the last one after `enough` is set. Raises NotRunning."""
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST_LINE)
    except OSError as error:
        raise NotRunning(path, error) from error
    try:
        writer.write(_line(asked))
        leaving = asyncio.create_task(_leave(enough, writer)) if enough is not None else None
        while line := await reader.readline():
            yield json.loads(line)
        if leaving is not None:
            leaving.cancel()
    finally:
        writer.close()


async def _leave(enough: asyncio.Event, writer: asyncio.StreamWriter) -> None:
    """Says that no more is wanted, by closing one direction of the connection."""
    await enough.wait()
    writer.write_eof()
