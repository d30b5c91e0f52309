"""Whole batches of messages: how they are cut, and that what they lean on is still there."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.types.tuples import TP

from streams.app import MAX_REQUEST_BYTES, make_app
from streams.outages import who_is_away
from streams.producer import BATCH_BYTES, BatchProducer
from streams.settings import KafkaSettings


class Client:
    """Stands where aiokafka's producer does, with its real batches; Kafka confirms at once."""

    def __init__(self, away: bool = False) -> None:
        self._away = away
        self.sent: dict[int, list[BatchBuilder]] = defaultdict(list)

    async def partitions_for(self, kafka_topic: str) -> set[int]:
        return {0, 1}

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch: BatchBuilder, kafka_topic: str, *, partition: int) -> Any:
        async def confirmed() -> None:
            if self._away:
                raise KafkaConnectionError("refused")

        assert batch.closed()  # nobody adds to it
        self.sent[partition].append(batch)
        return confirmed()


def _producer(client: Client) -> Any:
    made = make_app(KafkaSettings(), "test")._new_producer()
    assert type(made) is BatchProducer
    producer: Any = made
    producer._producer = client
    producer.key_partition = lambda kafka_topic, key: TP(kafka_topic, key[0] % 2)
    return producer


async def _send(client: Client, messages: Sequence[tuple[bytes, bytes]], to: int | None) -> None:
    await _producer(client).send_all("alerts", messages, to, [("schema", b"1")])


async def test_the_alerts_of_a_batch_of_articles_are_one_batch() -> None:
    client = Client()
    await _send(client, [(b"story", b"x" * 2_000)] * 60, 1)
    assert {to: [b.record_count() for b in sent] for to, sent in client.sent.items()} == {1: [60]}


async def test_keys_choose_the_partition_where_nobody_else_does() -> None:
    client = Client()
    await _send(client, [(bytes([n]), b"x") for n in range(5)], None)
    counts = {to: [batch.record_count() for batch in sent] for to, sent in client.sent.items()}
    assert counts == {0: [3], 1: [2]}


async def test_what_one_batch_does_not_hold_is_cut_into_several() -> None:
    client = Client()
    sizes = [BATCH_BYTES // 2, BATCH_BYTES // 2, 10, 900_000, 10]
    await _send(client, [(b"key", b"x" * size) for size in sizes], 0)
    assert [batch.record_count() for batch in client.sent[0]] == [1, 2, 1, 1]


async def test_a_message_that_no_request_can_hold_is_nobodys_outage() -> None:
    client = Client()
    with pytest.raises(MessageSizeTooLargeError) as raised:
        await _send(client, [(b"key", b"x"), (b"key", b"x" * MAX_REQUEST_BYTES)], 0)
    assert not who_is_away(raised.value)
    assert not client.sent


async def test_a_kafka_that_is_away_is_heard_of() -> None:
    with pytest.raises(KafkaConnectionError) as raised:
        await _send(Client(away=True), [(bytes([n]), b"x") for n in range(4)], None)
    assert who_is_away(raised.value) == "kafka"


def test_the_names_that_it_leans_on_are_there() -> None:
    producer = make_app(KafkaSettings(), "test")._new_producer()
    assert producer.max_request_size == MAX_REQUEST_BYTES
    assert producer.max_batch_size == BATCH_BYTES
    assert hasattr(BatchProducer, "_ensure_producer")
    assert hasattr(BatchProducer, "key_partition")
    assert list(inspect.signature(AIOKafkaProducer.send_batch).parameters)[1:] == [
        "batch", "topic", "partition",
    ]  # fmt: skip
