"""Wirebell with 1, 2 and 4 workers on 1 to 16 partitions: throughput, rebalances, cost in Redis.

    python -m benchmarks.bench_scale [--articles N] [--seconds S] [--write]

Real `wirebell worker` processes on Apache Kafka and one Redis, which share this machine's cores:
what tells how it scales is the work an article costs, not the seconds. Writes `docs/scaling.md`
with `--write`; prints it in any case.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import redis
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from benchmarks.growth import Day, grow, plot, put_day, resident_mb
from benchmarks.idle_line import process_name
from benchmarks.line_articles import MONTH, Wire, month
from benchmarks.replay import cpu_s
from benchmarks.scale_redis import memory_by_kind, redis_state
from benchmarks.scale_report import Cost, Moment, ScaleReport, Spread
from connectors.records import SCHEMA_HEADER, Alert, Article, article_id, decode_alert, encode
from streams.embedded import EmbeddedRedis
from streams.kafka_topics import ALERTS, ARTICLES, WORKER_GROUP
from streams.keys import Keys
from tests.kafka.apache import ApacheKafka

ROOT = Path(__file__).parents[1]
SPREADS = ((1, 1), (1, 4), (1, 16), (2, 2), (2, 16), (4, 4), (4, 16))
SESSION_TIMEOUT_S = 6
DEADLINE_S = 240.0
SHARED_WITHIN_S = 90.0
PACE_PER_S = 100
CONFIG = """
[sinks.terminal]
type = "console"
[[subscriptions]]
id = "none"
topics = ["hostage_taking"]
min_probability = 0.999
deliver = [{ sink = "terminal" }]
"""
DAYS_SOURCE = """
[[sources]]
type = "files"
id = "days"
path = "{folder}"
interval_s = 1
"""


@dataclass(slots=True)
class Line:
    """One line under a prefix of its own: its Kafka topics, its workers."""

    servers: str
    redis_url: str
    partitions: int
    folder: Path
    prefix: str = field(default_factory=lambda: f"scale-{secrets.token_hex(4)}-")
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    published: int = 0
    sources: str = ""

    def environment(self) -> Mapping[str, str]:
        """What the workers are told."""
        config = self.folder / "wirebell.toml"
        config.write_text(CONFIG + self.sources, encoding="utf-8")
        return {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "WIREBELL_CONFIG": str(config),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "WIREBELL_KAFKA__PREFIX": self.prefix,
            "WIREBELL_KAFKA__PARTITIONS": str(self.partitions),
            "WIREBELL_KAFKA__SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
            "WIREBELL_CLASSIFIER__READER": "false",  # its time is measured by bench_classify
            "WIREBELL_REDIS__URL": self.redis_url,
            "WIREBELL_REDIS__PREFIX": self.prefix,
        }

    def create(self) -> None:
        """Its Kafka topics."""
        subprocess.run(
            [sys.executable, "-m", "streams", "kafka-topics"],
            env=self.environment(), cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def start_worker(self) -> subprocess.Popen[bytes]:
        """One more."""
        return self.start("worker")

    def start(self, command: str, **environment: str) -> subprocess.Popen[bytes]:
        """A process with a state directory of its own, as on another machine."""
        state = self.folder / f"process-{len(self.processes)}"
        with state.with_suffix(".log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "streams", command],
                env={**self.environment(), "WIREBELL_STATE_DIR": str(state), **environment},
                cwd=ROOT, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def end(self) -> None:
        """End every process that still runs."""
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def publish(self, articles: Iterator[Article], pace_per_s: float = 0) -> None:
        """Publish over all partitions in turn; at a pace, each gets the time at which it goes."""
        producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 2, "acks": "all"})
        began = time.monotonic()
        for number, article in enumerate(articles):
            sent = article
            if pace_per_s:
                time.sleep(max(0.0, began + number / pace_per_s - time.monotonic()))
                sent = msgspec.structs.replace(article, fetched_at=datetime.now(UTC))
            producer.produce(
                self.prefix + ARTICLES, encode(sent), sent.id.encode(),
                self.published % self.partitions, headers=[SCHEMA_HEADER],
            )  # fmt: skip
            self.published += 1
            producer.poll(0)
        assert producer.flush(60) == 0

    def warm(self) -> None:
        """A few articles of other ids, so that every worker has worked."""
        self.publish(
            msgspec.structs.replace(each, id=article_id("warm", each.id))
            for each in Wire(3).articles(8 * self.partitions)
        )

    def committed(self, admin: AdminClient) -> int:
        """How many articles the workers have committed."""
        partitions = [TopicPartition(self.prefix + ARTICLES, n) for n in range(self.partitions)]
        asked = ConsumerGroupTopicPartitions(self.prefix + WORKER_GROUP, partitions)
        found = admin.list_consumer_group_offsets([asked])
        (answer,) = [each.result(15) for each in found.values()]
        return sum(max(0, each.offset) for each in answer.topic_partitions)

    def wait(self, admin: AdminClient) -> None:
        """Wait until everything that was published is committed."""
        deadline = time.monotonic() + DEADLINE_S
        while self.committed(admin) < self.published:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.committed(admin)} of {self.published} articles decided")
            time.sleep(0.1)

    def alerts(self) -> list[tuple[Alert, datetime]]:
        """Every record on Kafka topic `alerts`, with the time at which it was sent."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers, "group.id": f"{self.prefix}reader",
                "enable.partition.eof": True, "auto.offset.reset": "earliest",
            }
        )  # fmt: skip
        consumer.assign(
            [TopicPartition(self.prefix + ALERTS, n, 0) for n in range(self.partitions)]
        )
        found: list[tuple[Alert, datetime]] = []
        ended = 0
        while ended < self.partitions:
            for message in consumer.consume(500, 1.0):
                if message.error():
                    ended += 1
                    continue
                sent = datetime.fromtimestamp(message.timestamp()[1] / 1_000, UTC)
                found.append((decode_alert(message.value()), sent))
        consumer.close()
        return found


def spread(line: Line, workers: int, articles: Sequence[Article], store: redis.Redis) -> Spread:
    """A backlog worked off by so many workers that were there before it."""
    admin = AdminClient({"bootstrap.servers": line.servers})
    for _ in range(workers):
        line.start_worker()
    _wait_until_shared(line, workers, store)
    line.warm()
    line.wait(admin)
    before, cpu_before = redis_state(store), [cpu_s(each.pid) for each in line.processes]
    began = time.monotonic()
    line.publish(iter(articles))
    line.wait(admin)
    seconds = time.monotonic() - began
    after = redis_state(store)
    cpu = [cpu_s(e.pid) - b for e, b in zip(line.processes, cpu_before, strict=True)]
    told = [alert.id for alert, _ in line.alerts()]
    return Spread(
        workers=workers,
        partitions=line.partitions,
        articles=len(articles),
        seconds=seconds,
        worker_cpu_s=sum(cpu),
        redis_cpu_s=after["cpu"] - before["cpu"],
        alerts=len(told),
        repeated=len(told) - len(set(told)),
        cost=Cost(
            commands=(after["commands"] - before["commands"]) / len(articles),
            bytes_in=(after["in"] - before["in"]) / len(articles),
            bytes_out=(after["out"] - before["out"]) / len(articles),
            memory=(after["memory"] - before["memory"]) / len(articles),
            kinds=memory_by_kind(store),
        ),
    )


def rebalances(line: Line, seconds: float, store: redis.Redis) -> list[Moment]:
    """An even flow while a worker joins, one leaves in order and one is killed."""
    admin = AdminClient({"bootstrap.servers": line.servers})
    line.start_worker(), line.start_worker()
    _wait_until_shared(line, 2, store)
    line.warm()
    line.wait(admin)
    wire = Wire(5)
    acts = {
        "two workers, nothing happens": lambda: None,
        "a third joins": line.start_worker,
        "one leaves in order (SIGTERM)": line.processes[0].terminate,
        f"one is killed (SIGKILL; session {SESSION_TIMEOUT_S} s)": line.processes[1].kill,
    }
    moments = []
    for name, act in acts.items():
        first = datetime.now(UTC)
        act()
        line.publish(wire.articles(int(seconds * PACE_PER_S)), PACE_PER_S)
        line.wait(admin)
        moments.append((name, first, datetime.now(UTC)))
    told = sorted(line.alerts(), key=lambda one: one[1])
    return [_moment(name, first, last, told) for name, first, last in moments]


def month_of_days(line: Line, days: int, store: redis.Redis) -> list[Day]:
    """A month of heavy days through `wirebell up`: its sources, its worker and its page."""
    admin = AdminClient({"bootstrap.servers": line.servers})
    folder = line.folder / "days"
    folder.mkdir()
    line.sources = DAYS_SOURCE.format(folder=folder)
    up = line.start("up", WIREBELL_PAGE__PORT="0")

    def memory() -> dict[str, float]:
        family = [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]
        held = {process_name(each): resident_mb(each.pid) for each in family}
        return {**held, "Redis (nothing expires)": redis_state(store)["memory"] / 1e6}

    def publish(articles: list[Article]) -> None:
        line.published += len({article.id for article in articles})
        put_day(folder, articles)

    return grow(days, publish, lambda: line.wait(admin), memory)


def _moment(
    name: str, first: datetime, last: datetime, told: Sequence[tuple[Alert, datetime]]
) -> Moment:
    """The delays of what was sent in between: an alert carries when its article was fetched."""
    delays = sorted(
        (sent - alert.story.last_seen).total_seconds()
        for alert, sent in told
        if first <= sent <= last
    )
    before = {alert.id for alert, sent in told if sent < first}
    now = [alert.id for alert, sent in told if first <= sent <= last]
    repeated = len(now) - len(set(now) - before)
    return Moment(name, len(delays), delays[len(delays) // 2], delays[-1], repeated)


def _wait_until_shared(line: Line, workers: int, store: redis.Redis) -> None:
    """Wait until every worker beats and Kafka has shared out the partitions."""
    admin = AdminClient({"bootstrap.servers": line.servers})
    deadline = time.monotonic() + SHARED_WITHIN_S
    while time.monotonic() < deadline:
        group = line.prefix + WORKER_GROUP
        try:
            (found,) = [e.result(5) for e in admin.describe_consumer_groups([group]).values()]
        except (TimeoutError, KafkaException):
            continue  # the group's coordinator is not there before its first member
        held = [
            part
            for member in found.members
            for part in member.assignment.topic_partitions
            if part.topic == line.prefix + ARTICLES
        ]
        if (
            found.state == ConsumerGroupState.STABLE
            and len(found.members) == workers
            and all(member.assignment.topic_partitions for member in found.members)
            and len(held) == line.partitions
            and store.hlen(Keys(line.prefix).processes) == workers
        ):
            return
        time.sleep(0.2)
    raise TimeoutError(f"{workers} workers did not share {line.partitions} partitions in time")


@contextmanager
def _opened(partitions: int, node: ApacheKafka, store: EmbeddedRedis) -> Iterator[Line]:
    with tempfile.TemporaryDirectory() as folder:
        line = Line(node.bootstrap_servers, store.url, partitions, Path(folder))
        line.create()
        try:
            yield line
        finally:
            line.end()


def main() -> None:
    """Measure and print; write the page when told to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=12_000)
    parser.add_argument("--seconds", type=float, default=15, help="of each rebalance")
    parser.add_argument("--days", type=int, default=30, help="heavy days of the month")
    parser.add_argument("--write", action="store_true", help="write docs/scaling.md")
    asked = parser.parse_args()
    report = ScaleReport(datetime.now(UTC), PACE_PER_S)
    articles = list(Wire(1).articles(asked.articles))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = stack.enter_context(ApacheKafka(folder / "kafka"))
        for workers, partitions in SPREADS:
            # An empty Redis each time: the cost of an article depends on what is there.
            with (
                EmbeddedRedis(folder / f"redis-{workers}-{partitions}") as server,
                _opened(partitions, node, server) as line,
            ):
                done = spread(line, workers, articles, redis.Redis.from_url(server.url))
            report.spreads.append(done)
            print(report.row(done), flush=True)
        if MONTH.exists():
            with (
                EmbeddedRedis(folder / "redis-month") as server,
                _opened(4, node, server) as line,
            ):
                real = list(month(asked.articles))
                report.month = spread(line, 1, real, redis.Redis.from_url(server.url))
            print(report.row(report.month), flush=True)
        with (
            EmbeddedRedis(folder / "redis-growth") as server,
            _opened(4, node, server) as line,
        ):
            report.growth += month_of_days(line, asked.days, redis.Redis.from_url(server.url))
        with (
            EmbeddedRedis(folder / "redis-rebalances") as server,
            _opened(16, node, server) as line,
        ):
            report.moments += rebalances(line, asked.seconds, redis.Redis.from_url(server.url))
    print(report.page())
    if asked.write:
        plot(report.growth, ROOT / "docs" / "images" / "growth.png")
        (ROOT / "docs" / "scaling.md").write_text(report.page(), encoding="utf-8")


if __name__ == "__main__":
    main()
