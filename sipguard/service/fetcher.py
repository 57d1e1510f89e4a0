"""The fetcher process: certificates, trust list and CRL over HTTPS, names of peers by DNS, at lower priority and away
from calls.

Enters: requests of the supervisor. Leaves: octets and lifetimes, addresses and TTLs, a list or CRL whose signature was
checked, or reasons; after a start of the worker what lies on disk. Must not: judge a certificate of a call, or keep one
that the worker did not judge.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import uvloop

from sipguard.net.disk import Copy, Disk
from sipguard.net.fetch import CertificateFetcher, FetchError, host_in
from sipguard.net.resolve import Resolver
from sipguard.net.rounds import Rounds
from sipguard.net.sources import FetchSettings, TrustSettings
from sipguard.service.cells import FetcherSlots
from sipguard.service.channel import Channel
from sipguard.service.names import Names
from sipguard.service.refreshing import Refreshing
from sipguard.service.starts import FetcherStart

PRELOADED: Final = 64  # copies in a message
PRELOAD_EVERY_S: Final = 0.05
SWEEP_EVERY_S: Final = 3600.0
SAMPLE_S: Final = 1.0


class Fetcher:
    """The process's parts and their wiring."""

    def __init__(self, start: FetcherStart, channel: Channel) -> None:
        self._channel = channel
        self._slots = FetcherSlots.create(start.slots)
        self._names = Names(
            Resolver(start.dns), lambda query, answer, why: channel.send("resolved", query, answer, why)
        )
        self._names.want(start.queries)
        self._running: set[asyncio.Task[None]] = set()
        self._troubled: list[tuple[str, str, int, bool]] = []
        self._preloading: asyncio.Task[None] | None = None
        self._refreshing = Refreshing(lambda state, material: channel.send("trust", state, material))
        self._refreshing.use(start.trust)
        self._use(start.fetch)

    def _use(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._certificates = CertificateFetcher(settings, self._slots.fetched)
        self._rounds = Rounds(self._renew, settings.background_rate)
        self._preload()

    async def run(self) -> None:
        """Serves until told to stop or the supervisor is gone."""
        tending = [asyncio.create_task(each) for each in (self._sample(), self._sweep())]
        while (message := await self._channel.receive()) is not None and message[0] != "stop":
            await self._told(message)
        for task in tending:
            task.cancel()
        self._names.want(())
        self._refreshing.use(TrustSettings())
        self._rounds.close()
        await self._certificates.close()

    async def _told(self, message: tuple[Any, ...]) -> None:
        what, *rest = message
        if what == "fetch":
            url, anew, used_at = rest
            if used_at:
                self._in_background(url, used_at)
            else:
                self._start(self._fetch(url, anew))
        elif what == "keep":
            self._certificates.keep(*rest)
        elif what == "preload":
            self._preload()
        elif what == "settings":
            self._rounds.close()
            await self._certificates.close()
            self._use(rest[0])
        elif what == "dns":
            self._names.use(Resolver(rest[0]))
        elif what == "trust":
            self._refreshing.use(rest[0], at_once=True)
        elif what == "names":
            self._names.want(rest[0])

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _fetch(self, url: str, anew: bool) -> None:
        send = self._channel.send
        try:
            fetched = await self._certificates.fetch(url, anew)
        except FetchError as error:
            send("fetched", url, error.reason)
        else:
            send("fetched", url, "", fetched.octets, fetched.lifetime_s, fetched.age_s, fetched.kept)

    # ------------------------------------------------------------------ what was seen before

    def _in_background(self, url: str, used_at: float) -> None:
        """Has `url` renewed, unless no call has needed it for so long that it may be forgotten."""
        disk = self._certificates.disk
        if time.time() - used_at > self._settings.keep_unused_s:
            if disk is not None:
                disk.forget(url)
            return
        if disk is not None:
            disk.used(url, used_at)
        self._rounds.add(url, host_in(url))

    async def _renew(self, url: str) -> None:
        await self._fetch(url, True)

    def _preload(self) -> None:
        """The worker has nothing in memory: it gets what lies on disk in small portions, the most useful last."""
        if self._preloading is not None:
            self._preloading.cancel()
        if self._certificates.disk is not None:
            self._preloading = asyncio.create_task(self._send_copies(self._certificates.disk))

    async def _send_copies(self, disk: Disk) -> None:
        copies = await asyncio.to_thread(_alive, disk, time.time())
        for n in range(0, len(copies), PRELOADED):
            now = time.time()
            portion = []
            for copy in copies[n : n + PRELOADED]:
                head = copy.head
                self._certificates.know(host_in(head.url))
                lifetime_s = head.expires_at - head.fetched_at
                portion.append((head.url, copy.octets, lifetime_s, now - head.fetched_at, copy.used_at))
            self._channel.send("held", portion)
            await asyncio.sleep(PRELOAD_EVERY_S)

    async def _sweep(self) -> None:
        """Removes dead copies, and those that no call needed for long."""
        while True:
            disk = self._certificates.disk
            if disk is not None:
                with suppress(OSError):
                    now = time.time()
                    await asyncio.to_thread(disk.sweep, now, now - self._settings.keep_unused_s)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _sample(self) -> None:
        """Publishes levels once a second, and which hosts are in trouble where that has changed."""
        while True:
            await asyncio.sleep(SAMPLE_S)
            fetcher = self._certificates
            self._slots.sample(fetcher, len(self._rounds))
            troubled = fetcher.troubled()
            if troubled != self._troubled:
                self._troubled = troubled
                self._channel.send("troubled", troubled)


def _alive(disk: Disk, unix_at: float) -> list[Copy]:
    """What may be served, the least recently used first."""
    copies = [copy for copy in disk.copies(unix_at) if copy.alive]
    copies.sort(key=lambda copy: copy.used_at)
    return copies


async def _main(descriptor: int) -> None:
    channel = await Channel.open(socket.socket(fileno=descriptor))
    message = await channel.receive()
    if message is None:
        return
    await Fetcher(message[0], channel).run()


def main() -> None:
    """Entry point of the process: `python -m sipguard.service.fetcher DESCRIPTOR`."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:2")  # resolv.conf(5): no thread waits longer for a name
    uvloop.run(_main(int(sys.argv[1])))


if __name__ == "__main__":
    main()
