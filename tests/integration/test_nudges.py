"""Who produced to the embedded broker tells the workers through Redis, when there is one."""

from __future__ import annotations

import asyncio

import pytest

from streams.desk import open_editor_desk
from streams.embedded import free_port
from streams.fetch_pace import PEOPLE, RECORDS, FetchPace, heed_nudges, nudge
from streams.keys import Keys
from streams.redis_client import connect_redis


class Heard(FetchPace):
    """A pace that says when it has been nudged."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Queue[None]()
        self.people = asyncio.Event()

    def nudge(self) -> None:
        super().nudge()
        self.heard.put_nowait(None)

    def hear(self, what: bytes) -> None:
        (self.nudge if what == RECORDS else self.people.set)()


async def test_a_nudge_goes_through_redis_to_every_worker(
    redis_url: str, redis_prefix: str
) -> None:
    keys, stop = Keys(redis_prefix), asyncio.Event()
    workers, redis = [Heard(), Heard()], connect_redis(redis_url)
    heeding = [asyncio.create_task(heed_nudges(redis, keys, each.hear, stop)) for each in workers]
    async with asyncio.timeout(20):
        for each in workers:
            await each.heard.get()  # it listens: what came before is looked for
        await nudge(redis, keys)
        for each in workers:
            await each.heard.get()
            each.people.clear()
        await nudge(redis, keys, PEOPLE)
        for each in workers:
            await each.people.wait()
            assert each.heard.empty()
        stop.set()
        await asyncio.gather(*heeding)
    await redis.aclose()


async def test_a_redis_that_is_away_keeps_no_producer_and_no_worker(redis_prefix: str) -> None:
    redis, keys, stop = (
        connect_redis(f"redis://127.0.0.1:{free_port()}/0"),
        Keys(redis_prefix),
        asyncio.Event(),
    )
    heeding = asyncio.create_task(heed_nudges(redis, keys, Heard().hear, stop))
    async with asyncio.timeout(20):
        await nudge(redis, keys)
        stop.set()
        await heeding
    await redis.aclose()


async def test_a_choice_of_another_process_is_done_at_once_by_a_worker_at_rest(
    redis_url: str, redis_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.desk.LOOK_EVERY_S", 3_600.0)
    monkeypatch.setattr("streams.desk.IDLE_LOOK_S", 3_600.0)
    redis, keys, stop, listens = (
        connect_redis(redis_url),
        Keys(redis_prefix),
        asyncio.Event(),
        asyncio.Event(),
    )
    worker, page = (open_editor_desk(redis, keys, 3_600) for _ in range(2))

    def heard(what: bytes) -> None:
        if what == PEOPLE:
            worker.wake()
            listens.set()

    async def send(_kafka_topic: str, _key: bytes, _value: bytes) -> None:
        """Confirmed."""

    heeding = asyncio.create_task(heed_nudges(redis, keys, heard, stop))
    working = asyncio.create_task(worker.run(stop, send))
    async with asyncio.timeout(20):
        await listens.wait()
        choice = await page.feedback("mute", "0123456789ab", who="u", via="page", id="c1")
        await page.choices.put(choice)
        while await page.choices.outcome("c1") is None:  # noqa: ASYNC110 - as the page asks
            await asyncio.sleep(0.02)
        stop.set()
        worker.wake()
        await asyncio.gather(heeding, working)
    await redis.aclose()
