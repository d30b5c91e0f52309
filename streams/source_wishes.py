"""What a person wants of a source: not to be asked for a while, or to be asked now.

Owns the two keys in Redis: the page writes them, the sources process reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import msgspec
from redis.asyncio import Redis

from streams.keys import Keys

# Taken at once; what is left is taken the next time.
MOST_HURRIED = 1_000


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Since when a source is paused, and who did it."""

    at: datetime
    who: str


@dataclass(frozen=True, slots=True)
class SourceWishes:
    """The wishes of one line. Every method raises RedisError when Redis is away."""

    redis: Redis
    keys: Keys

    async def pause(self, source_id: str, pause: Pause) -> None:
        """Ask it no more."""
        await self.redis.hset(self.keys.paused_sources, source_id, msgspec.json.encode(pause))

    async def resume(self, source_id: str) -> bool:
        """Ask it again; False when it was not paused."""
        return bool(await self.redis.hdel(self.keys.paused_sources, source_id))

    async def poll_now(self, source_id: str) -> None:
        """Ask it as soon as its host allows."""
        await self.redis.sadd(self.keys.hurried_sources, source_id)

    async def paused(self) -> Mapping[str, Pause]:
        """Every paused source by its id."""
        found = await self.redis.hgetall(self.keys.paused_sources)
        pauses = {_text(name): _pause(raw) for name, raw in found.items()}
        return {name: pause for name, pause in pauses.items() if pause is not None}

    async def take_hurried(self) -> frozenset[str]:
        """The sources to be asked now; each is given once."""
        found = await self.redis.spop(self.keys.hurried_sources, MOST_HURRIED)
        return frozenset(_text(name) for name in cast(list[bytes] | None, found) or ())


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def _pause(raw: bytes | str) -> Pause | None:
    try:
        return msgspec.json.decode(raw, type=Pause)
    except msgspec.DecodeError:
        return None
