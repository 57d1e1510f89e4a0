"""What the operator's own URLs serve: trust list, CRL, the policy administrator's API.

Enters: URLs that the configuration names. Leaves: octets, or DownloadError with a reason slug. The same guard as for
certificates stands around them: https only, no redirect, checked addresses, bounds on size and time (facts A6.4).
Must not: judge what came, put a password or a token into an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from sipguard.net.address import refused_literal
from sipguard.net.answer import NoAnswer, Request, answer_of, client_of
from sipguard.net.errors import NetError
from sipguard.net.resolver import CheckedResolver
from sipguard.net.sources import Guard
from sipguard.net.tls import trusting

ANSWER_LIMIT: Final = 64 * 1024  # octets of an answer to a login


class DownloadError(NetError):
    """Why nothing came; `reason` is a slug, `detail` for a human."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


async def download(url: str, limit: int, guard: Guard, accept: str = "*/*") -> bytes:
    """What a GET of `url` answers, `limit` octets at most. Raises DownloadError."""
    return await _ask("GET", url, limit, guard, {"Accept": accept}, None)


async def approved_list(base: str, user: str, password: str, limit: int, guard: Guard) -> bytes:
    """The answer of the policy administrator's API to who asks for the list of authorities (facts A6.3).

    Raises DownloadError: login_refused, login_malformed, or why there is no answer.
    """
    base = base.rstrip("/")
    body = msgspec.json.encode({"userId": user, "password": password})
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    try:
        answer = await _ask("POST", f"{base}/api/v1/auth/login", ANSWER_LIMIT, guard, headers, body)
    except DownloadError as error:
        if error.reason == "http_status" and error.detail in ("400", "401", "403"):
            raise DownloadError("login_refused", error.detail) from None
        raise
    headers = {"Accept": "application/jose+json", "Authorization": _token(answer)}
    return await _ask("GET", f"{base}/api/v1/ca-list", limit, guard, headers, None)


def _token(answer: bytes) -> str:
    try:
        found: Any = msgspec.json.decode(answer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        found = None
    token = found.get("accessToken") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise DownloadError("login_malformed", "no accessToken in the answer")
    return token


async def _ask(
    method: str, url: str, limit: int, guard: Guard, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    """One request by a connection of its own: they are minutes apart at least."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise DownloadError("url_refused", "only https")
    if refused_literal(parts.hostname, guard.allow_networks):
        raise DownloadError("address_refused")
    request = Request(url, limit, guard.deadline_s, method, headers, body)
    try:
        async with client_of(trusting(guard.ca_file), CheckedResolver(guard.allow_networks)) as client:
            return (await answer_of(client, request)).octets
    except NoAnswer as error:
        raise DownloadError(error.reason, error.detail) from None
    except OSError as error:  # the file of authorities
        raise DownloadError("ca_file", error.strerror or str(error)) from None
