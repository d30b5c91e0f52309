"""Taking from Faust's own queue, without a broker: what is there, in order, within limits."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.events import Event
from faust.types.tuples import TP, ConsumerMessage

from streams.app import make_app
from streams.batches import Held, Intake
from streams.settings import KafkaSettings

PARTITION = TP("articles", 0)


class Taking:
    """An intake on the queue of a real, unstarted Faust app."""

    def __init__(self, records: int = 256, size: int = 16_000_000) -> None:
        self.app: faust.App = make_app(KafkaSettings(), "test")
        self.app.flow_control.resume()
        self.app.consumer_generation_id = 1
        self.app.topics._acking_topics.add("articles")
        self.queue: Any = self.app.FlowControlQueue(maxsize=1_000, clear_on_resume=True)
        stream = SimpleNamespace(channel=SimpleNamespace(queue=self.queue))
        self.intake = Intake(self.app, stream, records, size)
        self.closed = False

    def put(self, *offsets: int, value: bytes | None = b"x", generation: int = 1) -> None:
        for offset in offsets:
            message = ConsumerMessage(
                "articles", 0, offset, 0.0, 0, [("schema", b"1")], b"key", value, None,
                tp=PARTITION, generation_id=generation,
            )  # fmt: skip
            message.incref()
            event = Event(self.app, b"key", value, {}, message)
            self.queue.put_nowait(event)

    async def take(self) -> list[Held] | None:
        async with asyncio.timeout(5):
            return await self.intake.take(lambda: self.closed)

    def committable(self) -> list[int]:
        return self.app.consumer._acked[PARTITION]


def _offsets(batch: list[Held] | None) -> list[int]:
    assert batch is not None
    return [held.origin.offset for held in batch]


async def test_it_takes_what_is_there_and_waits_for_nothing_more() -> None:
    taking = Taking()
    taking.put(0, 1, 2)
    assert _offsets(await taking.take()) == [0, 1, 2]
    waiting = asyncio.create_task(taking.take())
    await asyncio.sleep(0)
    taking.put(3)
    assert _offsets(await waiting) == [3]


async def test_a_batch_is_bounded_in_records_and_bytes() -> None:
    taking = Taking(records=4, size=1_000)
    taking.put(*range(6))
    assert _offsets(await taking.take()) == [0, 1, 2, 3]
    taking.put(6, 7, 8, value=b"y" * 600)
    assert _offsets(await taking.take()) == [4, 5, 6, 7]
    assert _offsets(await taking.take()) == [8]


async def test_faust_knows_what_is_in_hand_until_it_is_acknowledged_in_order() -> None:
    taking = Taking()
    taking.put(5, 6, 7)
    batch = await taking.take()
    assert batch is not None
    assert len(taking.app.consumer.unacked) == 3
    assert taking.committable() == []
    taking.intake.acknowledge(batch)
    assert taking.committable() == [5, 6, 7]
    assert len(taking.app.consumer.unacked) == 0


async def test_what_a_rebalance_took_away_is_neither_settled_nor_acknowledged() -> None:
    taking = Taking()
    taking.put(0, generation=0)
    taking.put(1)
    batch = await taking.take()
    assert _offsets(batch) == [1]
    assert batch is not None
    taking.app.consumer_generation_id = 2  # reassigned while it was in hand
    taking.intake.acknowledge(batch)
    assert taking.committable() == []
    assert len(taking.app.consumer.unacked) == 0


async def test_while_flow_is_suspended_nothing_is_taken_in_hand() -> None:
    taking = Taking()
    taking.put(0)
    taking.app.flow_control._suspend.set()
    assert taking.intake.suspended()
    assert await taking.take() == []
    assert len(taking.app.consumer.unacked) == 0


async def test_letting_go_leaves_the_records_to_be_repeated() -> None:
    taking = Taking()
    taking.put(0, 1)
    batch = await taking.take()
    assert batch is not None
    taking.intake.let_go(batch)
    assert taking.committable() == []
    assert len(taking.app.consumer.unacked) == 0


async def test_a_closed_intake_takes_nothing() -> None:
    taking = Taking()
    taking.put(0)
    taking.closed = True
    assert await taking.take() is None
    assert len(taking.app.consumer.unacked) == 0


async def test_the_end_of_a_stream_is_an_end_and_not_an_error() -> None:
    taking = Taking()

    class Ended:
        async def get(self) -> None:
            raise StopAsyncIteration

    taking.intake._queue = Ended()
    assert await taking.take() is None


async def test_an_empty_value_is_handed_on_and_our_header_seen() -> None:
    taking = Taking()
    taking.put(0, value=None)
    batch = await taking.take()
    assert batch is not None
    assert (batch[0].raw, batch[0].ours) == (None, True)


@pytest.mark.parametrize("embedded", [True, False])
def test_the_app_is_set_so_that_it_loses_nothing(embedded: bool) -> None:
    conf = make_app(KafkaSettings(embedded=embedded), "test").conf
    assert conf.stream_wait_empty
    assert conf.topic_disable_leader
    assert not conf.web_enabled
    assert not conf.topic_allow_declare
    assert conf.consumer_auto_offset_reset == "earliest"
    assert conf.processing_guarantee.value == "at_least_once"
    assert conf.producer_acks == -1
    assert conf.broker_session_timeout < conf.broker_request_timeout
