"""Both lanes are a Kafka that our two clients, kafka-python and aiokafka, can talk to."""

from __future__ import annotations

import asyncio

import aiokafka
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from tests.kafka.apache import ApacheKafka
from tests.lanes import Lane, read_kafka_topic, wait_until


def _create(lane: Lane, kafka_topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=lane.bootstrap_servers)
    admin.create_topics([NewTopic(kafka_topic, 2, 1)])
    wait_until(lambda: kafka_topic in admin.list_topics())
    admin.close()


def _produce(lane: Lane, kafka_topic: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=lane.bootstrap_servers)
    producer.send(kafka_topic, value, key=b"key", partition=0).get(10)
    producer.close()


async def test_a_group_of_aiokafka_reads_what_kafka_python_wrote(kafka: Lane) -> None:
    kafka_topic = kafka.prefix + "talk"
    await asyncio.to_thread(_create, kafka, kafka_topic)
    await asyncio.to_thread(_produce, kafka, kafka_topic, b"hello")
    consumer = aiokafka.AIOKafkaConsumer(
        kafka_topic,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=kafka.prefix + "group",
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
    )
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 20)
        assert (record.key, record.value) == (b"key", b"hello")
        await consumer.commit()
    finally:
        await consumer.stop()


def test_apache_kafka_keeps_its_log_over_a_kill(
    apache_kafka: ApacheKafka | None, kafka_prefix: str
) -> None:
    if apache_kafka is None:
        pytest.skip("the cluster that KAFKA_BOOTSTRAP_SERVERS names is not ours to kill")
    apache_kafka.start()
    lane = Lane("apache", apache_kafka.bootstrap_servers, kafka_prefix, apache_kafka)
    kafka_topic = kafka_prefix + "kept"
    _create(lane, kafka_topic)
    _produce(lane, kafka_topic, b"kept")
    apache_kafka.kill()
    apache_kafka.start()
    assert [record.value for record in read_kafka_topic(lane, kafka_topic, 2)] == [b"kept"]
