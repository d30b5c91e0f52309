"""The whole way: from just before Kafka to a receiver that has taken the webhook.

    python -m benchmarks.bench_sink [--rounds 7] [--lanes embedded,apache] [--write]

A real `wirebell worker` with a webhook, beside loops written by hand (`benchmarks/sink_loops.py`)
that screen, join stories and post alike. All run at once, on Kafka topics and Redis keys of their
own, and are given articles in turn: while one works the others rest, so that each round begins on
an idle line. Writes docs/latency.md with `--write`; takes four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
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
import redis
from confluent_kafka import Producer

from benchmarks.bench_line import PARTITIONS, YARDSTICK_WAIT_MS, Lane, open_lane
from benchmarks.line_articles import Wire
from benchmarks.line_work import Orders
from benchmarks.sink_loops import POST, SCREEN, SECRET, STRAIGHT, SinkOrders
from benchmarks.sink_receiver import Receiver
from benchmarks.sink_report import READER_ON, STRAIGHT_LOOP, THROUGH_KAFKA, WIREBELL, Round, page
from connectors.records import SCHEMA_HEADER, Article, article_id, encode
from streams.embedded import EmbeddedRedis
from streams.fetch_pace import RECORDS
from streams.kafka_topics import ALERTS, ARTICLES, producer_partition
from streams.keys import Keys
from streams.settings import KafkaSettings
from streams.topic_setup import create_kafka_topics
from tests.kafka.apache import KafkaUnavailableError

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "latency.md"
PACE_PER_S, ARTICLES_A_ROUND = 50, 150
# Before anything counts, so much and so fast: caches fill, and Apache Kafka compiles itself.
WARM, WARM_PER_S = 200, 100
# Bells are about an event of their own and ring for certain: the first, the hundredth, the last.
HUNDREDTH = 99
# Longer than the worker's fetches need to go to rest (streams/fetch_pace.py).
REST_S, QUIET_S, DEADLINE_S = 5.0, 0.3, 30.0
ROLES = {STRAIGHT_LOOP: (STRAIGHT,), THROUGH_KAFKA: (SCREEN, POST)}
CONTENDERS = (WIREBELL, READER_ON, STRAIGHT_LOOP, THROUGH_KAFKA)
CONFIG = """
[sinks.receiver]
type = "webhook"
url = "{hook}"
secret = "{secret}"
allow_private = true
[[subscriptions]]
id = "all"
deliver = [{{ sink = "receiver" }}]
"""
BURNT = "library bakery theatre school warehouse restaurant cinema museum garage".split()
TOWNS = (
    "Graz Linz Turin Bologna Porto Braga Brno Ostrava Plovdiv Varna Split Zadar Cork Galway "
    "Tampere Turku Aarhus Odense Uppsala Bergen Trondheim Ghent Utrecht Eindhoven Nantes Bordeaux "
    "Valencia Bilbao Rostock Bremen Kassel Mannheim Salzburg Basel Geneva Lausanne Modena Verona "
    "Padua Catania Palermo Zaragoza Malaga Toulouse Grenoble Rennes Debrecen Szeged"
).split()


@dataclass(slots=True)
class Contender:
    """One line under a prefix of its own, with the processes that it consists of."""

    name: str
    lane: Lane
    redis_url: str
    hook: str
    folder: Path
    prefix: str = field(default_factory=lambda: f"sink-{secrets.token_hex(4)}-")
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    bells: int = 0

    def start(self) -> None:
        """Make its Kafka topics and start it."""
        kafka = KafkaSettings(
            bootstrap_servers=self.lane.servers, prefix=self.prefix, partitions=PARTITIONS
        )
        create_kafka_topics(kafka)
        if self.name not in ROLES:
            (self.folder / "wirebell.toml").write_text(
                CONFIG.format(hook=self.hook, secret=SECRET), encoding="utf-8"
            )
            self._spawn("streams", "worker", environment=self._environment())
        for role in ROLES.get(self.name, ()):
            asked = SinkOrders(role=role, hook=self.hook, line=self._orders())
            self._spawn("benchmarks.sink_loops", msgspec.json.encode(asked).decode())

    def _spawn(self, *words: str, environment: Mapping[str, str] | None = None) -> None:
        with (self.folder / f"{len(self.processes)}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", *words],
                    env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
                    cwd=ROOT,
                    stdout=log,
                    stderr=log,
                )
            )

    def _environment(self) -> Mapping[str, str]:
        return {
            "WIREBELL_CONFIG": str(self.folder / "wirebell.toml"),
            "WIREBELL_STATE_DIR": str(self.folder),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": self.lane.servers,
            "WIREBELL_KAFKA__PREFIX": self.prefix,
            "WIREBELL_KAFKA__PARTITIONS": str(PARTITIONS),
            "WIREBELL_KAFKA__EMBEDDED": str(self.lane.embedded).lower(),
            "WIREBELL_CLASSIFIER__READER": str(self.name == READER_ON).lower(),
            "WIREBELL_REDIS__URL": self.redis_url,
            "WIREBELL_REDIS__PREFIX": self.prefix,
        }

    def _orders(self) -> Orders:
        return Orders(
            contender=self.name,
            servers=self.lane.servers,
            embedded=self.lane.embedded,
            group=self.prefix + "loop",
            articles=self.prefix + ARTICLES,
            alerts=self.prefix + ALERTS,
            redis_url=self.redis_url,
            redis_prefix=self.prefix,
            count=sys.maxsize,  # until it is ended
            warm=0,
            fetch_wait_ms=YARDSTICK_WAIT_MS[self.lane.embedded],
            spawned_at=time.monotonic(),
        )

    def bell(self, filler: Article) -> Article:
        """An article about an event that nothing else is about."""
        number = self.bells
        self.bells += 1
        town, what = TOWNS[number % len(TOWNS)], BURNT[number % len(BURNT)]
        title = f"Arsonists set fire to a {what} in {town}, {number + 3} people injured"
        # Words of nobody else's: names, as a report has them.
        names = " ".join(f"{town[::-1].title()}{syllable}" for syllable in ("ov", "ine", "ard"))
        told = f"{title}. {names} of {town} saw it. "
        return msgspec.structs.replace(
            filler,
            id=article_id("bell", str(number)),
            title=title,
            text=told + filler.text[len(told) :],
        )

    def end(self) -> None:
        """End its processes."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def said(self) -> str:
        """The end of its logs, for who asks why."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(log.read_text(encoding="utf-8", errors="replace")[-2_000:] for log in logs)


class Race:
    """All contenders of one lane, in turn."""

    def __init__(self, lane: Lane, store_url: str, receiver: Receiver) -> None:
        self._lane = lane
        self._receiver = receiver
        self._producer = Producer(
            {"bootstrap.servers": lane.servers, "linger.ms": 0, "acks": "all"}
        )
        self._redis = redis.Redis.from_url(store_url)
        self._wires: dict[str, Wire] = {}
        self._rested_at: dict[str, float] = {}
        self._count = 0

    async def warm_up(self, contender: Contender) -> None:
        """Until it has told of the last of some articles."""
        self._wires[contender.name] = Wire(7)
        await self._publish(contender, self._articles(contender, WARM, {WARM - 1}), pace=WARM_PER_S)
        self._rested_at[contender.name] = time.monotonic()

    async def round(self, contender: Contender) -> Round:
        """So many articles at an even pace, after a rest."""
        rested_s = time.monotonic() - self._rested_at[contender.name]
        await asyncio.sleep(max(0.0, REST_S - rested_s))
        bells = {0, HUNDREDTH, ARTICLES_A_ROUND - 1}
        articles = self._articles(contender, ARTICLES_A_ROUND, bells)
        cpu_s = sum(map(_cpu_s, contender.processes))
        began = time.monotonic()
        sent = await self._publish(contender, articles, pace=PACE_PER_S)
        seconds = time.monotonic() - began
        cpu_s = sum(map(_cpu_s, contender.processes)) - cpu_s
        self._rested_at[contender.name] = time.monotonic()
        accepted = self._receiver.accepted
        delays = [1_000 * (accepted[at] - sent[at]) for at in sent if at in accepted]
        marks = list(sent)
        first, hundredth = marks[0], marks[HUNDREDTH]
        return Round(
            lane=self._lane.name,
            contender=contender.name,
            delays_ms=delays,
            first_ms=1_000 * (accepted[first] - sent[first]),
            hundredth_ms=1_000 * (accepted[hundredth] - sent[hundredth]),
            core_percent=100 * cpu_s / seconds,
        )

    def _articles(self, contender: Contender, count: int, bells: set[int]) -> list[Article]:
        wire = self._wires[contender.name].articles(count)
        return [
            contender.bell(article) if number in bells else article
            for number, article in enumerate(wire)
        ]

    async def _publish(
        self, contender: Contender, articles: Sequence[Article], pace: float
    ) -> dict[datetime, float]:
        """When each was handed to Kafka, by its `fetched_at`; returns when all has been told."""
        sent = await asyncio.to_thread(self._publish_evenly, contender, articles, pace)
        last = next(reversed(sent))
        deadline = time.monotonic() + DEADLINE_S
        while last not in self._receiver.accepted or self._receiver.quiet_s() < QUIET_S:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{contender.name} did not tell of its last bell\n{contender.said()}"
                )
            await asyncio.sleep(0.05)
        return sent

    def _publish_evenly(
        self, contender: Contender, articles: Sequence[Article], pace: float
    ) -> dict[datetime, float]:
        sent: dict[datetime, float] = {}
        began = time.monotonic()
        for number, article in enumerate(articles):
            time.sleep(max(0.0, began + number / pace - time.monotonic()))
            now = datetime.now(UTC)
            # A story keeps milliseconds.
            now = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
            stamped = msgspec.structs.replace(article, fetched_at=now)
            raw = encode(stamped)
            sent[stamped.fetched_at] = time.monotonic()
            self._produce(contender, stamped.id.encode(), raw)
        return sent

    def _produce(self, contender: Contender, key: bytes, raw: bytes) -> None:
        """As sources do: confirmed, then a nudge where the broker tells nobody."""
        partition = producer_partition("sources", embedded=self._lane.embedded)
        self._count += 1
        self._producer.produce(
            contender.prefix + ARTICLES,
            raw,
            key,
            self._count % PARTITIONS if partition is None else partition,
            headers=[SCHEMA_HEADER],
        )
        assert self._producer.flush(30) == 0
        if self._lane.embedded and contender.name not in ROLES:
            self._redis.publish(Keys(contender.prefix).nudges, RECORDS)


def _cpu_s(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _started(names: Sequence[str], lane: Lane, store: str, hook: str) -> Iterator[list[Contender]]:
    with tempfile.TemporaryDirectory() as folder:
        contenders = []
        for number, name in enumerate(names):
            own = Path(folder) / str(number)
            own.mkdir()
            contenders.append(Contender(name, lane, store, hook, own))
        try:
            for each in contenders:
                each.start()
            yield contenders
        finally:
            for each in contenders:
                each.end()


async def race(lane: Lane, store: str, rounds: int, names: Sequence[str]) -> list[Round]:
    """All contenders, in turn, so many rounds each."""
    found = []
    async with Receiver() as receiver:
        with _started(names, lane, store, receiver.url) as contenders:
            running = Race(lane, store, receiver)
            for contender in contenders:
                await running.warm_up(contender)
            for number in range(rounds):
                # Nobody always follows the same neighbour.
                at = number % len(contenders)
                for contender in [*contenders[at:], *contenders[:at]]:
                    found.append(await running.round(contender))
                    print(found[-1].said(), flush=True)
    return found


def main() -> None:
    """Measure what the command line asks for, print it, and write it down with `--write`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lanes", default="embedded,apache")
    parser.add_argument("--contenders", default=";".join(CONTENDERS))
    parser.add_argument("--write", action="store_true", help="write docs/latency.md")
    asked = parser.parse_args()
    rounds: list[Round] = []
    for name in asked.lanes.split(","):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            store = stack.enter_context(EmbeddedRedis(folder / "redis"))
            try:
                lane = stack.enter_context(open_lane(name, folder))
            except KafkaUnavailableError as reason:
                print(f"no Apache Kafka: {reason}")
                continue
            rounds += asyncio.run(race(lane, store.url, asked.rounds, asked.contenders.split(";")))
    said = page(rounds, PACE_PER_S, ARTICLES_A_ROUND, HUNDREDTH + 1, REST_S)
    print(said)
    if asked.write:
        PAGE.write_text(said, encoding="utf-8")
        print("written:", PAGE)


if __name__ == "__main__":
    main()
