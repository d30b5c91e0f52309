"""The page's `/metrics`: the verdict, the page's own process, and the whole line added up.

What is added up over all processes has names of its own, `wirebell_line_...`: a Prometheus that
scrapes the workers too must not count anything twice.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric

from streams import metrics
from streams.health import Verdict, is_silent
from streams.lag import lag_seconds
from streams.observations import Observer

_STATES = ("healthy", "degraded", "down")
# What the page alone measures, and what it adds up.
JUDGED = frozenset(
    {"wirebell_health", "wirebell_lag_seconds", "wirebell_lag_records", "wirebell_processes"}
)
_SUFFIXES = ("", "_total", "_bucket", "_count", "_sum")


def line_name(name: str) -> str:
    """What a metric is called when it is added up over all processes of the line."""
    return name.replace("wirebell_", "wirebell_line_", 1)


def record_verdict(observer: Observer, verdict: Verdict) -> None:
    """Set the page's own gauges."""
    for state in _STATES:
        metrics.HEALTH.labels(state).set(state == verdict.state)
    for one in observer.partitions.values():
        labels = (one.kafka_topic, str(one.partition))
        metrics.LAG_SECONDS.labels(*labels).set(lag_seconds(one, verdict.at))
        metrics.LAG_RECORDS.labels(*labels).set(one.lag)
    processes = observer.observe(verdict.at).processes
    for role in {one.role for one in processes}:
        alive = [one for one in processes if one.role == role and not one.stopped]
        metrics.PROCESSES.labels(role).set(sum(not is_silent(one, verdict.at) for one in alive))


def expose(observer: Observer) -> bytes:
    """The whole exposition in the text format."""
    registry = CollectorRegistry()
    registry.register(_Line(observer))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Line:
    """The verdict's gauges as they are, all else added up."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def collect(self) -> Iterator[Metric]:
        for family in metrics.REGISTRY.collect():
            if family.name in JUDGED:
                yield family
                continue
            summed = Metric(line_name(family.name), family.documentation, family.type)
            for suffix in _SUFFIXES:
                series = self._observer.tally.series(family.name + suffix)
                for labels, value in sorted(series, key=lambda one: _order(dict(one[0]))):
                    summed.add_sample(line_name(family.name + suffix), dict(labels), value)
            yield summed


def _order(labels: dict[str, str]) -> tuple[float, str]:
    return float(labels.get("le", "0")), str(sorted(labels.items()))
