"""Faust's consumer on the worker's own loop: that the parts it leans on are still there."""

from __future__ import annotations

import asyncio
import inspect
import threading
from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode.threads import ServiceThread

from streams.app import EMBEDDED_FETCH_WAIT_MS, FETCH_WAIT_MS, make_app
from streams.fetch_pace import AT_BROKER_MS, FetchPace
from streams.settings import KafkaSettings
from streams.transport import EagerConsumerThread, LoopConsumer, _hand_on_as_read, _pace


async def test_the_consumer_lives_on_the_workers_loop() -> None:
    consumer: Any = make_app(KafkaSettings(), "test").consumer
    loop = asyncio.get_running_loop()
    thread = consumer._thread
    assert type(thread) is LoopConsumer
    assert thread.thread_loop is thread.parent_loop is loop
    seen = await thread.call_thread(threading.current_thread)
    assert seen is threading.current_thread()


def test_fausts_own_way_keeps_its_thread() -> None:
    consumer: Any = make_app(KafkaSettings(whole_slices=False), "test").consumer
    assert type(consumer._thread) is EagerConsumerThread


def test_the_names_that_it_leans_on_are_there() -> None:
    assert "self._thread_started.set()" in inspect.getsource(ServiceThread.start)
    for name in ("_default_start", "_shutdown_thread", "_get_tasks"):
        assert hasattr(ServiceThread, name), name
    for name in ("_ensure_consumer", "_create_worker_consumer", "call_thread"):
        assert hasattr(AIOKafkaConsumerThread, name), name
    source = inspect.getsource(Fetcher)
    for name in (
        "_fetch_max_wait_ms",
        "_fetch_waiters",
        "_fetcher_timeout",
        "def _notify",
        "_proc_fetch_request(",
    ):
        assert name in source, name


def test_only_the_embedded_broker_is_asked_at_our_own_pace() -> None:
    embedded = make_app(KafkaSettings(embedded=True), "test")
    assert embedded.fetch_wait_ms == AT_BROKER_MS
    assert embedded.fetch_pace is not None
    stock = make_app(KafkaSettings(embedded=True, whole_slices=False), "test")
    assert stock.fetch_wait_ms == EMBEDDED_FETCH_WAIT_MS
    apache = make_app(KafkaSettings(), "test")
    assert apache.fetch_wait_ms == FETCH_WAIT_MS
    assert stock.fetch_pace is apache.fetch_pace is None


async def test_a_fetch_waits_for_its_turn_and_one_that_is_called_off_found_nothing() -> None:
    pace, asked = FetchPace(), []

    async def fetch(*request: object) -> bool:
        asked.append(request)
        return True

    fetcher: Any = SimpleNamespace(_proc_fetch_request=fetch, _fetch_max_wait_ms=0)
    _pace(fetcher, pace)
    waiting = asyncio.create_task(fetcher._proc_fetch_request("assignment", 1, "request"))
    await asyncio.sleep(0)
    assert not asked
    pace.nudge()
    assert await waiting
    assert asked == [("assignment", 1, "request")]
    called_off = asyncio.create_task(fetcher._proc_fetch_request("assignment", 1, "request"))
    await asyncio.sleep(0)
    called_off.cancel()
    assert await called_off is False
    assert len(asked) == 1


def _fetched(offsets: range) -> FetchResult:
    """What aiokafka makes of a real record batch."""
    partition = TopicPartition("articles", 1)
    batch = BatchBuilder(10_000, 0)
    for offset in offsets:
        batch.append(timestamp=1, key=b"k", value=b"%d" % offset, headers=[("schema", b"1")])
    records = PartitionRecords(
        partition, MemoryRecords(bytes(batch._build())), [], 0, None, None, True, 0
    )
    state = SimpleNamespace(paused=False, position=0, consumed_to=lambda position: None)
    assignment = SimpleNamespace(active=True, state_value=lambda partition: state)
    return FetchResult(partition, assignment=assignment, partition_records=records, backoff=0)


async def test_records_are_handed_on_as_they_were_read() -> None:
    fetcher: Any = SimpleNamespace(_records={})

    async def fetch(*request: object) -> bool:
        fetcher._records = {1: _fetched(range(3)), 2: FetchError(error=OSError(), backoff=0)}
        return True

    fetcher._proc_fetch_request = fetch
    _hand_on_as_read(fetcher)
    assert await fetcher._proc_fetch_request("assignment", 1, "request")
    records = fetcher._records[1].getall()
    assert [(each.offset, each.key, each.value) for each in records] == [
        (0, b"k", b"0"), (1, b"k", b"1"), (2, b"k", b"2"),
    ]  # fmt: skip
    assert all(("schema", b"1") in each.headers for each in records)
    assert not any(isinstance(each, ConsumerRecord) for each in records)
