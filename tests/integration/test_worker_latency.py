"""An idle line adds no latency: one article through the worker against a plain consumer."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.app import EMBEDDED_FETCH_WAIT_MS, FETCH_WAIT_MS
from streams.kafka_topics import ALERTS, ARTICLES, FEEDBACK
from tests.fakes.worker_line import PARTITIONS, WorkerLine, make_article, open_line
from tests.lanes import Lane

ARTICLES_SENT = 25
# A batch that waited to fill, or a fetch of Faust's 1,500 ms, would be far above this.
FACTOR, ALLOWED_S = 4, 0.15


@pytest.fixture
def line(kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path) -> Iterator[WorkerLine]:
    with open_line(kafka, redis_url, redis_prefix, tmp_path) as opened:
        yield opened


async def test_one_article_is_not_held_up_by_the_worker(
    line: WorkerLine, record_property: pytest.RecordProperty
) -> None:
    await asyncio.to_thread(_warm_up, line)
    yardstick = asyncio.create_task(_forward(line.lane))
    arrivals = _consumer(line.lane)
    await arrivals.start()
    try:
        _assign(arrivals, line.lane, ALERTS, FEEDBACK)
        worker_s, plain_s = [], []
        for number in range(ARTICLES_SENT + 2):
            article = make_article(number + 1_000, stories=10_000)
            sent_at = time.monotonic()
            await asyncio.to_thread(line.publish, [article])
            ours, theirs = article.title.encode(), article.id.encode()
            came = await _arrivals(arrivals, {ours, theirs}, sent_at)
            worker_s.append(came[ours])
            plain_s.append(came[theirs])
    finally:
        yardstick.cancel()
        await arrivals.stop()
        await asyncio.gather(yardstick, return_exceptions=True)
    worker, plain = statistics.median(worker_s[2:]), statistics.median(plain_s[2:])
    record_property("worker_median_ms", round(worker * 1000, 1))
    record_property("plain_median_ms", round(plain * 1000, 1))
    print(f"median of {ARTICLES_SENT}: worker {worker * 1000:.1f} ms, plain {plain * 1000:.1f} ms")
    assert worker <= FACTOR * plain + ALLOWED_S


def _warm_up(line: WorkerLine) -> None:
    line.start()
    line.publish([make_article(1)])
    line.wait_for_alerts(1)


async def _forward(lane: Lane) -> None:
    """The yardstick: read an article, write it on, as plainly as aiokafka can."""
    consumer = _consumer(lane)
    producer = AIOKafkaProducer(bootstrap_servers=lane.bootstrap_servers)
    await consumer.start()
    await producer.start()
    try:
        _assign(consumer, lane, ARTICLES)
        async for record in consumer:
            await producer.send_and_wait(
                lane.prefix + FEEDBACK, record.value, key=record.key, partition=1
            )
    finally:
        await consumer.stop()
        await producer.stop()


def _consumer(lane: Lane) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=lane.bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=EMBEDDED_FETCH_WAIT_MS if lane.embedded else FETCH_WAIT_MS,
    )


def _assign(consumer: AIOKafkaConsumer, lane: Lane, *kafka_topics: str) -> None:
    consumer.assign(
        [
            TopicPartition(lane.prefix + kafka_topic, number)
            for kafka_topic in kafka_topics
            for number in range(PARTITIONS)
        ]
    )


async def _arrivals(
    consumer: AIOKafkaConsumer, keys: set[bytes], sent_at: float
) -> dict[bytes, float]:
    """Seconds until a record with each of these keys came."""
    came: dict[bytes, float] = {}
    async with asyncio.timeout(20):
        while not keys <= came.keys():
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    came.setdefault(record.key, time.monotonic() - sent_at)
    return came
