"""The observer and the alerts it is shown, on real Redis and both Kafkas."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from connectors.records import encode
from streams.dashboard.alerts import Alerts, follow_alerts, recall_alerts
from streams.dashboard.attention import Attention
from streams.health import judge
from streams.heartbeat import Heartbeat, Sample, encode_heartbeat
from streams.kafka_offsets import KafkaOffsets
from streams.kafka_topics import ALERTS, ARTICLES, WORKER_GROUP
from streams.keys import Keys
from streams.ledger import Ledger
from streams.observations import Observer
from streams.redis_client import connect_redis
from streams.settings import RedisSettings, Settings
from streams.subscriptions import Destination, Wish
from streams.topic_setup import create_kafka_topics
from tests.fakes.alerts import make_alert
from tests.lanes import Lane, until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def settings_for(lane: Lane, redis_url: str, redis_prefix: str) -> Settings:
    return Settings(
        kafka=lane.settings(partitions=2),
        redis=RedisSettings(url=redis_url, prefix=redis_prefix),  # type: ignore[arg-type]
    )


@pytest.fixture
async def observer(kafka: Lane, redis_url: str, redis_prefix: str) -> AsyncIterator[Observer]:
    """An observer of a line that has its Kafka topics and nothing else."""
    settings = settings_for(kafka, redis_url, redis_prefix)
    create_kafka_topics(settings.kafka)
    offsets = KafkaOffsets(settings.kafka, settings.kafka.prefix + WORKER_GROUP)
    one = Observer(settings, connect_redis(redis_url), Keys(redis_prefix), offsets, NOW)
    yield one
    await offsets.close()
    await one.redis.aclose()


async def produce(lane: Lane, kafka_topic: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=lane.bootstrap_servers, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(lane.prefix + kafka_topic, value, partition=0)
    finally:
        await producer.stop()


def worker(at: datetime, screened: float = 0) -> Heartbeat:
    return Heartbeat(
        process="w1",
        role="worker",
        pid=1,
        host="h",
        started_at=NOW,
        at=at,
        rss_bytes=1,
        samples=(Sample("wirebell_articles_screened_total", {}, screened),),
    )


async def test_a_line_is_healthy_until_its_worker_falls_silent(observer: Observer) -> None:
    await observer.redis.hset(observer.keys.processes, "w1", encode_heartbeat(worker(NOW, 7)))
    await observer.look_at_redis(NOW)
    await observer.look_at_kafka(NOW)
    assert judge(observer.observe(NOW)).state == "healthy"
    assert observer.tally.total("wirebell_articles_screened_total") == 7
    later = NOW + timedelta(seconds=11)
    await observer.look_at_redis(later)
    verdict = judge(observer.observe(later))
    assert (verdict.state, verdict.since) == ("down", NOW)


async def test_articles_that_were_not_read_twice_are_told_until_a_minute_has_been_without(
    observer: Observer,
) -> None:
    def told(second: int) -> list[str]:
        found = judge(observer.observe(NOW + timedelta(seconds=second))).findings
        return [one.words for one in found if one.key == "unread behind"]

    for second, unread in ((0, 5), (10, 5), (20, 12), (60, 12), (90, 12)):
        at = NOW + timedelta(seconds=second)
        count = Sample("wirebell_articles_unread_total", {"reason": "behind"}, unread)
        beat = msgspec.structs.replace(worker(at), samples=(count,))
        await observer.redis.hset(observer.keys.processes, "w1", encode_heartbeat(beat))
        await observer.look_at_redis(at)
        if second == 20:
            assert "7 doubtful articles were decided by the fast model alone" in told(second)[0]
    assert told(60)
    assert not told(90)


async def test_a_worker_whose_clock_is_wrong_is_heard_by_ours(observer: Observer) -> None:
    behind = NOW - timedelta(minutes=5)
    for second in range(3):
        beat = worker(behind + timedelta(seconds=second))
        await observer.redis.hset(observer.keys.processes, "w1", encode_heartbeat(beat))
        await observer.look_at_redis(NOW + timedelta(seconds=second))
    seen = observer.observe(NOW + timedelta(seconds=2))
    assert seen.processes[0].at == NOW + timedelta(seconds=2)


async def test_articles_that_nobody_reads_are_lag_that_becomes_a_stall(
    observer: Observer, kafka: Lane
) -> None:
    await observer.redis.hset(observer.keys.processes, "w1", encode_heartbeat(worker(NOW)))
    await produce(kafka, ARTICLES, b"{}", b"{}", b"{}")
    moment = NOW
    for _ in range(16):
        await observer.look_at_kafka(moment)
        moment += timedelta(seconds=2)
    await observer.look_at_redis(moment)
    (partition,) = [one for one in observer.observe(moment).partitions if one.lag]
    assert (partition.kafka_topic, partition.partition, partition.lag) == (ARTICLES, 0, 3)
    words = [one.words for one in judge(observer.observe(moment)).findings]
    assert any("Nothing is taken from articles/0 for 32 s" in one for one in words)


async def test_a_dependency_is_away_only_after_it_has_failed_for_a_while(
    observer: Observer, kafka: Lane
) -> None:
    if kafka.server is None:
        pytest.skip("the cluster is somebody else's")
    await observer.look_at_kafka(NOW)
    kafka.server.kill()
    gone = NOW + timedelta(seconds=2)
    await observer.look_at_kafka(gone)
    assert observer.observe(gone).broker.ok
    later = gone + timedelta(seconds=4)
    await observer.look_at_kafka(later)
    seen = observer.observe(later).broker
    assert (seen.ok, seen.since, seen.detail) == (False, gone, "no connection")
    kafka.server.start()


@contextlib.asynccontextmanager
async def following(lane: Lane) -> AsyncIterator[Alerts]:
    alerts, attention, stop = Alerts(), Attention(), asyncio.Event()
    settings = lane.settings(partitions=2)
    task = asyncio.create_task(follow_alerts(settings, alerts, attention, stop))
    try:
        with attention.viewer():
            yield alerts
    finally:
        stop.set()
        attention.end()
        await task


def has(alerts: Alerts, story_id: str, revision: int) -> Callable[[], bool]:
    def check() -> bool:
        found = alerts.get(story_id)
        return found is not None and found.story.revision == revision

    return check


async def test_alerts_before_and_after_the_start_are_followed_and_junk_is_passed(
    kafka: Lane,
) -> None:
    create_kafka_topics(kafka.settings(partitions=2))
    await produce(kafka, ALERTS, encode(make_alert("s1", 1)), b"junk")
    async with following(kafka) as alerts:
        await until(has(alerts, "s1", 1), what="the alert before the start")
        await produce(kafka, ALERTS, encode(make_alert("s1", 2)), encode(make_alert("s2", 1)))
        await until(has(alerts, "s1", 2), what="the update")
        await until(has(alerts, "s2", 1), what="the second story")
        assert {alert.story.id for alert in alerts.newest(10)} == {"s1", "s2"}


async def test_following_waits_for_kafka_topics_that_do_not_exist_yet(kafka: Lane) -> None:
    async with following(kafka) as alerts:
        await asyncio.sleep(0)
        create_kafka_topics(kafka.settings(partitions=2))
        await produce(kafka, ALERTS, encode(make_alert("s1", 1)))
        await until(has(alerts, "s1", 1), what="the first alert")


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)
async def test_a_replaced_log_is_followed_from_its_beginning(kafka: Lane) -> None:
    assert kafka.server is not None
    create_kafka_topics(kafka.settings(partitions=2))
    await produce(kafka, ALERTS, *(encode(make_alert("s1", number)) for number in range(1, 6)))
    async with following(kafka) as alerts:
        await until(has(alerts, "s1", 5), what="the first log")
        kafka.server.restart()
        create_kafka_topics(kafka.settings(partitions=2))
        await produce(kafka, ALERTS, encode(make_alert("s2", 1)))
        await until(has(alerts, "s2", 1), 30, what="the second log")


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)
async def test_stories_that_kafka_forgot_are_recalled_from_the_ledger(observer: Observer) -> None:
    redis, keys = observer.redis, observer.keys
    wish = Wish(Destination("terminal", "", ("all",)), matches=True)
    alerts = [make_alert("s1", 2), make_alert("s2", 1)]
    await Ledger(redis, keys).want([(alert, [wish]) for alert in alerts], 0)
    await redis.zadd(keys.stories, {"s1": 1, "s2": 2, "never-rang": 3})
    recalled = await recall_alerts(redis, keys)
    assert [(one.story.id, one.story.revision) for one in recalled] == [("s2", 1), ("s1", 2)]


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)
async def test_a_delivery_that_nobody_claims_is_a_backlog_and_one_held_back_is_not(
    observer: Observer,
) -> None:
    ledger = Ledger(observer.redis, observer.keys, clock=NOW.timestamp)
    held = Wish(Destination("slack", "#night", ("n",)), True, NOW.timestamp() + 3600)
    due = Wish(Destination("slack", "#desk", ("d",)), True)
    await ledger.want([(make_alert("s1", 1, at=NOW), [held, due])], 0)
    later = NOW + timedelta(seconds=90)
    await observer.redis.hset(observer.keys.processes, "w1", encode_heartbeat(worker(later)))
    await observer.look_at_redis(later)
    waiting = {one.target: one for one in observer.observe(later).backlogs}
    assert (waiting["#night"].waiting, waiting["#desk"].waiting) == (1, 1)
    words = [one.words for one in judge(observer.observe(later)).findings]
    assert words == ["1 alert waits for slack #desk, the oldest 90 s"]


def test_an_older_revision_never_replaces_a_newer_one() -> None:
    alerts = Alerts()
    alerts.take([make_alert("s1", 3), make_alert("s1", 2)])
    assert msgspec.json.decode(encode(alerts.newest(1)[0]))["story"]["revision"] == 3
