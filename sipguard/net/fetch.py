"""Certificates over HTTPS, for the fetcher process (ATIS-1000074 §5.3.1, facts A6.4).

Enters: x5u URLs, which callers choose and which are therefore hostile. Leaves: octets and the lifetime
that HTTP allows them, or FetchError with a reason slug. Must not: follow a redirect, connect to an address
that lies inside, read more than the limit, wait past the deadline, ask twice at once for one URL, judge a
certificate.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sipguard.net.address import refused_literal
from sipguard.net.answer import NoAnswer, Request, answer_of, client_of
from sipguard.net.disk import Copy, Disk
from sipguard.net.errors import NetError
from sipguard.net.http import aiohttp
from sipguard.net.resolver import CheckedResolver
from sipguard.net.sources import FetchSettings
from sipguard.net.tls import trusting
from sipguard.stir.errors import BadIdentityInfo
from sipguard.stir.identity import check_x5u

_HOSTS_FAULT: Final = frozenset({"timeout", "dns", "connect", "tls", "http"})  # of answer.REASONS
LIFETIME_LIMIT_S: Final = 366 * 24 * 3600.0
HOSTS_LIMIT: Final = 4096  # hosts whose state is kept
KNOWN_LIMIT: Final = 20_000
UNKEPT_LIMIT: Final = 256
TROUBLED: Final = 200
THREADS: Final = 32  # that wait for name servers
TYPE_LIMIT: Final = 64
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_HEADERS: Final = {
    "Accept": "application/pem-certificate-chain, application/x-pem-file;q=0.5, */*;q=0.1",
}
WANTED_TYPE: Final = "application/pem-certificate-chain"
_REFUSED_TYPES: Final = (
    "text/html", "text/css", "text/xml", "application/json", "application/javascript", "application/xml",
    "image/", "audio/", "video/", "font/", "multipart/", "message/",
)  # fmt: skip


class FetchError(NetError):
    """Why nothing was fetched; `reason` is a slug that begins with x5u_."""

    def __init__(self, reason: str, *, hosts_fault: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hosts_fault = hosts_fault  # counts for the circuit breaker of the host


@dataclass(frozen=True)
class Fetched:
    """What a server answered, and for how many seconds it lets it be kept (0.0 where it does not say).

    `age_s` is since then, `kept` whether it came from disk, `type` the content type where it is an unusual one.
    """

    octets: bytes
    lifetime_s: float
    age_s: float = 0.0
    kept: bool = False
    type: str = ""


class _Host:
    """Places, circuit breaker and last trouble of one host. Times are monotonic seconds."""

    __slots__ = ("_errors", "_settings", "failures", "open_until", "places", "trouble", "waiting")

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._errors: deque[float] = deque(maxlen=settings.breaker_errors)
        self.open_until = 0.0
        self.places = asyncio.Semaphore(settings.per_host)
        self.waiting = 0
        self.failures = 0  # since it worked last
        self.trouble = ""  # the reason of the last one

    def require_closed(self, now: float) -> None:
        """Raises FetchError while the breaker is open; when its time is over one request may try."""
        if not self.open_until:
            return
        if now < self.open_until:
            raise FetchError("x5u_breaker_open")
        self.open_until = now + self._settings.breaker_retry_s

    def failed(self, now: float) -> None:
        """Counts an error; so many of them within the window open the breaker."""
        self._errors.append(now)
        full = len(self._errors) == self._settings.breaker_errors
        if full and now - self._errors[0] <= self._settings.breaker_window_s:
            self.open_until = now + self._settings.breaker_retry_s

    def worked(self) -> None:
        """Closes the breaker."""
        self._errors.clear()
        self.open_until = 0.0

    def is_open(self, now: float) -> bool:
        """Whether the host is left alone now."""
        return now < self.open_until

    def idle(self, now: float) -> bool:
        """Whether nothing would be lost if this state were forgotten."""
        if self.waiting or now < self.open_until:
            return False
        return not self._errors or now - self._errors[-1] > self._settings.breaker_window_s


class _Class:
    """Hosts that share places: those that have served certificates, or those that nobody knows yet.

    So a flood of URLs at hosts of an attacker, with name servers that never answer, takes places and threads from
    strangers only.
    """

    __slots__ = ("outstanding", "places", "threads")

    def __init__(self, settings: FetchSettings, name: str) -> None:
        self.places = asyncio.Semaphore(settings.at_once)
        self.outstanding = 0
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix=name)


class CertificateFetcher:
    """Fetches certificates. Lives on one event loop; `close` ends it.

    `noted` hears of each request: its host, "" or the reason of its failure, and how many seconds it took.
    """

    def __init__(
        self, settings: FetchSettings, noted: Callable[[str, str, float], None] = lambda host, reason, took_s: None
    ) -> None:
        """Raises OSError where `ca_file` cannot be read or `directory` cannot be made."""
        self._settings = settings
        self._noted = noted
        self._tls = trusting(settings.ca_file)
        self.disk = Disk(Path(settings.directory)) if settings.directory else None
        self._hosts: dict[str, _Host] = {}
        self._known: set[str] = set()
        self._classes = (_Class(settings, "known"), _Class(settings, "unknown"))
        self._running: dict[str, asyncio.Task[Fetched]] = {}
        self._unkept: dict[str, Fetched] = {}  # what was fetched and not judged yet
        self._client: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, anew: bool = False) -> Fetched:
        """What `url` serves, one request for all who ask at once; it goes on where the asker is cancelled.

        A copy on disk serves as long as it lives, unless somebody wants it `anew`. Raises FetchError.
        """
        task = self._running.get(url)
        if task is None:
            host = self.host_of(url)
            copy = self._copy(url) if not anew else None
            if copy is not None:
                return copy
            task = asyncio.create_task(self._in_turn(url, host))
            self._running[url] = task
            task.add_done_callback(lambda done: self._ended(url, done))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise FetchError("x5u_fetcher_closed") from None
            raise

    def keep(self, url: str, used_at: float = 0.0) -> None:
        """What was fetched from `url` last has validated: it is kept, and its host known from now on."""
        fetched = self._unkept.pop(url, None)
        if fetched is None:
            return
        self.know(host_in(url))
        if self.disk is not None:
            self.disk.write(url, fetched.octets, fetched.lifetime_s, _unix(), fetched.type, used_at)

    def know(self, host: str) -> None:
        """This host has served certificates before."""
        if len(self._known) < KNOWN_LIMIT:
            self._known.add(host)

    async def close(self) -> None:
        """Ends what runs, for its askers with FetchError, and closes the connections."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
            self._client = None
        for each in self._classes:
            each.threads.shutdown(wait=False, cancel_futures=True)

    def open_breakers(self) -> int:
        """How many hosts are left alone now."""
        now = _now()
        return sum(one.is_open(now) for one in self._hosts.values())

    def left_alone_s(self, host: str) -> float:
        """For how many seconds more a host is left alone, 0.0 where it is not."""
        state = self._hosts.get(host)
        return max(0.0, state.open_until - _now()) if state is not None else 0.0

    def outstanding(self) -> int:
        """Requests that are under way or wait."""
        return sum(each.outstanding for each in self._classes)

    def troubled(self) -> list[tuple[str, str, int, bool]]:
        """(host, last reason, failures in a row, whether it is left alone) of known hosts first, TROUBLED at most."""
        now = _now()
        rows = [
            (name, one.trouble, one.failures, one.is_open(now)) for name, one in self._hosts.items() if one.failures
        ]
        rows.sort(key=lambda row: (row[0] not in self._known, -row[2], row[0]))
        return rows[:TROUBLED]

    def host_of(self, url: str) -> str:
        """The host of a URL that may be asked. Raises FetchError."""
        try:
            host = check_x5u(url, self._settings.ports, self._settings.schemes)
        except BadIdentityInfo as error:
            raise FetchError(error.reason) from None
        if refused_literal(host, self._settings.allow_networks):
            raise FetchError("x5u_address_refused")
        return host

    def _copy(self, url: str) -> Fetched | None:
        """What lies on disk, as long as it lives."""
        copy = self.disk.read(url, _unix()) if self.disk is not None else None
        if copy is None:
            return None
        return of_copy(copy, _unix())

    def _ended(self, url: str, task: asyncio.Task[Fetched]) -> None:
        del self._running[url]
        if not task.cancelled():
            task.exception()  # seen, even where every asker has gone

    def _class_of(self, host: str) -> _Class:
        return self._classes[host not in self._known]

    async def _in_turn(self, url: str, host: str) -> Fetched:
        """A request under the limits of its host and of all."""
        state, shared = self._host(host), self._class_of(host)
        if state.waiting >= self._settings.queue_per_host or shared.outstanding >= self._settings.waiting:
            raise FetchError("x5u_busy")
        state.waiting += 1
        shared.outstanding += 1
        try:
            return await self._in_place(url, host, state, shared)
        finally:
            state.waiting -= 1
            shared.outstanding -= 1

    async def _in_place(self, url: str, host: str, state: _Host, shared: _Class) -> Fetched:
        """The same once there is a place; who waits for one as long as a request may take, waits in vain."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._settings.deadline_s):
                    await stack.enter_async_context(state.places)
                    await stack.enter_async_context(shared.places)
            except TimeoutError:
                raise FetchError("x5u_busy") from None
            state.require_closed(_now())
            return await self._counted(url, host, state)

    async def _counted(self, url: str, host: str, state: _Host) -> Fetched:
        """The same, reported to the circuit breaker: any answer below 500 shows a host that works."""
        began_at = _now()
        try:
            fetched = await self._ask(url)
        except FetchError as error:
            state.failures += 1
            state.trouble = error.reason
            if error.hosts_fault:
                state.failed(_now())
            else:
                state.worked()
            self._noted(host, error.reason, _now() - began_at)
            raise
        state.worked()
        state.failures, state.trouble = 0, ""
        self._noted(host, "", _now() - began_at)
        self._unkept[url] = fetched
        if len(self._unkept) > UNKEPT_LIMIT:
            del self._unkept[next(iter(self._unkept))]
        return fetched

    def _host(self, host: str) -> _Host:
        found = self._hosts.get(host)
        if found is None:
            if len(self._hosts) >= HOSTS_LIMIT:
                now = _now()
                self._hosts = {name: one for name, one in self._hosts.items() if not one.idle(now)}
            found = self._hosts[host] = _Host(self._settings)
        return found

    async def _ask(self, url: str) -> Fetched:
        """One GET. Raises FetchError."""
        if self._client is None:
            resolver = CheckedResolver(self._settings.allow_networks, lambda host: self._class_of(host).threads)
            self._client = client_of(self._tls, resolver, limit=0)
        request = Request(url, self._settings.body_limit, self._settings.deadline_s, headers=_HEADERS)
        try:
            answer = await answer_of(self._client, request, _require_other_type)
        except NoAnswer as error:
            fault = error.reason in _HOSTS_FAULT or error.status >= 500
            raise FetchError(f"x5u_{error.reason}", hosts_fault=fault) from None
        if _BEGIN not in answer.octets:
            raise FetchError("x5u_not_pem")
        stated = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()[:TYPE_LIMIT]
        return Fetched(answer.octets, lifetime(answer.headers), type=stated if stated != WANTED_TYPE else "")


_now: Final = time.monotonic
_unix: Final = time.time


def _require_other_type(response: aiohttp.ClientResponse) -> None:
    """Raises FetchError for a body that cannot be a certificate chain."""
    if response.content_type.lower().startswith(_REFUSED_TYPES):
        raise FetchError("x5u_content_type")


def host_in(url: str) -> str:
    """The host of a URL, lower case, whether it may be asked or not; "" where there is none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def of_copy(copy: Copy, unix_at: float) -> Fetched:
    """A copy from disk as if it had just been fetched, with its age."""
    head = copy.head
    return Fetched(copy.octets, head.expires_at - head.fetched_at, unix_at - head.fetched_at, True, head.type)


def lifetime(headers: Mapping[str, str]) -> float:
    """Seconds for which a response may be kept; 0.0 where it does not say (RFC 9111 §4.2.1)."""
    directives: dict[str, str] = {}
    for piece in headers.get("Cache-Control", "").split(","):
        name, _, value = piece.partition("=")
        directives[name.strip().lower()] = value.strip().strip('"')
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    if "max-age" in directives:
        lifetime_s = _seconds(directives["max-age"]) - _seconds(headers.get("Age", "0"))
    elif "Expires" in headers:
        lifetime_s = _instant(headers["Expires"]) - _instant(headers.get("Date", ""))
    else:
        return 0.0
    return min(max(lifetime_s, 0.0), LIFETIME_LIMIT_S)


def _seconds(text: str) -> float:
    text = text.strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0.0


def _instant(text: str) -> float:
    """Unix seconds of an HTTP date; now where it is none (`Expires: 0` has passed already)."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return _unix()
