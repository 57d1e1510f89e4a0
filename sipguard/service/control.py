"""The control socket: one line of JSON in, one line of JSON out, for the commands of an operator.

Enters: connections on a Unix socket that only its owner and group may open. Leaves: what the supervisor answers.
Must not: listen on a network.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from sipguard.service.errors import NotRunning

LONGEST_LINE: Final = 1 << 20

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def serve(path: Path, answer: Answer) -> asyncio.Server:
    """Opens the socket at `path`; a socket file left by a dead process is replaced."""
    path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at the start

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line:
                try:
                    asked = json.loads(line)
                    result = await answer(asked)
                except (ValueError, KeyError, TypeError) as error:
                    result = {"ok": False, "error": f"not understood: {error}"}
                writer.write(json.dumps(result).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(one, path, limit=LONGEST_LINE)
    path.chmod(0o660)  # noqa: ASYNC240 - as above
    return server


async def ask(path: Path, what: str, **arguments: object) -> dict[str, Any]:
    """The answer of a running sipguard. Raises NotRunning."""
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST_LINE)
    except OSError as error:
        raise NotRunning(path, error) from error
    try:
        writer.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
        line = await reader.readline()
    finally:
        writer.close()
    if not line:
        raise NotRunning(path, OSError("the connection was closed"))
    answer: dict[str, Any] = json.loads(line)
    return answer
