"""How far a consumer is behind: Burrow's rules over a window of samples, and lag in seconds.

Pure. Source of the rules: "Consumer Lag Evaluation Rules" of linkedin/Burrow. There the
window moves with each commit; here the page samples the committed offset at a fixed
interval, because a Faust worker commits only when it has moved. What differs is said at
STALL and STOP below.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

# ok      some sample had no lag, or the lag fell at least once.
# warn    the offset rises, the lag never falls: too slow.
# stall   the offset holds still over the whole window although records wait.
# stop    the same, for longer than STOP_AFTER.
# rewind  the offset went back: somebody reset it, or the broker lost its log.
LagState = Literal["ok", "warn", "stall", "stop", "rewind"]

# 15 samples every 2 s: 30 s. A rebalance holds a partition still for 2.5 to 5 s (measured
# on faust-streaming 0.15.3), so the window must be several times that.
WINDOW = 15
# Fewer samples than this say nothing yet.
MIN_SAMPLES = 5
STOP_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class LagSample:
    """One look at a partition: the group's committed offset and the log's end."""

    at: datetime
    offset: int
    end: int

    @property
    def lag(self) -> int:
        """Records not yet committed; end and offset are read apart, so never below 0."""
        return max(0, self.end - self.offset)


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """A partition over time: samples in order of time, and when its offset last moved."""

    kafka_topic: str
    partition: int
    samples: tuple[LagSample, ...]
    moved_at: datetime

    @property
    def lag(self) -> int:
        """Records not yet committed at the last sample."""
        return self.samples[-1].lag if self.samples else 0

    def window(self) -> tuple[LagSample, ...]:
        """The samples that the rules look at."""
        return self.samples[-WINDOW:]

    def add(self, sample: LagSample, keep: int) -> PartitionLag:
        """The partition with one more sample, at most `keep` of them."""
        moved = not self.samples or self.samples[-1].offset != sample.offset
        return PartitionLag(
            self.kafka_topic,
            self.partition,
            (*self.samples, sample)[-keep:],
            sample.at if moved else self.moved_at,
        )


def evaluate(partition: PartitionLag, now: datetime) -> LagState:
    """Judge one partition by Burrow's rules."""
    window = partition.window()
    if len(window) < MIN_SAMPLES:
        return "ok"
    offsets = [sample.offset for sample in window]
    lags = [sample.lag for sample in window]
    if any(later < earlier for earlier, later in pairwise(offsets)):
        return "rewind"
    if min(lags) == 0:
        return "ok"
    if offsets[0] == offsets[-1]:
        if len(window) < WINDOW:
            return "ok"
        return "stop" if now - partition.moved_at >= STOP_AFTER else "stall"
    if len(window) < WINDOW:
        return "ok"
    falls = any(later < earlier for earlier, later in pairwise(lags))
    return "ok" if falls else "warn"


def lag_seconds(partition: PartitionLag, now: datetime) -> float:
    """How long the oldest record not yet committed has waited, in seconds.

    The log's end was sampled over time; the wait began when the end passed the committed
    offset. It is a lower bound where that was before the first sample.
    """
    samples = partition.samples
    if not samples or samples[-1].lag == 0:
        return 0.0
    offset = samples[-1].offset
    for sample in samples:
        if sample.end > offset:
            return max(0.0, (now - sample.at).total_seconds())
    return 0.0
