"""The sources of trust list and CRL, asked again and again: what the fetcher does besides fetching certificates.

Enters: where they come from. Leaves: how it stands with each, and what is in force of it, as either changes.
Must not: judge what came; `Source` does.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

from sipguard.net.download import approved_list, download
from sipguard.net.sources import Guard, SourceSettings, TrustSettings
from sipguard.service.trust import Source, Tell
from sipguard.service.trusting import CRL
from sipguard.settings.secret import read as read_secret
from sipguard.stir.revocation import CRL_LIMIT
from sipguard.stir.trustlist import LIST_LIMIT


async def octets_of(guard: Guard, settings: SourceSettings) -> bytes:
    """What a source holds now. Raises DownloadError, OSError."""
    limit = CRL_LIMIT if settings.name == CRL else LIST_LIMIT
    if settings.login is not None:
        login = settings.login
        password = read_secret(Path(login.password_file)).reveal().decode("utf-8", "replace")
        return await approved_list(login.base, login.user, password, limit, guard)
    if settings.url:
        return await download(settings.url, limit, guard)
    return await asyncio.to_thread(Path(settings.file).read_bytes)


class Refreshing:
    """A task for each source."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._tasks: list[asyncio.Task[None]] = []

    def use(self, settings: TrustSettings, at_once: bool = False) -> None:
        """These sources from now on; `at_once` they are all asked again."""
        for task in self._tasks:
            task.cancel()
        now_at = time.time()
        ask = partial(octets_of, settings.guard)
        self._tasks = []
        for each in settings.sources:
            source = Source(each, Path(settings.directory))
            source.load(now_at)
            self._tasks.append(asyncio.create_task(source.keep(ask, self._tell, at_once or bool(each.file))))
