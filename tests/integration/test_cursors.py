"""Cursors and statuses in a real Redis: tied to the cluster, and away when Redis is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from connectors.poller import PollReport, StoreAwayError
from connectors.sources.source import Poll
from streams.cursors import RedisCursors
from streams.embedded import free_port
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.source_status import SourceStatus, SourceStatuses, decode_source_status

NOW = datetime.now(UTC)


def status(name: str) -> SourceStatus:
    return SourceStatus(id=name, type="feed", state="empty", at=NOW, counted_since=NOW)


async def test_a_cursor_comes_back_whole_and_a_new_one_replaces_it(
    redis: Redis, redis_prefix: str
) -> None:
    cursors = RedisCursors(redis, Keys(redis_prefix), "cluster-1")
    assert await cursors.load("wire") == {}
    await cursors.save("wire", {"etag": '"ä\n"', "seen": "a b"})
    assert await cursors.load("wire") == {"etag": '"ä\n"', "seen": "a b"}
    await cursors.save("wire", {"seen": "c"})
    assert await cursors.load("wire") == {"seen": "c"}


async def test_another_cluster_has_cursors_of_its_own(redis: Redis, redis_prefix: str) -> None:
    keys = Keys(redis_prefix)
    await RedisCursors(redis, keys, "cluster-1").save("wire", {"n": "1"})
    assert await RedisCursors(redis, keys, "cluster-2").load("wire") == {}
    assert await RedisCursors(redis, keys, "cluster-1").load("wire") == {"n": "1"}


async def test_a_cursor_nobody_can_read_begins_anew(redis: Redis, redis_prefix: str) -> None:
    keys = Keys(redis_prefix)
    await redis.hset(keys.cursor("cluster-1"), "wire", b"\xff not json")
    assert await RedisCursors(redis, keys, "cluster-1").load("wire") == {}


async def test_redis_away_is_said_so_and_a_status_is_skipped() -> None:
    away = connect_redis(f"redis://127.0.0.1:{free_port()}/0")
    cursors = RedisCursors(away, Keys("x"), "cluster-1")
    with pytest.raises(StoreAwayError, match="Redis"):
        await cursors.load("wire")
    with pytest.raises(StoreAwayError, match="Redis"):
        await cursors.save("wire", {})
    statuses = SourceStatuses(away, Keys("x"), [status("wire")])
    await statuses.resume()
    await statuses.record(PollReport("wire", Poll("ok"), published=2))
    assert statuses.current["wire"].articles_total == 2
    await away.aclose()


async def test_next_process_keeps_the_dates_and_forgets_sources_that_are_gone(
    redis: Redis, redis_prefix: str
) -> None:
    keys = Keys(redis_prefix)
    first = SourceStatuses(redis, keys, [status("wire"), status("gone")])
    await first.record(PollReport("wire", Poll("ok"), published=2))
    await first.record(PollReport("gone", Poll("ok")))
    second = SourceStatuses(redis, keys, [status("wire")])
    await second.resume()
    assert await redis.hkeys(keys.sources) == [b"wire"]
    await second.record(PollReport("wire", Poll("unreachable"), failures=1))
    shown = decode_source_status(await redis.hget(keys.sources, "wire") or b"")
    assert shown is not None
    assert shown.last_new_at == first.current["wire"].last_new_at
    assert (shown.state, shown.articles_total) == ("unreachable", 0)


async def test_a_restart_begins_no_failing_source_anew(redis: Redis, redis_prefix: str) -> None:
    keys, failed = Keys(redis_prefix), PollReport("wire", Poll("unreachable"), failures=1)
    first = SourceStatuses(redis, keys, [status("wire")])
    await first.record(failed)
    second = SourceStatuses(redis, keys, [status("wire")])
    await second.resume()
    await second.record(failed)
    assert second.current["wire"].error_streak == 2
    assert second.current["wire"].failing_since == first.current["wire"].at
    await second.record(PollReport("wire", Poll("ok")))
    assert (second.current["wire"].error_streak, second.current["wire"].failing_since) == (0, None)
