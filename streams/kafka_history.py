"""The history of a Kafka topic: every value in it, from its beginning to where it ends now.

Owns reading to the end on either broker. Joins no group and commits nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.settings import KafkaSettings
from streams.topic_setup import KafkaAwayError, wanted_kafka_topics

# No answer from a partition for so long: Kafka is away.
SILENCE_S = 10.0
CONNECT_TIMEOUT_MS, POLL_MS = 5_000, 200


def read_values(kafka: KafkaSettings, kafka_topic: str) -> Iterator[bytes]:
    """Every value of a Kafka topic, in order within each partition. Blocks.

    Raises:
        KafkaAwayError: Kafka cannot be reached, or has no such Kafka topic.
    """
    try:
        consumer = KafkaConsumer(
            **kafka.connection().options(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
        )
    except KafkaError as error:
        raise KafkaAwayError(f"Kafka is away: {error}") from error
    try:
        wanted = {each.name: each.partitions for each in wanted_kafka_topics(kafka)}
        numbers = consumer.partitions_for_topic(kafka_topic) or range(wanted[kafka_topic])
        partitions = [TopicPartition(kafka_topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        yield from _until_end(consumer, partitions)
    except KafkaError as error:
        raise KafkaAwayError(f"Kafka is away: {error}") from error
    finally:
        consumer.close()


def _until_end(consumer: KafkaConsumer, partitions: Sequence[TopicPartition]) -> Iterator[bytes]:
    """Every value up to where each partition ended at the last fetch of it. What the embedded
    broker says of ends elsewhere is wrong; what it says beside fetched records is right.
    """
    heard_at = time.monotonic()
    while True:
        fetched = consumer.poll(timeout_ms=POLL_MS)
        for records in fetched.values():
            yield from (record.value for record in records if record.value)
        if fetched:
            heard_at = time.monotonic()
        ends = {each: consumer.highwater(each) for each in partitions}
        if all(end is not None and consumer.position(each) >= end for each, end in ends.items()):
            return
        if time.monotonic() - heard_at > SILENCE_S:
            raise KafkaAwayError(f"Kafka does not answer for {partitions[0].topic}")
