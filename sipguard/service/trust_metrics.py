"""Trust list and CRL as Prometheus sees them.

Enters: how it stands with each source, the time. Leaves: families of metrics. Must not: carry a label that a caller
chooses; `source` is trust_list or crl.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from sipguard.service.trusting import SourceState


def trust_metrics(states: Sequence[SourceState], now_at: float) -> Iterator[Metric]:
    """One row for each source that is configured; none for the age of what was never had."""
    info = GaugeMetricFamily("sipguard_trust_info", "version in force", labels=["source", "version"])
    entries = _gauge("sipguard_trust_entries", "listed authorities, or revoked certificates")
    age = _gauge("sipguard_trust_age_seconds", "time since it was had last, changed or not")
    left = _gauge("sipguard_trust_left_seconds", "time until it is stale; negative since it is")
    stale = _gauge("sipguard_trust_stale", "1 where it is out of date or was never had")
    failing = CounterMetricFamily("sipguard_trust_failures_total", "refreshes that failed", labels=["source"])
    for each in states:
        source = [each.name]
        info.add_metric([each.name, each.version], 1)
        entries.add_metric(source, each.entries)
        stale.add_metric(source, each.stale(now_at))
        failing.add_metric(source, each.failures)
        if each.fetched_at:
            age.add_metric(source, now_at - each.fetched_at)
            left.add_metric(source, each.stale_at - now_at)
    yield from (info, entries, age, left, stale, failing)


def _gauge(name: str, help: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, labels=["source"])
