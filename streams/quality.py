"""What the workers see of the model's work: how its probabilities fall, and what becomes of the
articles about each topic.

Owns the counting in a worker and the writing; they are read in streams/quality_log.py. Counts
may be repeated after a kill, as metrics are: they are for looking, nothing is decided by them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
import numpy as np
from redis.asyncio import Redis
from redis.exceptions import RedisError

from classifiers.histogram import Counts, histogram
from classifiers.topics import Topic
from connectors.records import Alert
from streams import metrics
from streams.canary import is_canary
from streams.keys import Keys
from streams.quality_log import DAY_S, FIVE_MINUTES_S, KEEP_PROBABILITIES
from streams.screening import Screened

# The same hour a week ago, and an hour of grace.
KEEP_FUNNEL = timedelta(days=8)
# Of a batch so many are enough: they are as good a sample as the whole, and a batch of 256 would
# cost a worker at full speed 2 % of its time.
SAMPLED = 64
FLUSH_S, REDIS_TIMEOUT_S = 5.0, 2.0
# What became of an article about a topic; None of the reasons means that it rang.
OUTCOMES = {
    "near_duplicate": "copy",
    "joined_silently": "joined",
    "muted": "muted",
    "": "rang",
    None: "rang",
}


class VersionedModel(Protocol):
    """What is asked of a topic model: who it is. A worker may change it while it runs."""

    @property
    def version(self) -> str:
        """Which model it is."""
        ...

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Its topics, in the order of its probabilities."""
        ...

    @property
    def left_out(self) -> Mapping[str, Sequence[int]]:
        """By topic, the histogram of probabilities on left-out reports; may be empty."""
        ...


class DecisionLike(Protocol):
    """What is read of a decision (streams/stories.py)."""

    @property
    def reason(self) -> str | None:
        """Why the article was dropped; "" or None when it was not."""
        ...

    @property
    def alert(self) -> Alert | None:
        """What it is news of."""
        ...


@dataclass(frozen=True, slots=True)
class _Histograms:
    """Topics x BINS counts of one model."""

    topics: tuple[Topic, ...]
    counts: Counts


@dataclass(slots=True)
class QualityCounts:
    """Counts of one worker, written to Redis every few seconds."""

    redis: Redis
    keys: Keys
    model: VersionedModel
    _counts: dict[str, Counter[str]] = field(default_factory=dict)
    _histograms: dict[str, _Histograms] = field(default_factory=dict)
    _introduced: str = ""

    def add(
        self, screened: Sequence[Screened], decisions: Sequence[DecisionLike], now: datetime
    ) -> None:
        """Count a batch: 0.2 ms for 256 articles. Never blocks."""
        ours = [
            (one, decision)
            for one, decision in zip(screened, decisions, strict=True)
            if not is_canary(one.article)
        ]
        model, seconds = self.model, now.timestamp()
        # What the fast model alone said: so are the left-out reports that it is compared with.
        rows = [one.first or one.probabilities for one, _ in ours[:SAMPLED]]
        width = len(model.topics)
        if rows and all(len(row) == width for row in rows):  # not while another model comes in
            key = self.keys.probabilities(model.version, int(seconds // DAY_S))
            counts = histogram(np.array(rows, dtype=np.float32))
            before = self._histograms.get(key)
            topics = model.topics if before is None else before.topics
            self._histograms[key] = _Histograms(
                topics, counts if before is None else before.counts + counts
            )
        funnel = self._at(self.keys.funnel(int(seconds // FIVE_MINUTES_S)))
        funnel["|screened"] += len(ours)
        for one, decision in ours:
            if one.doubt and one.doubt != "read":
                metrics.UNREAD.labels(one.doubt).inc()
            outcome = OUTCOMES.get(decision.reason)
            if one.chosen and outcome is not None:
                new = decision.alert is not None and decision.alert.kind == "new"
                for topic_id in one.chosen:
                    funnel[f"{topic_id}|{outcome}"] += 1
                    funnel[f"{topic_id}|new"] += new

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop`, and once more then. Never raises for Redis: what it does not take
        is kept for the next time.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await stop.wait()
            await self.flush()
            if stop.is_set():
                return

    async def flush(self) -> None:
        """Write what has been counted."""
        for key, day in self._histograms.items():
            for topic, number in zip(*np.nonzero(day.counts), strict=True):
                name = f"{day.topics[topic].id}|{number}"
                self._at(key)[name] += int(day.counts[topic, number])
        self._histograms.clear()
        counts, self._counts = self._counts, {}
        version = self.model.version
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self._write(counts, version)
        except (RedisError, OSError, TimeoutError):
            for key, kept in counts.items():
                self._at(key).update(kept)

    def _at(self, key: str) -> Counter[str]:
        return self._counts.setdefault(key, Counter())

    async def _write(self, counts: Mapping[str, Counter[str]], version: str) -> None:
        pipe = self.redis.pipeline(transaction=False)
        funnel = self.keys.funnel(0).removesuffix("0")
        for key, fields in counts.items():
            for name, number in fields.items():
                if number:
                    pipe.hincrby(key, name, number)
            pipe.expire(key, KEEP_FUNNEL if key.startswith(funnel) else KEEP_PROBABILITIES)
        if version != self._introduced:
            left_out = {name: list(bins) for name, bins in self.model.left_out.items()}
            pipe.set(self.keys.left_out(version), msgspec.json.encode(left_out))
            pipe.expire(self.keys.left_out(version), KEEP_PROBABILITIES)
        if len(pipe):
            await pipe.execute()
        self._introduced = version
