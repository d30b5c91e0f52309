"""Reads what the quality view shows, every quarter of a minute: it changes slowly. While nobody
looks on, every two minutes, for the verdict.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from redis.exceptions import RedisError

from streams.dashboard.attention import Attention
from streams.dashboard.models_page import versions_of
from streams.dashboard.quality import QualityView, show_quality
from streams.dashboard.viewers import Broadcast
from streams.feedback_store import FeedbackStore
from streams.model_files import ModelFileError
from streams.model_records import ModelVersion
from streams.observations import Observer
from streams.quality_log import QualityLog

EVERY_S, UNWATCHED_S, FIRST_S, REDIS_TIMEOUT_S = 15.0, 120.0, 1.0, 5.0
WEEK = timedelta(days=7)
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class QualityWatch:
    """The quality of one line's model, as last read."""

    observer: Observer
    broadcast: Broadcast
    attention: Attention
    view: QualityView | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`. Never raises for Redis."""
        while not stop.is_set():
            await self.look_now()
            if self.view and self.view.versions:
                await self.attention.rest(EVERY_S, UNWATCHED_S)
            else:
                await self.attention.rest(FIRST_S, FIRST_S)

    async def look_now(self) -> None:
        """Read once, for somebody who has just changed something; Redis away is not theirs."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self.look(datetime.now(UTC))

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
            models=await self._models(),
            hours=(await log.funnel(now), await log.funnel(now - WEEK)),
        )
        drifted = [one.label for one in self.view.topics if one.drift.state == "changed"]
        observer.drifted = tuple(drifted)
        self.broadcast.publish("quality", msgspec.json.encode(self.view))

    async def _models(self) -> list[ModelVersion]:
        try:
            return await versions_of(self.observer).listed()
        except (ModelFileError, OSError) as error:
            _log.warning("the models cannot be listed", reason=str(error))
            return []


def in_use(observer: Observer) -> list[str]:
    """The model versions of the workers that live, most of them first."""
    living = [one for one in observer.heartbeats if one.model and not one.stopped]
    return [version for version, _ in Counter(one.model for one in living).most_common()]
