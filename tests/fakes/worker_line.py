"""A line for tests: Kafka topics on a lane, a Redis, and worker processes to start and kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import redis
from kafka import KafkaProducer, TopicPartition
from kafka.consumer import KafkaConsumer

from connectors.records import SCHEMA_HEADER, Alert, Article, decode_alert, encode
from streams.dead_letters import DeadLetter, decode_dead_letter
from streams.kafka_topics import ALERTS, ARTICLES, DEAD_LETTERS
from streams.topic_setup import create_kafka_topics
from tests.fakes.worker_process import Orders
from tests.lanes import Lane, read_kafka_topic, wait_until

ROOT = Path(__file__).parents[2]
PARTITIONS = 4


def make_article(number: int, words: str = "", stories: int = 50, text: str = "text") -> Article:
    """An article of the story `number % stories`; `words` tell the tiny rooms what to do."""
    return Article(
        id=f"article-{number}",
        source_id="test",
        publisher="Test",
        title=f"story-{number % stories} {words}".strip(),
        text=text,
        fetched_at=datetime.now(UTC),
    )


class WorkerLine:
    """One test's line. Every method blocks."""

    def __init__(self, lane: Lane, redis_url: str, redis_prefix: str, log: Path) -> None:
        self.lane = lane
        self.orders = Orders(
            bootstrap_servers=lane.bootstrap_servers,
            kafka_prefix=lane.prefix,
            embedded=lane.embedded,
            redis_url=redis_url,
            redis_prefix=redis_prefix,
            session_timeout_s=_shortest_session_s(lane),
        )
        self.log = log
        self._redis = redis.Redis.from_url(redis_url)
        self._producer: KafkaProducer | None = None
        self._workers: list[subprocess.Popen[bytes]] = []
        create_kafka_topics(lane.settings(PARTITIONS))

    def start(self, **changes: object) -> subprocess.Popen[bytes]:
        """Start a worker process; `changes` are fields of its orders."""
        orders = msgspec.structs.replace(self.orders, **changes)
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "tests.fakes.worker_process", msgspec.json.encode(orders)],
                cwd=ROOT,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        self._workers.append(worker)
        return worker

    def adopt(self, worker: subprocess.Popen[bytes]) -> None:
        """End this worker too when the line is closed."""
        self._workers.append(worker)

    def publish(self, articles: Sequence[Article]) -> None:
        """Publish, by key on Apache Kafka and into one partition on the embedded broker."""
        self.publish_raw([(each.id.encode(), encode(each)) for each in articles])

    def publish_raw(
        self,
        messages: Sequence[tuple[bytes, bytes | None]],
        *,
        ours: bool = True,
        kafka_topic: str = ARTICLES,
    ) -> None:
        """Publish any bytes; `ours` says whether they carry the schema header."""
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self.lane.bootstrap_servers, linger_ms=20
            )
        sent = [
            self._producer.send(
                self.lane.prefix + kafka_topic,
                key=key,
                value=value,
                headers=[SCHEMA_HEADER] if ours else [],
                partition=0 if self.lane.embedded else None,
            )
            for key, value in messages
        ]
        self._producer.flush()
        for each in sent:
            each.get(timeout=10)

    def accepted(self) -> set[str]:
        """The ids of alerts that the ledger has."""
        found = self._redis.smembers(f"{{{self.orders.redis_prefix}}}:accepted")
        return {each.decode() for each in found}

    def accepted_count(self) -> int:
        """How many those are."""
        return int(self._redis.scard(f"{{{self.orders.redis_prefix}}}:accepted"))

    def wait_for_alerts(self, count: int, timeout_s: float = 40) -> None:
        """Wait until the ledger has so many alerts."""
        try:
            wait_until(lambda: self.accepted_count() >= count, timeout_s, f"{count} alerts")
        except AssertionError as late:
            late.add_note(
                f"{self.accepted_count()} alerts; the workers said: {self.said()[-2000:]}"
            )
            raise

    def wait_for_more_or_end(self, worker: subprocess.Popen[bytes]) -> None:
        """Wait until an alert more than now is accepted, or the worker has ended."""
        before = self.accepted_count()
        wait_until(
            lambda: self.accepted_count() > before or worker.poll() is not None,
            40,
            "an alert, or the worker's end",
        )

    def alerts(self) -> list[Alert]:
        """Every alert in Kafka, repeats included."""
        records = read_kafka_topic(self.lane, self.lane.prefix + ALERTS, PARTITIONS)
        return [decode_alert(each.value) for each in records]

    def dead_letters(self) -> list[DeadLetter]:
        """Every dead letter in Kafka, repeats included."""
        records = read_kafka_topic(self.lane, self.lane.prefix + DEAD_LETTERS, PARTITIONS)
        return [decode_dead_letter(each.value) for each in records]

    def expect_each_once(self, count: int, stories: int = 50) -> None:
        """Articles 0 to `count` have each its one place in its story, told in Kafka and to the
        ledger: none lost, none decided twice. `count` is a multiple of `stories`.
        """
        places = range(1, count // stories + 1)
        ids = {f"story-{number}:{place}" for number in range(stories) for place in places}
        assert self.accepted() == ids
        assert {alert.id for alert in self.alerts()} == ids

    def committed(self) -> int:
        """How many articles the tiny workers' group has committed, over all partitions."""
        return self.committed_by("worker")

    def committed_by(self, group: str) -> int:
        """The same for a group."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.lane.bootstrap_servers,
            group_id=self.lane.prefix + group,
            enable_auto_commit=False,
        )
        try:
            partitions = [
                TopicPartition(self.lane.prefix + ARTICLES, number) for number in range(PARTITIONS)
            ]
            return sum(consumer.committed(each) or 0 for each in partitions)
        finally:
            consumer.close()

    def said(self) -> str:
        """What the workers have written to stderr."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def wait_until_ready(self, times: int = 1) -> None:
        """Wait until workers have said so many times that they are ready."""
        wait_until(lambda: self.said().count(" ready") >= times, 20, self.said()[-1500:])

    def close(self) -> None:
        """End every worker that still runs."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
            worker.wait()
        if self._producer is not None:
            self._producer.close(timeout=2)
        self._redis.close()


def _shortest_session_s(lane: Lane) -> float:
    """Every start after a kill waits for it; a cluster of somebody else's may forbid 3 s."""
    return 6 if lane.server is None else 3


@contextmanager
def open_line(lane: Lane, redis_url: str, redis_prefix: str, folder: Path) -> Iterator[WorkerLine]:
    """A line that ends its workers."""
    line = WorkerLine(lane, redis_url, redis_prefix, folder / "worker.log")
    try:
        yield line
    finally:
        line.close()
