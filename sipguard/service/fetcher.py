"""The fetcher process: certificates over HTTPS, at lower priority and away from calls.

Enters: requests of the supervisor. Leaves: octets and lifetimes, or reasons. Must not: judge a certificate.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from typing import Final

import uvloop

from sipguard.net.fetch import CertificateFetcher, FetchError, FetchSettings
from sipguard.service.channel import Channel

AT_ONCE: Final = 256  # requests in work; single flight keeps them distinct


async def _fetch(fetcher: CertificateFetcher, channel: Channel, room: asyncio.Semaphore, url: str) -> None:
    async with room:
        try:
            fetched = await fetcher.fetch(url)
        except FetchError as error:
            channel.send("fetched", url, b"", 0.0, error.reason)
        else:
            channel.send("fetched", url, fetched.octets, fetched.lifetime_s, "")


async def _main(descriptor: int) -> None:
    channel = await Channel.open(socket.socket(fileno=descriptor))
    message = await channel.receive()
    if message is None:
        return
    settings: FetchSettings = message[0]
    fetcher = CertificateFetcher(settings)
    room = asyncio.Semaphore(AT_ONCE)
    running: set[asyncio.Task[None]] = set()
    while (message := await channel.receive()) is not None:
        what, *rest = message
        if what == "fetch":
            task = asyncio.create_task(_fetch(fetcher, channel, room, rest[0]))
            running.add(task)
            task.add_done_callback(running.discard)
        elif what == "settings":
            await fetcher.close()
            fetcher = CertificateFetcher(rest[0])
        elif what == "stop":
            break
    await fetcher.close()


def main() -> None:
    """Entry point of the process: `python -m sipguard.service.fetcher DESCRIPTOR`."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    uvloop.run(_main(int(sys.argv[1])))


if __name__ == "__main__":
    main()
