"""What the line looks like from outside: Redis and Kafka read from time to time, kept together.

Owns the reading and what must be remembered between reads: lag over time, since when a
dependency is away, when each process was last heard by *our* clock. Judges nothing
(streams/health.py) and shows nothing (streams/dashboard).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams import kafka_topics
from streams.health import (
    BacklogSeen,
    CanarySeen,
    DeadLettersSeen,
    Dependency,
    Observation,
    ProcessSeen,
    SourceSeen,
)
from streams.heartbeat import Heartbeat, decode_heartbeat
from streams.kafka_offsets import BrokerAwayError, KafkaOffsets, PartitionOffsets
from streams.keys import Keys
from streams.lag import LagSample, PartitionLag
from streams.ledger import RANKS, Attempt, DestinationState, Ledger
from streams.settings import Settings
from streams.source_condition import Copies, judge_source
from streams.source_status import SourceStatus, decode_source_status
from streams.source_wishes import Pause, SourceWishes
from streams.stoppage import Stoppage
from streams.tally import RATE_WINDOW, Tally

REDIS_TIMEOUT_S = 2.0
# One failed look may be a broken connection; a dependency that fails for longer is away.
AWAY_AFTER = timedelta(seconds=3)
# Half an hour of lag samples at one every two seconds, for the lag in seconds.
KEEP_SAMPLES = 900
RECENT = timedelta(minutes=10)
ATTEMPTS = 500


@dataclass(slots=True)
class _Watched:
    """A dependency over time: what the last look said, and since when it says so."""

    name: str
    since: datetime
    failing_since: datetime | None = None
    detail: str = ""

    def answered(self, now: datetime) -> None:
        if self.failing_since is not None and now - self.failing_since >= AWAY_AFTER:
            self.since = now
        self.failing_since = None

    def failed(self, now: datetime, detail: str) -> None:
        self.failing_since = self.failing_since or now
        self.detail = detail

    def seen(self, now: datetime) -> Dependency:
        failing = self.failing_since
        if failing is None or now - failing < AWAY_AFTER:
            return Dependency(self.name, ok=True, since=self.since)
        return Dependency(self.name, ok=False, since=failing, detail=self.detail)


@dataclass(slots=True)
class Observer:
    """Looks at one line. `look_at_redis` and `look_at_kafka` never raise for an outage, may
    run side by side, and are bounded in time; `observe` puts together what they saw last.
    """

    settings: Settings
    redis: Redis
    keys: Keys
    offsets: KafkaOffsets
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    tally: Tally = field(default_factory=Tally)
    heartbeats: tuple[Heartbeat, ...] = ()
    destinations: tuple[DestinationState, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    statuses: dict[str, SourceStatus] = field(default_factory=dict)
    partitions: dict[tuple[str, int], PartitionLag] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    canaries: Iterable[CanarySeen] = ()
    paused: Mapping[str, Pause] = field(default_factory=dict)
    drifted: tuple[str, ...] = ()
    stoppage: str = ""
    looked_at_redis: bool = False
    looked_at_kafka: bool = False
    _heard: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    _overdue: dict[str, datetime] = field(default_factory=dict)
    _redis: _Watched = field(init=False)
    _kafka: _Watched = field(init=False)
    _ledger: Ledger = field(init=False)
    _wishes: SourceWishes = field(init=False)

    def __post_init__(self) -> None:
        self._redis = _Watched("Redis", self.started_at)
        self._kafka = _Watched("Kafka", self.started_at)
        self._ledger = Ledger(self.redis, self.keys)
        self._wishes = SourceWishes(self.redis, self.keys)

    @property
    def unanswered(self) -> bool:
        """Whether the last look at Redis or Kafka came to nothing."""
        return any(one.failing_since is not None for one in (self._redis, self._kafka))

    async def look_at_redis(self, now: datetime) -> None:
        """Read heartbeats, source statuses and the ledger."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                listed = await self.redis.hgetall(self.keys.processes)
                polled = await self.redis.hgetall(self.keys.sources)
                self.paused = await self._wishes.paused()
                self.destinations = tuple(await self._ledger.destinations())
                self._overdue = await self._read_overdue()
                self.stoppage = await Stoppage(self.redis, self.keys, now.timestamp).why()
                self.attempts = tuple(await self._ledger.attempts(ATTEMPTS))
        except (RedisError, OSError, TimeoutError) as error:
            detail = "no answer in time" if isinstance(error, TimeoutError) else "no connection"
            self._redis.failed(now, detail)
            return
        finally:
            self.looked_at_redis = True
        self._redis.answered(now)
        decoded = (decode_source_status(raw) for raw in polled.values())
        self.statuses = {one.id: one for one in decoded if one is not None}
        self._take_heartbeats(listed, now)

    async def look_at_kafka(self, now: datetime) -> None:
        """Read the ends of the Kafka topics and what the workers have committed."""
        prefix = self.settings.kafka.prefix
        names = [prefix + name for name in (kafka_topics.ARTICLES, kafka_topics.ALERTS)]
        names.append(prefix + kafka_topics.DEAD_LETTERS)
        try:
            seen = await self.offsets.read(names)
        except BrokerAwayError as error:
            self._kafka.failed(now, str(error))
            return
        finally:
            self.looked_at_kafka = True
        self._kafka.answered(now)
        self.ends = {
            name.removeprefix(prefix): sum(one.end for one in seen if one.kafka_topic == name)
            for name in names
        }
        for one in seen:
            if one.kafka_topic != prefix + kafka_topics.DEAD_LETTERS:
                self._add_lag(one, now)

    def observe(self, now: datetime) -> Observation:
        """Everything seen last, as the rules want it."""
        return Observation(
            at=now,
            watching_since=self.started_at,
            redis=self._redis.seen(now),
            broker=self._kafka.seen(now),
            expected_roles=("sources", "worker") if self.settings.sources else ("worker",),
            processes=tuple(self._process(beat) for beat in self.heartbeats),
            sources=tuple(self._sources(now)),
            partitions=tuple(self.partitions[key] for key in sorted(self.partitions)),
            backlogs=tuple(self._backlog(one) for one in self.destinations),
            dead_letters=self._dead_letters(now),
            canaries=tuple(self.canaries),
            drifted=self.drifted,
            stoppage=self.stoppage,
            unread=self._unread(now),
        )

    def copies(self, source_id: str) -> Copies:
        """How many of a source's articles were copies, as far as the workers have counted."""
        name = "wirebell_source_articles_total"
        copies = round(self.tally.total(name, source=source_id, outcome="copy"))
        own = round(self.tally.total(name, source=source_id, outcome="own"))
        return Copies(copies + own, copies)

    def _unread(self, now: datetime) -> dict[str, int]:
        """Doubtful articles that were not read twice. A shortage is over once a minute has been
        without; of a reader that is broken one tells whenever something is doubtful.
        """
        name, over = "wirebell_articles_unread_total", {"behind": RATE_WINDOW, "broken": RECENT}
        return {
            reason: round(self.tally.rise(name, now, span, reason=reason))
            for reason, span in over.items()
        }

    def _take_heartbeats(self, listed: Mapping[Any, Any], now: datetime) -> None:
        beats = [beat for raw in listed.values() if (beat := decode_heartbeat(raw)) is not None]
        self.heartbeats = tuple(sorted(beats, key=lambda beat: (beat.role, beat.started_at)))
        self.tally.add(self.heartbeats, now)
        heard = {}
        for beat in beats:
            before = self._heard.get(beat.process)
            if before is None:
                heard[beat.process] = (beat.at, min(beat.at, now))
            else:  # another host's clock may be wrong: that it changed is what counts
                heard[beat.process] = before if before[0] == beat.at else (beat.at, now)
        self._heard = heard

    def _sources(self, now: datetime) -> Iterator[SourceSeen]:
        """Every source of the configuration; one never polled has said nothing yet."""
        for one in self.settings.sources:
            status = self.statuses.get(one.id)
            pause = self.paused.get(one.id)
            if not one.enabled:
                yield SourceSeen(one.id, "paused")
            elif pause is not None:
                yield SourceSeen(one.id, "paused", pause.at, f"by {pause.who}")
            elif status is None:
                yield SourceSeen(one.id, "waiting")
            else:
                yield judge_source(status, now, self.copies(one.id))

    def _process(self, beat: Heartbeat) -> ProcessSeen:
        return ProcessSeen(
            process=beat.process,
            role=beat.role,
            host=beat.host,
            pid=beat.pid,
            started_at=beat.started_at,
            at=self._heard[beat.process][1],
            stopped=beat.stopped,
            model=beat.model,
        )

    def _add_lag(self, one: PartitionOffsets, now: datetime) -> None:
        key = (one.kafka_topic, one.partition)
        name = one.kafka_topic.removeprefix(self.settings.kafka.prefix)
        before = self.partitions.get(key) or PartitionLag(name, one.partition, (), now)
        offset = one.beginning if one.committed is None else one.committed
        self.partitions[key] = before.add(LagSample(now, offset, one.end), KEEP_SAMPLES)

    async def _read_overdue(self) -> dict[str, datetime]:
        """Since when each destination's most overdue delivery should have been claimed. What
        is claimed, or held back until quiet hours end, is due in the future.
        """
        pipe = self.redis.pipeline(transaction=False)
        names = [(one.id, rank) for one in self.destinations for rank in RANKS.values()]
        for name, rank in names:
            pipe.zrange(f"{self.keys.tag}ledger:due:{name}:{rank}", 0, 0, withscores=True)
        overdue: dict[str, datetime] = {}
        for (name, _), head in zip(names, await pipe.execute() if names else [], strict=True):
            for _, due in head:
                moment = datetime.fromtimestamp(due, UTC)
                overdue[name] = min(moment, overdue.get(name, moment))
        return overdue

    def _backlog(self, one: DestinationState) -> BacklogSeen:
        oldest_at = self._overdue.get(one.id)
        if one.failing_since is not None and one.waiting:
            oldest_at = datetime.fromtimestamp(one.failing_since, UTC)
        last = next(
            (each for each in self.attempts if (each.sink, each.target) == (one.sink, one.target)),
            None,
        )
        failed = last is not None and last.outcome != "delivered"
        return BacklogSeen(
            subscription=one.id,
            sink=one.sink,
            target=one.target,
            waiting=one.waiting,
            oldest_at=oldest_at,
            detail=one.off or (last.detail if last is not None and failed else ""),
            turned_off=bool(one.off),
        )

    def _dead_letters(self, now: datetime) -> tuple[DeadLettersSeen, ...]:
        name = "wirebell_dead_letters_total"
        return tuple(
            DeadLettersSeen(
                stage,
                reason,
                total=round(total),
                recent=round(self.tally.rise(name, now, RECENT, stage=stage, reason=reason)),
            )
            for (stage, reason), total in sorted(
                self.tally.totals_by(name, "stage", "reason").items()
            )
        )
