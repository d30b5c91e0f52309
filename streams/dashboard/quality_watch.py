"""Reads what the quality view shows, every quarter of a minute: it changes slowly."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from redis.exceptions import RedisError

from streams.dashboard.quality import QualityView, show_quality
from streams.dashboard.viewers import Broadcast
from streams.feedback_store import FeedbackStore
from streams.observations import Observer
from streams.quality_log import QualityLog

EVERY_S, REDIS_TIMEOUT_S = 15.0, 5.0
WEEK = timedelta(days=7)


@dataclass(slots=True)
class QualityWatch:
    """The quality of one line's model, as last read."""

    observer: Observer
    broadcast: Broadcast
    view: QualityView | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`. Never raises for Redis."""
        while not stop.is_set():
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(REDIS_TIMEOUT_S):
                    await self.look(datetime.now(UTC))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S if self.view and self.view.versions else 1.0):
                    await stop.wait()

    async def look(self, now: datetime) -> None:
        """Read once. Raises RedisError."""
        observer = self.observer
        log = QualityLog(observer.redis, observer.keys)
        versions = in_use(observer)
        self.view = show_quality(
            now,
            versions,
            probabilities=await log.probabilities(versions[0] if versions else "", now),
            verdicts=await FeedbackStore(observer.redis, observer.keys).since(now - WEEK),
            hours=(await log.funnel(now), await log.funnel(now - WEEK)),
        )
        self.broadcast.publish("quality", msgspec.json.encode(self.view))


def in_use(observer: Observer) -> list[str]:
    """The model versions of the workers that live, most of them first."""
    living = [one for one in observer.heartbeats if one.model and not one.stopped]
    return [version for version, _ in Counter(one.model for one in living).most_common()]
