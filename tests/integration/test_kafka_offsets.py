"""Offsets read from outside the group, on both Kafkas."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.kafka_offsets import BrokerAwayError, KafkaOffsets, PartitionOffsets
from streams.kafka_topics import ARTICLES
from streams.topic_setup import create_kafka_topics
from tests.lanes import Lane


async def produce(lane: Lane, count: int) -> str:
    """Put `count` records on partition 0 of the articles, in batches of many."""
    kafka_topic = lane.prefix + ARTICLES
    producer = AIOKafkaProducer(bootstrap_servers=lane.bootstrap_servers, acks="all", linger_ms=20)
    await producer.start()
    try:
        sends = [await producer.send(kafka_topic, b"x" * 500, partition=0) for _ in range(count)]
        await asyncio.gather(*sends)
    finally:
        await producer.stop()
    return kafka_topic


async def commit(lane: Lane, group: str, kafka_topic: str, offset: int) -> None:
    partition = TopicPartition(kafka_topic, 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=lane.bootstrap_servers,
        group_id=group,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.commit({partition: offset})
    finally:
        await consumer.stop()


@pytest.fixture
def lane(kafka: Lane) -> Lane:
    create_kafka_topics(kafka.settings(partitions=2))
    return kafka


async def test_ends_are_exact_although_records_came_in_batches(lane: Lane) -> None:
    kafka_topic = await produce(lane, 700)
    offsets = KafkaOffsets(lane.settings(), lane.prefix + "group")
    try:
        first = await offsets.read([kafka_topic])
        await produce(lane, 301)
        second = await offsets.read([kafka_topic])
    finally:
        await offsets.close()
    assert [one.end for one in first if one.partition == 0] == [700]
    assert [one.end for one in second if one.partition == 0] == [1001]
    assert sum(one.end for one in second) == 1001
    assert {one.committed for one in second} == {None}


async def test_committed_offsets_of_the_group_are_seen(lane: Lane) -> None:
    kafka_topic = await produce(lane, 50)
    await commit(lane, lane.prefix + "group", kafka_topic, 20)
    offsets = KafkaOffsets(lane.settings(), lane.prefix + "group")
    try:
        seen = await offsets.read([kafka_topic])
    finally:
        await offsets.close()
    assert [(one.committed, one.end) for one in seen if one.partition == 0] == [(20, 50)]


async def test_looking_at_a_missing_kafka_topic_does_not_create_it(kafka: Lane) -> None:
    offsets = KafkaOffsets(kafka.settings(), kafka.prefix + "group")
    try:
        assert await offsets.read([kafka.prefix + "missing"]) == ()
        assert await offsets.read([kafka.prefix + "missing"]) == ()
    finally:
        await offsets.close()


async def test_a_broker_that_goes_away_is_said_to_be_and_is_found_again(lane: Lane) -> None:
    if lane.server is None:
        pytest.skip("the cluster is somebody else's")
    kafka_topic = lane.prefix + ARTICLES
    offsets = KafkaOffsets(lane.settings(), lane.prefix + "group")
    try:
        assert await offsets.read([kafka_topic])
        lane.server.kill()
        for _ in range(2):
            with pytest.raises(BrokerAwayError):
                await offsets.read([kafka_topic])
        lane.server.start()
        if lane.embedded:  # its log went with it
            create_kafka_topics(lane.settings(partitions=2))
        seen = await _found_again(offsets, kafka_topic)
    finally:
        await offsets.close()
    assert {one.kafka_topic for one in seen} == {kafka_topic}


async def _found_again(offsets: KafkaOffsets, kafka_topic: str) -> tuple[PartitionOffsets, ...]:
    """Ask until the broker answers and has the Kafka topic, up to half a minute."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(BrokerAwayError):
                if seen := await offsets.read([kafka_topic]):
                    return seen
            await asyncio.sleep(0.1)
