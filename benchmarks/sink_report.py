"""The report of the way to a receiver: docs/latency.md."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.line_articles import MONTH
from benchmarks.line_report import EMBEDDED_WAIT_MS, libraries, machine

WIREBELL = "wirebell worker"
READER_ON = "wirebell worker, the slow reader on"
STRAIGHT_LOOP = "confluent-kafka loop"
THROUGH_KAFKA = "confluent-kafka loops, alerts through Kafka"
BROKERS = {"embedded": "The embedded broker", "apache": "Apache Kafka"}

WORDS = """\
# Latency

Written by `python -m benchmarks.bench_sink --write` on {date}; do not edit. From just before Kafka
to the confirmed alert in Kafka, beside more yardsticks, is in [performance](performance.md).

{machine}. Load of the machine at the end (everything on it, over 15 minutes): {load:.1f}.
{libraries}.

Milliseconds from just before an article goes to Kafka until a receiver has taken the signed
webhook about it, on one machine: {articles} articles of 3 KB a round, {pace} a second, about one in
four of an incident; {rounds} rounds each, in turn. All run at once, and while one works the others
have nothing to do, so each round begins on a line that has been idle for {rest:.0f} s or more. What
broker and Redis write stays in memory (`/dev/shm`, where there is one): a disk that holds a write
back is most of a p99, and writes most where most is kept.

*Wirebell* is a `wirebell worker` as it is: article, story, alert confirmed by Kafka, read
again, noted in the ledger, posted, and the receipt written down. *{straight}* posts what it has
decided and then commits: no Kafka topic of alerts, no ledger, so a kill tells again what was
under way, and a receiver that is away stops it. *{through}* are two processes: one
decides and has Kafka confirm its alerts, the other reads and posts them. Model, stories, body and
signature are the product's own functions in all of them; the slow reader is off but in its row.
On the embedded broker the yardsticks' fetches wait {wait} ms there, and Wirebell is nudged after
each article, as its own sources do it; who publishes there without a nudge waits up to a second on
an idle line ([decision 20](decisions/0020-one-event-loop-and-a-nudge.md)).

p50, p95 and p99 are of all alerts of all rounds together (lowest to highest of a round). *First*
is the first article after the rest, *hundredth* the {hundredth}th of the round: median (lowest to
highest) of the rounds. Both are about an event that nothing else is about.

Afterwards each works off {backlogs} backlogs, in turn: {source}. *Articles a second* is from their
first to Kafka, which goes on while they are worked off, to the last webhook taken; processor time
is that of the contender's process, with all that a worker does besides (ledger, receipts,
heartbeats, metrics). Medians (lowest to highest).

{tables}
"""
MONTH_WORDS = (
    "articles of a real month of 27 publishers' feeds (headline and summary), others each turn"
)
WIRE_WORDS = "invented articles of 3 KB"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; the hundredth article is counted from one."""

    pace: int
    articles: int
    hundredth: int
    rest_s: float
    rounds: int
    backlogs: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one contender took to work off a backlog."""

    lane: str
    contender: str
    articles: int
    posts: int
    seconds: float
    cpu_s: float

    def said(self) -> str:
        """A line while it runs."""
        return (
            f"{self.lane:9} {self.contender:44} {self.posts:4} webhooks"
            f"  {self.articles / self.seconds:6,.0f}/s  {self.articles / self.cpu_s:6,.0f}/CPU s"
        )


@dataclass(frozen=True, slots=True)
class Round:
    """What one contender did in one round."""

    lane: str
    contender: str
    delays_ms: Sequence[float]
    first_ms: float
    hundredth_ms: float
    core_percent: float

    def said(self) -> str:
        """A line while it runs."""
        return (
            f"{self.lane:9} {self.contender:44} {len(self.delays_ms):3} alerts"
            f"  p50 {_percentile(self.delays_ms, 50):6.1f}  most {max(self.delays_ms):6.1f}"
            f"  first {self.first_ms:6.1f}  hundredth {self.hundredth_ms:6.1f}"
        )


def page(rounds: Sequence[Round], backlogs: Sequence[Backlog], plan: Plan) -> str:
    """The page."""
    tables = []
    for lane in dict.fromkeys(each.lane for each in rounds):
        tables += [
            f"## {BROKERS[lane]}",
            _table([each for each in rounds if each.lane == lane]),
            _work([each for each in backlogs if each.lane == lane]),
        ]
    return WORDS.format(
        date=datetime.now(UTC).date(),
        machine=machine(),
        load=os.getloadavg()[2],
        libraries=libraries(),
        articles=plan.articles,
        pace=plan.pace,
        rounds=plan.rounds,
        rest=plan.rest_s,
        straight=STRAIGHT_LOOP,
        through=THROUGH_KAFKA,
        wait=EMBEDDED_WAIT_MS,
        hundredth=plan.hundredth,
        backlogs=plan.backlogs,
        source=f"{backlogs[0].articles:,} {MONTH_WORDS if MONTH.exists() else WIRE_WORDS}"
        if backlogs
        else "none here",
        tables="\n\n".join(filter(None, tables)),
    )


def _work(backlogs: Sequence[Backlog]) -> str:
    if not backlogs:
        return ""
    lines = [
        "| a backlog | articles a second | articles per CPU second | webhooks a backlog |",
        "|---|---|---|---|",
    ]
    for name in dict.fromkeys(each.contender for each in backlogs):
        own = [each for each in backlogs if each.contender == name]
        cells = [
            name,
            _median([one.articles / one.seconds for one in own], ",.0f"),
            _median([one.articles / one.cpu_s for one in own], ",.0f"),
            _median([one.posts for one in own], ",.0f"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _table(rounds: Sequence[Round]) -> str:
    names = dict.fromkeys(each.contender for each in rounds)
    base = _all([r for r in rounds if r.contender == STRAIGHT_LOOP])
    lines = [
        "| | alerts | p50, ms | p95, ms | p99, ms | p99, beside the loop | first, ms"
        " | hundredth, ms | processor, % of a core |",
        "|---" * 9 + "|",
    ]
    for name in names:
        own = [each for each in rounds if each.contender == name]
        every = _all(own)
        cells = [
            name,
            str(len(every)),
            *(_with_spread(own, percent) for percent in (50, 95, 99)),
            _beside(every, base),
            _median([one.first_ms for one in own]),
            _median([one.hundredth_ms for one in own]),
            _median([one.core_percent for one in own]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _beside(every: Sequence[float], base: Sequence[float]) -> str:
    if not base:
        return ""
    own, loop = _percentile(every, 99), _percentile(base, 99)
    return f"{own / loop:.2f}, {own - loop:+.1f} ms"


def _all(rounds: Sequence[Round]) -> list[float]:
    return [delay for each in rounds for delay in each.delays_ms]


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _with_spread(rounds: Sequence[Round], percent: int) -> str:
    each = [_percentile(one.delays_ms, percent) for one in rounds]
    whole = _percentile(_all(rounds), percent)
    return f"{whole:.1f} ({min(each):.1f} to {max(each):.1f})"


def _median(found: Sequence[float], form: str = ".1f") -> str:
    middle = format(statistics.median(found), form)
    return f"{middle} ({format(min(found), form)} to {format(max(found), form)})"
