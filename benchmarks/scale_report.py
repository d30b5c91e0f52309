"""What `bench_scale` found, in words: docs/scaling.md, with the model that predicts more."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from benchmarks.growth import Day

#: The largest figure in the trade: documents of all kinds that one firm claims to read a day.
LARGEST_PER_DAY = 1_300_000_000
DAY_S = 86_400
#: How long Redis keeps what of an article, in hours (streams/stories.py, ledger.py, a window of
#: 72 h): the index for a window and a half.
KINDS = {"index": 108, "stories": 7 * 24 * 1.05, "articles": 14 * 24, "alerts": 14 * 24}
KIND_NAMES = {
    "index": "terms and signatures, by which others find it",
    "stories": "facts and its story",
    "articles": "that it was seen",
    "alerts": "the latest alert of its story",
}
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

The heaviest day of a real month, {days} times in a row with new ids and in part new words, a file a
day through one `wirebell up`: resident memory of each of its processes after {quarter:,} and after
{all:,} articles. Redis' clock cannot be moved, so here it lets nothing go; that it does by age,
with event time, is measured by `python -m benchmarks.bench_stories` (docs/stories.md).

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

One batch is one call to Redis, so the commands an article fall with the load. Of the memory, for an
article about an incident:

{kinds}

## Where it bends

Workers share nothing but Kafka and Redis. Kafka is cut into partitions; Redis is not: all keys of
a line are under one hash tag, because one script asks three questions of an article and writes
the answer, atomically. Redis runs scripts on one core. So the line grows with cores until that
core is busy, at about **{bend:,.0f} articles a second** of this kind (one in four about an
incident), or {bend_real:,.0f} a second if {on_topic:.0%} are about a topic.

The model: cores for workers = rate x {worker_ms:.2f} ms / {used}; Redis cores = rate x
{redis_ms:.3f} ms x share about a topic / {share:.2f}; memory of Redis = rate x share about a topic
x the sum of bytes x how long they are kept.

| articles a second | what it is | worker cores | busy share of Redis' core | Redis memory |
|---|---|---|---|---|
{model}

{checked}

Beyond one core of Redis, or its memory, a line has to be cut: several lines, each with a
configuration of its own: its own `[kafka] prefix`, its own `[redis] prefix` (and Redis), and its
share of the *sources*. That is the only cut there is: no setting sends an article to one line or
another by its language or topic, so languages are cut by the sources that write them, and a cut by
topic would have every line classify everything. Stories that cross the cut ring once in each line.
Nobody who reads news alone needs it.
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an article cost in Redis."""

    commands: float
    bytes_in: float
    bytes_out: float
    memory: float
    kinds: Mapping[str, float]


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
    month: Spread | None = None

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
            share=share,
            kinds=self._kinds(cost, share),
            checked=self._checked(),
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
        means = (
            sum(getattr(one.cost, name) for one in self.spreads) / count
            for name in ("commands", "bytes_in", "bytes_out", "memory")
        )
        shares = {kind: sum(e.cost.kinds[kind] for e in self.spreads) / count for kind in KINDS}
        return Cost(*means, shares)

    def _kinds(self, cost: Cost, share: float) -> str:
        """What an article about an incident holds of Redis' memory, and for how long."""
        rows = [
            f"| {KIND_NAMES[kind]} | {cost.memory / share * cost.kinds[kind]:,.0f} | {kept:.0f} |"
            for kind, kept in KINDS.items()
        ]
        return _table(("what", "bytes", "kept for, hours"), rows)

    def _checked(self) -> str:
        """How far the model, fed with the first run alone, is off what the others measured."""
        first, others = self.spreads[0], [(one, 1.0) for one in self.spreads[1:]]
        told = []
        if self.month:
            share = self.month.alerts / self.month.articles * first.articles / first.alerts
            others.append((self.month, share))
        for one, share in others:
            expected = share * first.redis_cpu_s / first.articles * one.articles
            memory = share * first.cost.memory
            told.append(
                f"| {'the real month: ' if one is self.month else ''}"
                f"workers: {one.workers}, partitions: {one.partitions} |"
                f" {one.redis_cpu_s / expected - 1:+.0%} |"
                f" {one.cost.memory / memory - 1:+.0%} |"
            )
        table = _table(("run", "Redis' time, measured against predicted", "its memory"), told)
        return (
            "How far it is off, fed with nothing but the first run (1 worker, 1 partition; for the"
            f" month, with its share of articles that rang):\n\n{table}"
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
            hours = sum(cost.kinds[kind] * kept for kind, kept in KINDS.items())
            memory = rate * cost.memory / share * ON_TOPIC * hours * 3_600 / 1e9
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
