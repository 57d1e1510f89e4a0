"""Certificates that are fetched before a call needs them: a list of URLs, politely, and where that stands.

Enters: URLs, limits, trust anchors, the folder of copies. Leaves: copies in that folder, which a running sipguard reads
as well; a file beside them that says what failed, so that a run that was interrupted goes on where it was.
Must not: ask a host faster than its rate, keep what does not validate, take a URL for failed that nobody was asked for.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from sipguard.net.fetch import CertificateFetcher, Fetched, FetchError, host_in
from sipguard.net.rounds import Rounds
from sipguard.net.sources import FetchSettings
from sipguard.stir.certificate import NOT_ASKED, Anchors, read_chain, validate
from sipguard.stir.errors import StirError
from sipguard.stir.identity import canonical_x5u

STATE: Final = "warm.json"  # in the folder of copies
FAILED_FOR_S: Final = 3600.0  # a run within this time does not ask again for what failed
HOSTS_AT_ONCE: Final = 64
SAVE_EVERY: Final = 100  # failures
BUSY_S: Final = 1.0  # before a URL is tried again for which there was no place


def urls_in(text: str) -> list[str]:
    """The URLs of a list, one a line, each once; empty lines and those that begin with # are none."""
    lines = (line.strip() for line in text.splitlines())
    return list(dict.fromkeys(canonical_x5u(line) for line in lines if line and not line.startswith("#")))


class Warming:
    """One run over a list. `kept`, `present` and `failures` say how far it is, `waiting` which hosts are left alone."""

    def __init__(
        self,
        urls: Iterable[str],
        settings: FetchSettings,
        anchors: Anchors,
        rate: float,
        again: bool = False,
        refetch: bool = False,
    ) -> None:
        """`rate` is a second and host; `again` asks also for what failed lately, `refetch` for what is fresh.

        Raises OSError.
        """
        self._refetch = refetch
        self._fetcher = CertificateFetcher(replace(settings, per_host=1, at_once=HOSTS_AT_ONCE, waiting=1 << 20))
        self._anchors = anchors
        self._rate = rate
        self._state = Path(settings.directory) / STATE
        self._failed = {} if again else _failed_lately(self._state, time.time())
        self.urls = list(urls)
        self.kept = 0
        self.present = 0  # lay on disk already
        self.failures: dict[str, str] = {}  # reason by URL
        self.waiting: set[str] = set()  # hosts that failed of late; their URLs wait until they may be asked again

    @property
    def done(self) -> int:
        """URLs that need no request any more."""
        return self.kept + self.present + len(self.failures)

    def reasons(self) -> Counter[str]:
        """How often each reason stood in the way."""
        return Counter(self.failures.values())

    async def run(self, moved: Callable[[], None], stop: asyncio.Event) -> None:
        """Fetches until all is done or `stop` is set; `moved` hears of each step."""
        rounds = Rounds(lambda url: self._one(url, moved), self._rate)
        stopping = asyncio.create_task(stop.wait())
        try:
            for url in self.urls:
                if not self._settled(url) and not rounds.add(url, host_in(url)):
                    self.failures[url] = "list_too_long"
                moved()
            idle = asyncio.create_task(rounds.idle.wait())
            await asyncio.wait((idle, stopping), return_when=asyncio.FIRST_COMPLETED)
            idle.cancel()
        finally:
            stopping.cancel()
            rounds.close()
            await self._fetcher.close()
            self._save()

    def _settled(self, url: str) -> bool:
        """Whether nothing has to be asked: it lies there and is fresh, may not be asked, or failed lately."""
        disk = self._fetcher.disk
        copy = disk.peek(url, time.time()) if disk is not None else None
        if copy is not None and copy.fresh and not self._refetch:
            self.present += 1
            return True
        if url in self._failed:
            self.failures[url] = self._failed[url][0]
            return True
        return False

    async def _one(self, url: str, moved: Callable[[], None]) -> None:
        try:
            fetched = await self._asked(url, moved)
            validate(read_chain(fetched.octets), self._anchors, time.time())
        except (FetchError, StirError) as error:
            self.failures[url] = error.reason
            self._failed[url] = (error.reason, time.time())
            if len(self.failures) % SAVE_EVERY == 0:
                self._save()
        else:
            self._fetcher.keep(url)
            self.kept += 1
        moved()

    async def _asked(self, url: str, moved: Callable[[], None]) -> Fetched:
        """What its host answers, once it may be asked: the others of that host wait behind it. Raises FetchError."""
        host = host_in(url)
        while True:
            try:
                return await self._fetcher.fetch(url, anew=True)
            except FetchError as error:
                if error.reason not in NOT_ASKED:
                    raise
            left_alone_s = self._fetcher.left_alone_s(host)
            if left_alone_s:
                self.waiting.add(host)
                moved()
            await asyncio.sleep(left_alone_s or BUSY_S)
            self.waiting.discard(host)
            moved()

    def _save(self) -> None:
        part = self._state.with_suffix(".part")
        part.write_text(json.dumps(self._failed))
        part.replace(self._state)


def failed_hosts(directory: str, unix_at: float) -> dict[str, tuple[int, str]]:
    """(URLs that the last run did not get within the last hour, reason of one) by host."""
    found: dict[str, tuple[int, str]] = {}
    for url, (reason, _) in _failed_lately(Path(directory) / STATE, unix_at).items():
        count = found.get(host_in(url), (0, ""))[0]
        found[host_in(url)] = (count + 1, reason)
    return found


def _failed_lately(path: Path, unix_at: float) -> dict[str, tuple[str, float]]:
    """Reason and time by URL, as the run before left them; none where its file is damaged."""
    try:
        found = json.loads(path.read_text())
        return {
            str(url): (str(reason), float(at))
            for url, (reason, at) in found.items()
            if 0.0 <= unix_at - float(at) < FAILED_FOR_S and reason not in NOT_ASKED
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
