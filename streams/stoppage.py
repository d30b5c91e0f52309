"""After a worker stopped because everything became a dead letter: how long the next one waits.

A supervisor starts a worker that has ended again and again; without this a broken release would
go into the bin all the same, a hundred records at a time. Owns the one key in Redis.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.keys import Keys
from streams.outages import StoppedWaiting, outlast

# The first wait, doubled each time up to the longest: at most 400 records an hour are lost to
# the bin, and a fault that passes by itself delays nobody for long.
FIRST_WAIT_S, LONGEST_WAIT_S = 60.0, 900.0
# Who has worked for so long since has nothing to do with it any more.
FORGET_S = 6 * 3600
LOOK_EVERY_S = 1.0
_log = structlog.get_logger("wirebell.worker")


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """How often in a row it happened, until when to wait (epoch seconds), and why."""

    times: int
    until: float
    why: str


@dataclass(frozen=True, slots=True)
class Stoppage:
    """The stoppage of one line, if there is one."""

    redis: Redis
    keys: Keys
    clock: Callable[[], float] = time.time

    async def note(self, why: str) -> None:
        """A worker has stopped. Redis away: nothing is noted, the next one starts at once."""
        with suppress(RedisError):
            before = await self._read()
            times = 1 if before is None else before.times + 1
            wait_s = min(FIRST_WAIT_S * 2 ** (times - 1), LONGEST_WAIT_S)
            stop = Stop(times=times, until=self.clock() + wait_s, why=why[:500])
            await self.redis.set(self._key, msgspec.json.encode(stop), ex=FORGET_S)

    async def wait_out(self, called_off: asyncio.Event) -> bool:
        """Wait until a worker may work; False when told to stop before that. Waits out Redis."""
        told = False
        while not called_off.is_set():
            try:
                stop = await outlast(self._read, called_off=called_off.is_set)
            except StoppedWaiting:
                return False
            if stop is None or stop.until <= self.clock():
                return True
            if not told:
                _log.critical(
                    "waiting: all that the last worker took became dead letters",
                    wait_s=round(stop.until - self.clock()),
                    times=stop.times,
                    reason=stop.why,
                    to_go_on_at_once="wirebell dead-letters go-on",
                )
                told = True
            with suppress(TimeoutError):
                await asyncio.wait_for(called_off.wait(), LOOK_EVERY_S)
        return False

    async def why(self) -> str:
        """Why the next worker waits now; "" when none has to."""
        stop = await self._read()
        return stop.why if stop is not None and stop.until > self.clock() else ""

    async def go_on(self) -> bool:
        """Forget it: workers go on at once. False when there was none."""
        return bool(await self.redis.delete(self._key))

    @property
    def _key(self) -> str:
        return f"{self.keys.tag}worker:stopped"

    async def _read(self) -> Stop | None:
        raw = await self.redis.get(self._key)
        try:
            return None if raw is None else msgspec.json.decode(raw, type=Stop)
        except msgspec.DecodeError:
            return None
