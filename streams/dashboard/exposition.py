"""`/metrics`: the numbers of every process, and the verdict, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from streams import metrics
from streams.health import Verdict, is_silent
from streams.lag import lag_seconds
from streams.observations import Observer

_STATES = ("healthy", "degraded", "down")
_JUDGED = {"wirebell_health", "wirebell_lag_seconds", "wirebell_lag_records", "wirebell_processes"}


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
    return generate_latest(registry)


class _Line:
    """Sums over all processes, but the verdict's gauges, which are this process's own."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def collect(self) -> Iterator[Metric]:
        for family in metrics.REGISTRY.collect():
            if family.name in _JUDGED:
                yield family
                continue
            summed = Metric(family.name, family.documentation, family.type)
            for suffix in ("", "_total", "_bucket", "_count", "_sum"):
                series = self._observer.tally.series(family.name + suffix)
                for labels, value in sorted(series, key=lambda one: _order(dict(one[0]))):
                    summed.add_sample(family.name + suffix, dict(labels), value)
            yield summed


def _order(labels: dict[str, str]) -> tuple[float, str]:
    return float(labels.get("le", "0")), str(sorted(labels.items()))
