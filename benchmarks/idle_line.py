"""A whole line at rest, and how fast it begins: `wirebell up` and `wirebell worker` as they are.

Owns starting them, timing their first alert, and reading from /proc what each process uses while
nothing happens. Ends what it started.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from msgspec.structs import replace

from benchmarks.line_articles import Wire
from connectors.publisher import Publisher
from connectors.records import article_id
from streams.embedded import EmbeddedBroker, EmbeddedRedis
from streams.kafka_topics import ARTICLES, producer_partition
from streams.reader_rest import LOOK_S, REST_S
from streams.settings import KafkaSettings
from streams.supervisor import FRUGAL
from streams.topic_setup import create_kafka_topics
from tests.end_to_end.line_up import LineUp, starter_text

DEADLINE_S = 120.0
# The invented events, fast; then the worker backs off, and caches settle.
PER_SECOND, SETTLE_S = 20, 20.0
# At least one of them is doubtful; the worker lets the slow reader go so much later.
UNREAD_S = REST_S + 2 * LOOK_S
CONFIG = """
[sinks.terminal]
type = "console"
[[subscriptions]]
id = "all"
deliver = [{ sink = "terminal" }]
"""


@dataclass(frozen=True, slots=True)
class Resting:
    """What a process used while nothing happened. Memory in MB; `pss_mb` shares common pages out
    among those that have them, so that the sum is what the machine gives.
    """

    name: str
    core_percent: float
    rss_mb: float
    pss_mb: float


@dataclass(frozen=True, slots=True)
class LineAtRest:
    """One `wirebell up`: seconds to the first alert, CPU seconds of all until then, and rest;
    `awake_mb` is the PSS of all a while after the last event, with the slow reader in memory.
    """

    first_alert_s: float
    start_cpu_s: float
    awake_mb: float
    processes: tuple[Resting, ...]

    @property
    def core_percent(self) -> float:
        """All processes together."""
        return sum(each.core_percent for each in self.processes)

    @property
    def rss_mb(self) -> float:
        """All processes together; pages that several have count each time."""
        return sum(each.rss_mb for each in self.processes)

    @property
    def pss_mb(self) -> float:
        """All processes together."""
        return sum(each.pss_mb for each in self.processes)


def line_at_rest(idle_s: float) -> LineAtRest:
    """Start a line, let its events run out and its reader go, watch it rest for so long, end it."""
    with tempfile.TemporaryDirectory() as folder:
        line = LineUp(Path(folder), starter_text(per_second=PER_SECOND, feeds=False))
        line.start()
        try:
            _until(lambda: line.out.stat().st_size > 0, "an alert")
            first_alert_s = time.monotonic() - line.started_at
            family = line.family()
            start_cpu_s = sum(_cpu_s(each) for each in family)
            if not idle_s:
                return LineAtRest(first_alert_s, start_cpu_s, 0.0, ())
            time.sleep(SETTLE_S)
            awake_mb = sum(each.memory_full_info().pss / 1e6 for each in line.family())
            time.sleep(UNREAD_S)
            return LineAtRest(first_alert_s, start_cpu_s, awake_mb, _rest(line.family(), idle_s))
        finally:
            line.interrupt()
            line.clear_away()


def worker_start_s() -> float:
    """Seconds from the start of `wirebell worker` to the alert of an article that waits."""
    with tempfile.TemporaryDirectory() as folder, _worker_line(Path(folder)) as environment:
        began = time.monotonic()
        worker = subprocess.Popen(
            [sys.executable, "-m", "streams", "worker"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline(), "the worker ended without an alert"
            return time.monotonic() - began
        finally:
            worker.terminate()
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


@contextmanager
def _worker_line(folder: Path) -> Iterator[Mapping[str, str]]:
    """A broker with one article in it and a Redis; the environment of a worker on them."""
    with EmbeddedBroker() as broker, EmbeddedRedis(folder / "redis") as store:
        (folder / "wirebell.toml").write_text(CONFIG, encoding="utf-8")
        prefix = f"rest-{secrets.token_hex(4)}-"
        kafka = KafkaSettings(
            bootstrap_servers=broker.bootstrap_servers, embedded=True, prefix=prefix
        )
        create_kafka_topics(kafka)
        asyncio.run(_publish_one(kafka))
        yield {
            **os.environ,
            **FRUGAL,
            "WIREBELL_CONFIG": str(folder / "wirebell.toml"),
            "WIREBELL_STATE_DIR": str(folder),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "WIREBELL_KAFKA__PREFIX": prefix,
            "WIREBELL_KAFKA__EMBEDDED": "true",
            "WIREBELL_REDIS__URL": store.url,
        }


async def _publish_one(kafka: KafkaSettings) -> None:
    publisher = Publisher(
        kafka.connection(), kafka.prefix + ARTICLES, producer_partition("sources", embedded=True)
    )
    told = "A bomb exploded at a market in Kharkiv, leaving 12 people dead"
    (article,) = Wire().articles(1)
    article = replace(
        article, id=article_id("rest", told), title=told, text=told, fetched_at=datetime.now(UTC)
    )
    await publisher.publish([article])
    await publisher.close()


def _rest(family: list[psutil.Process], seconds: float) -> tuple[Resting, ...]:
    before = [_cpu_s(each) for each in family]
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    found = []
    for process, cpu_s in zip(family, before, strict=True):
        memory = process.memory_full_info()
        found.append(
            Resting(
                process_name(process),
                100 * (_cpu_s(process) - cpu_s) / passed,
                memory.rss / 1e6,
                memory.pss / 1e6,
            )
        )
    return tuple(found)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def process_name(process: psutil.Process) -> str:
    words = process.cmdline()
    if "streams" in words:
        return str(words[words.index("streams") + 1])
    return "broker" if process.name() == "tansu" else "Redis"


def _until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {DEADLINE_S:.0f} s")
        time.sleep(0.01)
