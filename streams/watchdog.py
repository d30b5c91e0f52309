"""The watchdog: ends a worker that has stopped moving, so that its supervisor starts it anew.

Owns the judgement, made outside the worker's event loop, from what Kafka knows: records wait
and the group's offset stands still. Faust consumers die slowly (faust-streaming 175, 640):
everything looks alive, and nothing is committed any more.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from streams.kafka_offsets import BrokerAwayError, KafkaOffsets
from streams.settings import KafkaSettings

# A rebalance holds a partition still for up to 5 s, one with a dead member for the session
# timeout (45 s by default); twice that is no rebalance.
STALLED_AFTER_S = 120.0
# What the process ends with, so that a person can tell it from a crash.
EXIT_STALLED = 75

_log = structlog.get_logger("wirebell.watchdog")

# Partition -> (records that wait, committed offset).
Standing = Mapping[tuple[str, int], tuple[int, int]]


class Progress:
    """What the worker tells its watchdog. Written by the event loop, read by a thread: every
    field is one number, replaced whole.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.settled_count = 0
        self.waited_at = float("-inf")
        self.looped_at = clock()
        # The partitions that this worker has now.
        self.assigned: frozenset[tuple[str, int]] = frozenset()

    def settled(self, records: int) -> None:
        """So many records have reached their outcome."""
        self.settled_count += records

    def wait(self, who: str) -> None:
        """An outage is being waited out: standing still is right."""
        self.waited_at = self._clock()

    def loop(self, assigned: frozenset[tuple[str, int]]) -> None:
        """The event loop turns, and Faust has these partitions."""
        self.looped_at = self._clock()
        self.assigned = assigned


class StallRule:
    """Says when a worker has stood still for too long. Pure: fed by `look`, asks no clock."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._moved_at: dict[tuple[str, int], tuple[float, int]] = {}

    def look(self, now: float, standing: Standing, progress: Progress) -> str:
        """Judge one look; a line that says what stands still, "" while all is well.

        `standing` is empty when Kafka could not be asked: nobody can move then.
        """
        if now - progress.looped_at >= self._after_s:
            return f"the event loop has not turned for {now - progress.looped_at:.0f} s"
        if not standing or now - progress.waited_at < self._after_s:
            self._moved_at.clear()
            return ""
        for partition, (waiting, committed) in standing.items():
            known = self._moved_at.get(partition)
            if waiting <= 0 or known is None or known[1] != committed:
                self._moved_at[partition] = (now, committed)
        mine = progress.assigned or standing.keys()
        still = [
            (now - moved_at, partition)
            for partition, (moved_at, _) in self._moved_at.items()
            if partition in mine and now - moved_at >= self._after_s
        ]
        # Without partitions of our own another worker may be the one to blame: only a group
        # that stands still as a whole is ours to end.
        waiting_count = sum(waiting > 0 for waiting, _ in standing.values())
        if not still or (not progress.assigned and len(still) < waiting_count):
            return ""
        seconds, (kafka_topic, number) = max(still)
        return f"{kafka_topic}/{number} has stood still for {seconds:.0f} s while records wait"


class Watchdog:
    """A thread that looks at Kafka by itself and ends the process when the rule says so."""

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        kafka_topics: Sequence[str],
        progress: Progress,
        *,
        after_s: float = STALLED_AFTER_S,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        """`group` is the full name of the consumer group, prefix included."""
        self._offsets = KafkaOffsets(kafka, group)
        self._kafka_topics = tuple(kafka_topics)
        self._progress = progress
        self._rule = StallRule(after_s)
        self._every_s = after_s / 6
        self._end = end
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more; does not wait."""
        self._stopped.set()

    def _watch(self) -> None:
        with asyncio.Runner() as runner:
            while not self._stopped.wait(self._every_s):
                standing = runner.run(self._look())
                said = self._rule.look(time.monotonic(), standing, self._progress)
                if said and not self._stopped.is_set():
                    _log.critical("ending a worker that does not move", reason=said)
                    self._end(EXIT_STALLED)
                    return
            runner.run(self._offsets.close())

    async def _look(self) -> Standing:
        try:
            partitions = await self._offsets.read(self._kafka_topics)
        except BrokerAwayError:
            return {}
        return {
            (each.kafka_topic, each.partition): (
                each.end - max(each.beginning, each.committed or 0),
                -1 if each.committed is None else each.committed,
            )
            for each in partitions
        }
