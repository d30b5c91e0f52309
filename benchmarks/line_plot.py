"""The picture of the line's benchmark: every measure, each broker beside the other."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.line_work import WITH_READER, Measured

# Name, value of a turn, form of a number.
Column = tuple[str, Callable[[Measured], float], str]

OURS_COLOURS = ("#b3402a", "#dd8f7c")
OTHERS_COLOURS = ("#6c7680", "#b9c1c9")
MARKS = ("o", "s", "D")
BROKERS = {"embedded": "the embedded broker", "apache": "Apache Kafka"}
PACED = "paced"


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured: on which lane, with which articles (or PACED), by whom."""

    lane: str
    wire: str
    contender: str


def together(turns: Sequence[Measured]) -> Measured:
    """Several turns as one long one: a percentile of many alerts says more than the middle one
    of several percentiles of few.
    """
    return Measured(
        articles=sum(turn.articles for turn in turns),
        alerts=sum(turn.alerts for turn in turns),
        seconds=sum(turn.seconds for turn in turns),
        cpu_s=sum(turn.cpu_s for turn in turns),
        peak_rss_mb=max(turn.peak_rss_mb for turn in turns),
        first_alert_s=max(turn.first_alert_s for turn in turns),
        latencies_ms=[each for turn in turns for each in turn.latencies_ms],
    )


def plot(
    path: Path,
    found: Mapping[Cell, Sequence[Measured]],
    throughput: Sequence[Column],
    latency: Sequence[Column],
) -> None:
    """Write a picture: a row of panels a measure of throughput, one for latency, a column a lane.

    Bars are medians with the lowest and the highest turn; marks are of all alerts together.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    lanes = list(dict.fromkeys(cell.lane for cell in found))
    names = list(dict.fromkeys(cell.contender for cell in found if cell.contender != WITH_READER))
    height = 0.27 * len(names) + 0.8
    figure, axes = pyplot.subplots(
        len(throughput) + 1,
        len(lanes),
        figsize=(5.2 * len(lanes), height * (len(throughput) + 1)),
        squeeze=False,
        sharey=True,
        sharex="row",
    )
    for across, lane in enumerate(lanes):
        of_lane = {
            (cell.wire, cell.contender): each for cell, each in found.items() if cell.lane == lane
        }
        for down, column in enumerate(throughput):
            _bars(axes[down][across], column, names, of_lane)
        _marks(axes[-1][across], latency, names, of_lane)
        axes[0][across].set_title(BROKERS[lane], fontsize=11)
    axes[0][0].set_yticks(range(len(names)), names)
    axes[0][0].invert_yaxis()
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=100)


def _bars(
    axis: Any,
    column: Column,
    names: Sequence[str],
    found: Mapping[tuple[str, str], Sequence[Measured]],
) -> None:
    wires = list(dict.fromkeys(wire for wire, _ in found if wire != PACED))
    for number, wire in enumerate(wires):
        for at, name in enumerate(names):
            values = [column[1](each) for each in found.get((wire, name), ())]
            if not values:
                continue
            middle = statistics.median(values)
            axis.barh(
                at + 0.38 * (number - 0.5),
                middle,
                height=0.36,
                xerr=[[middle - min(values)], [max(values) - middle]],
                color=(OURS_COLOURS if name.startswith("wirebell") else OTHERS_COLOURS)[number],
                error_kw={"elinewidth": 0.8, "capsize": 2},
            )
    said = f" (dark: {wires[0]}, light: {wires[1]})" if len(wires) > 1 else ""
    axis.set_xlabel(column[0] + said, fontsize=9)


def _marks(
    axis: Any,
    columns: Sequence[Column],
    names: Sequence[str],
    found: Mapping[tuple[str, str], Sequence[Measured]],
) -> None:
    for at, name in enumerate(names):
        turns = found.get((PACED, name))
        colour = (OURS_COLOURS if name.startswith("wirebell") else OTHERS_COLOURS)[0]
        for (_, value, _), mark in zip(columns, MARKS, strict=True):
            if turns:
                axis.plot(value(together(turns)), at, mark, color=colour, markersize=5)
    axis.set_xlim(left=0)
    axis.grid(axis="x", linewidth=0.3)
    axis.set_xlabel("Kafka to alert, ms: ● p50  ■ p95  ◆ p99", fontsize=9)
