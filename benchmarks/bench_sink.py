"""The whole way: from just before Kafka to a receiver that has taken the webhook.

    python -m benchmarks.bench_sink [--rounds 6] [--backlogs 3] [--lanes embedded,apache] [--write]

A real `wirebell worker` with a webhook, beside loops written by hand (`benchmarks/sink_loops.py`)
that screen, join stories and post alike. All run at once, on Kafka topics and Redis keys of their
own, and are given articles in turn: while one works the others rest, so that each round begins on
an idle line. Afterwards they work off backlogs, in turn. Writes docs/latency.md with `--write`;
takes four and a half minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec
import redis
from confluent_kafka import Producer

from benchmarks.bench_line import MEMORY, PARTITIONS, Lane, open_lane
from benchmarks.line_articles import MONTH, Wire, month
from benchmarks.sink_lines import CONTENDERS, ROLES, Contender, started
from benchmarks.sink_receiver import Receiver
from benchmarks.sink_report import STRAIGHT_LOOP, WIREBELL, Backlog, Plan, Round, page
from connectors.records import SCHEMA_HEADER, Article, encode
from streams.embedded import EmbeddedRedis
from streams.fetch_pace import RECORDS
from streams.kafka_topics import ARTICLES, producer_partition
from streams.keys import Keys
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
BACKLOG = 3_000


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
        await self._publish(contender, WARM, {WARM - 1}, pace=WARM_PER_S)
        self._rested_at[contender.name] = time.monotonic()

    async def round(self, contender: Contender) -> Round:
        """So many articles at an even pace, after a rest."""
        rested_s = time.monotonic() - self._rested_at[contender.name]
        await asyncio.sleep(max(0.0, REST_S - rested_s))
        bells = {0, HUNDREDTH, ARTICLES_A_ROUND - 1}
        cpu_s = contender.cpu_s()
        began = time.monotonic()
        sent = await self._publish(contender, ARTICLES_A_ROUND, bells, pace=PACE_PER_S)
        seconds = time.monotonic() - began
        cpu_s = contender.cpu_s() - cpu_s
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

    async def backlog(self, contender: Contender, turn: int) -> Backlog:
        """So many articles at once: the next of the real month, bells last."""
        partitions = [self._partition(number) for number in range(PARTITIONS)]
        bells = [contender.bell(article) for article in Wire(turn).articles(len(set(partitions)))]
        now = datetime.now(UTC).replace(microsecond=0)
        bells = [
            msgspec.structs.replace(bell, fetched_at=now + timedelta(milliseconds=number))
            for number, bell in enumerate(bells)
        ]
        waiting = [*_real(turn), *bells]
        taken = self._receiver.taken
        cpu_s, began = contender.cpu_s(), time.monotonic()
        await asyncio.to_thread(self._publish_at_once, contender, waiting)
        await self._told(contender, {bell.fetched_at for bell in bells})
        return Backlog(
            lane=self._lane.name,
            contender=contender.name,
            articles=len(waiting),
            posts=self._receiver.taken - taken,
            seconds=self._receiver.last - began,
            cpu_s=contender.cpu_s() - cpu_s,
        )

    def _articles(self, contender: Contender, count: int, bells: set[int]) -> list[Article]:
        wire = self._wires[contender.name].articles(count)
        return [
            contender.bell(article) if number in bells else article
            for number, article in enumerate(wire)
        ]

    async def _publish(
        self, contender: Contender, count: int, bells: set[int], pace: float
    ) -> dict[datetime, float]:
        """When each was handed to Kafka, by its `fetched_at`; returns when all has been told."""
        articles = self._articles(contender, count, bells)
        sent = await asyncio.to_thread(self._publish_evenly, contender, articles, pace)
        await self._told(contender, {at for number, at in enumerate(sent) if number in bells})
        return sent

    async def _told(self, contender: Contender, awaited: set[datetime]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not (
            awaited <= self._receiver.accepted.keys() and self._receiver.quiet_s() > QUIET_S
        ):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{contender.name} did not tell of a bell\n{contender.said()}")
            await asyncio.sleep(0.05)

    def _publish_evenly(
        self, contender: Contender, articles: Sequence[Article], pace: float
    ) -> dict[datetime, float]:
        sent: dict[datetime, float] = {}
        began, stamp = time.monotonic(), _this_millisecond()
        for number, article in enumerate(articles):
            time.sleep(max(0.0, began + number / pace - time.monotonic()))
            # A story keeps milliseconds; no two articles may share one.
            stamp = max(stamp + timedelta(milliseconds=1), _this_millisecond())
            stamped = msgspec.structs.replace(article, fetched_at=stamp)
            raw = encode(stamped)
            sent[stamped.fetched_at] = time.monotonic()
            self._hand_over(contender, stamped.id.encode(), raw)
            self._confirmed(contender)
        return sent

    def _publish_at_once(self, contender: Contender, articles: Sequence[Article]) -> None:
        for article in articles:
            self._hand_over(contender, article.id.encode(), encode(article))
            self._producer.poll(0)
        self._confirmed(contender)

    def _hand_over(self, contender: Contender, key: bytes, raw: bytes) -> None:
        self._count += 1
        self._producer.produce(
            contender.prefix + ARTICLES,
            raw,
            key,
            self._partition(self._count),
            headers=[SCHEMA_HEADER],
        )

    def _partition(self, number: int) -> int:
        own = producer_partition("sources", embedded=self._lane.embedded)
        return number % PARTITIONS if own is None else own

    def _confirmed(self, contender: Contender) -> None:
        """As sources do: confirmed, then a nudge where the broker tells nobody."""
        assert self._producer.flush(30) == 0
        if self._lane.embedded and contender.name not in ROLES:
            self._redis.publish(Keys(contender.prefix).nudges, RECORDS)


def _this_millisecond() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000)


def _real(turn: int) -> Sequence[Article]:
    """The articles of a turn: others each time, the same for everybody."""
    if not MONTH.exists():
        return list(Wire(100 + turn).articles(BACKLOG))
    return list(islice(month((turn + 1) * BACKLOG), turn * BACKLOG, None))


async def race(
    lane: Lane, store: str, asked: argparse.Namespace
) -> tuple[list[Round], list[Backlog]]:
    """All contenders, in turn, so many rounds each; then the backlogs."""
    rounds, backlogs = [], []
    async with Receiver() as receiver:
        with started(asked.contenders.split(";"), lane, store, receiver.url) as contenders:
            running = Race(lane, store, receiver)
            for contender in contenders:
                await running.warm_up(contender)
            for number in range(asked.rounds):
                # Nobody always follows the same neighbour.
                at = number % len(contenders)
                for contender in [*contenders[at:], *contenders[:at]]:
                    rounds.append(await running.round(contender))
                    print(rounds[-1].said(), flush=True)
            for turn in range(asked.backlogs):
                for contender in contenders:
                    if contender.name in (WIREBELL, STRAIGHT_LOOP):
                        backlogs.append(await running.backlog(contender, turn))
                        print(backlogs[-1].said(), flush=True)
    return rounds, backlogs


def main() -> None:
    """Measure what the command line asks for, print it, and write it down with `--write`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--backlogs", type=int, default=3)
    parser.add_argument("--lanes", default="embedded,apache")
    parser.add_argument("--contenders", default=";".join(CONTENDERS))
    parser.add_argument("--write", action="store_true", help="write docs/latency.md")
    asked = parser.parse_args()
    rounds: list[Round] = []
    backlogs: list[Backlog] = []
    for name in asked.lanes.split(","):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))
            store = stack.enter_context(EmbeddedRedis(folder / "redis"))
            try:
                lane = stack.enter_context(open_lane(name, folder))
            except KafkaUnavailableError as reason:
                print(f"no Apache Kafka: {reason}")
                continue
            found = asyncio.run(race(lane, store.url, asked))
            rounds += found[0]
            backlogs += found[1]
    plan = Plan(PACE_PER_S, ARTICLES_A_ROUND, HUNDREDTH + 1, REST_S, asked.rounds, asked.backlogs)
    said = page(rounds, backlogs, plan)
    print(said)
    if asked.write:
        PAGE.write_text(said, encoding="utf-8")
        print("written:", PAGE)


if __name__ == "__main__":
    main()
