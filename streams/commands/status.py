"""`wirebell status`: one screen that says whether the line is healthy; the exit code too."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated

import msgspec
import typer
from redis.exceptions import RedisError
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streams.commands.options import ConfigFile
from streams.dashboard.shapes import Snapshot
from streams.dashboard.view import recall_verdict, show
from streams.health import Verdict, judge, say_duration
from streams.kafka_offsets import KafkaOffsets
from streams.kafka_topics import WORKER_GROUP
from streams.keys import Keys
from streams.lag import MIN_SAMPLES
from streams.logs import escape
from streams.observations import REDIS_TIMEOUT_S, Observer
from streams.redis_client import connect_redis
from streams.settings import Settings, SettingsError, load_settings

EXIT_CODES = {"healthy": 0, "degraded": 1, "down": 2}
_USAGE_EXIT = 64  # EX_USAGE of sysexits.h: no verdict at all
_COLOURS = {"healthy": "green", "degraded": "yellow", "down": "red"}
_MARKS = {"healthy": "●", "degraded": "▲", "down": "■"}
# A dependency counts as away after three seconds of failing, a partition as going back after
# a few samples: five looks, a second apart, tell both.
LOOKS, LOOK_EVERY_S = MIN_SAMPLES, 1.0
ENOUGH_S = (LOOKS - 1) * LOOK_EVERY_S


def command(
    config: ConfigFile = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the page's snapshot; with --watch one a line.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Say whether the line is healthy. Exits with 0 healthy, 1 degraded, 2 down; a watch that is
    ended, with what it saw last.
    """
    try:
        settings = load_settings(config)
    except SettingsError as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(_USAGE_EXIT) from None
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        state = asyncio.run(_watch(settings, json) if watch else _look(settings, json))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(EXIT_CODES[state])


async def _look(settings: Settings, json: bool) -> str:
    """Look a few times at once-a-second and print what was found."""
    observer = _observer(settings)
    try:
        verdict, began = None, monotonic()
        for number in range(LOOKS):
            verdict = await _judge(observer, verdict)
            if number >= 1 and verdict.state == "healthy":
                break
            # What stands still keeps each look waiting: the time it takes is the same proof.
            if number >= 1 and verdict.state == "down" and monotonic() - began >= ENOUGH_S:
                break
            if number < LOOKS - 1:
                await asyncio.sleep(LOOK_EVERY_S)
        assert verdict is not None
        snapshot = show(observer, verdict, [])
        if json:
            typer.echo(msgspec.json.encode(snapshot).decode())
        else:
            Console().print(_screen(snapshot))
        return verdict.state
    finally:
        await _close(observer)


async def _watch(settings: Settings, json: bool) -> str:
    """Show the screen anew, or print a snapshot, every second until SIGINT or SIGTERM."""
    observer, stop = _observer(settings), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    live = Live(console=Console(), auto_refresh=False, screen=False)
    try:
        with contextlib.nullcontext() if json else live:
            verdict = None
            while not (stop.is_set() and verdict):
                verdict = await _judge(observer, verdict)
                snapshot = show(observer, verdict, [])
                if json:
                    print(msgspec.json.encode(snapshot).decode(), flush=True)
                else:
                    live.update(_screen(snapshot), refresh=True)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await stop.wait()
        return verdict.state
    except BrokenPipeError:  # whoever read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return verdict.state if verdict else "down"
    finally:
        await _close(observer)


async def _judge(observer: Observer, previous: Verdict | None) -> Verdict:
    now = datetime.now(UTC)
    await asyncio.gather(observer.look_at_redis(now), observer.look_at_kafka(now))
    ours = judge(observer.observe(datetime.now(UTC)), previous)
    page = await _verdict_of_page(observer, ours.at)
    return page if page and EXIT_CODES[page.state] >= EXIT_CODES[ours.state] else ours


async def _verdict_of_page(observer: Observer, now: datetime) -> Verdict | None:
    """What the page says, which has looked on for longer: a stall shows only over time."""
    try:
        async with asyncio.timeout(REDIS_TIMEOUT_S):
            raw = await observer.redis.get(observer.keys.verdict)
        return recall_verdict(raw, now) if raw else None
    except (RedisError, OSError, TimeoutError, msgspec.DecodeError):
        return None


def _observer(settings: Settings) -> Observer:
    redis = connect_redis(settings.redis.url.get_secret_value())
    offsets = KafkaOffsets(settings.kafka, settings.kafka.prefix + WORKER_GROUP)
    observer = Observer(settings, redis, Keys(settings.redis.prefix), offsets)
    # Nobody waits here for a line to start: what has not reported is not there.
    observer.started_at = datetime.fromtimestamp(0, UTC)
    return observer


async def _close(observer: Observer) -> None:
    await observer.offsets.close()
    await observer.redis.aclose()


def _screen(snapshot: Snapshot) -> Group:
    return Group(
        _headline(snapshot), Text(), _way(snapshot), Text(), _line(snapshot), Text(), _out(snapshot)
    )


def _headline(snapshot: Snapshot) -> Text:
    verdict = snapshot.verdict
    colour = _COLOURS[verdict.state]
    text = Text(f"{_MARKS[verdict.state]} {verdict.state.capitalize()}", style=f"bold {colour}")
    text.append(f"  {escape(verdict.words)}", style="default not bold")
    for one in verdict.findings:
        text.append(f"\n  {one.level:<9}", style=_COLOURS.get(one.level, "dim"))
        text.append(escape(one.words), style="default")
    return text


def _way(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for stage in snapshot.way.stages:
        table.add_column(stage.label, justify="right", min_width=10)
    table.add_row(*(f"{stage.total:,}" for stage in snapshot.way.stages))
    if any(stage.per_minute for stage in snapshot.way.stages):  # only a watch has seen a minute
        table.add_row(*(f"{stage.per_minute:,.0f}/min" for stage in snapshot.way.stages))
    dropped = [f"{one.label} {one.total:,}" for one in snapshot.way.dropped if one.total]
    if dropped:
        table.caption = "dropped: " + ", ".join(dropped)
        table.caption_justify = "left"
    return table


def _line(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", min_width=10)
    table.add_column()
    records = sum(one.records for one in snapshot.lag)
    oldest = max((one.seconds for one in snapshot.lag if one.records), default=0.0)
    table.add_row("lag", f"{oldest:.1f} s, {records:,} records on {len(snapshot.lag)} partitions")
    for one in snapshot.way.latencies:
        if one.count:
            quantiles = (f"{value:.2f}" for value in (one.p50, one.p95, one.p99) if value)
            table.add_row("", f"{one.label.lower()}: {' / '.join(quantiles)} s (p50 / p95 / p99)")
    alive = [one.role for one in snapshot.processes if one.state == "alive"]
    counts = (f"{role} {alive.count(role)}" for role in dict.fromkeys(alive))
    table.add_row("processes", ", ".join(counts) or "none")
    words = [one.condition for one in snapshot.sources]
    counts = (f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    table.add_row("sources", ", ".join(counts) or "none configured")
    table.add_row("letters", f"{snapshot.dead_letters_total:,} dead letters in Kafka")
    return table


def _out(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (("told", "left"), ("waiting", "right"), ("", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", min_width=10)
    for one in snapshot.destinations:
        state = "up to date"
        if one.off:
            state = f"turned off: {one.off}"
        elif one.failing_since:
            failing = say_duration(snapshot.at - one.failing_since)
            state = f"failing for {failing} {one.detail}"
        place = f"{one.sink} {one.target}".strip()
        # Text, not markup, and no control characters: what a receiver says is not ours.
        table.add_row(Text(escape(place)), str(one.waiting), Text(escape(state)))
    return table
