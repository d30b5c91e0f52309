"""What tests stand on: where the data is, the two Kafka lanes, and waiting with a deadline.

Every test marked `kafka` runs on both lanes: the embedded broker, and Apache Kafka (or the
cluster that KAFKA_BOOTSTRAP_SERVERS names).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from streams.embedded import EmbeddedServer
from streams.settings import KafkaSettings

SHARED = Path(__file__).parents[2] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Lane:
    """A Kafka to test on. `prefix` is unique to the test; `server` is what chaos tests may
    kill and start again, None when the cluster is somebody else's.
    """

    name: str
    bootstrap_servers: str
    prefix: str
    server: EmbeddedServer | None

    @property
    def embedded(self) -> bool:
        """Whether this is the embedded broker, with its one producer per partition."""
        return self.name == "embedded"

    def settings(self, partitions: int = 4) -> KafkaSettings:
        """The settings that reach this lane under the test's own prefix."""
        return KafkaSettings(
            bootstrap_servers=self.bootstrap_servers,
            prefix=self.prefix,
            partitions=partitions,
            embedded=self.embedded,
            session_timeout_s=6,
        )

    def environment(self) -> dict[str, str]:
        """The same for a process of ours, as environment variables."""
        return {
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "WIREBELL_KAFKA__PREFIX": self.prefix,
            "WIREBELL_KAFKA__EMBEDDED": str(self.embedded).lower(),
            "WIREBELL_KAFKA__SESSION_TIMEOUT_S": "6",
        }


def read_kafka_topic(lane: Lane, kafka_topic: str, partitions: int = 4) -> list[Any]:
    """Every record of a Kafka topic from the beginning, once no more comes for a second.

    For tests that read after producers have finished; blocks.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=lane.bootstrap_servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
    )
    try:
        consumer.assign([TopicPartition(kafka_topic, number) for number in range(partitions)])
        records: list[Any] = []
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 1:
            fetched = consumer.poll(timeout_ms=200)
            if fetched:
                quiet_since = time.monotonic()
            records += [record for batch in fetched.values() for record in batch]
        return records
    finally:
        consumer.close()


def wait_until(
    condition: Callable[[], bool], timeout_s: float = 20, what: str | Callable[[], str] = ""
) -> None:
    """Poll until the condition holds; fails the test when it does not in time, with `what`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, (
            f"not within {timeout_s} s: {(what() if callable(what) else what) or condition}"
        )
        time.sleep(0.02)


async def until(condition: Callable[[], bool], timeout_s: float = 20, what: str = "") -> None:
    """`wait_until` for tests that run in the event loop."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, (
            f"not within {timeout_s} s: {(what() if callable(what) else what) or condition}"
        )
        await asyncio.sleep(0.02)
