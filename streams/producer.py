"""Faust's producer, sending what belongs together as whole record batches.

Faust and aiokafka make a future, a task or two and several checks of every message, and cut
batches at 16 KB: the alerts of one batch of articles then need five round trips, one after the
other. Owns the cutting into batches by partition. Leans on private parts of faust-streaming and
aiokafka; `tests/unit/streams/test_producer.py` names them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError
from faust.transport.drivers import aiokafka as driver

# What one batch may hold: the alerts of 256 articles are some 70 KB. Far below what brokers
# take (1 MB); a longer message is a batch by itself.
BATCH_BYTES = 262_144
# Lengths, offset and time of a record in a batch, at most.
RECORD_OVERHEAD_BYTES = 128

Headers = Sequence[tuple[str, bytes]]


class BatchProducer(driver.Producer):
    """Sends many messages at once."""

    async def send_all(
        self,
        kafka_topic: str,
        messages: Sequence[tuple[bytes, bytes]],
        partition: int | None,
        headers: Headers,
    ) -> None:
        """Send (key, value) pairs in their order; returns when Kafka has confirmed all.

        Without a `partition` the keys choose. Should it raise, some may have been written.

        Raises:
            MessageSizeTooLargeError: a message is longer than a request may be.
            KafkaError: Kafka is away, or has refused.
        """
        producer = self._ensure_producer()
        await producer.partitions_for(kafka_topic)  # waits until they are known
        by_partition: dict[int, list[tuple[bytes, bytes]]] = {}
        for key, value in messages:
            if len(key) + len(value) + RECORD_OVERHEAD_BYTES > self.max_request_size:
                raise MessageSizeTooLargeError(f"a message of {len(value)} bytes for {kafka_topic}")
            to = self.key_partition(kafka_topic, key).partition if partition is None else partition
            by_partition.setdefault(to, []).append((key, value))

        async def send(to: int, together: Sequence[tuple[bytes, bytes]]) -> None:
            for batch in _batches(producer, together, headers):
                await (await producer.send_batch(batch, kafka_topic, partition=to))

        await asyncio.gather(*(send(to, together) for to, together in by_partition.items()))


def _batches(
    producer: Any, messages: Sequence[tuple[bytes, bytes]], headers: Headers
) -> Sequence[Any]:
    """The messages in as few batches as hold them."""
    batches = [producer.create_batch()]
    for key, value in messages:
        while batches[-1].append(timestamp=None, key=key, value=value, headers=headers) is None:
            batches.append(producer.create_batch())  # an empty one takes a message of any length
    for batch in batches:
        batch.close()  # nobody else's messages beside ours
    return batches
