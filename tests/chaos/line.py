"""A whole line for chaos: Apache Kafka, a Redis with an append-only file, workers as processes,
and an oracle that issues stories and counts them at the fake Slack and the fake receiver.

A tenth of the full load runs with the tests; WIREBELL_CHAOS=10 runs all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec
import redis
from kafka import KafkaProducer

from connectors.records import SCHEMA_HEADER, Article, encode
from streams.dead_letters import DeadLetter, decode_dead_letter
from streams.embedded import EmbeddedRedis
from streams.kafka_topics import ARTICLES, DEAD_LETTERS
from streams.keys import Keys
from streams.topic_setup import create_kafka_topics
from tests.fakes.faults import Faults
from tests.fakes.line_process import FastClock, Orders
from tests.fakes.slack_server import FakeSlack
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.lanes import Lane, read_kafka_topic, wait_until

LOAD = int(os.environ.get("WIREBELL_CHAOS", "1"))
ROOT = Path(__file__).parents[2]
CHANNELS, PARTITIONS = 20, 4
# A minute of lease is six seconds here, and a channel takes ten messages a second.
RATE = 10.0
# Figures for docs/reliability.md (pytest's own fixture).
Record = Callable[[str, object], None]


class Fakes:
    """The fake Slack and the fake receiver, in a thread with an event loop of its own."""

    def __init__(self, clock: FastClock) -> None:
        names = {f"C{number:07d}": f"c{number}" for number in range(CHANNELS)}
        self.slack = FakeSlack(channels=names, clock=clock, faults=Faults(clock=clock))
        self.hook = WebhookReceiver(faults=Faults(clock=clock))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for fake in (self.slack, self.hook):
            asyncio.run_coroutine_threadsafe(fake.__aenter__(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        for fake in (self.slack, self.hook):
            asyncio.run_coroutine_threadsafe(fake.__aexit__(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class ChaosLine:
    """One test's line and its oracle. Every method blocks."""

    def __init__(self, lane: Lane, own_redis: EmbeddedRedis, folder: Path, rate: float) -> None:
        self.lane, self.redis, self.log = lane, own_redis, folder / "workers.log"
        self.clock = FastClock(time.time(), rate)
        self.fakes = Fakes(self.clock)
        self.issued: dict[str, str] = {}
        self.fresh_s: list[float] = []
        self.faults = 0
        self.workers: list[subprocess.Popen[bytes]] = []
        self._changes: dict[str, object] = {}
        self._producer = KafkaProducer(bootstrap_servers=lane.bootstrap_servers, linger_ms=5)
        self._keys = Keys("chaos")
        create_kafka_topics(lane.settings(PARTITIONS))

    def open(self) -> None:
        """Start the fakes, and tell Redis that it has been in use since yesterday."""
        self.fakes.__enter__()
        yesterday = self.clock() - 86_400
        born = {"born": yesterday, "settle_until": yesterday}
        with redis.Redis.from_url(self.redis.url) as connection:
            connection.hset(f"{self._keys.tag}ledger", mapping=born)

    # -------------------------------------------------------------- workers

    def start(self, **changes: object) -> subprocess.Popen[bytes]:
        """Start a worker; `changes` are fields of its orders, for those started later too."""
        self._changes |= changes
        orders = Orders(
            bootstrap_servers=self.lane.bootstrap_servers,
            kafka_prefix=self.lane.prefix,
            redis_url=self.redis.url,
            redis_prefix="chaos",
            slack_url=self.fakes.slack.url,
            hook_url=self.fakes.hook.url,
            channels=CHANNELS,
            start=self.clock.start,
            rate=self.clock.rate,
        )
        orders = msgspec.structs.replace(orders, **self._changes)
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "tests.fakes.line_process", msgspec.json.encode(orders)],
                cwd=ROOT,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        self.workers.append(worker)
        return worker

    def end(self, worker: subprocess.Popen[bytes], sign: signal.Signals) -> int:
        """End a worker by a signal; its exit code."""
        worker.send_signal(sign)
        self.workers.remove(worker)
        self.faults += 1
        return worker.wait(60)  # seconds on a busy machine; ten on an idle one

    def drain(self) -> None:
        """Wait until everything issued is told."""
        self._poll(
            lambda: set(zip(self.issued.values(), self.issued, strict=True)) <= set(self.told()),
            120,
        )

    def tend(self) -> None:
        """Start a worker for each that has ended by itself, as their supervisor would."""
        for worker in [each for each in self.workers if each.poll() is not None]:
            self.workers.remove(worker)
            self.faults += 1
            self.start()

    def said(self) -> str:
        """What the workers have written to stderr."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def wait_until_ready(self, times: int = 1) -> None:
        """Wait until workers have said so many times that they are ready."""
        wait_until(lambda: self.said().count(" ready") >= times, 60, self.said()[-1500:])

    # -------------------------------------------------------------- the oracle

    def say_again(self) -> None:
        """Issue everything once more: Kafka repeats what was not committed."""
        for name, place in self.issued.items():
            self._publish(name, int(place[1:]), " urgent")
        self._producer.flush(60)

    def owe(self, number: int, words: str = "") -> list[str]:
        """Issue so many stories, over all channels; a third of them is routine. Their ids."""
        first = len(self.issued)
        names = []
        for count in range(first, first + number):
            channel = count % CHANNELS
            urgent = "" if count % 3 == 0 else " urgent"
            names.append(self._publish(f"s{count}", channel, f"{urgent} {words}"))
        self._producer.flush(60)
        return names

    def told(self) -> Counter[tuple[str, str]]:
        """How often each story stands in each channel."""
        found: Counter[tuple[str, str]] = Counter()
        for message in list(self.fakes.slack.messages):
            payload = message.payload
            for story in payload.get("stories") or [payload["story_id"]]:
                found[message.channel, story] += 1
        return found

    def heard(self) -> set[str]:
        """The stories that the receiver has."""
        return {body["data"]["story"]["id"] for body in list(self.fakes.hook.received.values())}

    def wait_for_more(self, number: int) -> None:
        """Wait until so many messages more than now are in Slack: workers are busy."""
        goal = len(self.fakes.slack.messages) + number
        self._poll(lambda: len(self.fakes.slack.messages) >= goal, 90)

    def time_a_fresh_one(self) -> None:
        """After a fault has ended: how long a new urgent story takes into Slack."""
        began = time.monotonic()
        name = self._publish(f"s{len(self.issued)}", len(self.issued) % CHANNELS, " urgent")
        self._producer.flush(60)
        place = (self.issued[name], name)
        self._poll(lambda: place in self.told(), 150)
        self.fresh_s.append(time.monotonic() - began)

    def settle(self, record: Record, *, without: frozenset[str] = frozenset()) -> None:
        """Wait until everything issued is told (but for what became a dead letter), then count
        and record. Nothing may be lost or doubled.
        """
        owed = {name: place for name, place in self.issued.items() if name not in without}
        assert owed, "nothing was issued that could be lost"

        def complete() -> bool:
            told = self.told()
            return (
                all((place, name) in told for name, place in owed.items())
                and set(owed) <= self.heard()
            )

        with contextlib.suppress(AssertionError):
            self._poll(complete, 240)
        told, heard = self.told(), self.heard()
        lost = sum((place, name) not in told for name, place in owed.items())
        lost += sum(name not in heard for name in owed)
        doubled = told.total() - len(told)
        faults = self.fakes.slack.faults.made + self.fakes.hook.faults.made + self.faults
        record("owed", 2 * len(owed))
        record("lost", lost)
        record("doubled", doubled)
        record("faults", faults)
        if self.fresh_s:
            record("fresh", ",".join(f"{seconds:.1f}" for seconds in self.fresh_s))
            print("fresh", statistics.median(self.fresh_s), max(self.fresh_s))
        assert (lost, doubled) == (0, 0), f"{(lost, doubled)} {self.said()[-3_000:]}"
        assert (self.fakes.slack.violations, self.fakes.hook.forged) == ([], [])

    def dead_letters(self) -> dict[str, DeadLetter]:
        """Every dead letter in Kafka, by the story that it was about."""
        records = read_kafka_topic(self.lane, self.lane.prefix + DEAD_LETTERS, PARTITIONS)
        letters = [decode_dead_letter(each.value) for each in records]
        return {letter.key.decode(): letter for letter in letters}

    def close(self) -> None:
        """End every worker that still runs, and the fakes."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
            worker.wait()
        self._producer.close(timeout=2)
        self.fakes.__exit__()

    def _publish(self, name: str, channel: int, words: str) -> str:
        article = Article(
            id=name,
            source_id="test",
            publisher="Test",
            title=f"{name} c{channel}{words}",
            text="text",
            fetched_at=self.clock.now(),
        )
        self._producer.send(
            self.lane.prefix + ARTICLES,
            key=name.encode(),
            value=encode(article),
            headers=[SCHEMA_HEADER],
        )
        self.issued[name] = f"C{channel:07d}"
        return name

    def _poll(self, condition: Callable[[], bool], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {within_s} s: {self.said()[-2_000:]}"
            self.tend()
            time.sleep(0.05)


@contextmanager
def open_chaos_line(lane: Lane, folder: Path, rate: float = RATE) -> Iterator[ChaosLine]:
    """A line with a Redis of its own, which ends its workers."""
    with EmbeddedRedis(folder / "redis") as own_redis:
        line = ChaosLine(lane, own_redis, folder, rate)
        try:
            line.open()
            yield line
        finally:
            line.close()
