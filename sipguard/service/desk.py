"""The desk process: journal -> database, metrics and health over HTTP, a line for each call.

Enters: a start message, journals, cells of the workers. Leaves: rows, metrics, log lines. Must not: be waited for
by a call; it runs at lower priority and may be away.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
import uvloop

from sipguard.net.http import web
from sipguard.service import logs
from sipguard.service.call_log import CallLog, LogOptions
from sipguard.service.cells import DeskSlots, scrape
from sipguard.service.channel import Channel
from sipguard.service.door import of_pages
from sipguard.service.list_tally import keep_days
from sipguard.service.loader import Keeping, Loader
from sipguard.service.metrics import CONTENT_TYPE, render
from sipguard.store.errors import StoreError
from sipguard.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from sipguard.service.api import Api
    from sipguard.service.starts import DeskStart
    from sipguard.settings.service import Service

log: Final = structlog.get_logger("sipguard")

FLUSH_WITHIN_S: Final = 8.0


def _call_log(service: Service) -> CallLog | None:
    """What writes a line for each call, None where the operator wants none."""
    if service.logs_calls == "off":
        return None
    percent = 100 if service.logs_calls == "all" else round(100 * service.logs_sample)
    return CallLog(LogOptions(percent=percent, whole_numbers=not service.logs_mask))


class Desk:
    """The parts of the process and their wiring."""

    def __init__(self, start: DeskStart) -> None:
        service = start.service
        self._run_directory: Path = service.run_directory
        self._workers = start.workers
        self._modes = dict(start.modes)
        self._peers = start.peers
        self._reported = start.reported
        self._trust = start.trust
        self._trusted = start.trusted
        self._trunks = start.trunks
        self._lists = start.lists
        self._plans = start.plans
        self._address, self._port = service.metrics_host, service.metrics_port
        self._service = service
        self._signing = start.signing
        self._api: Api | None = None
        self._slots = DeskSlots.create(self._run_directory / "desk.slots")
        self._store = SqliteStore(service.database)
        self._loader = Loader(
            service.journal_directory,
            self._store,
            service.records_interval_s,
            keeping=Keeping(service.journal_keep_s, service.records_keep_s, service.journal_segment_bytes),
            slots=self._slots,
            call_log=_call_log(service),
        )

    async def run(self, channel: Channel) -> None:
        """Works until told to stop, then loads what is left."""
        runners = [await self._serve_api(), await self._serve()]  # in this order: who finds it healthy finds all of it
        loading = asyncio.create_task(self._loader.run())
        keeping = asyncio.create_task(
            keep_days(self._service.journal_directory, self._service.state_directory / "lists")
        )
        while (message := await channel.receive()) is not None and message[0] != "stop":
            self._told(message)
        loading.cancel()
        keeping.cancel()
        await asyncio.gather(loading, keeping, return_exceptions=True)
        try:
            await asyncio.wait_for(self._loader.flush(), FLUSH_WITHIN_S)
        except (StoreError, TimeoutError) as error:
            log.warning("records_wait_in_the_journal", why=str(error) or "the database is slow")
        await self._store.close()
        for runner in runners:
            if runner is not None:
                await runner.cleanup()
        if self._api is not None:
            await self._api.close()

    def _told(self, message: tuple[Any, ...]) -> None:
        what, *rest = message
        if what == "modes":
            self._modes = dict(rest[0])
        elif what == "peers":
            self._peers = rest[0]
        elif what == "lists":
            self._lists = rest[0]
        elif what == "plans":
            self._plans = rest[0]
        elif what == "reported":
            self._reported = rest[0]
        elif what == "trust":
            self._trust = rest[0]
            if self._api is not None and rest[1] is not None:
                self._api.trust(rest[1])
        elif what == "verification" and self._api is not None:
            self._api.take(*rest)
        elif what == "signing" and self._api is not None:
            self._api.rekey(rest[0])
        elif what == "trunks" and self._api is not None:
            self._api.use_trunks(rest[0])

    async def _serve(self) -> web.ServerRunner | None:
        """Metrics and health; without them everything else goes on."""
        if not self._port:
            return None
        runner = web.ServerRunner(of_pages({"/metrics": self._metrics, "/healthz": self._health}))
        await runner.setup()
        try:
            await web.TCPSite(runner, self._address, self._port).start()
        except OSError as error:
            log.error("no_metrics", address=self._address, port=self._port, why=error.strerror)
            await runner.cleanup()
            return None
        return runner

    async def _serve_api(self) -> web.ServerRunner | None:
        """Verification and signing over HTTP, where there is a token for it; without it everything else goes on."""
        service = self._service
        if not service.api_token_file:
            return None
        from sipguard.service.api_start import api_of  # it brings verification along, which most do not serve

        slots = self._slots.slots
        try:
            self._api = api_of(service, self._trunks, self._signing, lambda kind: slots.add(f"api_{kind}"))
        except OSError as error:
            log.error("no_api", file=service.api_token_file, why=error.strerror)
            return None
        self._api.trust(self._trusted)
        runner = web.ServerRunner(self._api.door())
        await runner.setup()
        try:
            await web.TCPSite(runner, service.api_host, service.api_port).start()
        except OSError as error:
            log.error("no_api", address=service.api_host, port=service.api_port, why=error.strerror)
            await runner.cleanup()
            return None
        return runner

    def _metrics(self) -> web.Response:
        scraped = [
            each
            for each in (
                *(
                    scrape("worker", f"worker-{n}", self._run_directory / f"worker-{n}.slots")
                    for n in range(self._workers)
                ),
                scrape("desk", "desk", self._run_directory / "desk.slots"),
                scrape("fetcher", "fetcher", self._run_directory / "fetcher.slots"),
            )
            if each is not None
        ]
        body = render(
            scraped,
            self._modes,
            self._peers,
            self._loader.tries,
            self._trust,
            self._reported,
            self._lists,
            self._plans,
        )
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    def _health(self) -> web.Response:
        """200 while the worker publishes its levels; a load balancer may rely on it."""
        worker = scrape("worker", "worker-0", self._run_directory / "worker-0.slots")
        ok = worker is not None and bool(worker.slots.text)
        state = {"ok": ok, "revision": worker.slots.text if worker is not None else "", "modes": self._modes}
        return web.Response(text=json.dumps(state) + "\n", status=200 if ok else 503, content_type="application/json")


async def _main(descriptor: int) -> None:
    channel = await Channel.open(socket.socket(fileno=descriptor))
    message = await channel.receive()
    if message is None:
        return
    start: DeskStart = message[0]
    logs.configure()
    await Desk(start).run(channel)


def main() -> None:
    """Entry point of the process: `python -m sipguard.service.desk DESCRIPTOR`."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    uvloop.run(_main(int(sys.argv[1])))


if __name__ == "__main__":
    main()
