"""The fetcher process: certificates, trust list and CRL over HTTPS, names of peers by DNS, at lower priority and away
from calls.

Enters: requests of the supervisor. Leaves: octets and lifetimes, addresses and TTLs, a list or CRL whose signature was
checked, or reasons. Must not: judge a certificate of a call.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import Final

import uvloop

from sipguard.net.download import TrustSettings
from sipguard.net.fetch import CertificateFetcher, FetchError, FetchSettings
from sipguard.net.nameservers import DnsSettings
from sipguard.net.resolve import Resolver
from sipguard.service.channel import Channel
from sipguard.service.names import Names
from sipguard.service.trust import Refreshing
from sipguard.sip.locate import Query

AT_ONCE: Final = 256  # requests in work; single flight keeps them distinct


@dataclass(frozen=True)
class Start:
    """What the fetcher is started with. `queries`: names of peers that are kept resolved."""

    fetch: FetchSettings
    dns: DnsSettings
    queries: tuple[Query, ...]
    trust: TrustSettings = field(default_factory=TrustSettings)


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
    start: Start = message[0]
    fetcher = CertificateFetcher(start.fetch)
    names = Names(Resolver(start.dns), lambda query, answer, why: channel.send("resolved", query, answer, why))
    names.want(start.queries)
    refreshing = Refreshing(lambda state, material: channel.send("trust", state, material))
    refreshing.use(start.trust)
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
        elif what == "dns":
            names.use(Resolver(rest[0]))
        elif what == "trust":
            refreshing.use(rest[0], at_once=True)
        elif what == "names":
            names.want(rest[0])
        elif what == "stop":
            break
    names.want(())
    refreshing.use(TrustSettings())
    await fetcher.close()


def main() -> None:
    """Entry point of the process: `python -m sipguard.service.fetcher DESCRIPTOR`."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    uvloop.run(_main(int(sys.argv[1])))


if __name__ == "__main__":
    main()
