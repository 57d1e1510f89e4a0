"""What worker, fetcher and desk are started with, as the supervisor hands it over.

Enters: values of a configuration and of the moment. Leaves: the same, pickled. Must not: bring the parts of a process
along; the supervisor imports these and not the processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sipguard.net.sources import TrustSettings
from sipguard.service.trusting import Trusted

if TYPE_CHECKING:  # what a process is handed brings along the classes that it needs, and no others
    from sipguard.net.nameservers import DnsSettings
    from sipguard.net.sources import FetchSettings
    from sipguard.numbers.plan import PlanDate
    from sipguard.screening.overlay import Edit
    from sipguard.screening.ruleset import PlainRuleset
    from sipguard.screening.signingkey import SigningKey
    from sipguard.screening.trunk import Trunk
    from sipguard.service.list_ages import Dated
    from sipguard.service.trusting import SourceState
    from sipguard.settings.service import Service
    from sipguard.sip.locate import Answer, Query
    from sipguard.sip.secret import Account


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
    plans: tuple[PlanDate, ...] = ()


@dataclass(frozen=True)
class WorkerStart:
    """What a worker is started with. `sockets`: listener name -> inherited descriptor."""

    number: int
    ruleset: PlainRuleset
    sockets: dict[str, int]
    journal: Path
    segment_bytes: int
    slots: Path
    modes: dict[str, str]
    draining: bool = False
    accounts: dict[str, Account] = field(default_factory=dict)  # of trunks, with their passwords
    signing: tuple[SigningKey, ...] = ()
    resolved: tuple[tuple[Query, Answer, float], ...] = ()  # what names of peers lead to, and the age of that
    trusted: Trusted = field(default_factory=Trusted)
    edits: tuple[int, list[Edit]] = (0, [])  # of lists: number of the last change, all that is in force
    usual: tuple[tuple[str, bytes], ...] = ()  # on trunks, as the worker before has learned it
