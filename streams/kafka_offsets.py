"""Where the Kafka topics end and what the workers have committed, read from outside the group.

Owns the two reads and the broker's wrong answer to one of them. Keeps no history and judges
nothing: streams/observations.py and streams/lag.py do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorForGroupError,
)

from streams.settings import KafkaSettings

# All reads of one look together; the page looks again two seconds later.
TIMEOUT_S = 8.0
REQUEST_TIMEOUT_MS = 5_000
COORDINATOR_WAIT_S = 5.0


class BrokerAwayError(Exception):
    """The broker does not answer; the message is one line without addresses of ours."""


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """One partition now: the log's beginning and end, and the group's offset (None: none)."""

    kafka_topic: str
    partition: int
    beginning: int
    end: int
    committed: int | None


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """How an aiokafka client of any kind reaches the configured cluster."""
    return {**settings.connection().options(), "request_timeout_ms": REQUEST_TIMEOUT_MS}


class KafkaOffsets:
    """Reads offsets over two connections that it keeps, and makes anew after a fault.

    Joins no group, so it can never disturb a worker. One `read` at a time.
    """

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        self._options = client_options(settings)
        self._embedded = settings.embedded
        self._group = group
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None

    async def read(self, kafka_topics: Iterable[str]) -> tuple[PartitionOffsets, ...]:
        """Look at every partition of these Kafka topics; unknown ones are left out.

        Raises:
            BrokerAwayError: the broker does not answer; ask again later.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._read(kafka_topics)
        except (KafkaError, OSError, TimeoutError, ValueError) as error:
            await self.close()
            raise BrokerAwayError(_brief(error)) from error

    async def close(self) -> None:
        """Give back the connections. May be called twice; `read` opens them again."""
        consumer, admin, self._consumer, self._admin = self._consumer, self._admin, None, None
        for client in (consumer.stop if consumer else None, admin.close if admin else None):
            if client is None:
                continue
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await client()
            except (KafkaError, OSError, TimeoutError):
                continue

    async def _read(self, kafka_topics: Iterable[str]) -> tuple[PartitionOffsets, ...]:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                **self._options,
                enable_auto_commit=False,
                max_partition_fetch_bytes=1,  # one batch a partition is all we look at
                fetch_max_wait_ms=50,
            )
            await self._consumer.start()
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(**self._options)
            await self._admin.start()
        wanted = await self._partitions(self._admin, kafka_topics)
        if not wanted:
            return ()
        beginnings = await self._consumer.beginning_offsets(wanted)
        ends = await self._consumer.end_offsets(wanted)
        if self._embedded:
            ends = await self._true_ends(self._consumer, ends)
        committed = await self._committed(self._admin, wanted)
        return tuple(
            PartitionOffsets(
                each.topic,
                each.partition,
                beginnings[each],
                ends[each],
                committed.get(each),
            )
            for each in wanted
        )

    async def _partitions(
        self, admin: AIOKafkaAdminClient, kafka_topics: Iterable[str]
    ) -> list[TopicPartition]:
        # Only what exists: asking the embedded broker for a Kafka topic by name creates it.
        existing = set(await admin.list_topics())
        names = [name for name in kafka_topics if name in existing]
        described = await admin.describe_topics(names) if names else []
        return [
            TopicPartition(entry["topic"], partition["partition"])
            for entry in described
            if entry["error_code"] == 0
            for partition in sorted(entry["partitions"], key=lambda one: one["partition"])
        ]

    async def _committed(
        self, admin: AIOKafkaAdminClient, wanted: list[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """What the group has committed. A cluster that never had a group first makes the
        place for it, and a coordinator may be moving: both answer after a moment.
        """
        deadline = asyncio.get_running_loop().time() + COORDINATOR_WAIT_S
        while True:
            try:
                found = await admin.list_consumer_group_offsets(self._group, partitions=wanted)
                break
            except (
                GroupCoordinatorNotAvailableError,
                GroupLoadInProgressError,
                NotCoordinatorForGroupError,
            ):
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                await asyncio.sleep(0.2)
        return {each: entry.offset for each, entry in found.items() if entry.offset >= 0}

    async def _true_ends(
        self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """The embedded broker (Tansu 0.6.0) names the first offset of the last batch, plus
        one, as the end. Reading that batch tells the true one.
        """
        unread = {each for each, end in ends.items() if end > 0}
        true = dict(ends)
        consumer.assign(list(ends))
        for each, end in ends.items():
            consumer.seek(each, max(0, end - 1))
        try:
            while unread:
                fetched = await consumer.getmany(*unread, timeout_ms=500)
                if not fetched:
                    break  # the log was emptied meanwhile; the next look sees it
                for each, records in fetched.items():
                    if records:
                        true[each] = max(true[each], records[-1].offset + 1)
                        unread.discard(each)
        finally:
            consumer.unsubscribe()  # or it would fetch on, all the time, for nobody
        return true


def _brief(error: Exception) -> str:
    if isinstance(error, TimeoutError | KafkaTimeoutError):
        return "no answer in time"
    if isinstance(error, KafkaConnectionError | OSError):
        return "no connection"
    return type(error).__name__
