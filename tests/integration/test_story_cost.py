"""What an article that is about something costs Redis, counted: the same on every machine.

Seconds are measured by benchmarks/bench_stories.py. Who makes it dearer for a good reason writes
the new figure here.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from redis.asyncio import Redis

from benchmarks.story_wire import BATCH, START, Newswire
from streams.embedded import EmbeddedRedis
from streams.keys import Keys
from streams.stories import Stories
from tests.reports import WINDOW_S

ARTICLES = 1_024
# Counted on Valkey 9. Commands are the same in each run; of the bytes some are of buffers.
_COMMANDS = "total_commands_processed"
COMMANDS, COMMANDS_MARGIN = 12.5, 1.05
BYTES, BYTES_MARGIN = 1_385, 1.1


async def test_an_article_takes_so_many_commands_and_bytes_of_redis(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        redis = Redis.from_url(server.url)
        stories = Stories(redis, Keys("cost"), WINDOW_S)
        wire = list(Newswire(4).batches(ARTICLES, timedelta(seconds=WINDOW_S / 3)))
        await stories.assign(wire[0][1], wire[0][0])  # what is there once
        before = await redis.info()
        for now, batch in wire[1:]:
            await stories.assign(batch, now)
        after = await redis.info()
        await redis.aclose()
    articles = ARTICLES - len(wire[0][1])
    spent = {name: (after[name] - before[name]) / articles for name in ("used_memory", _COMMANDS)}
    assert spent[_COMMANDS] <= COMMANDS * COMMANDS_MARGIN
    assert spent["used_memory"] <= BYTES * BYTES_MARGIN


async def test_what_no_article_asks_any_more_is_freed(
    stories: Stories, redis: Redis, keys: Keys
) -> None:
    held = []
    for _, batch in Newswire(6).batches(5 * BATCH, timedelta(seconds=1)):
        now = START + timedelta(seconds=WINDOW_S / 2 * len(held))
        await stories.assign(batch[:2], now)
        held.append({name async for name in redis.scan_iter(match=f"{keys.tag}p:*")})
    assert [len(names) for names in held] == [1, 2, 3, 3, 3]
    assert not held[0] & held[3]
