"""What the processes need besides the Ruleset, as values that are handed to them.

Enters: what `build` made of a Config. Leaves: the same. Must not: know the classes of the configuration, which are dear
to build.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as File
from typing import Final

from sipguard.net.hep import HepSettings
from sipguard.net.nameservers import DnsSettings
from sipguard.net.sources import FetchSettings, TrustSettings
from sipguard.screening.verification.settings import Settings as VerificationSettings


@dataclass(frozen=True)
class Service:
    """What the processes need besides the Ruleset. Paths are absolute, durations seconds."""

    site: str
    node: str
    run_directory: File
    state_directory: File
    journal_directory: File
    journal_segment_bytes: int
    journal_keep_s: float
    database: File
    records_interval_s: float
    records_keep_s: float
    records_zone: str
    metrics_host: str
    metrics_port: int
    api_host: str
    api_port: int
    api_token_file: str  # "" where nothing is served
    api_signers: tuple[str, ...]
    api_attest_at_most: str  # A | B | C
    logs_calls: str  # all | sampled | off
    logs_sample: float  # share of calls, 0 to 1
    logs_mask: bool
    drain_deadline_s: float
    drain_notice_s: float
    fetch: FetchSettings
    anchors: tuple[bytes, ...]  # PEM, for Identity values that are verified away from calls
    verification: VerificationSettings
    dns: DnsSettings
    hep: HepSettings | None
    trust: TrustSettings


_WRITTEN: Final = {
    "database": "records.database",
    "api_host": "api.address",
    "api_token_file": "api.token",
    "metrics_host": "metrics.address",
    "journal_segment_bytes": "journal.segment_size",
    "site": "site",
    "node": "node",
}


def written(name: str) -> str:
    """A member of Service as the operator writes it: `api.port` for api_port."""
    return _WRITTEN.get(name) or name.removesuffix("_s").replace("_", ".", 1)
