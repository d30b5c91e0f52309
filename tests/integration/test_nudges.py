"""Who produced to the embedded broker tells the workers through Redis, when there is one."""

from __future__ import annotations

import asyncio

from streams.embedded import free_port
from streams.fetch_pace import FetchPace, heed_nudges, nudge
from streams.keys import Keys
from streams.redis_client import connect_redis


class Heard(FetchPace):
    """A pace that says when it has been nudged."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Queue[None]()

    def nudge(self) -> None:
        super().nudge()
        self.heard.put_nowait(None)


async def test_a_nudge_goes_through_redis_to_every_worker(
    redis_url: str, redis_prefix: str
) -> None:
    keys, stop = Keys(redis_prefix), asyncio.Event()
    workers, redis = [Heard(), Heard()], connect_redis(redis_url)
    heeding = [asyncio.create_task(heed_nudges(redis, keys, each, stop)) for each in workers]
    async with asyncio.timeout(20):
        for each in workers:
            await each.heard.get()  # it listens: what came before is looked for
        await nudge(redis, keys)
        for each in workers:
            await each.heard.get()
        stop.set()
        await asyncio.gather(*heeding)
    await redis.aclose()


async def test_a_redis_that_is_away_keeps_no_producer_and_no_worker(redis_prefix: str) -> None:
    redis, keys, stop = (
        connect_redis(f"redis://127.0.0.1:{free_port()}/0"),
        Keys(redis_prefix),
        asyncio.Event(),
    )
    heeding = asyncio.create_task(heed_nudges(redis, keys, FetchPace(), stop))
    async with asyncio.timeout(20):
        await nudge(redis, keys)
        stop.set()
        await heeding
    await redis.aclose()
