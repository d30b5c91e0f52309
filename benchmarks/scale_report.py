"""What `bench_scale` found, in words: docs/scaling.md, with the model that predicts more."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from benchmarks.growth import Day

#: The largest figure in the trade: documents of all kinds that one firm claims to read a day.
LARGEST_PER_DAY = 1_300_000_000
DAY_S = 86_400
WINDOW_S = 72 * 3_600
#: Nobody plans a machine that is never idle.
USED = 0.6
#: Of the real month's articles so many are about a topic (docs: benchmarks.replay).
ON_TOPIC = 0.21

PAGE = """\
# Scaling

Written by `python -m benchmarks.bench_scale --write` on {date}; do not edit.

{cores} cores, {system}, Python {python}; load of the machine over 15 minutes {load:.1f}. Real
`wirebell worker` processes on Apache Kafka (one node) and one Redis, all on this machine: with
{cores} cores there is nothing to be won by more than {cores} busy processes, so what tells how it
scales is the *work* an article costs and what of it is shared. The slow reader is off: where it
is on, each doubtful article costs 15 to 30 ms more (`python -m benchmarks.bench_classify`).

## Workers and partitions

A backlog of 3 KB articles, one in four about an incident, stories in Redis included. *Repeated*
counts records on Kafka topic `alerts` with an id that was there before. A worker that ends between
the alert and its commit leaves such records; the ledger drops them by their id, so nobody is told
twice (docs/guarantees.md, `tests/chaos`).

{spreads}

With {most} workers an article costs {dearer:.2f} times the work that it costs with one: each has
its heartbeats and its share of every rebalance, and smaller batches; and on {cores} cores they
take turns.

## While workers come and go

{pace} articles a second on 16 partitions. *Delay* is from the source's clock to Kafka's on the
alert.

{moments}

A worker that is killed is missed after its session (15 s unless `kafka.session_timeout_s` says
otherwise); its partitions wait for that long and nothing is lost. The other way round, a shorter
session takes away the partitions of a worker that only stood still.

## A month of heavy days

The heaviest day of a real month, {days} times in a row with new ids and in part new words: resident
memory after {quarter:,} and after {all:,} articles. Redis' clock cannot be moved, so here it lets
nothing go; that it does by age is measured by `python -m benchmarks.bench_stories`
(docs/stories.md).

{growth}

![Memory over a month of heavy days](images/growth.png)

## What an article costs

| | an article |
|---|---|
| worker, CPU ms | {worker_ms:.2f} |
| Redis, CPU ms | {redis_ms:.3f} |
| Redis commands | {commands:.2f} |
| bytes to Redis | {bytes_in:,.0f} |
| bytes from Redis | {bytes_out:,.0f} |
| Redis memory, bytes | {memory:,.0f} |

One batch is one call to Redis, so the commands an article fall with the load.

## Where it bends

Workers share nothing but Kafka and Redis. Kafka is cut into partitions; Redis is not: all keys of
a line are under one hash tag, because one script asks three questions of an article and writes
the answer, atomically. Redis runs scripts on one core. So the line grows with cores until that
core is busy, at about **{bend:,.0f} articles a second** of this kind (one in four about an
incident), or {bend_real:,.0f} a second of the real month's, of which {on_topic:.0%} are about a
topic.

The model: cores for workers = rate x {worker_ms:.2f} ms / {used}; Redis cores = rate x
{redis_ms:.3f} ms; memory of Redis = rate x share about a topic x bytes x 72 h.

| articles a second | what it is | worker cores | busy share of Redis' core | Redis memory, 72 h |
|---|---|---|---|---|
{model}

Beyond one core of Redis a line has to be cut: several lines, each with its own prefix (by
language, or by topic), on one Kafka. Stories that cross the cut then ring once in each. Wirebell
does not do that by itself; nobody who reads news alone needs it.
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an article cost in Redis."""

    commands: float
    bytes_in: float
    bytes_out: float
    memory: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A backlog, worked off by so many workers on so many partitions."""

    workers: int
    partitions: int
    articles: int
    seconds: float
    worker_cpu_s: float
    redis_cpu_s: float
    alerts: int
    repeated: int
    cost: Cost


@dataclass(frozen=True, slots=True)
class Moment:
    """Delays (s) while something happened to the workers."""

    name: str
    alerts: int
    median_s: float
    worst_s: float
    repeated: int


@dataclass(slots=True)
class ScaleReport:
    """Everything that was measured."""

    at: datetime
    pace: int
    spreads: list[Spread] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    growth: list[Day] = field(default_factory=list)

    def row(self, one: Spread) -> str:
        """One line of the first table."""
        cells = (
            one.workers,
            one.partitions,
            f"{one.articles / one.seconds:,.0f}",
            f"{one.articles / one.worker_cpu_s:,.0f}",
            f"{one.articles / one.redis_cpu_s:,.0f}",
            f"{one.alerts:,}",
            one.repeated,
        )
        return "| " + " | ".join(str(cell) for cell in cells) + " |"

    def page(self) -> str:
        """docs/scaling.md."""
        worker_ms, redis_ms = self._per_article_ms()
        cost = self._cost()
        share = self._share()
        bend = 1_000 / redis_ms
        bend_real = bend * share / ON_TOPIC
        return PAGE.format(
            date=self.at.date(),
            cores=os.cpu_count(),
            system=platform.system(),
            python=platform.python_version(),
            load=os.getloadavg()[2],
            spreads=_table(
                ("workers", "partitions", "articles a second", "articles a CPU second of all"
                 " workers", "articles a CPU second of Redis", "alerts", "repeated"),
                [self.row(one) for one in self.spreads],
            ),
            moments=_table(
                ("what happens", "alerts", "median delay, s", "worst delay, s", "repeated"),
                [
                    f"| {m.name} | {m.alerts} | {m.median_s:.2f} | {m.worst_s:.1f} | {m.repeated} |"
                    for m in self.moments
                ],
            ),
            pace=self.pace,
            days=len(self.growth),
            quarter=self._quarter().articles,
            all=self.growth[-1].articles,
            growth=_table(
                ("", "after a quarter, MB", "at the end, MB"),
                [
                    f"| {name} | {mb:,.0f} | {self.growth[-1].memory_mb[name]:,.0f} |"
                    for name, mb in self._quarter().memory_mb.items()
                ],
            ),
            most=self.spreads[-1].workers,
            dearer=_work(self.spreads[-1]) / _work(self.spreads[0]),
            worker_ms=worker_ms,
            redis_ms=redis_ms,
            commands=cost.commands,
            bytes_in=cost.bytes_in,
            bytes_out=cost.bytes_out,
            memory=cost.memory,
            bend=bend,
            bend_real=bend_real,
            on_topic=ON_TOPIC,
            used=USED,
            model="\n".join(self._model(worker_ms, redis_ms / share * ON_TOPIC, cost, share)),
        )  # fmt: skip

    def _per_article_ms(self) -> tuple[float, float]:
        """Worker and Redis milliseconds an article, over all spreads."""
        articles = sum(one.articles for one in self.spreads)
        worker = sum(one.worker_cpu_s for one in self.spreads)
        store = sum(one.redis_cpu_s for one in self.spreads)
        return 1_000 * worker / articles, 1_000 * store / articles

    def _quarter(self) -> Day:
        """The day by which a quarter of the month has gone."""
        return self.growth[len(self.growth) // 4]

    def _share(self) -> float:
        """The share of the generated articles that is about an incident."""
        from benchmarks.line_articles import ABOUT_INCIDENTS

        return ABOUT_INCIDENTS

    def _cost(self) -> Cost:
        """The mean over the spreads."""
        count = len(self.spreads)
        return Cost(
            *(
                sum(getattr(one.cost, name) for one in self.spreads) / count
                for name in ("commands", "bytes_in", "bytes_out", "memory")
            )
        )

    def _model(self, worker_ms: float, redis_ms: float, cost: Cost, share: float) -> Sequence[str]:
        largest = LARGEST_PER_DAY / DAY_S
        rates = (
            (20.0, "all the world's online news"),
            (2_000.0, "100 times that"),
            (largest, f"{LARGEST_PER_DAY / 1e9:.1f} billion documents a day"),
        )
        rows = []
        for rate, what in rates:
            memory = rate * cost.memory / share * ON_TOPIC * WINDOW_S / 1e9
            rows.append(
                f"| {rate:,.0f} | {what} | {max(rate * worker_ms / 1_000 / USED, 0.01):,.2f} |"
                f" {rate * redis_ms / 1_000:.1%} | {memory:,.1f} GB |"
            )
        return rows


def _work(one: Spread) -> float:
    """Worker CPU seconds an article."""
    return one.worker_cpu_s / one.articles


def _table(heading: Sequence[str], rows: Sequence[str]) -> str:
    rule = "|---" * len(heading) + "|"
    return "\n".join(["| " + " | ".join(heading) + " |", rule, *rows])
