"""The editors' decisions in Redis: what Kafka topic `feedback` holds, for whoever has no time to
read a Kafka topic, and for lines whose broker forgets (the embedded one).

Owns the two keys. Bounded: the oldest leave first.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import cast

import msgspec
from redis.asyncio import Redis

from streams.feedback import Feedback, decode_feedback, encode_feedback
from streams.keys import Keys

#: About 1.5 KB each: 15 MB of Redis, and years of verdicts for a newsroom.
MOST_KEPT = 10_000
_CHUNK = 500

_ADD = """
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[4])
if over > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
    redis.call('HDEL', KEYS[1], id)
  end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, over - 1)
end
return 1
"""


class FeedbackStore:
    """The decisions of one line. Every method raises RedisError when Redis is away, and may be
    repeated.
    """

    def __init__(self, redis: Redis, keys: Keys, most_kept: int = MOST_KEPT) -> None:
        self._redis = redis
        self._keys = keys
        self._most_kept = most_kept

    async def add(self, feedback: Feedback) -> None:
        """Keep a decision; one that is kept already changes nothing."""
        added = self._redis.eval(
            _ADD,
            2,
            self._keys.feedback,
            self._keys.feedback_order,
            feedback.id,
            encode_feedback(feedback),
            str(feedback.at.timestamp()),
            str(self._most_kept),
        )
        await cast(Awaitable[int], added)

    async def since(self, at: datetime) -> list[Feedback]:
        """What was decided then or later, oldest first."""
        found_ids = await self._redis.zrangebyscore(
            self._keys.feedback_order, at.timestamp(), "+inf"
        )
        ids = [one for one in found_ids if isinstance(one, bytes | str)]
        found: list[Feedback] = []
        for start in range(0, len(ids), _CHUNK):
            raws = await self._redis.hmget(self._keys.feedback, *ids[start : start + _CHUNK])
            found += [one for raw in raws if raw is not None and (one := _decoded(raw)) is not None]
        return found


def _decoded(raw: bytes | str) -> Feedback | None:
    """The record; None for what a newer version wrote and this one cannot read."""
    try:
        return decode_feedback(raw if isinstance(raw, bytes) else raw.encode())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
