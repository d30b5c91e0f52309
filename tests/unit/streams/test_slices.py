"""Whole slices without a broker: what is cut from them, and that Faust is still the one we know."""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord
from faust.transport.consumer import Consumer
from faust.types.tuples import TP

from streams.app import WorkerApp, add_agent, make_app
from streams.batches import Held
from streams.settings import KafkaSettings
from streams.slices import FULL_RECORDS, SliceIntake
from streams.transport import SliceConsumer

ONE, TWO = TP("articles", 0), TP("articles", 1)


def _record(offset: int, value: bytes | None = b"x", partition: int = 0) -> Any:
    return ConsumerRecord(
        topic="articles", partition=partition, offset=offset, timestamp=0, timestamp_type=0,
        key=b"key", value=value, checksum=None, serialized_key_size=3, serialized_value_size=1,
        headers=(("schema", b"1"),),
    )  # fmt: skip


class Taking:
    """An intake on the slices of a real, unstarted Faust app."""

    def __init__(self, records: int = 256, size: int = 16_000_000) -> None:
        async def agent(stream: Any) -> None: ...

        self.app: WorkerApp = make_app(KafkaSettings(), "test")
        add_agent(self.app, "articles", agent, name="agent")
        self.app.flow_control.resume()
        self.app.consumer_generation_id = 1
        self.app.topics._acking_topics.add("articles")
        self.consumer: Any = self.app.consumer
        self.consumer._active_partitions = {ONE, TWO}
        self.intake = SliceIntake(self.app, self.app.slices["articles"], records, size)

    async def fetch(self, *offsets: int, partition: TP = ONE, value: bytes | None = b"x") -> bool:
        records = [_record(offset, value, partition.partition) for offset in offsets]
        passed_on: bool = await self.consumer._pass_on(partition, 1, records)
        return passed_on

    async def take(self) -> list[Held]:
        async with asyncio.timeout(5):
            batch = await self.intake.take(lambda: False)
        assert batch is not None
        return batch

    async def offsets(self) -> list[int]:
        return [held.origin.offset for held in await self.take()]

    def committable(self, partition: TP = ONE) -> int | None:
        offset: int | None = self.consumer._new_offset(partition)
        return offset


def test_the_consumer_is_ours_where_slices_are_wanted_and_fausts_where_not() -> None:
    assert type(make_app(KafkaSettings(), "test").consumer) is SliceConsumer
    stock = make_app(KafkaSettings(whole_slices=False), "test")
    assert not isinstance(stock.consumer, SliceConsumer)
    assert stock.slices == {}


def test_faust_is_the_one_whose_drain_we_replace() -> None:
    # Another version may do in its drain what ours does not: read it before lifting the pin.
    assert version("faust-streaming") == "0.15.3"
    assert "_drain_messages" in inspect.getsource(inspect.getmodule(Consumer))
    consumer: Any = make_app(KafkaSettings(), "test").consumer
    for name in (
        "_get_active_partitions", "_wait_next_records", "perform_seek", "flow_active",
        "suspend_flow", "on_buffer_full", "on_buffer_drop", "_buffered_partitions", "_add_gap",
        "_read_offset", "_committed_offset", "_acked", "_acked_index", "_n_acked",
        "_commit_every", "_waiting_for_ack", "unacked", "_new_offset", "commit",
        "maybe_wait_for_commit_to_finish", "on_partitions_revoked",
    ):  # fmt: skip
        assert hasattr(consumer, name), name


async def test_batches_are_cut_from_slices_in_order_within_their_limits() -> None:
    taking = Taking(records=4, size=1_000)
    assert await taking.fetch(*range(6))
    assert await taking.fetch(0, 1, partition=TWO)
    assert await taking.offsets() == [0, 1, 2, 3]
    assert await taking.offsets() == [4, 5, 0, 1]
    await taking.fetch(6, 7, 8, value=b"y" * 600)
    assert await taking.offsets() == [6, 7]
    assert await taking.offsets() == [8]


async def test_it_waits_for_a_slice_and_not_for_more() -> None:
    taking = Taking()
    waiting = asyncio.create_task(taking.offsets())
    await asyncio.sleep(0)
    await taking.fetch(3)
    assert await waiting == [3]


async def test_only_what_is_acknowledged_is_committed_and_faust_waits_for_the_rest() -> None:
    taking = Taking()
    await taking.fetch(5, 6, 7)
    batch = await taking.take()
    assert len(taking.consumer.unacked) == 1
    assert taking.committable() is None
    taking.intake.acknowledge(batch[:2])
    assert taking.committable() == 7
    assert len(taking.consumer.unacked) == 1
    taking.intake.acknowledge(batch[2:])
    assert taking.committable() == 8
    assert not taking.consumer.unacked


async def test_what_is_let_go_is_not_committed() -> None:
    taking = Taking()
    await taking.fetch(5, 6)
    taking.intake.let_go(await taking.take())
    assert taking.committable() is None
    assert not taking.consumer.unacked


async def test_offsets_that_kafka_left_out_do_not_hold_up_the_commits() -> None:
    taking = Taking()
    await taking.fetch(5, 6)
    await taking.fetch(9, 12)
    taking.intake.acknowledge(await taking.take())
    assert taking.committable() == 13


async def test_an_unacknowledged_record_after_a_gap_is_not_passed_by() -> None:
    taking = Taking(records=1)
    await taking.fetch(5, 9, 10)
    first, second, third = await taking.take(), await taking.take(), await taking.take()
    taking.intake.acknowledge(first)
    taking.intake.acknowledge(third)
    assert taking.committable() in (6, 9)  # 9 is in hand
    taking.intake.acknowledge(second)
    assert taking.committable() == 11


async def test_what_came_before_a_rebalance_is_neither_taken_nor_acknowledged() -> None:
    taking = Taking()
    await taking.fetch(5, 6)
    batch = await taking.take()
    await taking.fetch(7)
    taking.app.consumer_generation_id = 2
    taking.intake.acknowledge(batch)
    assert taking.committable() is None
    assert await taking.take() == []
    assert not await taking.fetch(8)  # fetched under the old generation


async def test_a_rebalance_clears_what_waits() -> None:
    taking = Taking()
    await taking.fetch(*range(FULL_RECORDS))
    assert ONE in taking.consumer._buffered_partitions
    taking.app.flow_control.clear()
    assert not taking.consumer._buffered_partitions
    waiting = asyncio.create_task(taking.offsets())
    await asyncio.sleep(0)
    await taking.fetch(FULL_RECORDS)
    assert await waiting == [FULL_RECORDS]


async def test_a_partition_with_much_waiting_is_not_fetched_until_it_has_been_worked_off() -> None:
    taking = Taking(records=FULL_RECORDS // 2)
    await taking.fetch(*range(FULL_RECORDS))
    assert taking.consumer._get_active_partitions() == {TWO}
    await taking.take()
    assert taking.consumer._get_active_partitions() == {TWO}
    await taking.take()
    assert taking.consumer._get_active_partitions() == {ONE, TWO}


async def test_what_was_read_before_is_not_read_again() -> None:
    taking = Taking()
    await taking.fetch(5, 6, 7)
    await taking.fetch(4, 5)
    assert await taking.offsets() == [5, 6, 7]


@pytest.mark.parametrize("value", [None, b""])
async def test_a_record_without_value_or_header_is_held_too(value: bytes | None) -> None:
    taking = Taking()
    await taking.fetch(1, value=value)
    (held,) = await taking.take()
    assert held.raw == value
    assert held.ours
    assert held.key == b"key"


async def test_a_drain_that_fails_while_the_app_runs_says_so() -> None:
    taking = Taking()

    async def fail(timeout: float) -> None:
        raise RuntimeError("the fetcher is gone")

    taking.consumer._wait_next_records = fail
    with pytest.raises(RuntimeError):
        await taking.consumer._drain_messages(SimpleNamespace(should_stop=False))


async def test_what_is_done_is_committed_before_partitions_are_given_away() -> None:
    taking = Taking()
    committed: list[dict[TP, int]] = []

    async def commit(offsets: dict[TP, int], start_new_transaction: bool = True) -> bool:
        committed.append(offsets)
        return True

    taking.consumer._commit_offsets = commit
    await taking.fetch(5, 6, 7)
    taking.intake.acknowledge(await taking.take())
    await taking.consumer.on_partitions_revoked({ONE, TWO})
    assert committed[:1] == [{ONE: 8}]
