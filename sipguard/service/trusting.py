"""Trust list and CRL as processes hand them to one another: how it stands with a source, what is trusted.

Enters: what was downloaded and checked. Leaves: the same, as values. Must not: download, or read
what lies on disk; a worker starts with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sipguard.stir.revocation import Crl

TRUST_LIST: Final = "trust_list"
CRL: Final = "crl"


@dataclass(frozen=True)
class SourceState:
    """How it stands with a source. Instants are Unix seconds, 0.0 for never."""

    name: str  # trust_list | crl
    place: str
    version: str = ""  # of what is in force, "" where nothing is
    digest: str = ""  # of its octets
    entries: int = 0  # authorities, or revoked certificates
    signed: bool = False  # by who is configured; else the connection it came by vouches for it
    issued_at: float = 0.0  # as it says itself
    fetched_at: float = 0.0  # when it was last had, changed or not
    stale_at: float = 0.0
    tried_at: float = 0.0
    next_at: float = 0.0  # of the next try
    failures: int = 0  # since the start of the fetcher
    error: str = ""  # of the last try, "" where it went well
    remarks: tuple[str, ...] = ()  # what is odd about what is in force
    refuse_stale: bool = False

    def stale(self, now_at: float) -> bool:
        """Whether it is too old, or was never had."""
        return now_at > self.stale_at


@dataclass(frozen=True)
class Trusted:
    """What a worker is told: `pem` of the listed authorities, the CRL or None where none is wanted."""

    pem: bytes = b""
    crl: Crl | None = None
    crl_required: bool = False
    version: str = ""
    notes: tuple[str, ...] = ()
