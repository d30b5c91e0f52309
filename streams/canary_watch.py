"""Sends a canary every minute and waits for each to come back: the round trip of the line.

Owns the sending and what came of the last ones. Judges nothing: streams/health.py does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from connectors.publisher import PublishError
from connectors.records import Article
from streams.canary import make_canary
from streams.health import CanarySeen
from streams.keys import Keys

EVERY_S = 60.0
# How exact a round trip is; asked only while a canary is out.
LOOK_EVERY_S = 0.25
# An hour of them.
KEPT = 60
REDIS_TIMEOUT_S = 2.0


class CanaryPublisher(Protocol):
    """What is needed of connectors.publisher.Publisher."""

    async def publish(self, articles: Sequence[Article]) -> None:
        """Returns when Kafka has confirmed all. Raises PublishError."""
        ...

    async def close(self) -> None:
        """Give the producer back."""
        ...


@dataclass(slots=True)
class CanaryWatch:
    """The canaries of one page, oldest first. `ready` says when the first may go: before a
    worker has come up there is nothing to measure.
    """

    redis: Redis
    keys: Keys
    publisher: CanaryPublisher
    ready: Callable[[], bool]
    every_s: float = EVERY_S
    rounds: deque[CanarySeen] = field(default_factory=lambda: deque(maxlen=KEPT))

    async def run(self, stop: asyncio.Event) -> None:
        """Send and look until `stop`. Never raises for Kafka or Redis."""
        try:
            while not (stop.is_set() or self.ready()):
                await _rest(stop, LOOK_EVERY_S)
            while not stop.is_set():
                sent_at = datetime.now(UTC)
                await self._send(sent_at)
                due = sent_at + timedelta(seconds=self.every_s)
                while not stop.is_set() and (left := (due - datetime.now(UTC)).total_seconds()) > 0:
                    await self.look(datetime.now(UTC))
                    waiting = any(_is_out(one) for one in self.rounds)
                    await _rest(stop, min(left, LOOK_EVERY_S if waiting else left))
        finally:
            await self.publisher.close()

    async def look(self, now: datetime) -> None:
        """Note which canaries are back. A later one's receipt stands for the earlier ones: the
        ledger brings a sink up to the latest.
        """
        if not any(_is_out(one) for one in self.rounds):
            return
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                raw = await self.redis.get(self.keys.canary)
            reached = int(raw) if raw else 0
            for index, one in enumerate(self.rounds):
                if _is_out(one) and one.number <= reached:
                    self.rounds[index] = replace(one, back_at=now)

    async def _send(self, sent_at: datetime) -> None:
        """A canary that Kafka does not confirm never left; the verdict says why."""
        article = make_canary(sent_at)
        number = int(sent_at.timestamp() * 1000)
        self.rounds.append(CanarySeen(number, sent_at))
        try:
            await self.publisher.publish([article])
        except PublishError as error:
            self.rounds[-1] = replace(self.rounds[-1], fault=str(error)[:200])


def _is_out(one: CanarySeen) -> bool:
    return one.back_at is None and not one.fault


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
