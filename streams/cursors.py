"""Cursors of sources in Redis, tied to the Kafka cluster that the articles went to.

A cursor says "everything before this is in Kafka". A cluster with another id has nothing,
so it has cursors of its own: after the embedded broker's restart the sources read again.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from connectors.poller import StoreAwayError
from connectors.sources.source import Cursor
from streams.keys import Keys

# A cursor of a cluster that nobody has written to for so long is of no use: the sources
# hold nothing of that time any more.
KEEP_S = 30 * 86_400

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, str])


class RedisCursors:
    """The cursor store of one Kafka cluster."""

    def __init__(self, redis: Redis, keys: Keys, cluster_id: str) -> None:
        self._redis = redis
        self._key = keys.cursor(cluster_id)

    async def load(self, source_id: str) -> Cursor:
        """The cursor; empty when there is none, or none that we can read.

        Raises:
            StoreAwayError: Redis is away; ask again.
        """
        try:
            raw = await self._redis.hget(self._key, source_id)
        except (RedisError, OSError) as error:
            raise StoreAwayError(f"Redis: {error}") from error
        if raw is None:
            return {}
        try:
            found: Mapping[str, str] = _decoder.decode(raw)
        except msgspec.DecodeError:
            return {}  # the source is read again, which does no harm
        return found

    async def save(self, source_id: str, cursor: Cursor) -> None:
        """Replace the cursor.

        Raises:
            StoreAwayError: Redis is away; ask again.
        """
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hset(self._key, source_id, _encoder.encode(dict(cursor)))
                pipeline.expire(self._key, KEEP_S)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            raise StoreAwayError(f"Redis: {error}") from error
