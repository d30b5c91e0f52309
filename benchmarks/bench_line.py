"""The whole line beside its yardsticks: Kafka, screening, stories in Redis, alerts in Kafka.

    python -m benchmarks.bench_line [--turns 5] [--articles 3000] [--lanes embedded,apache] ...

Every contender is a process that does the same work with the same model and the same Redis
calls (`benchmarks/line_work.py`); they take turns in one run, with the same articles. Writes
`docs/performance.md` and its plot with `--write`; prints the table in any case.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.line_articles import MONTH, Wire, month
from benchmarks.line_contenders import CONTENDERS
from benchmarks.line_frameworks import FRAMEWORKS
from benchmarks.line_plot import PACED, Cell
from benchmarks.line_report import EMBEDDED_WAIT_MS, FRAMEWORKS_HOME, Report
from benchmarks.line_work import WITH_READER, Measured, Orders
from connectors.records import SCHEMA_HEADER, Article, encode
from streams.app import FETCH_WAIT_MS
from streams.embedded import EmbeddedBroker, EmbeddedRedis
from tests.kafka.apache import ApacheKafka, KafkaUnavailableError

ROOT = Path(__file__).parents[1]
PARTITIONS = 4
PACE_PER_S = 50
WARM = 64
DEADLINE_S = 180.0
# What broker and Redis write stays in memory where it can: a disk that holds a write back for 70 ms
# would be most of the slowest articles, whoever's turn it is.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# Frameworks stand in an environment of their own: `make bench` makes it.
FRAMEWORKS_PYTHON = FRAMEWORKS_HOME / "bin" / "python"
# The embedded broker's wait is its latency: what a loop without a pace of its own can afford. Else
# as the product asks (streams/app.py).
YARDSTICK_WAIT_MS = {True: EMBEDDED_WAIT_MS, False: FETCH_WAIT_MS}
# The slow ones do a part of the articles: it is time that is measured.
PART_OF = {"Quix Streams": 3, WITH_READER: 5}


@dataclass(frozen=True, slots=True)
class Lane:
    """A running Kafka."""

    name: str
    servers: str

    @property
    def embedded(self) -> bool:
        """Whether it takes one producer per partition."""
        return self.name == "embedded"

    def create(self, *kafka_topics: str) -> None:
        """Create Kafka topics."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        wanted = [NewTopic(name, PARTITIONS, 1) for name in kafka_topics]
        for made in admin.create_topics(wanted).values():
            made.result(15)


class Publisher:
    """Publishes articles, spread over the partitions in turn."""

    def __init__(self, lane: Lane, kafka_topic: str) -> None:
        self._producer = Producer(
            {"bootstrap.servers": lane.servers, "linger.ms": 0, "acks": "all"}
        )
        self._kafka_topic = kafka_topic
        self._count = 0

    def publish(self, article: Article) -> None:
        """Hand over an article; `flush` waits for all."""
        self._producer.produce(
            self._kafka_topic,
            encode(article),
            article.id.encode(),
            self._count % PARTITIONS,
            headers=[SCHEMA_HEADER],
        )
        self._count += 1
        if self._count % 500 == 0:
            self._producer.poll(0)

    def flush(self) -> None:
        """Wait until Kafka has confirmed everything."""
        assert self._producer.flush(60) == 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    turns: int
    articles: int
    latency_s: float
    contenders: Sequence[str]


class Race:
    """One lane's races: all contenders in turn, `turns` times."""

    def __init__(self, lane: Lane, redis_url: str, plan: Plan, report: Report) -> None:
        self._lane = lane
        self._redis_url = redis_url
        self._plan = plan
        self._report = report

    def throughput(self, wire: str, articles: Sequence[Article]) -> None:
        """A backlog, worked off."""
        kafka_topic = f"articles-{secrets.token_hex(4)}"
        self._lane.create(kafka_topic)
        publisher = Publisher(self._lane, kafka_topic)
        for article in articles:
            publisher.publish(article)
        publisher.flush()
        # What the reader costs depends on the texts: real ones, and once is enough.
        read = wire == "month" and self._lane.embedded
        for contender, cell in self._taking_turns(wire, but=() if read else (WITH_READER,)):
            count = len(articles) // PART_OF.get(contender, 1)
            with self._contender(contender, kafka_topic, count, 0) as process:
                self._keep(contender, cell, process)

    def latency(self) -> None:
        """Articles at an even pace, each timed from before Kafka to its confirmed alert."""
        count = int(self._plan.latency_s * PACE_PER_S)
        for contender, cell in self._taking_turns(PACED, but=(WITH_READER,)):
            kafka_topic = f"articles-{secrets.token_hex(4)}"
            self._lane.create(kafka_topic)
            publisher, wire = Publisher(self._lane, kafka_topic), Wire(7)
            for article in wire.articles(WARM):
                publisher.publish(article)
            publisher.flush()
            with self._contender(contender, kafka_topic, count, WARM) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"warm\n", contender
                _publish_evenly(publisher, wire.articles(count))
                self._keep(contender, cell, process)

    def _taking_turns(self, wire: str, but: Sequence[str]) -> Iterator[tuple[str, Cell | None]]:
        """Who runs next, and what that counts for."""
        contenders = [one for one in self._plan.contenders if one not in but]
        yield contenders[0], None  # a broker that has just started is slow: nobody's turn
        for turn in range(self._plan.turns):
            # Nobody always follows the same neighbour.
            at = turn % len(contenders)
            for contender in [*contenders[at:], *contenders[:at]]:
                yield contender, Cell(self._lane.name, wire, contender)

    def _keep(self, contender: str, cell: Cell | None, process: subprocess.Popen[bytes]) -> None:
        said, _ = process.communicate(timeout=DEADLINE_S)
        if process.returncode:
            raise RuntimeError(f"{contender} has failed on {self._lane.name}")
        measured = msgspec.json.decode(said.splitlines()[-1], type=Measured)
        if cell is None:
            return
        self._report.add(cell, measured)
        print(
            f"{cell.lane:9} {cell.wire:8} {contender:32}"
            f" {measured.articles / measured.seconds:8,.0f}/s"
            f" {measured.articles / measured.cpu_s:8,.0f}/CPU s {measured.alerts:6} alerts",
            flush=True,
        )

    @contextmanager
    def _contender(
        self, name: str, kafka_topic: str, count: int, warm: int
    ) -> Iterator[subprocess.Popen[bytes]]:
        unique = secrets.token_hex(4)
        self._lane.create(f"alerts-{unique}")
        orders = Orders(
            contender=name,
            servers=self._lane.servers,
            embedded=self._lane.embedded,
            group=f"bench-{unique}",
            articles=kafka_topic,
            alerts=f"alerts-{unique}",
            redis_url=self._redis_url,
            redis_prefix=f"bench-{unique}",
            count=count,
            warm=warm,
            fetch_wait_ms=YARDSTICK_WAIT_MS[self._lane.embedded],
            spawned_at=time.monotonic(),
        )
        python, module = sys.executable, "benchmarks.line_contenders"
        if name in FRAMEWORKS:
            python, module = str(FRAMEWORKS_PYTHON), "benchmarks.line_frameworks"
        process = subprocess.Popen(
            [python, "-m", module, msgspec.json.encode(orders)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def _publish_evenly(publisher: Publisher, articles: Iterator[Article]) -> None:
    began = time.monotonic()
    for number, article in enumerate(articles):
        time.sleep(max(0.0, began + number / PACE_PER_S - time.monotonic()))
        publisher.publish(msgspec.structs.replace(article, fetched_at=datetime.now(UTC)))
    publisher.flush()


@contextmanager
def open_lane(name: str, folder: Path) -> Iterator[Lane]:
    """A Kafka of its own.

    Raises:
        KafkaUnavailableError: Apache Kafka cannot be had here.
    """
    server = EmbeddedBroker() if name == "embedded" else ApacheKafka(folder / "kafka")
    with server:
        yield Lane(name, server.bootstrap_servers)


def run(plan: Plan, lanes: Sequence[str], wires: Sequence[str]) -> Report:
    """Run every race; what was measured."""
    report = Report(plan.turns, plan.articles, PACE_PER_S)
    inputs = {"3 KB": lambda: list(Wire().articles(plan.articles))}
    if MONTH.exists():
        inputs["month"] = lambda: list(islice(month(plan.articles), plan.articles))
    for name in lanes:
        for wire in [*wires, PACED]:
            # A broker and a Redis of their own, and nothing left of the race before.
            with ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))
                store = stack.enter_context(EmbeddedRedis(folder / "redis"))
                try:
                    lane = stack.enter_context(open_lane(name, folder))
                except KafkaUnavailableError as reason:
                    print(f"no Apache Kafka: {reason}")
                    break
                race = Race(lane, store.url, plan, report)
                if wire == PACED:
                    race.latency()
                elif wire in inputs:
                    race.throughput(wire, inputs[wire]())
    return report


def main() -> None:
    """Run the races that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--articles", type=int, default=3_000)
    parser.add_argument("--latency-s", type=float, default=8)
    parser.add_argument("--lanes", default="embedded,apache")
    parser.add_argument("--wires", default="3 KB,month")
    parser.add_argument("--contenders", default=",".join([*CONTENDERS, *FRAMEWORKS]))
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    asked = parser.parse_args()
    ready = [*CONTENDERS, *FRAMEWORKS]
    if not FRAMEWORKS_PYTHON.exists():
        print("the other frameworks are not installed: left out (`make bench` installs them)")
        ready = list(CONTENDERS)
    named = [one for one in ready if any(one.startswith(w) for w in asked.contenders.split(","))]
    plan = Plan(asked.turns, asked.articles, asked.latency_s, named)
    report = run(plan, asked.lanes.split(","), asked.wires.split(","))
    print(report.table())
    if asked.write:
        print("written:", *report.write(ROOT / "docs"))


if __name__ == "__main__":
    main()
