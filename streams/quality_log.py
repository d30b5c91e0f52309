"""What the workers counted of the model's work, read from Redis (streams/quality.py writes it).

Needs no numpy: the page must stay small. Judges nothing (streams/dashboard/quality.py does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from redis.asyncio import Redis

from classifiers.drift import BINS
from streams.keys import Keys

FIVE_MINUTES_S, DAY_S = 300, 86_400
# Twelve times five minutes.
HOUR = 12
# The last week against the first one with this model, while it is in force for a month or two.
KEEP_PROBABILITIES = timedelta(days=60)
WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Probabilities:
    """How one model's probabilities fell: topic -> counts of BINS bins, in the last week, in its
    first week on this line (empty while that is the last week too), and on left-out reports.
    """

    last_week: Mapping[str, Sequence[int]]
    first_week: Mapping[str, Sequence[int]]
    left_out: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class QualityLog:
    """The counts of all workers. Every method raises RedisError when Redis is away."""

    redis: Redis
    keys: Keys

    async def funnel(self, until: datetime) -> Mapping[str, Mapping[str, int]]:
        """Topic ("" is every article) -> outcome -> articles, of the hour up to the end of the
        five minutes that `until` lies in.
        """
        last = int(until.timestamp() // FIVE_MINUTES_S)
        pipe = self.redis.pipeline(transaction=False)
        for number in range(last - HOUR + 1, last + 1):
            pipe.hgetall(self.keys.funnel(number))
        return _summed(await pipe.execute())

    async def probabilities(self, version: str, now: datetime) -> Probabilities:
        """How the probabilities of a model fell, by topic."""
        today = int(now.timestamp() // DAY_S)
        days = range(today - KEEP_PROBABILITIES.days + 1, today + 1)
        pipe = self.redis.pipeline(transaction=False)
        for day in days:
            pipe.hgetall(self.keys.probabilities(version, day))
        pipe.get(self.keys.left_out(version))
        *rows, left_out = await pipe.execute()
        seen = [row for row in rows[:-WEEK_DAYS] if row]
        return Probabilities(
            _binned(rows[-WEEK_DAYS:]), _binned(seen[:WEEK_DAYS]), _left_out(left_out)
        )


def _summed(rows: Sequence[Mapping[Any, Any]]) -> dict[str, Counter[str]]:
    summed: dict[str, Counter[str]] = {}
    for row in rows:
        for name, number in row.items():
            topic, _, what = name.decode().partition("|")
            summed.setdefault(topic, Counter())[what] += int(number)
    return summed


def _binned(rows: Sequence[Mapping[Any, Any]]) -> dict[str, list[int]]:
    return {
        topic: [counts[str(number)] for number in range(BINS)]
        for topic, counts in _summed(rows).items()
    }


def _left_out(raw: bytes | None) -> Mapping[str, Sequence[int]]:
    try:
        return msgspec.json.decode(raw, type=dict[str, list[int]]) if raw else {}
    except msgspec.DecodeError:
        return {}
