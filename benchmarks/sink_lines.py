"""The lines of `benchmarks.bench_sink`: real workers, and loops written by hand, each on Kafka
topics and Redis keys of its own; and what they are told of that rings for certain.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.bench_line import PARTITIONS, YARDSTICK_WAIT_MS, Lane
from benchmarks.line_work import Orders
from benchmarks.replay import cpu_s
from benchmarks.sink_loops import POST, SCREEN, SECRET, STRAIGHT, SinkOrders
from benchmarks.sink_report import READER_ON, STRAIGHT_LOOP, THROUGH_KAFKA, WIREBELL
from connectors.records import Article, article_id
from streams.kafka_topics import ALERTS, ARTICLES
from streams.settings import KafkaSettings
from streams.topic_setup import create_kafka_topics

ROOT = Path(__file__).parents[1]
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

    def cpu_s(self) -> float:
        """Seconds of processor time that its processes have used."""
        return sum(cpu_s(process.pid) for process in self.processes)


@contextmanager
def started(names: Sequence[str], lane: Lane, store: str, hook: str) -> Iterator[list[Contender]]:
    """All of them, started; ended afterwards."""
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
