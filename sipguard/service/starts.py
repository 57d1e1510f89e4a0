"""What fetcher and desk are started with, as the supervisor hands it over; the worker has its own, which is not dear.

Enters: values of a configuration and of the moment. Leaves: the same, pickled. Must not: bring the parts of a process
along; the supervisor imports these and not the processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sipguard.net.download import TrustSettings
from sipguard.net.fetch import FetchSettings
from sipguard.net.nameservers import DnsSettings
from sipguard.screening.signingkey import SigningKey
from sipguard.screening.trunk import Trunk
from sipguard.service.list_ages import Dated
from sipguard.service.trusting import SourceState, Trusted
from sipguard.settings.service import Service
from sipguard.sip.locate import Query


@dataclass(frozen=True)
class FetcherStart:
    """What the fetcher is started with. `queries`: names of peers that are kept resolved."""

    fetch: FetchSettings
    dns: DnsSettings
    queries: tuple[Query, ...]
    slots: Path
    trust: TrustSettings = field(default_factory=TrustSettings)


@dataclass(frozen=True)
class DeskStart:
    """What the desk is started with."""

    service: Service
    workers: int
    modes: dict[str, str]
    peers: list[tuple[str, str, str]]
    reported: Mapping[tuple[str, str], int] = field(default_factory=dict)
    trust: tuple[SourceState, ...] = ()
    trusted: Trusted = field(default_factory=Trusted)
    signing: tuple[SigningKey, ...] = ()  # of signers that may sign over HTTP
    trunks: Mapping[str, Trunk] = field(default_factory=dict)
    lists: tuple[Dated, ...] = ()
