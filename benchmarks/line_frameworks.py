"""Other frameworks as contenders of the line's benchmark, each as its own documentation does it,
with the settings that suit it best here.

They stand in an environment of their own (`benchmarks/frameworks.txt`): their pinned libraries
are not ours. `bench_line` runs this module with that environment's Python.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.line_work import BATCH, COMMIT_INTERVAL_S, Orders, Work
from connectors.records import SCHEMA_HEADER

SESSION_MS = 6_000


def faststream(orders: Orders) -> None:
    """FastStream on aiokafka: batches of what is there, acknowledged after the alerts."""
    import uvloop
    from faststream import AckPolicy, FastStream
    from faststream.kafka import KafkaBroker, KafkaMessage

    broker = KafkaBroker(orders.servers, acks="all", logger=None)
    work = Work(orders)

    @broker.subscriber(
        orders.articles,
        batch=True,
        group_id=orders.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK,
        fetch_max_wait_ms=orders.fetch_wait_ms,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=SESSION_MS // 6,
        max_records=BATCH,
        batch_timeout_ms=500,
        decoder=_raw,
    )
    async def decide(raws: list[Any], message: KafkaMessage) -> None:
        confirmations = [
            await broker.publish(
                value,
                orders.alerts,
                key=key,
                partition=orders.alerts_partition,
                headers={SCHEMA_HEADER[0]: SCHEMA_HEADER[1].decode()},
                no_confirm=True,
            )
            for key, value in await work.decide([record.value for record in message.raw_message])
        ]
        await asyncio.gather(*confirmations)
        work.confirmed()

    async def _run() -> None:
        await FastStream(broker, logger=None).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run())


async def _raw(message: Any) -> Any:
    """Leave decoding to the work, as every contender does."""
    return message.body


def quixstreams(orders: Orders) -> None:
    """Quix Streams: one record at a time, as its dataframes hand them over. It tells when a
    record is processed, not when Kafka has confirmed what came of it: that flatters it.
    """
    from quixstreams import Application

    runner = asyncio.Runner()
    work = Work(orders)
    app = Application(
        broker_address=orders.servers,
        consumer_group=orders.group,
        auto_offset_reset="earliest",
        commit_interval=COMMIT_INTERVAL_S,
        auto_create_topics=False,
        loglevel=None,
        state_dir=tempfile.mkdtemp(),
        consumer_extra_config={
            "fetch.wait.max.ms": orders.fetch_wait_ms,
            "session.timeout.ms": SESSION_MS,
        },
        producer_extra_config={"acks": "all", "linger.ms": 0},
        on_message_processed=lambda *_: work.confirmed(),
    )
    articles = app.topic(orders.articles, value_deserializer="bytes")
    alerts = app.topic(orders.alerts, value_serializer="bytes", key_serializer="bytes")

    def decide(raw: bytes) -> list[bytes]:
        return [value for _, value in runner.run(work.decide([raw]))]

    # Alerts keep the article's key: a dataframe gives the new value alone.
    app.dataframe(articles).apply(decide, expand=True).to_topic(alerts)
    app.run()


def bytewax(orders: Orders) -> None:
    """Bytewax: each partition's batches of what is there; its sink waits for Kafka. It commits
    no offsets: recovery is its own, and off here.
    """
    from bytewax import operators as op
    from bytewax.connectors.kafka import KafkaSource
    from bytewax.dataflow import Dataflow
    from bytewax.outputs import DynamicSink, StatelessSinkPartition
    from bytewax.testing import run_main
    from confluent_kafka import Producer

    runner = asyncio.Runner()
    work = Work(orders)
    producer = Producer({"bootstrap.servers": orders.servers, "acks": "all", "linger.ms": 0})
    partition = -1 if orders.alerts_partition is None else orders.alerts_partition

    def decide(messages: list[Any]) -> list[tuple[bytes, bytes]]:
        if not messages:
            return []
        alerts = runner.run(work.decide([message.value for message in messages]))
        if not alerts:
            work.confirmed()
        return alerts

    class Alerts(StatelessSinkPartition[tuple[bytes, bytes]]):
        def write_batch(self, items: list[tuple[bytes, bytes]]) -> None:
            for key, value in items:
                producer.produce(orders.alerts, value, key, partition, headers=[SCHEMA_HEADER])
            assert producer.flush(30) == 0
            work.confirmed()

    class AlertSink(DynamicSink[tuple[bytes, bytes]]):
        def build(self, step_id: str, worker_index: int, worker_count: int) -> Alerts:
            return Alerts()

    fetching = {"fetch.wait.max.ms": str(orders.fetch_wait_ms)}
    source = KafkaSource([orders.servers], [orders.articles], add_config=fetching, batch_size=BATCH)
    flow = Dataflow("line")
    read = op.input("articles", flow, source)
    told = op.flat_map_batch("decide", read, decide)
    op.output("alerts", told, AlertSink())
    run_main(flow)


FRAMEWORKS: dict[str, Callable[[Orders], None]] = {
    "FastStream": faststream,
    "Quix Streams": quixstreams,
    "Bytewax": bytewax,
}


def main() -> None:
    """Run the framework that the orders name."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logging.disable(logging.WARNING)
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    FRAMEWORKS[orders.contender](orders)


if __name__ == "__main__":
    main()
