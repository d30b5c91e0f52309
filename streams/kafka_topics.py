"""The Kafka topics: declared once, with partitions and retention, created before all else."""

from __future__ import annotations

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """A Kafka topic as Wirebell wants it: partitions, and how long records stay (ms)."""

    name: str
    partitions: int
    retention_ms: int


ARTICLES = "articles"
ALERTS = "alerts"
DEAD_LETTERS = "dead-letters"
FEEDBACK = "feedback"

# The consumer group of the workers, without the prefix; the page watches its offsets.
WORKER_GROUP = "wirebell-worker"

# The embedded broker takes one producer per partition: each role writes to its own partition
# of every Kafka topic there. On Apache Kafka the key decides.
PRODUCER_PARTITIONS = {"sources": 0, "worker": 1, "page": 2, "replay": 3}


def producer_partition(role: str, *, embedded: bool) -> int | None:
    """The partition a process of this role writes to; None: the key decides."""
    return PRODUCER_PARTITIONS[role] if embedded else None


def declared(prefix: str = "", partitions: int = 4) -> tuple[KafkaTopic, ...]:
    """Every Kafka topic of Wirebell.

    `prefix` keeps several lines (or test runs) apart on one cluster; `partitions` bounds
    how many workers can share the articles.
    """
    return (
        KafkaTopic(prefix + ARTICLES, partitions, 7 * DAY_MS),
        KafkaTopic(prefix + ALERTS, partitions, 30 * DAY_MS),
        KafkaTopic(prefix + DEAD_LETTERS, partitions, 90 * DAY_MS),
        KafkaTopic(prefix + FEEDBACK, partitions, 3650 * DAY_MS),
    )
