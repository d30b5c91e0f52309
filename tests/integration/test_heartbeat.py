"""Heartbeats against a real Redis, and against one that goes away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.embedded import EmbeddedRedis
from streams.heartbeat import (
    IDLE_INTERVAL_S,
    INTERVAL_S,
    KEEP,
    KEEP_ENDED,
    Heartbeat,
    beat,
    decode_heartbeat,
    encode_heartbeat,
)
from streams.keys import Keys
from streams.metrics import SCREENED
from streams.redis_client import connect_redis


async def read(redis: Redis, keys: Keys) -> list[Heartbeat]:
    """Every heartbeat; none while Redis is away."""
    try:
        listed = await redis.hgetall(keys.processes)
    except RedisError:
        return []
    return [found for raw in listed.values() if (found := decode_heartbeat(raw))]


async def eventually(
    redis: Redis, keys: Keys, *, after: datetime, timeout_s: float = 15
) -> Heartbeat:
    """The first heartbeat written after a moment."""
    async with asyncio.timeout(timeout_s):
        while True:
            fresh = [one for one in await read(redis, keys) if one.at > after]
            if fresh:
                return fresh[0]
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def beating(redis: Redis, keys: Keys) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(beat(redis, keys, "worker", stop))
    try:
        yield stop
    finally:
        stop.set()
        await task


async def test_a_process_beats_each_second_with_its_metrics(
    redis_url: str, redis_prefix: str
) -> None:
    redis, keys = connect_redis(redis_url), Keys(redis_prefix)
    SCREENED.inc(3)
    async with beating(redis, keys):
        first = await eventually(redis, keys, after=datetime.min.replace(tzinfo=UTC))
        second = await eventually(redis, keys, after=first.at, timeout_s=5)
    assert first.process == second.process
    assert second.rss_bytes > 10_000_000
    values = {sample.name: sample.value for sample in second.samples if not sample.labels}
    assert values["wirebell_articles_screened_total"] >= 3
    assert not any(name.endswith("_created") for name in values)
    await redis.aclose()


async def test_it_beats_less_often_while_its_metrics_stand_still(
    redis_url: str, redis_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis, keys, stop, rests = connect_redis(redis_url), Keys(redis_prefix), asyncio.Event(), []

    async def rest(_stop: asyncio.Event, seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            SCREENED.inc()
        if len(rests) == 5:
            stop.set()

    monkeypatch.setattr("streams.heartbeat._wait", rest)
    await beat(redis, keys, "worker", stop)
    assert rests == [INTERVAL_S, IDLE_INTERVAL_S, IDLE_INTERVAL_S, INTERVAL_S, IDLE_INTERVAL_S]
    await redis.aclose()


async def test_a_process_that_ends_says_so(redis_url: str, redis_prefix: str) -> None:
    redis, keys = connect_redis(redis_url), Keys(redis_prefix)
    async with beating(redis, keys):
        alive = await eventually(redis, keys, after=datetime.min.replace(tzinfo=UTC))
    (last,) = await read(redis, keys)
    assert (alive.stopped, last.stopped) == (False, True)
    await redis.aclose()


async def test_beats_go_on_after_redis_was_away(tmp_path: Path) -> None:
    server, keys = EmbeddedRedis(tmp_path), Keys("w")
    server.start()
    redis = connect_redis(server.url)
    try:
        async with beating(redis, keys):
            first = await eventually(redis, keys, after=datetime.min.replace(tzinfo=UTC))
            server.kill()
            away = datetime.now(UTC)
            assert await read(redis, keys) == []
            server.start()
            again = await eventually(redis, keys, after=away)
        assert again.process == first.process
    finally:
        await redis.aclose()
        server.stop()


async def test_a_process_silent_for_a_day_is_forgotten(redis_url: str, redis_prefix: str) -> None:
    redis, keys = connect_redis(redis_url), Keys(redis_prefix)
    now = datetime.now(UTC)
    old = Heartbeat(
        process="old",
        role="worker",
        pid=1,
        host="h",
        started_at=now - 2 * KEEP,
        at=now - KEEP - timedelta(minutes=1),
        rss_bytes=0,
    )
    recent = msgspec.structs.replace(old, process="recent", at=now - timedelta(hours=1))
    for one in (old, recent):
        await redis.hset(keys.processes, one.process, encode_heartbeat(one))
    await redis.hset(keys.processes, "junk", b"\xff not a heartbeat")
    async with beating(redis, keys):
        fresh = await eventually(redis, keys, after=now)
        await eventually(redis, keys, after=fresh.at)  # the second comes after the pruning
        assert {one.process for one in await read(redis, keys)} == {"recent", fresh.process}
        assert await redis.hlen(keys.processes) == 2
    await redis.aclose()


async def test_a_process_that_crashes_at_every_start_does_not_fill_redis(
    redis_url: str, redis_prefix: str
) -> None:
    redis, keys = connect_redis(redis_url), Keys(redis_prefix)
    now = datetime.now(UTC)
    for number in range(KEEP_ENDED + 20):
        moment = now - timedelta(minutes=2, seconds=number)
        crashed = Heartbeat(
            process=f"w{number}",
            role="worker",
            pid=1,
            host="h",
            started_at=moment,
            at=moment,
            rss_bytes=0,
        )
        await redis.hset(keys.processes, crashed.process, encode_heartbeat(crashed))
    async with beating(redis, keys):
        fresh = await eventually(redis, keys, after=now)
        await eventually(redis, keys, after=fresh.at)  # the second comes after the pruning
        kept = {one.process for one in await read(redis, keys)}
    assert kept == {fresh.process, *(f"w{number}" for number in range(KEEP_ENDED))}
    await redis.aclose()
