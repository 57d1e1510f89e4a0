"""Ages of lists and of the numbering plan as Prometheus sees them.

Enters: lists, the time. Leaves: families of metrics. Must not: carry a label that a caller chooses; `list` is a name of
the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from sipguard.numbers.plan import PlanDate
from sipguard.service.list_ages import Dated


def list_metrics(lists: Sequence[Dated], now_at: float) -> Iterator[Metric]:
    """The age of each list that stands in a file, and how many are stale."""
    age = GaugeMetricFamily("sipguard_list_age_seconds", "time since the data of a list was written", labels=["list"])
    for each in lists:
        age_s = each.age_s(now_at)
        if age_s is not None:
            age.add_metric([each.name], age_s)
    yield age
    stale = sum(each.stale(now_at) for each in lists)
    yield GaugeMetricFamily("sipguard_lists_stale", "lists that are older than their max_age", value=stale)


def plan_metrics(dates: Sequence[PlanDate], now_at: float) -> Iterator[Metric]:
    """The age of what is known of numbers, and how much of it is stale."""
    what = "time since the numbering plan in use was installed or compiled, or since the day of the report"
    age = GaugeMetricFamily("sipguard_numbering_plan_age_seconds", what, labels=["source"])
    for each in dates:
        age.add_metric([each.source], max(0.0, now_at - each.dated_at))
    yield age
    stale = sum(now_at - each.dated_at > each.max_age_s for each in dates)
    yield GaugeMetricFamily(
        "sipguard_numbering_plan_stale", "numbering plan and report that are older than numbering.max_age", value=stale
    )
