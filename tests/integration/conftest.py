"""A connection to the Redis of the run, and what stands on it under a prefix of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.stories import Stories
from tests.reports import WINDOW_S


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def keys(redis_prefix: str) -> Keys:
    return Keys(redis_prefix)


@pytest.fixture
def stories(redis: Redis, keys: Keys) -> Stories:
    return Stories(redis, keys, WINDOW_S)
