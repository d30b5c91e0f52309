"""Whole slices of partitions, from Faust's consumer to our hands without a task per record.

Faust makes four asyncio tasks, a message, an event and a queue entry of every record. Here
what one fetch brought of a partition stays one list until a batch is cut from it. Owns the
drain that replaces Faust's, what waits between it and the agents, and the bookkeeping of both:
offsets, gaps, rebalances, too much waiting. Committing stays Faust's.

Leans on private parts of faust-streaming, which is pinned; `tests/unit/streams/test_slices.py`
names them. `kafka.whole_slices = false` goes Faust's own way instead.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import attrgetter
from time import monotonic
from typing import Any

import structlog
from faust.transport.consumer import ensure_TP
from mode.utils.futures import notify

from connectors.records import SCHEMA_HEADER
from streams.batches import BATCH_BYTES, BATCH_RECORDS, Held
from streams.dead_letters import Origin

# A partition with so much waiting is not fetched until it has fallen to a quarter. A fetch
# brings up to 1,000 records or 1 MiB of a partition: one is worked on while the next comes.
FULL_RECORDS, FULL_BYTES = 1_000, 4_000_000
# All partitions are full, or none is ours yet: look again.
NOTHING_TO_FETCH_S = 0.05
FETCH_TURN_S = 1.0

_log = structlog.get_logger("wirebell.worker")


@dataclass(slots=True)
class _Slice:
    """What a fetch brought of a partition; records before `position` are taken."""

    partition: Any
    generation: int
    records: Sequence[Any]
    position: int = 0


class Slices:
    """The records of one Kafka topic that wait for its agent, in the order they came."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._waiting: deque[_Slice] = deque()
        self._records: Counter[Any] = Counter()
        self._bytes: Counter[Any] = Counter()
        self._some = asyncio.Event()
        app.flow_control.manage_queue(self)  # a rebalance clears us as it clears Faust's queues

    def put(self, partition: Any, generation: int, records: Sequence[Any]) -> None:
        """Add what a fetch brought; tells the consumer when that is enough."""
        self._waiting.append(_Slice(partition, generation, records))
        self._records[partition] += len(records)
        self._bytes[partition] += sum(_sizes(records))
        if self._records[partition] >= FULL_RECORDS or self._bytes[partition] >= FULL_BYTES:
            self._app.consumer.on_buffer_full(partition)
        self._some.set()

    async def wait(self) -> None:
        """Wait until there is something to take."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()

    def take(self, records: int, size: int) -> Iterator[tuple[Any, int, Sequence[Any]]]:
        """What is there, up to the limits and one record at least: partition, generation, and
        records in a row.
        """
        while self._waiting and records > 0 and size > 0:
            first = self._waiting[0]
            run = first.records[first.position : first.position + records]
            sizes = _sizes(run)
            if sum(sizes) > size:
                reached = accumulate(sizes)
                run = run[: 1 + next(at for at, so_far in enumerate(reached) if so_far >= size)]
                sizes = sizes[: len(run)]
            first.position += len(run)
            if first.position == len(first.records):
                self._waiting.popleft()
            records -= len(run)
            size -= sum(sizes)
            self._taken(first.partition, len(run), sum(sizes))
            yield first.partition, first.generation, run

    def clear(self) -> None:
        """Forget everything: it will be fetched again by whoever has the partition then."""
        for partition in self._records:
            self._app.consumer._buffered_partitions.discard(partition)
        self._waiting.clear()
        self._records.clear()
        self._bytes.clear()

    def _taken(self, partition: Any, records: int, size: int) -> None:
        self._records[partition] -= records
        self._bytes[partition] -= size
        if (
            4 * self._records[partition] <= FULL_RECORDS
            and 4 * self._bytes[partition] <= FULL_BYTES
        ):
            self._app.consumer.on_buffer_drop(partition)


class SliceDrain:
    """Mixed into Faust's consumer: puts fetched slices where their agent takes them.

    The order of its checks is Faust's own (`Consumer._drain_messages` and `getmany`).
    """

    async def _drain_messages(self: Any, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await asyncio.sleep(0)
                await self._drain_once()
        except (*self.consumer_stopped_errors, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def on_partitions_revoked(self: Any, revoked: Any) -> None:
        """Commit what is done. Faust forgets what was acknowledged before it commits here: up to a
        second of work would be done again by whoever has the partitions next.
        """
        await self.maybe_wait_for_commit_to_finish()
        await self.commit()
        await super().on_partitions_revoked(revoked)  # type: ignore[misc]

    def on_buffer_drop(self: Any, partition: Any) -> None:
        """A full partition has been worked off: hand on what a fetch has brought of it."""
        if partition in self._buffered_partitions:
            super().on_buffer_drop(partition)  # type: ignore[misc]
            self._thread.wake()

    async def _drain_once(self: Any) -> None:
        if self.flow_active and not self._get_active_partitions():
            await asyncio.sleep(NOTHING_TO_FETCH_S)
            return
        fetched, active = await self._wait_next_records(FETCH_TURN_S)
        generation = self.app.consumer_generation_id
        if fetched is None or self.should_stop:
            return
        if not self.flow_active:
            # What was fetched is dropped, so the position must go back.
            try:
                await self.perform_seek()
            except Exception as error:  # noqa: BLE001 - as Faust: the rebalance seeks again
                _log.warning("cannot seek during a rebalance", error=str(error))
            return
        for fetched_partition, records in fetched.items():
            partition = ensure_TP(fetched_partition)  # aiokafka's looks alike and is not one
            if partition not in active and partition not in self._buffered_partitions:
                continue
            if not await self._pass_on(partition, generation, records):
                return  # a rebalance: its end seeks to what is committed

    async def _pass_on(self: Any, partition: Any, generation: int, records: Sequence[Any]) -> bool:
        app = self.app
        read = self._read_offset[partition]
        if read is not None and records[0].offset < read:
            records = [record for record in records if record.offset >= read]
            if not records:
                return True
        for first, last in _gaps(read, records):
            await self._add_gap(partition, first, last)
        if not app.flow_control.is_active():
            await self.wait_first(app.flow_control.acquire(), self.suspend_flow.wait())
        if not self.flow_active or app.consumer_generation_id != generation:
            return False
        self._read_offset[partition] = records[-1].offset
        app.slices[partition.topic].put(partition, generation, records)
        if self._commit_every is not None and self._n_acked >= self._commit_every:
            self._n_acked = 0
            await self.commit()
        return True


class Taken:
    """What one batch holds of one partition: Faust waits for it as for a message in hand."""

    __slots__ = ("__weakref__", "acked", "generation", "left", "refcount", "tp")

    def __init__(self, partition: Any, generation: int) -> None:
        self.tp = partition
        self.generation = generation
        self.left = 0
        self.acked = False
        self.refcount = 1


class SliceIntake:
    """As `streams.batches.Intake`, on slices. `Held.event` is the `Taken` that it belongs to."""

    def __init__(
        self, app: Any, slices: Slices, records: int = BATCH_RECORDS, size: int = BATCH_BYTES
    ) -> None:
        self._app = app
        self._slices = slices
        self._records = records
        self._bytes = size

    async def take(self, closed: Callable[[], bool]) -> list[Held] | None:
        """See Intake."""
        await self._slices.wait()
        if closed():
            return None
        active, current = not self.suspended(), self._app.consumer_generation_id
        consumer, monitor = self._app.consumer, self._app.monitor
        taken: dict[Any, Taken] = {}
        batch: list[Held] = []
        for partition, generation, records in self._slices.take(self._records, self._bytes):
            if not active or generation != current:
                continue
            token = taken.get(partition)
            if token is None:
                token = taken[partition] = Taken(partition, generation)
                consumer.unacked.add(token)
                # Faust's own watch over slow streams reads this.
                monitor.stream_inbound_time[partition] = monotonic()
            token.left += len(records)
            batch += [_hold(token, record) for record in records]
        return batch

    def acknowledge(self, batch: Sequence[Held]) -> None:
        """See Intake."""
        consumer, current = self._app.consumer, self._app.consumer_generation_id
        for token, together in groupby(batch, key=attrgetter("event")):
            offsets = [held.origin.offset for held in together]
            if token.generation == current:
                committed = consumer._committed_offset[token.tp]
                known = consumer._acked_index[token.tp]
                new = [
                    offset
                    for offset in offsets
                    if (committed is None or offset >= committed) and offset not in known
                ]
                known.update(new)
                consumer._acked[token.tp] += new
                consumer._n_acked += len(new)
            self._put_down(token, len(offsets))
        notify(consumer._waiting_for_ack)

    def let_go(self, batch: Sequence[Held]) -> None:
        """See Intake."""
        for held in batch:
            self._app.consumer.unacked.discard(held.event)

    def suspended(self) -> bool:
        """See Intake."""
        return not self._app.flow_control.is_active()

    def _put_down(self, token: Taken, records: int) -> None:
        token.left -= records
        if token.left == 0:
            token.acked = True
            self._app.consumer.unacked.discard(token)


def _hold(token: Taken, record: Any) -> Held:
    return Held(
        event=token,
        raw=record.value,
        key=record.key or b"",
        origin=Origin(
            kafka_topic=token.tp.topic, partition=token.tp.partition, offset=record.offset
        ),
        ours=SCHEMA_HEADER in record.headers,
    )


def _gaps(read: int | None, records: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """First and last of the offsets that are missing since `read`: compaction, transactions."""
    last = read or records[0].offset - 1
    if records[-1].offset - last == len(records):
        return
    for record in records:
        if record.offset > last + 1:
            yield last + 1, record.offset - 1
        last = max(last, record.offset)


def _sizes(records: Sequence[Any]) -> list[int]:
    return [len(record.value or b"") for record in records]
