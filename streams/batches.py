"""Batches: what Faust has ready, taken at once, and acknowledged in order when all is done.

Owns the way between Faust's queue and our hands: taking without ever waiting to fill,
telling Faust what is in hand, acknowledging, letting go. Reads the queue of the stream and
not the stream: its iterator acknowledges a record whose agent raised, and (without its C
extension) records that a rebalance made it skip.
"""

from __future__ import annotations

from asyncio import QueueEmpty
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import faust
import msgspec

from connectors.records import SCHEMA_HEADER
from streams.dead_letters import Origin

# 256 scored together cost the least per article (64 and 512 cost more); the bytes bound how
# long a batch of very long articles keeps the event loop, and with it the group's heartbeats:
# half a second (256 articles of 3 KB are 0.8 MB).
BATCH_RECORDS, BATCH_BYTES = 256, 2_000_000


class Held(msgspec.Struct, frozen=True, gc=False):
    """One record in hand. `ours` says that it carries the schema header of our publisher."""

    event: Any
    raw: bytes | None
    key: bytes
    origin: Origin
    ours: bool


class Intake:
    """The records of one stream, batch by batch; one batch in hand at a time.

    Belongs to one task. Faust waits for what is in hand before it gives partitions away.
    """

    def __init__(
        self, app: faust.App, stream: Any, records: int = BATCH_RECORDS, size: int = BATCH_BYTES
    ) -> None:
        self._app = app
        self._queue = stream.channel.queue
        self._records = records
        self._bytes = size

    async def take(self, closed: Callable[[], bool]) -> list[Held] | None:
        """Wait for a record, then take what is there, up to the limits, waiting for nothing.

        May be empty: what a rebalance took from us is left to whoever has it now. None when
        the stream has ended or `closed` says so; nothing is in hand then.
        """
        try:
            events = [await self._queue.get()]
        except StopAsyncIteration:
            return None
        size = len(events[0].value or b"")
        while len(events) < self._records and size < self._bytes:
            try:
                events.append(self._queue.get_nowait())
            except (QueueEmpty, StopAsyncIteration):
                break
            size += len(events[-1].value or b"")
        return None if closed() else [self._hold(each) for each in events if self._current(each)]

    def acknowledge(self, batch: Sequence[Held]) -> None:
        """Let Faust commit past the batch. What was reassigned meanwhile is left to be
        repeated: its new owner decides.
        """
        for held in batch:
            if self._generation(held.event):
                held.event.ack()
            else:
                self._app.consumer.unacked.discard(held.event.message)

    def let_go(self, batch: Sequence[Held]) -> None:
        """Take the batch out of hand without acknowledging: it will be repeated."""
        for held in batch:
            self._app.consumer.unacked.discard(held.event.message)

    def suspended(self) -> bool:
        """Whether Faust wants its partitions back: a rebalance, or the end."""
        return not self._app.flow_control.is_active()

    def _current(self, event: Any) -> bool:
        return self._app.flow_control.is_active() and self._generation(event)

    def _generation(self, event: Any) -> bool:
        return bool(event.message.generation_id == self._app.consumer_generation_id)

    def _hold(self, event: Any) -> Held:
        message = event.message
        message.tracked = True
        self._app.consumer.unacked.add(message)
        # Faust's own watch over slow streams reads this; its iterator would have set it.
        self._app.monitor.stream_inbound_time[message.tp] = monotonic()
        return Held(
            event=event,
            raw=event.value,
            key=event.key or b"",
            origin=Origin(
                kafka_topic=message.topic, partition=message.partition, offset=message.offset
            ),
            ours=SCHEMA_HEADER in _pairs(message.headers),
        )


def _pairs(headers: Any) -> list[tuple[str, bytes]]:
    if not headers:
        return []
    return list(headers.items()) if hasattr(headers, "items") else [tuple(one) for one in headers]
