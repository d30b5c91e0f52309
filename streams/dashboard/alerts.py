"""The stories that rang, read from the Kafka topic of alerts: what every receiver was given.

Joins no group, so that it can never take an alert from anybody. Keeps the latest alert of
each of the last stories; the log itself keeps the rest. Reads only while somebody looks on: who
comes back is shown the end of the log anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from redis.asyncio import Redis

from connectors.records import Alert, RecordError, decode_alert
from streams import kafka_topics
from streams.canary import is_canary_alert
from streams.dashboard.attention import Attention
from streams.kafka_offsets import client_options
from streams.kept_alerts import unpack_alert
from streams.keys import Keys
from streams.settings import KafkaSettings

KEEP_STORIES = 200
# How many alerts of each partition are read at the start.
BACKLOG = 200
RETRY_S = 2.0
# A page that is loaded anew, or looked at in turns with another, keeps its connection.
LINGERS_S = 60.0


class Alerts:
    """The latest alert of each story, the story that rang last at the end."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, Alert] = OrderedDict()
        self.version = 0
        # Set while the log is read and its end, as it was at the start, has been reached.
        self.caught_up = asyncio.Event()

    def take(self, alerts: Iterable[Alert]) -> None:
        """Keep what is newer than what is kept; repeats change nothing."""
        for alert in alerts:
            kept = self._latest.get(alert.story.id)
            if kept is not None and kept.story.revision >= alert.story.revision:
                continue
            self._latest[alert.story.id] = alert
            self._latest.move_to_end(alert.story.id)
            self.version += 1
        while len(self._latest) > KEEP_STORIES:
            self._latest.popitem(last=False)

    def newest(self, count: int) -> list[Alert]:
        """Up to `count` stories, the one seen last first."""
        ordered = sorted(self._latest.values(), key=lambda alert: alert.story.last_seen)
        return ordered[::-1][:count]

    def get(self, story_id: str) -> Alert | None:
        """The latest alert of a story."""
        return self._latest.get(story_id)


async def recall_alerts(redis: Redis, keys: Keys) -> list[Alert]:
    """The latest alerts that the ledger holds, for stories whose alerts Kafka no longer has:
    the embedded broker forgets everything when it ends.

    Raises:
        RedisError: Redis is away; ask again.
    """
    ids: list[Any] = list(await redis.zrevrange(keys.stories, 0, KEEP_STORIES - 1))
    pipe = redis.pipeline(transaction=False)
    for story_id in ids:
        pipe.hget(f"{keys.tag}ledger:alert:{story_id.decode()}", "raw")
    kept: list[bytes | None] = await pipe.execute() if ids else []
    return list(_decoded(raw and unpack_alert(raw) for raw in kept))


async def follow_alerts(
    settings: KafkaSettings, alerts: Alerts, attention: Attention, stop: asyncio.Event
) -> None:
    """Read alerts into `alerts` while somebody looks on, until `stop`; begins anew after every
    fault of the broker. Who sets `stop` ends the attention too.
    """
    while not stop.is_set():
        await attention.somebody()
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            await _follow(settings, alerts, attention, stop)
        if attention.watched:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S):
                    await stop.wait()


async def _follow(
    settings: KafkaSettings, alerts: Alerts, attention: Attention, stop: asyncio.Event
) -> None:
    partitions = await _partitions(settings, settings.prefix + kafka_topics.ALERTS)
    if not partitions:
        return
    consumer = AIOKafkaConsumer(
        **client_options(settings), enable_auto_commit=False, fetch_max_wait_ms=500
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        beginnings = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition, end in ends.items():
            consumer.seek(partition, max(beginnings[partition], end - BACKLOG))
        while not stop.is_set() and attention.unwatched_s() < LINGERS_S:
            if not alerts.caught_up.is_set() and await _reached(consumer, ends):
                alerts.caught_up.set()
            fetched = await consumer.getmany(*partitions, timeout_ms=500)
            for records in fetched.values():
                alerts.take(_decoded(record.value for record in records))
            if await _log_was_replaced(consumer, partitions):
                return
    finally:
        alerts.caught_up.clear()
        await consumer.stop()


async def _partitions(settings: KafkaSettings, kafka_topic: str) -> list[TopicPartition]:
    """The partitions of a Kafka topic, none while there is none; asking the embedded broker
    for one by name would create it.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        if kafka_topic not in await admin.list_topics():
            return []
        (described,) = await admin.describe_topics([kafka_topic])
    finally:
        await admin.close()
    numbers = sorted(one["partition"] for one in described["partitions"])
    return [TopicPartition(kafka_topic, number) for number in numbers]


async def _reached(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return False
    return True


async def _log_was_replaced(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> bool:
    """Whether a log ends before our position: the embedded broker was started anew."""
    for partition in partitions:
        end = consumer.highwater(partition)
        if end is not None and end < await consumer.position(partition):
            return True
    return False


def _decoded(values: Iterable[bytes | None]) -> Iterable[Alert]:
    """What can be read and is no canary; the rest is the workers' to send to the dead letters."""
    for value in values:
        if value is None:
            continue
        try:
            alert = decode_alert(value)
        except RecordError:
            continue
        if not is_canary_alert(alert):
            yield alert
