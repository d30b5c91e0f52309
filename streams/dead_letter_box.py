"""The dead letters that Kafka holds: read them all, and send some back to where they came from.

Owns reading the Kafka topic to its end, choosing, and the way back. A replayed letter stays
in Kafka: what is replayed twice is settled once, since every step may be repeated.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from connectors.publisher import Message, Publisher, PublishError
from connectors.records import SCHEMA_HEADER, RecordError
from streams.dead_letters import DeadLetter, decode_dead_letter
from streams.kafka_topics import ALERTS, ARTICLES, DEAD_LETTERS, PRODUCER_PARTITIONS
from streams.settings import KafkaSettings
from streams.topic_setup import KafkaAwayError, wanted_kafka_topics

# No answer from a partition for so long: Kafka is away.
SILENCE_S = 10.0
CONNECT_TIMEOUT_MS, POLL_MS = 5_000, 200
# So many are sent together; a letter is up to 1 MB.
TOGETHER = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant. Empty fields mean any; `ids` are ids or their beginnings."""

    stages: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    def holds(self, letter: DeadLetter) -> bool:
        """Whether the letter is meant."""
        return (
            (not self.stages or letter.stage in self.stages)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.ids or letter.id.startswith(self.ids))
        )


def read_dead_letters(kafka: KafkaSettings, choice: Choice) -> list[DeadLetter]:
    """The chosen letters, oldest first, each id once (its latest), read to the end. Blocks.

    Raises:
        KafkaAwayError: Kafka cannot be reached, or has no such Kafka topic.
    """
    latest: dict[str, DeadLetter] = {}
    for raw in _read_all(kafka, kafka.prefix + DEAD_LETTERS):
        try:
            letter = decode_dead_letter(raw)
        except RecordError:
            continue  # not ours
        if choice.holds(letter):
            latest[letter.id] = letter
    return sorted(latest.values(), key=lambda letter: letter.at)


def way_back(letter: DeadLetter, kafka: KafkaSettings) -> str:
    """The Kafka topic that a letter goes back to; "" for what never was whole in Kafka."""
    if letter.cut or not letter.raw:
        return ""
    if letter.stage == "deliver":
        return kafka.prefix + ALERTS
    known = (kafka.prefix + ARTICLES, kafka.prefix + ALERTS)
    return letter.origin.kafka_topic if letter.origin.kafka_topic in known else ""


async def replay(kafka: KafkaSettings, letters: Iterable[DeadLetter]) -> int:
    """Send letters back, those that have a way; how many Kafka has confirmed. Repeatable.

    Raises:
        KafkaAwayError: not all were confirmed; replay again.
    """
    partition = PRODUCER_PARTITIONS["replay"] if kafka.embedded else None
    messages = [
        Message(kafka_topic, letter.key, letter.raw, (SCHEMA_HEADER,), partition)
        for letter in letters
        if (kafka_topic := way_back(letter, kafka))
    ]
    publisher = Publisher(kafka.connection(), kafka.prefix + ARTICLES, partition)
    try:
        for start in range(0, len(messages), TOGETHER):
            await publisher.send(messages[start : start + TOGETHER])
    except PublishError as error:
        raise KafkaAwayError(str(error)) from error
    finally:
        await publisher.close()
    return len(messages)


def _read_all(kafka: KafkaSettings, kafka_topic: str) -> Iterator[bytes]:
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
