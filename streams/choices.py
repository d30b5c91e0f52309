"""What people decided and nobody has done yet: written down before anything else happens, so
that no choice is lost with the process that heard it.

Owns the Redis side: the choices that wait, those that are done, and what Kafka has still to
hear of them. Does not know what a choice means: `streams/desk.py` does.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import LockError

from streams.feedback import Feedback
from streams.fetch_pace import PEOPLE, nudge
from streams.keys import Keys

# As long as the ledger remembers at least; Slack itself repeats for some minutes.
KEEP_S = 30 * 86_400.0
# A process that dies with the lock delays the next one for so long; one step takes milliseconds.
LOCK_S = 10.0
_LUA = Path(__file__).parent / "lua"


class Outgoing(msgspec.Struct, frozen=True, array_like=True):
    """A record for Kafka; `kafka_topic` without the line's prefix."""

    kafka_topic: str
    key: bytes
    value: bytes


@dataclass(slots=True)
class Choices:
    """The choices of one line. Every method raises RedisError when Redis is away: repeat."""

    redis: Redis
    keys: Keys
    clock: Callable[[], float] = time.time
    _scripts: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in ("put", "done"):
            text = (_LUA / f"desk_{name}.lua").read_text(encoding="utf-8")
            self._scripts[name] = self.redis.register_script(text)

    async def put(self, feedback: Feedback) -> bool:
        """Write a choice down, and tell the workers; False when its id waits or was done.
        Repeatable.
        """
        raw = msgspec.msgpack.encode(feedback)
        noted = bool(await self._call("put", [self.clock(), feedback.id, raw, KEEP_S]))
        await nudge(self.redis, self.keys, PEOPLE)
        return noted

    async def waiting(self, most: int = 100) -> list[Feedback]:
        """The oldest choices that wait, in the order in which they were made."""
        ids = await cast(
            Awaitable[list[bytes]],
            self.redis.zrange(self._key("waiting"), 0, most - 1),
        )
        if not ids:
            return []
        names = [each.decode() for each in ids]
        found = await cast(
            Awaitable[list[bytes | None]], self.redis.hmget(self._key("said"), names)
        )
        return [msgspec.msgpack.decode(raw, type=Feedback) for raw in found if raw is not None]

    async def done(self, feedback: Feedback, outcome: str, outgoing: Sequence[Outgoing]) -> bool:
        """It was done (`outcome` "") or cannot be, and why. False: another process said so."""
        records = [msgspec.msgpack.encode(each) for each in outgoing]
        args = [self.clock(), feedback.id, outcome, *records]
        return bool(await self._call("done", args))

    async def outcome(self, feedback_id: str) -> str | None:
        """Why it cannot be done, empty when it was; None while it waits."""
        found = await cast(
            Awaitable[bytes | None], self.redis.hget(self._key("outcome"), feedback_id)
        )
        return None if found is None else found.decode()

    async def outgoing(self, most: int = 100) -> list[tuple[str, Outgoing]]:
        """What Kafka has not confirmed, oldest first, each with its number."""
        found = await cast(Awaitable[dict[bytes, bytes]], self.redis.hgetall(self._key("outgoing")))
        return [
            (number.decode(), msgspec.msgpack.decode(found[number], type=Outgoing))
            for number in sorted(found)[:most]
        ]

    async def confirmed(self, numbers: Sequence[str]) -> None:
        """Kafka has these."""
        if numbers:
            await self.redis.hdel(self._key("outgoing"), *numbers)

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[bool]:
        """The turn of one process at a time, over all of them; False: it is another's now."""
        lock = self.redis.lock(self._key(f"turn:{name}"), timeout=LOCK_S, thread_local=False)
        mine = bool(await lock.acquire(blocking=False))
        try:
            yield mine
        finally:
            if mine:
                with suppress(LockError):  # it took longer than the lock holds
                    await lock.release()

    def _key(self, name: str) -> str:
        return f"{self.keys.tag}desk:{name}"

    async def _call(self, name: str, args: list[Any]) -> Any:
        return await self._scripts[name](keys=[self.keys.tag], args=args)
