"""Every metric of every process, registered here with its kind and meaning. Label values
come from closed lists, so that no outside text can grow the registry.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()


class BatchHistogram(Histogram):
    """One that is told a batch at once: value by value costs the line 1 % of its time.

    Leans on private parts of prometheus_client, which `tests/unit/streams/test_metrics.py` pins.
    """

    def observe_all(self, values: Sequence[float]) -> None:
        """Observe each. Without labels."""
        for bucket, count in Counted(
            [bisect_left(self._upper_bounds, value) for value in values]
        ).items():
            self._buckets[bucket].inc(count)
        self._sum.inc(sum(values))


# Seconds from a few milliseconds (our own line) to hours (a publisher's delay).
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200)

# Articles that Kafka confirmed, by source.
PUBLISHED = Counter(
    "wirebell_articles_published", "Articles confirmed by Kafka", ["source"], registry=REGISTRY
)
# Polls by outcome: the PollState of connectors.sources.source.
POLLS = Counter(
    "wirebell_polls", "Polls of sources by outcome", ["source", "state"], registry=REGISTRY
)
# Articles a worker decided on.
SCREENED = Counter(
    "wirebell_articles_screened", "Articles decided on by a worker", registry=REGISTRY
)
# Intended drops, by reason from DROP_REASONS. A retry is not a drop.
DROPPED = Counter(
    "wirebell_articles_dropped", "Articles dropped on purpose", ["reason"], registry=REGISTRY
)
DROP_REASONS = ("off_topic", "same_article", "near_duplicate", "joined_silently", "muted")
# Doubtful articles that the slow reader should have read and has not, by Unread of
# classifiers.model: the line was behind, or the reader's file is broken.
UNREAD = Counter(
    "wirebell_articles_unread",
    "Doubtful articles decided without the slow reader, by reason (behind, broken)",
    ["reason"],
    registry=REGISTRY,
)
# Articles about something, by configured source: said by it, or a copy of another's.
SOURCE_ARTICLES = Counter(
    "wirebell_source_articles",
    "Articles about a topic by source and outcome (own, copy)",
    ["source", "outcome"],
    registry=REGISTRY,
)
# Alerts confirmed by Kafka, by kind.
ALERTS = Counter("wirebell_alerts", "Alerts confirmed by Kafka", ["kind"], registry=REGISTRY)
# Delivery attempts by sink and Outcome of connectors.sinks.sink.
DELIVERIES = Counter(
    "wirebell_deliveries", "Delivery attempts by outcome", ["sink", "outcome"], registry=REGISTRY
)
# Dead letters confirmed by Kafka, by stage and reason from streams.dead_letters.
DEAD_LETTERS = Counter(
    "wirebell_dead_letters",
    "Dead letters confirmed by Kafka",
    ["stage", "reason"],
    registry=REGISTRY,
)
# Deliveries that wait, by sink.
WAITING = Gauge("wirebell_deliveries_waiting", "Deliveries that wait", ["sink"], registry=REGISTRY)
# Seconds between the clocks on an article's way.
PUBLISHED_TO_SEEN = Histogram(
    "wirebell_published_to_seen_seconds",
    "Publisher's clock to fetched",
    buckets=_SECONDS,
    registry=REGISTRY,
)
SEEN_TO_SCREENED = BatchHistogram(
    "wirebell_seen_to_screened_seconds", "Fetched to decided", buckets=_SECONDS, registry=REGISTRY
)
SCREENED_TO_DELIVERED = Histogram(
    "wirebell_screened_to_delivered_seconds",
    "Decided to accepted by a sink",
    buckets=_SECONDS,
    registry=REGISTRY,
)
# What the page judges, set by the page alone: 1 for the state that holds.
HEALTH = Gauge(
    "wirebell_health", "1 for the verdict on the line that holds", ["state"], registry=REGISTRY
)
# How far the workers are behind on a partition of the articles or of the alerts.
LAG_SECONDS = Gauge(
    "wirebell_lag_seconds",
    "How long the oldest record not yet taken by a worker has waited",
    ["kafka_topic", "partition"],
    registry=REGISTRY,
)
LAG_RECORDS = Gauge(
    "wirebell_lag_records",
    "Records not yet taken by a worker",
    ["kafka_topic", "partition"],
    registry=REGISTRY,
)
# Processes that beat, by role.
PROCESSES = Gauge("wirebell_processes", "Processes that are alive", ["role"], registry=REGISTRY)
