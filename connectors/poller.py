"""Asks every source when its turn has come, and keeps its cursor only after Kafka confirmed.

Owns the way of one poll: ask, publish, reject, keep the cursor, tell the source. When the
turn comes is `turns.py`. Knows neither Redis nor the page: both are passed in. Drops
nothing: while Kafka or the cursor store is away, what was found waits and nothing new is
asked for.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from connectors.publisher import PublishError
from connectors.records import Article, encode
from connectors.sources.source import Cursor, Poll, Rejected, Source
from connectors.turns import FAILURES, Politeness, Turns, host_rest_s, next_wait_s

T = TypeVar("T")

# Articles published together: usually some 2 MB, confirmed in one or two requests. The bytes
# bound what the producer holds at once when each article is as large as may be.
PUBLISH_BATCH, PUBLISH_BYTES = 500, 4_000_000
# How long a stop waits for what is being handed over; what is not done then is repeated.
FINISH_S, CANCEL_AGAIN_S = 0.7, 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 3.0


class StoreAwayError(Exception):
    """The cursor store cannot be reached; the poller waits and tries again."""


class CursorStore(Protocol):
    """Where cursors are kept between polls and over restarts."""

    async def load(self, source_id: str) -> Cursor:
        """The cursor, empty when there is none. Raises StoreAwayError."""
        ...

    async def save(self, source_id: str, cursor: Cursor) -> None:
        """Replace the cursor. Raises StoreAwayError."""
        ...


class ArticlePublisher(Protocol):
    """What the poller needs of the publisher."""

    async def publish_encoded(self, articles: Sequence[tuple[str, bytes]]) -> None:
        """Publish (id, JSON) pairs; returns when confirmed. Raises PublishError."""
        ...


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A source and its usual interval, for the polls after which it has no wish of its own."""

    source: Source
    interval_s: float = 120.0


@dataclass(frozen=True, slots=True)
class PollReport:
    """What one poll came to. `published` is confirmed by Kafka, `rejected` in dead letters.

    `failures` counts failed polls in a row. `fault`: the source raised, which is a bug of
    ours. `next_poll_s` is None when the source will not be asked again.
    """

    source_id: str
    poll: Poll
    published: int = 0
    rejected: int = 0
    failures: int = 0
    fault: bool = False
    next_poll_s: float | None = None


OnPoll = Callable[[PollReport], Awaitable[None]]
Reject = Callable[[str, Rejected], Awaitable[None]]


class Poller:
    """Asks sources until told to stop. Runs once; the sources stay open, for who made them.

    `on_poll` hears of every poll and must not raise. `reject` returns when the rejected
    item is safe, and raises PublishError or StoreAwayError when that must be tried again.
    `on_trouble` hears, once an outage, why everything waits.
    """

    def __init__(
        self,
        sources: Sequence[Scheduled],
        cursors: CursorStore,
        publisher: ArticlePublisher,
        on_poll: OnPoll,
        reject: Reject,
        *,
        on_trouble: Callable[[str], None] = lambda reason: None,
        politeness: Politeness = Politeness(),  # noqa: B008 - frozen
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._entries = {each.source.id: _Entry(each) for each in sources}
        self._cursors = cursors
        self._publisher = publisher
        self._on_poll = on_poll
        self._reject = reject
        self._on_trouble = on_trouble
        self._politeness = politeness
        self._chance = chance
        self._turns = Turns(politeness)
        self._wake = asyncio.Event()
        self._waiting = 0  # turns that Kafka or the cursor store keeps waiting
        self._tasks: dict[asyncio.Task[None], _Entry] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop`, then finish what can be finished in 0.7 s."""
        now = asyncio.get_running_loop().time()
        for source_id, entry in self._entries.items():
            self._turns.add(source_id, entry.source.host, now)
        watcher = asyncio.create_task(self._wake_on(stop))
        try:
            while not stop.is_set():
                self._wake.clear()
                if not self._waiting:
                    self._start_turns()
                await self._sleep()
        finally:
            watcher.cancel()
            await self._end()

    def pause(self, source_ids: Collection[str]) -> None:
        """Hold these sources back from their next turn on, and no others any more."""
        self._turns.pause(source_ids, asyncio.get_running_loop().time())
        self._wake.set()

    def hasten(self, source_id: str) -> bool:
        """Ask a waiting source as soon as its host allows; False when it is not waiting."""
        found = self._turns.hasten(source_id, asyncio.get_running_loop().time())
        self._wake.set()
        return found

    def _start_turns(self) -> None:
        for source_id in self._turns.take(asyncio.get_running_loop().time()):
            entry = self._entries[source_id]
            task = asyncio.create_task(self._turn(entry), name=f"poll {source_id}")
            self._tasks[task] = entry
            task.add_done_callback(self._turn_ended)

    def _turn_ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and task.exception() is not None:
            # Only a callback of ours that raised against its contract comes to here.
            self._on_trouble(f"{task.get_name()}: {task.exception()!r}")

    async def _turn(self, entry: _Entry) -> None:
        """One poll of one source, to the end."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        source_id = entry.source.id
        report = PollReport(source_id, Poll("unreachable"))
        asked = False
        try:
            cursor = await self._load(entry)
            poll = await self._ask(entry.source, cursor)
            asked = True
            self._turns.fetched(source_id, loop.time(), host_rest_s(poll, self._politeness))
            self._wake.set()
            entry.handing_over = True
            report = await self._hand_over(entry, poll)
        except Exception as error:  # noqa: BLE001 - a source's bug must cost nobody else
            said = f"fault in the source: {type(error).__name__}: {error}"[:300]
            report = PollReport(source_id, Poll("unreachable", detail=said), fault=True)
        finally:
            entry.handing_over = False
            if not asked:
                self._turns.fetched(source_id, loop.time())
            self._wake.set()
        entry.failures = entry.failures + 1 if report.poll.state in FAILURES else 0
        wait_s = self._plan(entry, report.poll, started)
        await self._on_poll(replace(report, failures=entry.failures, next_poll_s=wait_s))

    def _plan(self, entry: _Entry, poll: Poll, started: float) -> float | None:
        """Put the source back in line; seconds from now to its next turn."""
        if poll.state == "done":
            return None
        wait_s = next_wait_s(poll, entry.interval_s, entry.failures, self._politeness, self._chance)
        now = asyncio.get_running_loop().time()
        due = max(started + wait_s, now)
        self._turns.add(entry.source.id, entry.source.host, due)
        self._wake.set()
        return due - now

    async def _load(self, entry: _Entry) -> Cursor:
        if entry.cursor is None:
            entry.cursor = await self._outlast(partial(self._cursors.load, entry.source.id))
        return entry.cursor

    async def _ask(self, source: Source, cursor: Cursor) -> Poll:
        if not source.host:
            return await source.poll(cursor)  # it waits for others to push, as long as it likes
        try:
            async with asyncio.timeout(self._politeness.poll_timeout_s):
                return await source.poll(cursor)
        except TimeoutError:
            said = f"no answer within {self._politeness.poll_timeout_s:g} s"
            return Poll("unreachable", cursor=cursor, detail=said)

    async def _hand_over(self, entry: _Entry, poll: Poll) -> PollReport:
        """Everything in Kafka, then the cursor, then the source; in this order."""
        source = entry.source
        encoded, unencodable = _encode(poll.articles)
        refused: list[Rejected] = []
        for batch in _batches(encoded):
            refused += await self._outlast(partial(self._publish, batch))
        rejected = [*poll.rejected, *unencodable, *refused]
        for item in rejected:
            await self._outlast(partial(self._reject, source.id, item))
        if entry.cursor != poll.cursor:
            await self._outlast(partial(self._cursors.save, source.id, poll.cursor))
            entry.cursor = dict(poll.cursor)
        await source.confirmed(poll)
        published = len(encoded) - len(refused)
        return PollReport(source.id, poll, published, len(rejected))

    async def _publish(self, batch: Sequence[tuple[str, bytes]]) -> list[Rejected]:
        """Publish; what Kafka will never take comes back, the others are confirmed."""
        try:
            await self._publisher.publish_encoded(batch)
        except PublishError as error:
            if error.retryable:
                raise
            return [
                Rejected(
                    refusal.reason, f"article {batch[refusal.index][0]}", batch[refusal.index][1]
                )
                for refusal in error.refusals
            ]
        return []

    async def _outlast(self, step: Callable[[], Awaitable[T]]) -> T:
        """Repeat a step until neither Kafka nor the cursor store is away."""
        pause_s = 0.0
        try:
            while True:
                try:
                    return await step()
                except (PublishError, StoreAwayError) as error:
                    if pause_s == 0:
                        if not self._waiting:
                            self._on_trouble(str(error))
                        self._waiting += 1
                    pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
                await asyncio.sleep(pause_s * (0.8 + 0.4 * self._chance()))
        finally:
            if pause_s:
                self._waiting -= 1
                self._wake.set()

    async def _sleep(self) -> None:
        due = None if self._waiting else self._turns.next_due()
        if due is None:
            await self._wake.wait()
            return
        delay_s = due - asyncio.get_running_loop().time()
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(delay_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _end(self) -> None:
        asking = [task for task, entry in self._tasks.items() if not entry.handing_over]
        for task in asking:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=FINISH_S)
        await end_tasks(self._tasks)


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until all have ended: a library may drop a cancellation that comes while it
    connects, and a task that goes on would be waited for without end.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)


class _Entry:
    """A source with what the poller remembers of it. `cursor` None: not loaded yet."""

    __slots__ = ("cursor", "failures", "handing_over", "interval_s", "source")

    def __init__(self, scheduled: Scheduled) -> None:
        self.source = scheduled.source
        self.interval_s = scheduled.interval_s
        self.cursor: Cursor | None = None
        self.failures = 0
        self.handing_over = False


def _encode(
    articles: Sequence[Article],
) -> tuple[list[tuple[str, bytes]], list[Rejected]]:
    """The JSON form of each article; what has none (too large, broken text) is rejected."""
    encoded, rejected = [], []
    for article in articles:
        try:
            encoded.append((article.id, encode(article)))
        except ValueError as error:  # RecordError is one, a lone surrogate another
            raw = f"{article.title}\n{article.text}".encode("utf-8", "backslashreplace")
            rejected.append(Rejected(str(error)[:300], article.url or article.id, raw))
    return encoded, rejected


def _batches(encoded: Sequence[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """The same in order, in lists that stay within `PUBLISH_BATCH` and `PUBLISH_BYTES`."""
    batch: list[tuple[str, bytes]] = []
    size_bytes = 0
    for entry in encoded:
        if batch and (len(batch) == PUBLISH_BATCH or size_bytes + len(entry[1]) > PUBLISH_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(entry)
        size_bytes += len(entry[1])
    if batch:
        yield batch
