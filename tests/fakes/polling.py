"""A source, a publisher and a cursor store that run in memory, with faults to switch on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from connectors.poller import PollReport, StoreAwayError
from connectors.publisher import PublishError, Refusal
from connectors.records import Article
from connectors.sources.source import Cursor, Poll, Rejected

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def make_article(article_id: str, source_id: str = "wire", text: str = "") -> Article:
    """An article with nothing in it but what a record needs."""
    return Article(
        id=article_id,
        source_id=source_id,
        publisher="The Wire",
        title=f"Report {article_id}",
        text=text,
        fetched_at=NOW,
    )


class CountingSource:
    """A source that always has one more: item n after cursor n. Remembers who asked when.

    `say` may be replaced to answer with any other poll, to wait, or to raise.
    """

    def __init__(self, source_id: str, host: str = "", total: int | None = None) -> None:
        self.id = source_id
        self.host = host
        self.total = total
        self.say: Callable[[Cursor], Poll | Exception] = self.count
        self.gate: asyncio.Event | None = None
        self.asked_at: list[float] = []
        self.cursors: list[Cursor] = []
        self.confirmed_polls: list[Poll] = []
        self.asking = 0
        self.closed = False

    def count(self, cursor: Cursor) -> Poll:
        """The next item after the cursor; "done" after the last."""
        number = int(cursor.get("n", "0")) + 1
        if self.total is not None and number > self.total:
            return Poll("done", cursor=cursor)
        article = make_article(f"{self.id}-{number}", self.id)
        return Poll("ok", (article,), cursor={"n": str(number)}, next_poll_s=0.0)

    async def poll(self, cursor: Cursor) -> Poll:
        """Answer as told."""
        self.asked_at.append(asyncio.get_running_loop().time())
        self.cursors.append(dict(cursor))
        self.asking += 1
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            said = self.say(cursor)
        finally:
            self.asking -= 1
        if isinstance(said, Exception):
            raise said
        return said

    async def confirmed(self, poll: Poll) -> None:
        """Remember it."""
        self.confirmed_polls.append(poll)

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


class MemoryPublisher:
    """Confirms at once, unless `away`; refuses the ids in `refuses` for good."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.away = False
        self.tries = 0
        self.refuses: set[str] = set()

    async def publish_encoded(self, articles: Sequence[tuple[str, bytes]]) -> None:
        """Keep the ids."""
        self.tries += 1
        await asyncio.sleep(0)
        if self.away:
            raise PublishError("Kafka is away")
        ids = [article_id for article_id, _ in articles]
        self.published += [article_id for article_id in ids if article_id not in self.refuses]
        refused = [
            Refusal(index, "too large for this cluster")
            for index, article_id in enumerate(ids)
            if article_id in self.refuses
        ]
        if refused:
            raise PublishError("refused", refused)


class MemoryCursors:
    """A dictionary that can be away."""

    def __init__(self) -> None:
        self.kept: dict[str, Cursor] = {}
        self.away = False
        self.saves = itertools.count()

    async def load(self, source_id: str) -> Cursor:
        """The cursor, or an empty one."""
        if self.away:
            raise StoreAwayError("the store is away")
        return self.kept.get(source_id, {})

    async def save(self, source_id: str, cursor: Cursor) -> None:
        """Keep it."""
        if self.away:
            raise StoreAwayError("the store is away")
        next(self.saves)
        self.kept[source_id] = dict(cursor)


class Ear:
    """Hears what the poller tells: reports, rejected items, troubles."""

    def __init__(self) -> None:
        self.reports: list[PollReport] = []
        self.rejected: list[tuple[str, Rejected]] = []
        self.troubles: list[str] = []
        self.away = False

    async def report(self, report: PollReport) -> None:
        """Keep the report."""
        self.reports.append(report)

    async def reject(self, source_id: str, item: Rejected) -> None:
        """Keep the item."""
        if self.away:
            raise PublishError("Kafka is away")
        self.rejected.append((source_id, item))

    def of(self, source_id: str) -> list[PollReport]:
        """The reports of one source, in order."""
        return [report for report in self.reports if report.source_id == source_id]
