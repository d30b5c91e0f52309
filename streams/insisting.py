"""Waiting that ends when it should: for Redis to take what is known, for work, for the end.

Owns repeating a write while Redis is away. When a delivery is tried again is `retries.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

# Redis is away: ask again after 0.1 s, then slower, never slower than this.
MAX_REDIS_WAIT_S = 2.0


async def insist(write: Callable[[], Awaitable[bool]]) -> None:
    """Repeat a write until Redis takes it; every ledger write may be repeated."""
    wait_s = 0.1
    while True:
        try:
            await write()
            return
        except RedisError:
            heed_cancellation()
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, MAX_REDIS_WAIT_S)


async def wait(seconds: float, *events: asyncio.Event) -> None:
    """Wait until one of the events or the time is over."""
    heed_cancellation()
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def heed_cancellation() -> None:
    """redis-py drops a cancellation that comes while it connects (`connect_check_health`)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
