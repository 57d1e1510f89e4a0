"""What is configured of fetching: from where, and within which bounds (facts A6.3, A6.4).

Enters: nothing, these are values of the configuration. Leaves: the same, also from one process to another.
Must not: import what fetches: every command reads these, and hardly any fetches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sipguard.net.address import Networks

DEADLINE_S: Final = 30.0  # for one answer, name resolution included


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
    at_once: int = 128  # requests at once to hosts that have served certificates before, and as many to others
    waiting: int = 512  # requests that are under way or wait, for each of the two
    keep_unused_s: float = 30 * 24 * 3600.0  # how long what no call needs is renewed
    background_rate: float = 2.0  # renewals a second from one host
