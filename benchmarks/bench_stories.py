"""What finding stories costs Redis: articles a CPU second, bytes an article, growth in a month.

    python -m benchmarks.bench_stories [--articles N] [--window N] [--plot PATH]

First N articles within one window, beside a yardstick that does less: near-duplicates only, by
datasketch's MinHashLSH with Redis as its storage, from the same signatures. Then the same articles
in a window that holds a million already; then a month of event time, whose memory must be flat.
Processor time of Redis is what is compared: it is steadier than the clock on a shared machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from datasketch import MinHash, MinHashLSH
from redis.asyncio import Redis

from benchmarks.story_wire import BATCH, START, Newswire
from streams.embedded import EmbeddedRedis
from streams.keys import Keys
from streams.screening import Screened
from streams.stories import Keep, Stories

WINDOW_S = 72 * 3600.0
#: A window is filled with variants of so many batches, as many variants in one call.
FILL_BATCHES, FILL_VARIANTS, FILL_TERMS = 8, 4, 24
DAYS = 30
LUA = Path(__file__).parents[1] / "streams" / "lua"


@dataclass(slots=True)
class Spent:
    """What Redis spent on a number of articles; `bytes` is what it holds more."""

    articles: int = 0
    cpu_s: float = 0.0
    bytes: int = 0
    wall_s: float = 0.0

    def shown(self, name: str) -> str:
        """One line of the account."""
        return (
            f"{name}: {self.articles / self.cpu_s:.0f} articles a CPU second of Redis, "
            f"{self.bytes / self.articles:.0f} bytes an article "
            f"({self.articles / self.wall_s:.0f} a second by the clock)"
        )


@asynccontextmanager
async def _spending(redis: Redis, articles: int) -> AsyncIterator[Spent]:
    """Fill in what Redis spends within the block."""
    spent = Spent(articles)
    before, cpu_s, started = await _memory(redis), await _cpu_s(redis), time.perf_counter()
    yield spent
    spent.wall_s = time.perf_counter() - started
    spent.cpu_s = await _cpu_s(redis) - cpu_s
    spent.bytes = await _memory(redis) - before


async def _cpu_s(redis: Redis) -> float:
    used = await redis.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


async def _memory(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


async def _ours(redis: Redis, prefix: str, articles: int, until: datetime) -> Spent:
    """So many articles, the last of them at `until`."""
    stories = Stories(redis, Keys(prefix), WINDOW_S)
    wire = list(Newswire(1).batches(articles, timedelta(seconds=WINDOW_S * 0.9)))
    shift = until - wire[-1][0]
    async with _spending(redis, articles) as spent:
        for now, batch in wire:
            await stories.assign(batch, now + shift)
    return spent


async def _datasketch(redis: Redis, url: str, articles: int) -> Spent:
    """Near-duplicates only: each article is looked up, then put in."""
    address = urlsplit(url)
    where = {"type": "redis", "basename": b"y", "redis": _address(address.hostname, address.port)}
    found = MinHashLSH(threshold=0.75, num_perm=128, storage_config=where)
    batches = [batch for _, batch in Newswire(1).batches(articles, timedelta(days=2))]
    async with _spending(redis, articles) as spent:
        for batch in batches:
            for one in batch:
                sketch = MinHash(num_perm=128, hashvalues=_hashes(one), scheme="legacy")
                found.query(sketch)
                found.insert(one.article.id, sketch)
    return spent


def _address(host: str | None, port: int | None) -> dict[str, str | int]:
    return {"host": host or "127.0.0.1", "port": port or 6379}


def _hashes(one: Screened) -> np.ndarray:
    assert one.fingerprint is not None
    return np.frombuffer(one.fingerprint.signature, dtype=np.uint8).astype(np.uint64)


async def _fill(redis: Redis, prefix: str, articles: int) -> tuple[Spent, datetime]:
    """A window that holds so many articles, written by the script's own functions."""
    decide = (LUA / "stories.lua").read_text("utf-8").split("-- An article that Redis knows:")[0]
    fill = (Path(__file__).parent / "lua_fill.lua").read_text("utf-8")
    script = redis.register_script((LUA / "stories_search.lua").read_text("utf-8") + decide + fill)
    stories = Stories(redis, Keys(prefix), WINDOW_S)
    batches = [b for _, b in Newswire(3).batches(FILL_BATCHES * BATCH, timedelta(hours=1))]
    rounds = articles // (FILL_BATCHES * BATCH * FILL_VARIANTS)
    now = START
    async with _spending(redis, rounds * FILL_BATCHES * BATCH * FILL_VARIANTS) as spent:
        for at in range(rounds):
            now = START + timedelta(seconds=WINDOW_S * 0.95 * at / rounds)
            for batch in batches:
                limits, *packed = stories.arguments(batch, now)
                change = (1 + at * FILL_VARIANTS, FILL_VARIANTS, FILL_TERMS)
                await script(keys=[Keys(prefix).tag], args=[limits, *packed, *change])
    return spent, now


async def _month(redis: Redis, prefix: str, articles: int) -> list[tuple[float, float, float]]:
    """Thirty days of event time; what Redis keeps expires at the same multiple of its clock.

    Gives (day, articles a CPU second, MiB) for each day.
    """
    pace = min(1_500.0, articles / 240)
    factor = DAYS * 86_400 / (articles / pace)
    keep = Keep(7 * 86_400 / factor, 14 * 86_400 / factor, 1.5 * WINDOW_S / factor)
    stories = Stories(redis, Keys(prefix), WINDOW_S, keep=keep)
    started, done, days = time.perf_counter(), 0, []
    cpu_s, counted = await _cpu_s(redis), 0
    for now, batch in Newswire(2).batches(articles, timedelta(days=DAYS)):
        await asyncio.sleep(max(0.0, started + done / pace - time.perf_counter()))
        await stories.assign(batch, now)
        done += len(batch)
        if done * DAYS // articles > (done - len(batch)) * DAYS // articles:
            used, cpu_s = await _cpu_s(redis) - cpu_s, await _cpu_s(redis)
            days.append(
                (DAYS * done / articles, (done - counted) / used, await _memory(redis) / 2**20)
            )
            counted = done
    return days


def plot(days: list[tuple[float, float, float]], path: Path) -> None:
    """Memory and cost by day, to a picture."""
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    axis.plot([day for day, _, _ in days], [mib for _, _, mib in days], color="#1f4e79")
    axis.set(xlabel="day of event time", ylabel="Redis, MiB", ylim=(0, None))
    cost = axis.twinx()
    cost.plot([day for day, _, _ in days], [rate for _, rate, _ in days], color="#b8651b")
    cost.set(ylabel="articles a CPU second", ylim=(0, None))
    axis.set_title(
        "A month of stories: memory (blue) and articles a CPU second (orange)", fontsize=9
    )
    figure.savefig(path, dpi=120)


async def _run(url: str, arguments: argparse.Namespace) -> None:
    redis = Redis.from_url(url, socket_timeout=600)
    try:
        server = (await redis.info("server"))["redis_version"]
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(
            f"Python {platform.python_version()}, redis-py {version('redis')}, Redis {server}, "
            f"datasketch {version('datasketch')}, {os.cpu_count()} cores, load {load}"
        )
        articles = arguments.articles
        print(f"batches of {BATCH}, {articles} articles within one window of 72 h")
        print((await _ours(redis, "a", articles, START)).shown("stories"), flush=True)
        await redis.flushall()
        print((await _datasketch(redis, url, articles)).shown("datasketch, near-duplicates only"))
        await redis.flushall()
        if arguments.window:
            await redis.config_set("appendonly", "no")
            filled, now = await _fill(redis, "w", arguments.window)
            held = filled.bytes / filled.articles
            print(f"a window of {filled.articles} articles: {held:.0f} bytes an article")
            print((await _ours(redis, "w", articles // 4, now)).shown("stories in it"), flush=True)
            await redis.flushall()
        if arguments.month:
            print(f"a month of {arguments.month} articles, with Redis's clock in proportion:")
            days = await _month(redis, "m", arguments.month)
            for day, rate, mib in days[:: max(1, len(days) // 10)]:
                print(f"  day {day:4.0f}: {rate:6.0f} a CPU second of Redis, {mib:6.1f} MiB")
            if arguments.plot:
                plot(days, arguments.plot)
    finally:
        await redis.aclose()


def main() -> None:
    """Start a Redis of its own and print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=30_000)
    parser.add_argument("--window", type=int, default=1_000_000, help="0: leave this part out")
    parser.add_argument("--month", type=int, default=60_000, help="0: leave this part out")
    parser.add_argument("--plot", type=Path, help="where to draw the month")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder)) as server:
        asyncio.run(_run(server.url, arguments))


if __name__ == "__main__":
    main()
