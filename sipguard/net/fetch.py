"""Certificates over HTTPS, for the fetcher process (ATIS-1000074 §5.3.1, facts A6.4).

Enters: x5u URLs, which callers choose and which are therefore hostile. Leaves: octets and the lifetime
that HTTP allows them, or FetchError with a reason slug. Must not: follow a redirect, connect to an address
that lies inside, read more than the limit, wait past the deadline, ask twice at once for one URL, judge a
certificate.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import aiohttp

from sipguard.net.address import AddressRefused, CheckedResolver, Networks, refused_literal
from sipguard.net.disk import Disk
from sipguard.net.errors import NetError
from sipguard.stir.errors import BadIdentityInfo
from sipguard.stir.identity import check_x5u

LIFETIME_LIMIT_S: Final = 366 * 24 * 3600.0
HOSTS_LIMIT: Final = 4096  # hosts whose state is kept
_CHUNK: Final = 16 * 1024
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_HEADERS: Final = {
    "Accept": "application/pem-certificate-chain, application/x-pem-file;q=0.5, */*;q=0.1",
    "Accept-Encoding": "identity",
    "User-Agent": "sipguard",
}
_REFUSED_TYPES: Final = ("text/html", "application/json", "image/", "multipart/")


class FetchError(NetError):
    """Why nothing was fetched; `reason` is a slug that begins with x5u_."""

    def __init__(self, reason: str, *, hosts_fault: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hosts_fault = hosts_fault  # counts for the circuit breaker of the host


@dataclass(frozen=True)
class FetchSettings:
    """Limits of the fetcher. Durations in seconds, sizes in octets."""

    ports: tuple[int, ...] = (443, 8443)
    schemes: tuple[str, ...] = ("https",)
    allow_networks: Networks = ()  # special-purpose networks that may be asked all the same, for labs
    ca_file: str = ""  # PEM with further roots for TLS, for labs
    directory: str = ""  # where copies are kept; "" keeps none
    deadline_s: float = 2.0
    body_limit: int = 64 * 1024
    per_host: int = 4  # requests at once
    queue_per_host: int = 64  # requests that wait for their turn
    breaker_errors: int = 5  # in breaker_window_s, then the host is left alone for breaker_retry_s
    breaker_window_s: float = 10.0
    breaker_retry_s: float = 15.0


@dataclass(frozen=True)
class Fetched:
    """What a server answered, and for how many seconds it lets it be kept (0.0 where it does not say)."""

    octets: bytes
    lifetime_s: float


class _Host:
    """Places and circuit breaker of one host. Times are monotonic seconds."""

    __slots__ = ("_errors", "_open_until", "_settings", "places", "waiting")

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._errors: deque[float] = deque(maxlen=settings.breaker_errors)
        self._open_until = 0.0
        self.places = asyncio.Semaphore(settings.per_host)
        self.waiting = 0

    def require_closed(self, now: float) -> None:
        """Raises FetchError while the breaker is open; when its time is over one request may try."""
        if not self._open_until:
            return
        if now < self._open_until:
            raise FetchError("x5u_breaker_open")
        self._open_until = now + self._settings.breaker_retry_s

    def failed(self, now: float) -> None:
        """Counts an error; so many of them within the window open the breaker."""
        self._errors.append(now)
        full = len(self._errors) == self._settings.breaker_errors
        if full and now - self._errors[0] <= self._settings.breaker_window_s:
            self._open_until = now + self._settings.breaker_retry_s

    def worked(self) -> None:
        """Closes the breaker."""
        self._errors.clear()
        self._open_until = 0.0

    def idle(self, now: float) -> bool:
        """Whether nothing would be lost if this state were forgotten."""
        if self.waiting or now < self._open_until:
            return False
        return not self._errors or now - self._errors[-1] > self._settings.breaker_window_s


class CertificateFetcher:
    """Fetches certificates. Lives on one event loop; `close` ends it."""

    def __init__(self, settings: FetchSettings) -> None:
        """Raises OSError where `ca_file` cannot be read or `directory` cannot be made."""
        self._settings = settings
        self._tls = _tls(settings.ca_file)
        self._disk = Disk(Path(settings.directory)) if settings.directory else None
        self._hosts: dict[str, _Host] = {}
        self._running: dict[str, asyncio.Task[Fetched]] = {}
        self._client: aiohttp.ClientSession | None = None

    async def fetch(self, url: str) -> Fetched:
        """What `url` serves, one request for all who ask at once; it goes on where the asker is cancelled.

        Raises FetchError.
        """
        task = self._running.get(url)
        if task is None:
            task = asyncio.create_task(self._fetch(url, self._checked_host(url)))
            self._running[url] = task
            task.add_done_callback(lambda done: self._ended(url, done))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise FetchError("x5u_fetcher_closed") from None
            raise

    async def close(self) -> None:
        """Ends what runs, for its askers with FetchError, and closes the connections."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _checked_host(self, url: str) -> str:
        try:
            host = check_x5u(url, self._settings.ports, self._settings.schemes)
        except BadIdentityInfo as error:
            raise FetchError(error.reason) from None
        if refused_literal(host, self._settings.allow_networks):
            raise FetchError("x5u_address_refused")
        return host

    def _ended(self, url: str, task: asyncio.Task[Fetched]) -> None:
        del self._running[url]
        if not task.cancelled():
            task.exception()  # seen, even where every asker has gone

    async def _fetch(self, url: str, host: str) -> Fetched:
        """A fresh copy from disk, else what the server says, else an old copy that is still alive."""
        copy = self._disk.read(url, _unix()) if self._disk is not None else None
        if copy is not None and copy.fresh:
            return Fetched(copy.octets, copy.left_s)
        try:
            fetched = await self._in_turn(url, host)
        except FetchError:
            if copy is None:
                raise
            return Fetched(copy.octets, copy.left_s)
        if self._disk is not None:
            self._disk.write(url, fetched.octets, fetched.lifetime_s, _unix())
        return fetched

    async def _in_turn(self, url: str, host: str) -> Fetched:
        """The same under the limits of its host."""
        state = self._host(host)
        if state.waiting >= self._settings.queue_per_host:
            raise FetchError("x5u_busy")
        state.waiting += 1
        try:
            async with state.places:
                state.require_closed(_now())
                return await self._counted(url, state)
        finally:
            state.waiting -= 1

    async def _counted(self, url: str, state: _Host) -> Fetched:
        """The same, reported to the circuit breaker: any answer below 500 shows a host that works."""
        try:
            fetched = await self._by_deadline(url)
        except FetchError as error:
            if error.hosts_fault:
                state.failed(_now())
            else:
                state.worked()
            raise
        state.worked()
        return fetched

    def _host(self, host: str) -> _Host:
        if len(self._hosts) >= HOSTS_LIMIT:
            now = _now()
            self._hosts = {name: one for name, one in self._hosts.items() if not one.idle(now)}
        return self._hosts.setdefault(host, _Host(self._settings))

    async def _by_deadline(self, url: str) -> Fetched:
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                return await self._ask(url)
        except TimeoutError:
            raise FetchError("x5u_timeout", hosts_fault=True) from None
        except aiohttp.ClientSSLError:
            raise FetchError("x5u_tls", hosts_fault=True) from None
        except aiohttp.ClientConnectorDNSError as error:
            if isinstance(error.os_error, AddressRefused):
                raise FetchError("x5u_address_refused") from None
            raise FetchError("x5u_dns", hosts_fault=True) from None
        except aiohttp.ClientConnectorError:
            raise FetchError("x5u_connect", hosts_fault=True) from None
        except (aiohttp.ClientError, ValueError):
            raise FetchError("x5u_http", hosts_fault=True) from None

    async def _ask(self, url: str) -> Fetched:
        """One GET without redirects. Raises FetchError, TimeoutError and the errors of aiohttp."""
        if self._client is None:
            self._client = self._new_client()
        async with self._client.get(url, allow_redirects=False, headers=_HEADERS) as response:
            _require_usable(response)
            octets = await self._body(response)
            if _BEGIN not in octets:
                raise FetchError("x5u_not_pem")
            return Fetched(octets, lifetime(response.headers))

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._settings.body_limit
        octets = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            octets += chunk
            if len(octets) > limit:
                response.close()
                raise FetchError("x5u_too_large")
        return bytes(octets)

    def _new_client(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            resolver=CheckedResolver(self._settings.allow_networks),
            use_dns_cache=False,  # each connection goes to an address that was checked for it
            limit=0,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )


_now: Final = time.monotonic
_unix: Final = time.time


def _tls(ca_file: str) -> ssl.SSLContext:
    """Roots of the system and those of `ca_file`; host names are verified (AST-2022-002)."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


def _require_usable(response: aiohttp.ClientResponse) -> None:
    """Raises FetchError for what is no plain 200 with a body that may be a certificate chain."""
    status = response.status
    if 300 <= status < 400:
        raise FetchError("x5u_redirect")
    if status != 200:
        raise FetchError("x5u_http_status", hosts_fault=status >= 500)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchError("x5u_encoding")
    if response.content_type.lower().startswith(_REFUSED_TYPES):
        raise FetchError("x5u_content_type")


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
