"""What people did from the page: who, what, when, in Redis, the last of it.

Owns the record and its list. Whether somebody may act is streams/dashboard/access.py's.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import msgspec
from redis.asyncio import Redis

from streams.keys import Keys

# Months of a newsroom's clicks; the processes' logs keep the rest.
MOST_KEPT = 1_000


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One action. `who` is a name that nobody has checked, and where from; `about` is what it
    was done to, in words; `failed` says why it came to nothing.
    """

    at: datetime
    who: str
    what: str
    about: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class ActionLog:
    """The actions of one line. Every method raises RedisError when Redis is away."""

    redis: Redis
    keys: Keys

    async def add(self, action: Action) -> None:
        """Note an action."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.lpush(self.keys.actions, msgspec.json.encode(action))
            pipe.ltrim(self.keys.actions, 0, MOST_KEPT - 1)
            await pipe.execute()

    async def recent(self, limit: int = MOST_KEPT) -> list[Action]:
        """The last actions, newest first."""
        found = await cast(
            Awaitable[list[bytes]], self.redis.lrange(self.keys.actions, 0, limit - 1)
        )
        return [action for raw in found if (action := _decoded(raw)) is not None]


def _decoded(raw: bytes) -> Action | None:
    try:
        return msgspec.json.decode(raw, type=Action)
    except msgspec.DecodeError:
        return None
