"""The metrics of all processes, rendered from their cells when they are scraped.

Enters: the cells of each process, modes, peers, trust. Leaves: the text that Prometheus reads.
Must not: count, or carry a number or a name that callers choose in a label.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sipguard.numbers.plan import PlanDate
from sipguard.screening.verdict import MODES
from sipguard.service.cells import Scraped
from sipguard.service.list_ages import Dated
from sipguard.service.list_metrics import list_metrics, plan_metrics
from sipguard.service.metric_table import (
    COUNTER,
    FETCH_BUCKETS_S,
    METRICS,
    SETUP_BUCKETS_S,
    Family,
)
from sipguard.service.trust_metrics import trust_metrics
from sipguard.service.trusting import SourceState

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_STATM: Final = Path("/proc/self/statm")
_SETUP: Final = "receipt of an INVITE to its forwarding"
_TOOK: Final = "one request to a certificate server"


class SlotsCollector(Collector):
    """Renders cells as metrics of Prometheus, each with the label `process`."""

    def __init__(
        self,
        scraped: Sequence[Scraped],
        modes: Mapping[str, str],
        peers: Sequence[tuple[str, str, str]],
        tries: Mapping[tuple[str, str], int],
        trust: Sequence[SourceState],
        reported: Mapping[tuple[str, str], int],
        lists: Sequence[Dated],
        plans: Sequence[PlanDate],
    ) -> None:
        self._scraped = scraped
        self._modes = modes
        self._peers = peers
        self._tries = tries
        self._trust = trust
        self._reported = reported
        self._lists = lists
        self._plans = plans

    def collect(self) -> Iterator[Metric]:
        """All metrics, in the order of the table."""
        for family in METRICS:
            yield self._family(family)
        yield self._histogram("setup", "desk", SETUP_BUCKETS_S, "sipguard_setup_seconds", _SETUP)
        yield self._histogram("took", "fetcher", FETCH_BUCKETS_S, "sipguard_certificate_request_seconds", _TOOK)
        yield from self._settings()
        yield from trust_metrics(self._trust, time.time())
        yield from list_metrics(self._lists, time.time())
        yield from plan_metrics(self._plans, time.time())

    def _family(self, family: Family) -> Metric:
        labels = ["process", family.label] if family.label else ["process"]
        made: CounterMetricFamily | GaugeMetricFamily
        if family.kind == COUNTER:
            made = CounterMetricFamily(family.name, family.help, labels=labels)
        else:
            made = GaugeMetricFamily(family.name, family.help, labels=labels)
        for each in self._scraped:
            if family.process in (each.kind, "all"):
                for value, slot in family.cells:
                    written = [each.process, value] if family.label else [each.process]
                    made.add_metric(written, each.slots[slot] * family.scale)
        return made

    def _histogram(self, prefix: str, kind: str, bounds: Sequence[float], name: str, what: str) -> Metric:
        """Cells PREFIX_0, PREFIX_1, ... and PREFIX_sum_us as a histogram of seconds."""
        made = HistogramMetricFamily(name, what, labels=["process"])
        for each in self._scraped:
            if each.kind == kind:
                total = 0.0
                buckets: list[tuple[str, float]] = []
                for n, bound in enumerate([*map(str, bounds), "+Inf"]):
                    total += each.slots[f"{prefix}_{n}"]
                    buckets.append((bound, total))
                made.add_metric([each.process], buckets, each.slots[f"{prefix}_sum_us"] / 1e6)
        return made

    def _settings(self) -> Iterator[Metric]:
        """Which Ruleset each worker uses, and the mode of each trunk that has one of its own ("" for all)."""
        info = GaugeMetricFamily("sipguard_ruleset_info", "revision in use", labels=["process", "revision"])
        for each in self._scraped:
            if each.kind == "worker":
                info.add_metric([each.process, each.slots.text], 1)
        yield info
        mode = GaugeMetricFamily("sipguard_mode", "1 for the mode in force", labels=["trunk", "mode"])
        for trunk, in_force in self._modes.items():
            for name in MODES:
                mode.add_metric([trunk, name], name == in_force)
        yield mode
        up = GaugeMetricFamily("sipguard_peer_up", "0 for a peer that is passed over", labels=["trunk", "peer"])
        for trunk, peer, why in self._peers:
            up.add_metric([trunk, peer], not why)
        yield up
        tries = CounterMetricFamily(
            "sipguard_peer_tries_total",
            "INVITEs of calls that ended, by peer: answered, refused, failed (5xx) or silent",
            labels=["peer", "outcome"],
        )
        for (peer, outcome), count in self._tries.items():
            tries.add_metric([peer, outcome], count)
        yield tries
        reported = CounterMetricFamily(
            "sipguard_reported_rules_total",
            "calls on which a rule in mode report would have acted, by rule and the verdict that it would have given",
            labels=["rule", "verdict"],
        )
        for (rule, verdict), count in self._reported.items():
            reported.add_metric([rule, verdict], count)
        yield reported


def render(
    scraped: Sequence[Scraped],
    modes: Mapping[str, str],
    peers: Sequence[tuple[str, str, str]] = (),
    tries: Mapping[tuple[str, str], int] = MappingProxyType({}),
    trust: Sequence[SourceState] = (),
    reported: Mapping[tuple[str, str], int] = MappingProxyType({}),
    lists: Sequence[Dated] = (),
    plans: Sequence[PlanDate] = (),
) -> bytes:
    """The text that Prometheus reads.

    `modes`: mode by trunk name, "" for all trunks. `peers`: (trunk, peer, why it is passed over or "").
    `tries`: INVITEs by peer and outcome. `trust`: how it stands with trust list and CRL.
    `reported`: calls by rule in mode report and the verdict that it would have given. `lists`: those with an age.
    `plans`: of when numbering plan and report are.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SlotsCollector(scraped, modes, peers, tries, trust, reported, lists, plans))
    return generate_latest(registry)
