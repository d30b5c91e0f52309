"""The contenders of the line's benchmark: Wirebell's worker, and the loops it is measured by.

`python -m benchmarks.line_contenders ORDERS` runs one until it has done its articles.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from benchmarks.line_work import (
    BATCH,
    COMMIT_INTERVAL_S,
    FAUSTS_WAY,
    OURS,
    WITH_READER,
    Orders,
    Work,
)
from connectors.records import SCHEMA_HEADER

SESSION_MS = 6_000
TURN_S = 0.5


def wirebell(orders: Orders) -> None:
    """The product's worker with its screening step, everything between Kafka and Kafka real."""
    # Only this contender loads what the worker loads.
    from streams import logs
    from streams.app import make_app
    from streams.commands.worker import use_uvloop
    from streams.in_hand import open_in_hand
    from streams.library_logs import calm_library_logs
    from streams.settings import KafkaSettings
    from streams.steps import ScreenStep, Sender
    from streams.watchdog import Progress
    from streams.worker import Worker, utc_now

    logs.configure("WARNING", "worker")
    calm_library_logs()
    work = Work(orders)
    kafka = KafkaSettings(
        bootstrap_servers=orders.servers,
        embedded=orders.embedded,
        session_timeout_s=SESSION_MS / 1000,
        whole_slices=orders.contender != FAUSTS_WAY,
    )

    async def bury(letters: Sequence[object]) -> None:
        raise RuntimeError(f"dead letters: {letters}")

    async def run() -> None:
        app = make_app(kafka, orders.group)
        sender = Sender(app, orders.alerts_partition)
        worker = Worker(app, bury, Progress())
        step = ScreenStep(
            work.screen,
            work.assign,
            sender.send,
            utc_now,
            kafka_topic=orders.alerts,
            reached=lambda place: work.confirmed() if place == "alerted" else None,
            aside=lambda articles: orders.contender == WITH_READER,
        )
        worker.add_step(orders.articles, step, open_in_hand(Path(mkdtemp()), "screen"))
        await worker.run(asyncio.Event())

    use_uvloop()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(run())


def confluent(orders: Orders) -> None:
    """A hand-written loop on librdkafka: the yardstick."""
    from confluent_kafka import Consumer, Producer

    consumer = Consumer(
        {
            "bootstrap.servers": orders.servers,
            "group.id": orders.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": SESSION_MS,
            "fetch.wait.max.ms": orders.fetch_wait_ms,
        }
    )
    producer = Producer({"bootstrap.servers": orders.servers, "acks": "all", "linger.ms": 0})
    consumer.subscribe([orders.articles])
    work, committed_at = Work(orders), time.monotonic()
    partition = -1 if orders.alerts_partition is None else orders.alerts_partition
    with asyncio.Runner(loop_factory=_uvloop()) as runner:
        while True:
            messages = consumer.consume(1, TURN_S)
            if not messages:
                continue
            messages += consumer.consume(BATCH - 1, 0)
            raws = [message.value() for message in messages]
            for key, value in runner.run(work.decide(raws)):
                producer.produce(orders.alerts, value, key, partition, headers=[SCHEMA_HEADER])
            assert producer.flush(30) == 0
            work.confirmed()
            if time.monotonic() - committed_at > COMMIT_INTERVAL_S:
                consumer.commit(asynchronous=True)
                committed_at = time.monotonic()


def aiokafka(orders: Orders) -> None:
    """A hand-written loop on the client that Faust stands on."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    async def run() -> None:
        consumer = AIOKafkaConsumer(
            orders.articles,
            bootstrap_servers=orders.servers,
            group_id=orders.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 6,
            fetch_max_wait_ms=orders.fetch_wait_ms,
        )
        producer = AIOKafkaProducer(bootstrap_servers=orders.servers, acks="all")
        await consumer.start()
        await producer.start()
        work, committed_at = Work(orders), time.monotonic()
        while True:
            fetched = await consumer.getmany(timeout_ms=500, max_records=BATCH)
            raws = [record.value for records in fetched.values() for record in records]
            if not raws:
                continue
            sent = [
                await producer.send(
                    orders.alerts, value, key, orders.alerts_partition, headers=[SCHEMA_HEADER]
                )
                for key, value in await work.decide(raws)
            ]
            await asyncio.gather(*sent)
            work.confirmed()
            if time.monotonic() - committed_at > COMMIT_INTERVAL_S:
                await consumer.commit()
                committed_at = time.monotonic()

    with asyncio.Runner(loop_factory=_uvloop()) as runner:
        runner.run(run())


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    """The yardsticks run as fast as they can."""
    import uvloop

    return uvloop.new_event_loop


CONTENDERS: dict[str, Callable[[Orders], None]] = {
    OURS: wirebell,
    FAUSTS_WAY: wirebell,
    WITH_READER: wirebell,
    "confluent-kafka loop": confluent,
    "aiokafka loop": aiokafka,
}


def main() -> None:
    """Run the contender that the orders name."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    CONTENDERS[orders.contender](orders)


if __name__ == "__main__":
    main()
