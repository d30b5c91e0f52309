"""When to ask the embedded broker for records again, and how its producers say that it is time.

The embedded broker answers a fetch when its wait ends, not when a record comes: the wait is the
latency, and a short one is most of what an idle line costs. So the worker does not wait at the
broker but here: shortly while records come, ever longer while none do, and not at all after a
nudge of who produced them. A nudge is only a hint. One that is lost costs `LONGEST_S`, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.insisting import heed_cancellation
from streams.keys import Keys

# A record may be followed by another at once (its producer may not nudge, another program's does
# not): after it we wait for a tenth of the time for which we have asked in vain, within these. So
# at 50 articles a second for 3 ms, and 5 at the broker, from the first of them on.
BUSY_S, QUICK_S, SHARE_OF_IT = 0.015, 0.003, 0.1
# How much of the newest such time goes into what we take for the usual one.
NEWEST = 0.25
# An idle line asks once a second: who does not nudge waits for half of it.
LONGEST_S = 1.0
# After the last record the pace stays for this long, then each wait is twice the one before. Where
# records are further apart than USUAL_GAP_S (a canary and its alert each minute, say) the next one
# is not waited for like that: two seconds of it cost as much as the rest of the minute.
STAYS_BUSY_S, STAYS_ALONE_S, USUAL_GAP_S = 2.0, 0.2, 0.5
# What a fetch may take at the broker, which looks for records until then: it finds them within
# 1 ms even on a machine ten times overloaded; an idle line gives it longer, to be sure.
AT_BROKER_MS, IDLE_AT_BROKER_MS = 5, 20
# What a nudge is about: records in the embedded broker, or what a person has decided.
RECORDS, PEOPLE = b"", b"people"
# A Redis that is away must not keep a producer, nor be asked more often than this.
NUDGE_TIMEOUT_S, LISTEN_AGAIN_S = 0.5, 1.0


class FetchPace:
    """The wait before each fetch of one consumer. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Since when we are asking, how long since the last find, and how long usually: without
        # the time we were at work, or a line that is behind would be asked the less.
        self._asking_at = clock()
        self._asked_s = 0.0
        self._usually_s = STAYS_BUSY_S
        self._wait_s = BUSY_S
        self._nudged = asyncio.Event()

    @property
    def wait_s(self) -> float:
        """How long the next fetch waits, in seconds, unless somebody nudges."""
        return self._wait_s

    @property
    def at_broker_ms(self) -> int:
        """How long a fetch may look for records."""
        return IDLE_AT_BROKER_MS if self._wait_s >= LONGEST_S else AT_BROKER_MS

    @property
    def _stays_s(self) -> float:
        return STAYS_BUSY_S if self._usually_s < USUAL_GAP_S else STAYS_ALONE_S

    def nudge(self) -> None:
        """Something has been produced: fetch at once."""
        self._nudged.set()

    async def wait(self) -> None:
        """Returns when it is time for the next fetch."""
        self._asking_at = self._clock()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s):
                await self._nudged.wait()
        self._nudged.clear()  # before the fetch: what comes during it is fetched next

    def fetched(self, found: bool) -> None:
        """Hear whether a fetch has brought records."""
        now = self._clock()
        self._asked_s += now - self._asking_at
        self._asking_at = now
        if found:
            self._usually_s += NEWEST * (min(self._asked_s, STAYS_BUSY_S) - self._usually_s)
            self._asked_s = 0.0
            self._wait_s = QUICK_S
        elif self._asked_s > self._stays_s:
            self._wait_s = min(max(BUSY_S, 2 * self._wait_s), LONGEST_S)
        else:
            self._wait_s = min(max(QUICK_S, SHARE_OF_IT * self._asked_s), BUSY_S)


async def nudge(redis: Redis, keys: Keys, what: bytes = RECORDS) -> None:
    """Tell the workers what is there. Never raises: they would find it anyway."""
    with contextlib.suppress(RedisError, OSError, TimeoutError):
        async with asyncio.timeout(NUDGE_TIMEOUT_S):
            await redis.publish(keys.nudges, what)


async def heed_nudges(
    redis: Redis, keys: Keys, heard: Callable[[bytes], None], stop: asyncio.Event
) -> None:
    """Pass nudges on until `stop`, RECORDS or PEOPLE. While Redis is away there are none."""
    listening = asyncio.create_task(_listen(redis, keys, heard))
    await stop.wait()
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening


async def _listen(redis: Redis, keys: Keys, heard: Callable[[bytes], None]) -> None:
    while True:
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with redis.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(keys.nudges)
                heed_cancellation()
                heard(RECORDS)  # what was there before we listened
                heard(PEOPLE)
                while True:
                    # None: as long as it takes; the connection's own timeout is for answers.
                    message = await channel.get_message(timeout=None)
                    if message is not None:
                        heard(message["data"])
        heed_cancellation()
        await asyncio.sleep(LISTEN_AGAIN_S)
