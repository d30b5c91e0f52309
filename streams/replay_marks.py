"""Which dead letters were sent back, and when: a letter itself stays in Kafka as it was.

Owns one key in Redis. Who replays asks it first: a letter is sent back twice only by somebody who
wants that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis

from streams.keys import Keys

# As long as dead letters stay in Kafka (streams/kafka_topics.py).
KEEP_S = 90 * 86_400.0


@dataclass(frozen=True, slots=True)
class ReplayMarks:
    """The marks of one line. Every method raises RedisError when Redis is away."""

    redis: Redis
    keys: Keys
    clock: Callable[[], float] = time.time

    async def note(self, letter_ids: Sequence[str]) -> None:
        """These have gone back now. Repeatable."""
        if not letter_ids:
            return
        now = self.clock()
        pipe = self.redis.pipeline(transaction=True)
        pipe.zadd(self.keys.replayed, dict.fromkeys(letter_ids, now))
        pipe.zremrangebyscore(self.keys.replayed, 0, now - KEEP_S)
        await pipe.execute()

    async def known(self, letter_ids: Sequence[str]) -> Mapping[str, datetime]:
        """When each of these was last sent back; without those that never were."""
        if not letter_ids:
            return {}
        times = await self.redis.zmscore(self.keys.replayed, list(letter_ids))
        return {
            letter_id: datetime.fromtimestamp(at, UTC)
            for letter_id, at in zip(letter_ids, times, strict=True)
            if at is not None
        }
