"""What the operator's own URLs serve: trust list, CRL, the policy administrator's API.

Enters: URLs that the configuration names. Leaves: octets, or DownloadError with a reason slug. The same guard as for
certificates stands around them: https only, no redirect, checked addresses, bounds on size and time (facts A6.4).
Must not: judge what came, put a password or a token into an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from sipguard.net.address import CheckedResolver, Networks, refused_literal
from sipguard.net.answer import NoAnswer, Request, answer_of, client_of
from sipguard.net.errors import NetError
from sipguard.net.tls import trusting

DEADLINE_S: Final = 30.0  # for one answer, name resolution included
ANSWER_LIMIT: Final = 64 * 1024  # octets of an answer to a login


class DownloadError(NetError):
    """Why nothing came; `reason` is a slug, `detail` for a human."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Guard:
    """What the connections of a download may do."""

    allow_networks: Networks = ()  # special-purpose networks that may be asked all the same, for labs
    ca_file: str = ""  # PEM with further roots for TLS, for labs
    deadline_s: float = DEADLINE_S


@dataclass(frozen=True)
class Login:
    """An account at the policy administrator's API."""

    base: str  # https URL before /api
    user: str
    password_file: str


@dataclass(frozen=True)
class SourceSettings:
    """Where a trust list or a CRL comes from, and when it is old. One of `file`, `url`, `login` is set."""

    name: str  # trust_list | crl
    file: str = ""
    url: str = ""
    login: Login | None = None
    signers: tuple[str, ...] = ()  # PEM files; read at each refresh
    refresh_s: float = 6 * 3600.0
    stale_after_s: float = 48 * 3600.0  # since it came, where it does not say itself
    refuse_stale: bool = False  # nobody is trusted by it while it is stale
    largest_loss: float = 0.5  # share of authorities that a new list may lack

    @property
    def place(self) -> str:
        """The file or URL, for whoever looks."""
        return self.file or self.url or (f"{self.login.base}/api/v1/ca-list" if self.login is not None else "")


@dataclass(frozen=True)
class TrustSettings:
    """What the fetcher keeps fresh besides certificates."""

    sources: tuple[SourceSettings, ...] = ()
    directory: str = ""  # where the last good ones are kept
    guard: Guard = field(default_factory=Guard)


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
