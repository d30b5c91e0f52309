"""Canaries through a real worker: there and back, and nobody hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis.asyncio import Redis

from connectors.publisher import Publisher, PublishError
from connectors.records import Article
from streams.canary import is_canary, is_canary_alert, make_canary
from streams.canary_watch import CanaryWatch
from streams.heartbeat import decode_heartbeat
from streams.kafka_topics import ARTICLES, producer_partition
from streams.keys import Keys
from streams.stories import Stories
from streams.topic_setup import create_kafka_topics
from tests.fakes.worker_line import open_line
from tests.integration.test_worker_process import start_worker
from tests.lanes import Lane, until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class BrokenPublisher:
    """A Kafka that refuses."""

    async def publish(self, articles: Sequence[Article]) -> None:
        raise PublishError("not allowed")

    async def close(self) -> None:
        """Nothing to give back."""


async def test_canaries_come_back_and_are_told_to_nobody_and_counted_nowhere(
    kafka: Lane, redis: Redis, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    settings, keys = kafka.settings(), Keys(redis_prefix)
    create_kafka_topics(settings)
    partition = producer_partition("page", embedded=settings.embedded)
    publisher = Publisher(settings.connection(), settings.prefix + ARTICLES, partition)
    watch = CanaryWatch(redis, keys, publisher, ready=lambda: True, every_s=1)
    stop = asyncio.Event()
    with open_line(kafka, redis_url, redis_prefix, tmp_path) as line:
        start_worker(line, tmp_path)
        watching = asyncio.create_task(watch.run(stop))
        await until(lambda: sum(one.back_at is not None for one in watch.rounds) >= 4, 40)
        stop.set()
        await watching
        beats = [decode_heartbeat(raw) for raw in (await redis.hgetall(keys.processes)).values()]
        alerts = await asyncio.to_thread(line.alerts)
        dead_letters = await asyncio.to_thread(line.dead_letters)
    assert len(alerts) >= 4
    assert all(is_canary_alert(alert) for alert in alerts)
    assert dead_letters == []
    assert (tmp_path / "out").read_text(encoding="utf-8") == ""
    assert await Stories(redis, keys, 3600).recent() == []
    assert await redis.keys(f"{keys.tag}ledger:alert:*") == []
    screened = [
        sample.value
        for beat in beats
        if beat is not None
        for sample in beat.samples
        if sample.name in {"wirebell_articles_screened_total", "wirebell_deliveries_total"}
    ]
    assert screened
    assert not any(screened)


async def test_a_canary_that_kafka_does_not_take_is_missed_at_once(
    redis: Redis, redis_prefix: str
) -> None:
    watch = CanaryWatch(redis, Keys(redis_prefix), BrokenPublisher(), ready=lambda: True)
    stop = asyncio.Event()
    watching = asyncio.create_task(watch.run(stop))
    await until(lambda: any(one.fault for one in watch.rounds))
    stop.set()
    await watching
    assert watch.rounds[0].missed(watch.rounds[0].sent_at)


async def test_nothing_is_sent_before_the_line_is_ready(redis: Redis, redis_prefix: str) -> None:
    asked = 0

    def ready() -> bool:
        nonlocal asked
        asked += 1
        return False

    watch = CanaryWatch(redis, Keys(redis_prefix), BrokenPublisher(), ready)
    stop = asyncio.Event()
    watching = asyncio.create_task(watch.run(stop))
    await until(lambda: asked >= 2)
    stop.set()
    await watching
    assert not watch.rounds


def test_two_canaries_have_no_word_in_common() -> None:
    one, other = make_canary(NOW), make_canary(NOW + timedelta(minutes=1))
    assert is_canary(one)
    assert not set(one.text.casefold().split()) & set(other.text.casefold().split())
    assert make_canary(NOW) == one
