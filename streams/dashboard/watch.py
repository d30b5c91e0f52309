"""The watch: looks, judges and shows, for as long as the page runs.

Owns the three loops (Redis, Kafka, the show) and what they share; how often they turn is
attention.py's. A hanging broker holds up neither the heartbeats nor the page, since each loop is
bounded on its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from redis.exceptions import RedisError

from streams.dashboard.alerts import Alerts, follow_alerts, recall_alerts
from streams.dashboard.attention import Attention, Turn
from streams.dashboard.exposition import record_verdict
from streams.dashboard.history import History
from streams.dashboard.quality_watch import QualityWatch
from streams.dashboard.shapes import Change, Snapshot, StoryView
from streams.dashboard.view import show, show_story
from streams.dashboard.viewers import Broadcast
from streams.health import Verdict, judge
from streams.observations import Observer

REDIS_EVERY_S, KAFKA_EVERY_S, SHOW_EVERY_S = 1.0, 2.0, 1.0
# Ten requests each; a stall is one after half a minute of the full pace.
KAFKA_SLOW_S = 10.0
# The first alert is shown at once; on a busy line the list is 100 KB for every viewer.
STORIES_REST = timedelta(seconds=3)
SHOWN_STORIES, KEPT_CHANGES = 60, 20
# At the slow pace a verdict is five seconds old before the next one comes.
VERDICT_KEPT = timedelta(seconds=15)
# A verdict that stands for so long will not turn within the second.
SETTLED_AFTER = timedelta(seconds=30)
# Who asks once is given what is not older than this, if it can be had within the time after it.
FRESH_S, REFRESH_S = 1.0, 1.5
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Watch:
    """One line under watch. `run` until `stop`; the rest is for those who show it."""

    observer: Observer
    attention: Attention = field(default_factory=Attention)
    alerts: Alerts = field(default_factory=Alerts)
    history: History = field(default_factory=History)
    broadcast: Broadcast = field(default_factory=Broadcast)
    verdict: Verdict | None = None
    snapshot: Snapshot | None = None
    quality: QualityWatch = field(init=False)
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=KEPT_CHANGES))
    _stories_version: int = -1
    _stories_at: datetime = _LONG_AGO
    _running: bool = False
    _redis: Turn = field(init=False)
    _kafka: Turn = field(init=False)

    def __post_init__(self) -> None:
        self.quality = QualityWatch(self.observer, self.broadcast, self.attention)
        self._redis = Turn(self.observer.look_at_redis, REDIS_EVERY_S)
        self._kafka = Turn(self.observer.look_at_kafka, KAFKA_EVERY_S, KAFKA_SLOW_S)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`. Never raises for Redis or Kafka."""
        observer, attention = self.observer, self.attention
        self._running = True
        async with asyncio.TaskGroup() as group:
            group.create_task(self._recall(stop))
            for turn in (
                self._redis,
                self._kafka,
                Turn(self._show, SHOW_EVERY_S),
                Turn(self._tell, SHOW_EVERY_S),
            ):
                group.create_task(turn.run(attention, stop))
            group.create_task(self.quality.run(stop))
            group.create_task(follow_alerts(observer.settings.kafka, self.alerts, attention, stop))
            await stop.wait()
            self._running = False
            attention.end()
        await observer.offsets.close()

    async def refresh(self) -> None:
        """Look now, for somebody who asks once, unless the last look is fresh."""
        if not self._running or self.attention.awake or self.age_s() < FRESH_S:
            return
        looks = asyncio.gather(self._redis.ended(), self._kafka.ended())
        self.attention.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_S):
                await looks
        await self._show(datetime.now(UTC))

    async def stories_now(self) -> list[StoryView]:
        """The same for somebody who asks once: that somebody has the log of alerts read."""
        if self._running:
            with self.attention.viewer(), contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await self.alerts.caught_up.wait()
        return self.stories()

    def stories(self) -> list[StoryView]:
        """The stories on the page, the one seen last first."""
        return [show_story(alert) for alert in self.alerts.newest(SHOWN_STORIES)]

    def age_s(self) -> float:
        """Seconds since the last verdict; since the start while there is none."""
        since = self.verdict.at if self.verdict else self.observer.started_at
        return (datetime.now(UTC) - since).total_seconds()

    async def _show(self, now: datetime) -> None:
        """Judge and publish, once both dependencies have been looked at."""
        if not (self.observer.looked_at_redis and self.observer.looked_at_kafka):
            return
        verdict = judge(self.observer.observe(now), self.verdict)
        self._note(verdict)
        self.verdict = verdict
        self.attention.worry(self._uneasy(verdict))
        record_verdict(self.observer, verdict)
        self.snapshot = show(self.observer, verdict, list(self.changes)[::-1])
        self.broadcast.publish("snapshot", msgspec.json.encode(self.snapshot))
        point = self.history.add(self.observer, now)
        if point is not None:
            self.broadcast.publish("point", msgspec.json.encode(point))
        rested = now - self._stories_at >= STORIES_REST
        if self.alerts.version != self._stories_version and rested:
            self._stories_version, self._stories_at = self.alerts.version, now
            self.broadcast.publish("stories", msgspec.json.encode(self.stories()))

    def _uneasy(self, verdict: Verdict) -> bool:
        """Whether the line may turn within seconds: it is down, has just turned, does not answer,
        or has work waiting.
        """
        observer = self.observer
        settled = verdict.state != "down" and verdict.at - verdict.since >= SETTLED_AFTER
        return (
            not settled
            or observer.unanswered
            or any(one.lag for one in observer.partitions.values())
        )

    async def _tell(self, now: datetime) -> None:
        """Leave the verdict in Redis for `wirebell status`, which has no hour to look on."""
        if self.snapshot is None or now - self.snapshot.at > VERDICT_KEPT:
            return
        observer, body = self.observer, msgspec.json.encode(self.snapshot.verdict)
        with contextlib.suppress(RedisError, OSError):
            await observer.redis.set(observer.keys.verdict, body, ex=VERDICT_KEPT)

    async def _recall(self, stop: asyncio.Event) -> None:
        """Begin with the stories that the ledger knows, once Redis answers."""
        observer = self.observer
        while not stop.is_set():
            try:
                self.alerts.take(await recall_alerts(observer.redis, observer.keys))
                return
            except (RedisError, OSError):
                await asyncio.sleep(REDIS_EVERY_S)

    def _note(self, verdict: Verdict) -> None:
        """Remember and log every turn of the verdict."""
        if self.verdict is not None and self.verdict.state == verdict.state:
            return
        self.changes.append(Change(state=verdict.state, words=verdict.words, at=verdict.at))
        log = _log.info if verdict.state == "healthy" else _log.warning
        log(f"the line is {verdict.state}", cause=verdict.words)
