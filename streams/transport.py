"""Faust's Kafka consumer, bent where it has to be: its fetches, its thread, its drain.

Owns the transports that `streams/app.py` chooses from. Leans on private parts of faust-streaming
and aiokafka; `tests/unit/streams/test_transport.py` names them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult
from faust.transport.drivers import aiokafka as driver
from mode.utils.futures import maybe_async

from streams.fetch_pace import FetchPace
from streams.producer import BatchProducer
from streams.slices import SliceDrain

# The embedded broker lets the first member of a group wait for half the session that it asks
# for, in whole seconds: 3 s for 6. A member that asks for 2 waits one; should it then be silent
# for 2 s it joins again, with the session that is meant, which takes another second.
FIRST_SESSION_MS = 2_000
# All that a fetcher waits for tells it so; aiokafka has it look five times a second all the same.
FETCHER_LOOKS_S = 2.0


class EagerConsumerThread(driver.AIOKafkaConsumerThread):
    """The driver's consumer with our fetch wait: Faust hard-codes 1,500 ms."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        app: Any = self.app
        consumer._fetch_max_wait_ms = app.fetch_wait_ms
        return consumer


class LoopConsumer(EagerConsumerThread):
    """The same on the worker's own event loop: no thread, so that no call crosses threads and
    nobody waits for the interpreter's lock.

    A batch keeps the group's heartbeats waiting, so batches are bounded (streams/batches.py).
    """

    def __init__(self, consumer: Any, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(consumer, loop=loop, thread_loop=loop, **options)

    async def start(self) -> None:
        """Start here and now; raises what the consumer raised."""
        self._thread_started.set()
        await self._default_start()
        consumer, app = self._ensure_consumer(), cast(Any, self.app)
        self._session_ms = consumer._coordinator._session_timeout_ms
        _hand_on_as_read(consumer._fetcher)
        if app.fetch_pace is not None:
            _pace(consumer._fetcher, app.fetch_pace)
            consumer._coordinator._session_timeout_ms = FIRST_SESSION_MS

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        """We have joined; the next time we do so with the session that is meant."""
        self._ensure_consumer()._coordinator._session_timeout_ms = self._session_ms
        await super().on_partitions_assigned(assigned, generation_id)

    async def stop(self) -> None:
        """Leave the group and close."""
        if self._started.is_set() and not self._stopped.is_set():
            self._stopped.set()
            await self._shutdown_thread()

    async def call_thread(self, fun: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Call it."""
        return await maybe_async(fun(*given, **named))

    def wake(self) -> None:
        """Have a fetch that waits for records look again at what it may hand on."""
        if self._consumer is not None:
            fetcher = self._consumer._fetcher
            for waiter in list(fetcher._fetch_waiters):
                fetcher._notify(waiter)

    def _get_tasks(self) -> Iterable[Any]:
        return ()  # what keeps a thread's loop turning


class EagerConsumer(driver.Consumer):
    """Consumes through a thread, as Faust does."""

    def _new_consumer_thread(self) -> EagerConsumerThread:
        return EagerConsumerThread(self, loop=self.loop, beacon=self.beacon)


class SliceConsumer(SliceDrain, driver.Consumer):
    """Hands on whole slices of partitions, on the worker's own loop."""

    def _new_consumer_thread(self) -> LoopConsumer:
        return LoopConsumer(self, loop=self.loop, beacon=self.beacon)


class EagerTransport(driver.Transport):
    """Makes those that go Faust's way."""

    Consumer = EagerConsumer
    Producer = BatchProducer


class SliceTransport(driver.Transport):
    """Makes those that hand on slices."""

    Consumer = SliceConsumer
    Producer = BatchProducer


def _hand_on_as_read(fetcher: Any) -> None:
    """Have fetched records handed on as they were read from the wire: a ConsumerRecord of each,
    with fields that nobody asks for, costs as much as reading it. Topic and partition stand in
    the slice that it comes in.
    """
    fetch: Callable[..., Awaitable[bool]] = fetcher._proc_fetch_request

    async def fetched(assignment: Any, node_id: Any, request: Any) -> bool:
        found = await fetch(assignment, node_id, request)
        for result in fetcher._records.values():
            if isinstance(result, FetchResult) and result.has_more():
                result._partition_records._consumer_record = _as_read
        return found

    fetcher._proc_fetch_request = fetched


def _as_read(_partition: Any, record: Any) -> Any:
    return record


def _pace(fetcher: Any, pace: FetchPace) -> None:
    """Have every fetch wait for its turn. A fetch that is called off found nothing."""
    fetch: Callable[..., Awaitable[bool]] = fetcher._proc_fetch_request

    async def paced(assignment: Any, node_id: Any, request: Any) -> bool:
        try:
            await pace.wait()
        except asyncio.CancelledError:
            return False
        found = await fetch(assignment, node_id, request)
        pace.fetched(found)
        fetcher._fetch_max_wait_ms = pace.at_broker_ms  # of the fetch after the next
        return found

    fetcher._proc_fetch_request = paced
    fetcher._fetcher_timeout = FETCHER_LOOKS_S
