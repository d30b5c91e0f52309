"""The worker beside a loop written by hand on the client that Faust stands on, in a short run.

A guard with a wide margin; benchmarks/bench_line.py measures. In processor time, the two taking
turns, so that a busy machine slows both alike.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.line_articles import Wire
from benchmarks.line_work import Measured, Orders
from connectors.records import SCHEMA_HEADER, encode
from streams.embedded import EmbeddedBroker

ROOT = Path(__file__).parents[2]
ARTICLES, PARTITIONS = 1_000, 4
# bench_line finds about 1; what Faust's own consumer reaches is 0.8.
LEAST = 0.7


async def test_the_worker_costs_little_more_than_a_loop_written_by_hand(
    redis_url: str, redis_prefix: str
) -> None:
    with EmbeddedBroker() as broker:
        servers = broker.bootstrap_servers
        await _fill(servers)
        costs_s = {
            contender: _run(contender, servers, redis_url, f"{redis_prefix}{number}").cpu_s
            for number, contender in enumerate(("wirebell", "aiokafka loop"))
        }
    assert costs_s["aiokafka loop"] / costs_s["wirebell"] >= LEAST, costs_s


async def _fill(servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    names = ("articles", "alerts-wirebell", "alerts-aiokafka")
    await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers, linger_ms=20) as producer:
        for number, article in enumerate(Wire().articles(ARTICLES)):
            await producer.send(
                "articles", encode(article), article.id.encode(), number % PARTITIONS,
                headers=[SCHEMA_HEADER],
            )  # fmt: skip


def _run(contender: str, servers: str, redis_url: str, prefix: str) -> Measured:
    orders = Orders(
        contender=contender,
        servers=servers,
        embedded=True,
        group=f"ratio-{secrets.token_hex(4)}",
        articles="articles",
        alerts=f"alerts-{contender.split(maxsplit=1)[0]}",
        redis_url=redis_url,
        redis_prefix=prefix,
        count=ARTICLES,
        warm=0,
        fetch_wait_ms=25,
        spawned_at=time.monotonic(),
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.line_contenders", msgspec.json.encode(orders)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=100,
    )
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Measured)
