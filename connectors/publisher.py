"""The way into Kafka: articles are published when every replica in sync has them.

Owns the one producer of a process (kafka-python: acks=all, idempotent), its rebuilding
after a fatal error, and what Kafka's errors mean to us. Does not retry for ever: the
producer tries for `DELIVERY_TIMEOUT_MS`, then the caller decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    InvalidRecordError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from connectors.call_thread import CallThread
from connectors.kafka_connection import KafkaConnection
from connectors.records import SCHEMA_HEADER, Article, encode

# One-record batches make later fetches slow; 20 ms lets a poll's articles travel together.
LINGER_MS = 20
BATCH_BYTES = 256 * 1024
# A request that a healthy broker has not answered by then will not be answered.
REQUEST_TIMEOUT_MS = 10_000
# Longer than an election of a new leader; then the caller is told, and tries again itself.
DELIVERY_TIMEOUT_MS = 20_000
CONNECT_TIMEOUT_MS = 5_000
# The producer completes every record by its own timeout; this is for the day it does not.
_CONFIRM_TIMEOUT_S = DELIVERY_TIMEOUT_MS / 1000 + 10
_CLOSE_TIMEOUT_S = 0.5
# What is the record's own fault. Everything else (no leader, no Kafka topic, no rights, a
# wiped broker) is the cluster's, passes or is put right, and must not cost an article.
_RECORD_FAULTS = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidRecordError)


@dataclass(frozen=True, slots=True)
class Message:
    """One Kafka message. `partition` None lets the key decide."""

    kafka_topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that Kafka will never take as it is. `index` is its place in the batch."""

    index: int
    reason: str


class PublishError(Exception):
    """Kafka did not confirm all of a batch.

    `retryable`: publish the whole batch again later (messages may then be there twice).
    Otherwise `refusals` names the messages that can never be published; all the others of
    the batch are confirmed.
    """

    def __init__(self, message: str, refusals: Sequence[Refusal] = ()) -> None:
        super().__init__(message)
        self.refusals = tuple(refusals)

    @property
    def retryable(self) -> bool:
        """Whether the batch is worth publishing again."""
        return not self.refusals


class Publisher:
    """Publishes articles to one Kafka topic, and messages to any. For one event loop.

    `partition` is for the embedded broker, which takes one producer per partition.
    """

    def __init__(
        self, connection: KafkaConnection, kafka_topic: str, partition: int | None = None
    ) -> None:
        self._connection = connection
        self._kafka_topic = kafka_topic
        self._partition = partition
        self._thread = CallThread("kafka-publisher")
        self._producer: Any = None  # touched on the thread only
        self._closed = False

    async def publish(self, articles: Sequence[Article]) -> None:
        """Publish articles; returns when Kafka has confirmed all of them.

        Raises:
            RecordError: an article is over a limit; nothing of the batch was published.
            PublishError: see there; what to do depends on `retryable`.
        """
        await self.publish_encoded([(article.id, encode(article)) for article in articles])

    async def publish_encoded(self, articles: Sequence[tuple[str, bytes]]) -> None:
        """Publish articles given as (id, JSON); see `publish`."""
        await self.send(
            [
                Message(
                    self._kafka_topic,
                    article_id.encode("utf-8", "replace"),
                    raw,
                    (SCHEMA_HEADER,),
                    self._partition,
                )
                for article_id, raw in articles
            ]
        )

    async def publish_raw(
        self,
        kafka_topic: str,
        key: bytes,
        value: bytes,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Publish one message to another Kafka topic, confirmed; see `publish`."""
        await self.send([Message(kafka_topic, key, value, tuple(headers), self._partition)])

    async def send(self, messages: Sequence[Message]) -> None:
        """Publish messages together; returns when Kafka has confirmed all of them.

        Raises:
            PublishError: see there.
        """
        if not messages:
            return
        if self._closed:
            raise PublishError("the publisher is closed")
        outcome = _Outcome(len(messages), asyncio.get_running_loop())
        try:
            async with asyncio.timeout(_CONFIRM_TIMEOUT_S):
                await self._thread.call(lambda: self._send_all(messages, outcome))
                await outcome.complete
        except TimeoutError as error:
            await self._discard(outcome)
            raise PublishError("Kafka did not confirm in time") from error
        except (KafkaError, ValueError, OSError) as error:
            await self._discard(outcome)
            raise PublishError(describe(error)) from error
        faults = [fault for fault in outcome.errors if not isinstance(fault[1], _RECORD_FAULTS)]
        if faults:
            await self._discard(outcome)
            raise PublishError(describe(faults[0][1])) from faults[0][1]
        if outcome.errors:
            refusals = [Refusal(index, describe(error)) for index, error in outcome.errors]
            raise PublishError(f"Kafka refused {len(refusals)} messages", refusals)

    async def close(self) -> None:
        """Give the producer half a second to finish, then end it. May be called twice."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S + 0.2):
                await self._thread.call(lambda: self._end_producer(_CLOSE_TIMEOUT_S))
        self._thread.end()

    def _send_all(self, messages: Sequence[Message], outcome: _Outcome) -> None:
        """On the thread. Blocks only to connect and to learn of a new Kafka topic."""
        if self._producer is None:
            self._producer = _build_producer(self._connection)
        outcome.producer = self._producer
        for index, message in enumerate(messages):
            try:
                future = self._producer.send(
                    message.kafka_topic,
                    key=message.key,
                    value=message.value,
                    headers=list(message.headers),
                    partition=message.partition,
                )
            except _RECORD_FAULTS as error:
                outcome.failed(index, error)
                continue
            future.add_callback(outcome.confirmed)
            future.add_errback(outcome.fault(index))

    async def _discard(self, outcome: _Outcome) -> None:
        """Drop the producer that failed, if it is still ours: the next batch builds one.

        After a wiped broker an idempotent producer never recovers, and no error that
        reaches us is one it could still repair by itself.
        """
        if self._closed:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._thread.call(lambda: self._end_producer(0, outcome.producer))

    def _end_producer(self, timeout_s: float, failed: Any = None) -> None:
        if self._producer is None or (failed is not None and failed is not self._producer):
            return
        producer, self._producer = self._producer, None
        try:
            producer.close(timeout=timeout_s)
        except KafkaError:
            # It stops closing when it cannot flush; without this its thread lives on.
            producer._sender.force_close()


def describe(error: BaseException) -> str:
    """One line for a person: what kind of error, and its beginning."""
    name, said = type(error).__name__, " ".join(str(error).split())
    return (said if said.startswith((name, "[Error")) else f"{name}: {said}")[:300]


class _Outcome:
    """What became of each message of a batch; tells the event loop once, at the end."""

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self.complete: asyncio.Future[None] = loop.create_future()
        self.errors: list[tuple[int, Exception]] = []
        self.producer: Any = None
        self._open = count
        self._loop = loop
        self._lock = threading.Lock()  # the producer's thread and ours both report

    def confirmed(self, _metadata: object) -> None:
        self._one_less()

    def failed(self, index: int, error: Exception) -> None:
        self.errors.append((index, error))
        self._one_less()

    def fault(self, index: int) -> Callable[[Exception], None]:
        return lambda error: self.failed(index, error)

    def _one_less(self) -> None:
        with self._lock:
            self._open -= 1
            last = self._open == 0
        if last:
            with contextlib.suppress(RuntimeError):  # the loop has closed
                self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.complete.done():
            self.complete.set_result(None)


def _build_producer(connection: KafkaConnection) -> Any:
    return KafkaProducer(
        **connection.options(),
        client_id="wirebell",
        acks="all",
        enable_idempotence=True,
        linger_ms=LINGER_MS,
        batch_size=BATCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
        bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
        max_block_ms=CONNECT_TIMEOUT_MS,
        reconnect_backoff_max_ms=1_000,
        allow_auto_create_topics=False,  # ours are declared, with partitions and retention
        metrics_enabled=False,
    )
