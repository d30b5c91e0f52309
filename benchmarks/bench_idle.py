"""What Wirebell costs at rest, and how fast it starts.

    python -m benchmarks.bench_idle [--idle-s N] [--turns N] [--feeds N] [--feeds-s N] [--write]

`wirebell up` on the starter configuration, without its feeds: seconds to the first alert, then,
when the invented events have run out and the slow reader has left memory, what each process uses.
A worker alone, from its start to the alert of an article that waits. `wirebell sources` with a
thousand feeds. With `--write` it writes docs/at-rest.md. Ends what it started; takes eight minutes.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.idle_feeds import USUAL_INTERVAL_S, Polling, poll_cost
from benchmarks.idle_line import (
    SETTLE_S,
    UNREAD_S,
    LineAtRest,
    line_at_rest,
    worker_start_s,
)
from benchmarks.line_report import libraries, machine
from streams.reader_rest import REST_S

PAGE = Path(__file__).parents[1] / "docs" / "at-rest.md"
WORDS = """\
# At rest

Written by `python -m benchmarks.bench_idle --write` on {date}; do not edit. How Wirebell came
here is in decisions [20](decisions/0020-one-event-loop-and-a-nudge.md),
[24](decisions/0024-a-line-at-rest-rests.md) and
[25](decisions/0025-the-reader-leaves-again.md), what it does under load in
[performance](performance.md).

{machine}. Load of the machine at the end (everything on it, over 15 minutes): {load:.1f}.
{libraries}.

`wirebell up` is started with the starter configuration without its feeds, {turns} times. Its
invented events run out. At rest is then: no article for {quiet_s:.0f} s but the canary of each
minute, so that the worker has let its slow reader go, which it does {rest_s:.0f} s after the last
doubtful article; from there on {idle_s:.0f} s are watched. A line on which something is doubtful
more often keeps the reader: {settle_s:.0f} s after the last event all processes together had
{awake_mb:.0f} MB PSS. RSS counts a page that several processes share in each of them, PSS shares it
out: its sum is what the machine gives.

{starts}

{rest}

{polling}
"""


def main() -> None:
    """Measure what the command line asks for, print it, and write it down with `--write`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle-s", type=float, default=60)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--feeds", type=int, default=1_000)
    parser.add_argument("--feeds-s", type=float, default=60)
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    asked = parser.parse_args()
    # One of them is watched at rest, the others are only started.
    lines = [line_at_rest(asked.idle_s if turn == 0 else 0) for turn in range(asked.turns)]
    starts = _starts(lines, [worker_start_s() for _ in range(asked.turns)])
    rest = _rest(lines[0])
    polling = _polling(poll_cost(asked.feeds, asked.feeds_s)) if asked.feeds else ""
    awake = f"with the slow reader in memory: {lines[0].awake_mb:.0f} MB PSS in all"
    print(starts, rest, awake, polling, sep="\n\n")
    if asked.write:
        said = WORDS.format(
            date=datetime.now(UTC).date(),
            machine=machine(),
            load=os.getloadavg()[2],
            libraries=libraries(),
            turns=asked.turns,
            idle_s=asked.idle_s,
            quiet_s=SETTLE_S + UNREAD_S,
            rest_s=REST_S,
            settle_s=SETTLE_S,
            awake_mb=lines[0].awake_mb,
            starts=starts,
            rest=rest,
            polling=polling,
        )
        PAGE.write_text(said, encoding="utf-8")
        print("written:", PAGE)


def _starts(lines: Sequence[LineAtRest], workers: Sequence[float]) -> str:
    rows = (
        ("start of `wirebell up` to its first alert, s", [one.first_alert_s for one in lines]),
        ("CPU time of all its processes until then, s", [one.start_cpu_s for one in lines]),
        ("start of `wirebell worker` to the alert of an article that waits, s", workers),
    )
    return "\n".join(
        [
            "| start | median (lowest to highest) |",
            "|---|---|",
            *(
                f"| {name} | {statistics.median(f):.1f} ({min(f):.1f} to {max(f):.1f}) |"
                for name, f in rows
            ),
        ]
    )


def _rest(line: LineAtRest) -> str:
    rows = [
        f"| {each.name} | {each.core_percent:.2f} | {each.rss_mb:.0f} | {each.pss_mb:.0f} |"
        for each in line.processes
    ]
    total = f"| **all** | **{line.core_percent:.2f}** | {line.rss_mb:.0f} | **{line.pss_mb:.0f}** |"
    heading = ["| process at rest | % of a core | RSS, MB | PSS, MB |", "|---|---|---|---|"]
    return "\n".join([*heading, *rows, total])


def _polling(found: Polling) -> str:
    return (
        f"`wirebell sources` with {found.feeds:,} feeds (every tenth answer a feed of 20 entries"
        f' with a new one, the others "not modified"): {found.polls:,} polls in'
        f" {found.seconds:.0f} s took {1_000 * found.cpu_s / found.polls:.1f} ms of CPU time each,"
        f" so with each feed asked every {USUAL_INTERVAL_S} s {found.usual_core_percent:.1f} % of"
        f" a core; RSS {found.rss_mb:.0f} MB."
    )


if __name__ == "__main__":
    main()
