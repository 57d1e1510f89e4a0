"""One HTTPS answer under the guard of facts A6.4: what certificates, trust list and CRL are fetched by.

Enters: an https URL that may be asked. Leaves: its body and headers, or NoAnswer with a reason out of REASONS.
Must not: follow a redirect, inflate, connect to an address that lies inside, read past the limit or the deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Final

from sipguard.net.errors import NetError
from sipguard.net.http import aiohttp
from sipguard.net.resolver import AddressRefused, CheckedResolver

REASONS: Final = (
    "address_refused", "timeout", "dns", "connect", "tls", "http", "http_status", "redirect", "encoding", "too_large",
)  # fmt: skip
HEADERS_LIMIT: Final = 64
_CHUNK: Final = 16 * 1024
_ALWAYS: Final = {"Accept-Encoding": "identity", "User-Agent": "sipguard"}


class NoAnswer(NetError):
    """Why nothing came; `reason` out of REASONS, `detail` for a human, `status` of an answer that was no plain 200."""

    def __init__(self, reason: str, detail: str = "", status: int = 0) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.status = status


@dataclass(frozen=True)
class Request:
    """What is asked, and the bounds of its answer: octets and seconds, name resolution included."""

    url: str
    limit: int
    deadline_s: float
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    body: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """A 200 with its whole body."""

    octets: bytes
    headers: Mapping[str, str]


def client_of(tls: SSLContext, resolver: CheckedResolver, limit: int = 100) -> aiohttp.ClientSession:
    """A client whose connections go to checked addresses only; `limit` at once, 0 for no limit of its own."""
    connector = aiohttp.TCPConnector(
        ssl=tls,
        resolver=resolver,
        use_dns_cache=False,  # each connection goes to an address that was checked for it
        limit=limit,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        max_headers=HEADERS_LIMIT,
    )


async def answer_of(
    client: aiohttp.ClientSession,
    request: Request,
    require: Callable[[aiohttp.ClientResponse], None] = lambda response: None,
) -> Answer:
    """The answer. `require` may raise an error of its own before the body is read. Raises NoAnswer."""
    try:
        async with asyncio.timeout(request.deadline_s):
            return await _asked(client, request, require)
    except TimeoutError:
        raise NoAnswer("timeout", f"{request.deadline_s:g} s") from None
    except aiohttp.ClientSSLError as error:
        raise NoAnswer("tls", str(error)) from None
    except aiohttp.ClientConnectorDNSError as error:
        if isinstance(error.os_error, AddressRefused):
            raise NoAnswer("address_refused", str(error.os_error)) from None
        raise NoAnswer("dns", str(error.os_error)) from None
    except aiohttp.ClientConnectorError as error:
        raise NoAnswer("connect", error.os_error.strerror or "") from None
    except (aiohttp.ClientError, ValueError) as error:
        raise NoAnswer("http", type(error).__name__) from None


async def _asked(
    client: aiohttp.ClientSession, request: Request, require: Callable[[aiohttp.ClientResponse], None]
) -> Answer:
    headers = {**_ALWAYS, **(request.headers or {})}
    async with client.request(
        request.method, request.url, headers=headers, data=request.body, allow_redirects=False
    ) as response:
        _require_plain(response)
        require(response)
        octets = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            octets += chunk
            if len(octets) > request.limit:
                response.close()
                raise NoAnswer("too_large", f"more than {request.limit} octets")
        return Answer(bytes(octets), response.headers)


def _require_plain(response: aiohttp.ClientResponse) -> None:
    """Raises NoAnswer for what is no plain 200."""
    status = response.status
    if 300 <= status < 400:
        raise NoAnswer("redirect", status=status)
    if status != 200:
        raise NoAnswer("http_status", str(status), status)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise NoAnswer("encoding")
