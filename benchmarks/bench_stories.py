"""What finding stories costs: articles a second, bytes an article, and growth over a month.

    python -m benchmarks.bench_stories [--articles N]

Articles are invented: a story has rare words of its own, everything else is drawn by Zipf's law.
The yardstick does less (near-duplicates only) in the plain way: MinHash, 32 bands of 4, one
pipeline of SADD and SMEMBERS a batch, which is what datasketch does with Redis as its storage.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from redis.asyncio import Redis

from classifiers.similarity import fingerprints
from connectors.records import Article
from streams.embedded import EmbeddedRedis
from streams.facts import Facts, PlaceFact
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.screening import Screened
from streams.stories import Keep, Stories

BATCH = 256
BANDS, ROWS = 32, 4
WINDOW_S = 72 * 3600.0
START = datetime(2026, 1, 1, tzinfo=UTC)
ARTICLES_PER_STORY = 3.0
COUNTRIES = ("UA", "RU", "IT", "FR", "DE", "PL", "ES", "GB", "US", "IL")


@dataclass(frozen=True, slots=True)
class Cost:
    """What an article costs Redis."""

    bytes: float
    per_cpu_second: float


class Newswire:
    """An endless, repeatable wire of invented articles about stories that come and go."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._vocabulary = [self._word() for _ in range(40_000)]
        self._weights = [1 / rank for rank in range(10, 40_010)]
        self._open: list[tuple[list[str], str]] = []
        self._count = 0

    def batches(self, articles: int, span: timedelta) -> Iterator[tuple[datetime, list[Screened]]]:
        """So many articles at an even pace over a span of event time."""
        step = span / articles
        for first in range(0, articles, BATCH):
            numbers = range(first, min(first + BATCH, articles))
            told = [self._tell() for _ in numbers]
            times = [START + step * number for number in numbers]
            yield times[-1], self._screened(told, times)

    def _word(self) -> str:
        letters = self._chance.choices("abcdefghijklmnoprstuvz", k=self._chance.randint(5, 9))
        return "".join(letters)

    def _tell(self) -> tuple[str, str, str]:
        if not self._open or self._chance.random() < 1 / ARTICLES_PER_STORY:
            names = [self._word().title() for _ in range(25)]
            self._open.append((names, self._chance.choice(COUNTRIES)))
            self._open = self._open[-2_000:]
        names, country = self._chance.choice(self._open[-500:])
        background = self._chance.choices(self._vocabulary, self._weights, k=20)
        words = self._chance.sample(names, 14) + background
        self._chance.shuffle(words)
        return " ".join(self._chance.sample(names, 5) + background[:4]), " ".join(words), country

    def _screened(
        self, told: Sequence[tuple[str, str, str]], times: Sequence[datetime]
    ) -> list[Screened]:
        prints = fingerprints(
            [(title, text) for title, text, _ in told], [[("X", c, True)] for _, _, c in told]
        )
        made = []
        for (title, text, country), at, printed in zip(told, times, prints, strict=True):
            self._count += 1
            name = f"{self._count:032x}"
            article = Article(
                id=name, source_id="wire", publisher=f"Paper {self._count % 200}", title=title,
                text=text, fetched_at=at, published_at=at, url=f"https://example.org/{name}",
            )  # fmt: skip
            facts = Facts(
                article_id=name, publisher=article.publisher, fetched_at=at.timestamp(),
                screened_at=at.timestamp(), published_at=at.timestamp(), title=title,
                url=article.url, language="en", summary=text[:400],
                topics=(("accident", 0.9),), places=(PlaceFact("X", country, 1.0, 2.0, True),),
            )  # fmt: skip
            made.append(Screened(article, "en", (), ("accident",), at, facts, printed))
        return made


async def _stories_rate(
    redis: Redis, prefix: str, wire: Newswire, articles: int
) -> tuple[list[float], Cost, int]:
    """Articles a second of each batch, what they cost Redis, and stories found."""
    stories = Stories(redis, Keys(prefix), WINDOW_S)
    before, cpu_s = (await redis.info("memory"))["used_memory"], await _cpu_s(redis)
    rates, found = [], set()
    for now, batch in wire.batches(articles, timedelta(seconds=WINDOW_S * 0.9)):
        started = time.perf_counter()
        decisions = await stories.assign(batch, now)
        rates.append(len(batch) / (time.perf_counter() - started))
        found.update(decision.story_id for decision in decisions)
    used = (await redis.info("memory"))["used_memory"] - before
    return rates, Cost(used / articles, articles / (await _cpu_s(redis) - cpu_s)), len(found)


async def _yardstick_rate(
    redis: Redis, prefix: str, wire: Newswire, articles: int
) -> tuple[list[float], Cost]:
    before, cpu_s = (await redis.info("memory"))["used_memory"], await _cpu_s(redis)
    rates = []
    for _, batch in wire.batches(articles, timedelta(seconds=WINDOW_S * 0.9)):
        started = time.perf_counter()
        async with redis.pipeline(transaction=False) as pipeline:
            for one in batch:
                assert one.fingerprint is not None
                signature = one.fingerprint.signature
                pipeline.set(f"{prefix}:{one.article.id}", 1, nx=True, ex=259_200)
                for band in range(BANDS):
                    key = f"{prefix}:{band}:".encode() + signature[band * ROWS : (band + 1) * ROWS]
                    pipeline.smembers(key)
                    pipeline.sadd(key, one.article.id)
                    pipeline.expire(key, 259_200)
            await pipeline.execute()
        rates.append(len(batch) / (time.perf_counter() - started))
    used = (await redis.info("memory"))["used_memory"] - before
    return rates, Cost(used / articles, articles / (await _cpu_s(redis) - cpu_s))


async def _cpu_s(redis: Redis) -> float:
    """Processor time that Redis has used: steadier than the clock on a shared machine."""
    used = await redis.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


async def _month(redis: Redis, prefix: str, wire: Newswire, articles: int) -> None:
    """Thirty days of event time; what Redis keeps expires at the same multiple of its clock.

    Prints, for each three days, what an article costs Redis then: it must not grow.
    """
    real_s = articles / 1_500
    factor = 30 * 86_400 / real_s
    keep = Keep(7 * 86_400 / factor, 14 * 86_400 / factor, 1.5 * WINDOW_S / factor)
    stories = Stories(redis, Keys(prefix), WINDOW_S, keep=keep)
    started = time.perf_counter()
    tenth, done = articles // 10, 0
    cpu_s = await _cpu_s(redis)
    for now, batch in wire.batches(articles, timedelta(days=30)):
        due = started + done / 1_500
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await stories.assign(batch, now)
        done += len(batch)
        if done // tenth > (done - len(batch)) // tenth:
            memory = (await redis.info("memory"))["used_memory"] / 2**20
            keys = await redis.dbsize()
            used, cpu_s = await _cpu_s(redis) - cpu_s, await _cpu_s(redis)
            print(
                f"  day {30 * done / articles:4.0f}: {tenth / used:6.0f} a CPU second of Redis, "
                f"{memory:6.1f} MB, {keys} keys"
            )


def _shown(name: str, rates: list[float], cost: Cost) -> str:
    middle = statistics.median(rates)
    low, high = statistics.quantiles(rates, n=10)[0], statistics.quantiles(rates, n=10)[-1]
    spread = f"10 to 90 %: {low:.0f} to {high:.0f}"
    return (
        f"{name}: {middle:.0f} articles/s ({spread}), "
        f"{cost.per_cpu_second:.0f} a CPU second of Redis, {cost.bytes:.0f} bytes an article"
    )


async def _run(url: str, articles: int) -> None:
    redis = connect_redis(url)
    try:
        server = (await redis.info("server"))["redis_version"]
        print(f"Python {platform.python_version()}, redis-py {version('redis')}, Redis {server}")
        print(f"batches of {BATCH}, {articles} articles within one window")
        rates, cost, found = await _stories_rate(redis, "a", Newswire(1), articles)
        print(_shown("stories", rates, cost), f"- {found} stories found")
        tail = rates[-max(2, len(rates) // 10) :]
        print(f"  with the window full: {statistics.median(tail):.0f} articles/s")
        await redis.flushall()
        rates, cost = await _yardstick_rate(redis, "y", Newswire(1), articles)
        print(_shown("yardstick (near-duplicates only)", rates, cost))
        await redis.flushall()
        print(f"a month of {articles} articles, played with Redis's clock in proportion:")
        await _month(redis, "m", Newswire(2), articles)
    finally:
        await redis.aclose()


def main() -> None:
    """Start a Redis of its own and print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=50_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder)) as server:
        asyncio.run(_run(server.url, arguments.articles))


if __name__ == "__main__":
    main()
