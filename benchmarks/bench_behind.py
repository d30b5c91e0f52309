"""What a worker does that is behind: with the slow reader for as long as it has patience, then
without, until it has caught up.

    python -m benchmarks.bench_behind [--patience 0,5,60,1e9] [--articles 90000]
    python -m benchmarks.bench_behind --pace 1000 --seconds 120 [--patience 5,60]

A real `wirebell worker` on the embedded broker, articles of the real month of
`../shared/data/stream`, as often as it takes (under other ids). The first form has all of them
wait before the worker starts, the second publishes them evenly. From the worker's heartbeats: how
many articles a second before and after it stopped waiting for the reader, and how late it was.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import msgspec
import redis
from confluent_kafka import Producer

from benchmarks.line_articles import days_of_month
from benchmarks.replay import cpu_s
from connectors.records import SCHEMA_HEADER, Article, article_id, encode
from streams.embedded import EmbeddedBroker, EmbeddedRedis
from streams.heartbeat import Heartbeat, decode_heartbeat
from streams.kafka_topics import ARTICLES, PRODUCER_PARTITIONS
from streams.keys import Keys

ROOT = Path(__file__).parents[1]
PREFIX = "behind-"
DEADLINE_S = 600.0
LOOK_S = 0.1
CONFIG = """
[sinks.terminal]
type = "console"
[[subscriptions]]
id = "all"
deliver = [{ sink = "terminal" }]
"""


@dataclass(frozen=True, slots=True)
class Look:
    """A worker at one heartbeat: what it has decided, and what had been published by then."""

    at: float
    decided: int
    unread: int
    alerts: int
    cpu_s: float
    published: int


@dataclass(slots=True)
class Line:
    """A broker, a Redis, and one worker that is so patient."""

    servers: str
    redis_url: str
    folder: Path
    published: int = 0

    def environment(self, patience_s: float) -> Mapping[str, str]:
        """What the processes are told."""
        config = self.folder / "wirebell.toml"
        config.write_text(CONFIG, encoding="utf-8")
        return {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "WIREBELL_CONFIG": str(config),
            "WIREBELL_STATE_DIR": str(self.folder),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "WIREBELL_KAFKA__EMBEDDED": "true",
            "WIREBELL_KAFKA__PREFIX": PREFIX,
            "WIREBELL_CLASSIFIER__READER_PATIENCE_S": str(patience_s),
            "WIREBELL_REDIS__URL": self.redis_url,
        }

    def publish(self, articles: Iterator[Article], pace: float = 0) -> Iterator[None]:
        """Publish, as fast as can be or evenly; yields now and then."""
        producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 5, "acks": "all"})
        began = time.monotonic()
        for article in articles:
            producer.produce(
                PREFIX + ARTICLES, encode(article), article.id.encode(),
                PRODUCER_PARTITIONS["sources"], headers=[SCHEMA_HEADER],
            )  # fmt: skip
            self.published += 1
            if self.published % 100 == 0:
                producer.poll(0)
                yield
                if pace:
                    time.sleep(max(0.0, began + self.published / pace - time.monotonic()))
        assert producer.flush(60) == 0


def articles_of_month() -> Iterator[Article]:
    """The month again and again, each time other articles."""
    for turn in count():
        for _, article in days_of_month():
            other = article_id("month", f"{turn}-{article.id}")
            yield msgspec.structs.replace(article, id=other)


def run(patience_s: float, articles: int, pace: float) -> list[Look]:
    """One worker, from its start until it has decided everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(EmbeddedRedis(folder / "redis"))
        broker = stack.enter_context(EmbeddedBroker())
        line = Line(broker.bootstrap_servers, store.url, folder)
        command, environment = [sys.executable, "-m", "streams"], line.environment(patience_s)
        subprocess.run(
            [*command, "kafka-topics"], env=environment, cwd=ROOT, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        publishing = line.publish(islice(articles_of_month(), articles), pace)
        if not pace:
            for _ in publishing:
                pass
        log = stack.enter_context((folder / "worker.log").open("wb"))
        worker = subprocess.Popen(
            [*command, "worker"], env=environment, cwd=ROOT, stdout=log, stderr=log
        )
        try:
            return list(_watch(line, worker.pid, publishing, articles))
        finally:
            worker.terminate()
            worker.wait(20)


def _watch(line: Line, pid: int, publishing: Iterator[None], articles: int) -> Iterator[Look]:
    """Every heartbeat of the worker until all is decided."""
    client, last = redis.Redis.from_url(line.redis_url), 0.0
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if next(publishing, True):
            time.sleep(LOOK_S)
        for raw in client.hgetall(Keys("wirebell").processes).values():
            beat = decode_heartbeat(raw)
            if beat is None or beat.at.timestamp() <= last:
                continue
            last = beat.at.timestamp()
            look = Look(
                at=last,
                decided=_total(beat, "wirebell_articles_screened_total"),
                unread=_total(beat, "wirebell_articles_unread_total"),
                alerts=_total(beat, "wirebell_alerts_total"),
                cpu_s=cpu_s(pid),
                published=line.published,
            )
            yield look
            if look.decided >= articles:
                return
    raise TimeoutError("not all was decided")


def _total(beat: Heartbeat, name: str) -> int:
    return int(sum(sample.value for sample in beat.samples if sample.name == name))


def _told(looks: list[Look], patience_s: float, pace: float) -> Iterator[str]:
    working = [one for one in looks if one.decided]
    first, last = working[0], working[-1]
    yield (
        f"patience {patience_s:g} s: {last.decided:,} articles in {last.at - first.at:.0f} s,"
        f" {last.unread:,} doubtful ones not read, {last.alerts:,} alerts"
    )
    if pace:
        late = sorted((one.published - one.decided) / pace for one in working)
        yield f"  late: half of the time {late[len(late) // 2]:.1f} s, at most {late[-1]:.1f} s"
        return
    read = [one for one in working if not one.unread]
    hasty = [one for one in working if one.unread]
    for name, part in (("with the reader", read), ("without", hasty)):
        if len(part) > 1:
            count = part[-1].decided - part[0].decided
            seconds, cpu = part[-1].at - part[0].at, part[-1].cpu_s - part[0].cpu_s
            yield f"  {name}: {count / seconds:,.0f} a second, {count / cpu:,.0f} a CPU second"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patience", default="0,5,60")
    parser.add_argument("--articles", type=int, default=90_000)
    parser.add_argument("--pace", type=float, default=0, help="articles a second; 0: a backlog")
    parser.add_argument("--seconds", type=float, default=120, help="how long at that pace")
    asked = parser.parse_args()
    articles = int(asked.pace * asked.seconds) or asked.articles
    for patience_s in map(float, asked.patience.split(",")):
        looks = run(patience_s, articles, asked.pace)
        print(*_told(looks, patience_s, asked.pace), sep="\n", flush=True)


if __name__ == "__main__":
    main()
