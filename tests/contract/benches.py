"""For every kind of source, a bench: real parts around one source, and how to feed it."""

from __future__ import annotations

import asyncio
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
from pydantic import HttpUrl

from connectors.sources.factory import make_source
from connectors.sources.ingest import IngestSource
from connectors.sources.settings import (
    FeedSettings,
    FilesSettings,
    IngestSettings,
    PageSettings,
)
from connectors.sources.source import Source
from connectors.sources.stdin import StdinSource
from connectors.web_client import Limits, WebClient
from tests.fakes.news_server import NewsServer

LIMITS = Limits(total_s=3.0, connect_s=1.0)
PAGES = 6
# How long a source that is pushed to waits inside a poll, here.
WAIT_S = 0.1
_BODY = (
    "The warehouse on the edge of the invented town of Norvale burned through the night, the "
    "fire service said, and nobody was hurt. Investigators found two bottles near the gate. "
)


@dataclass(frozen=True, slots=True)
class Report:
    """What is offered to a source, in whatever form it reads."""

    number: int
    title: str
    text: str = _BODY

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"/news/{self.number}.html"


class Bench(ABC):
    """One source with its surroundings. `offer` makes reports available to it."""

    # Whether the source can be asked again for what it gave out and Kafka confirmed.
    rereads: ClassVar[bool] = True

    def __init__(self, folder: Path, server: NewsServer, client: WebClient) -> None:
        self.folder = folder
        self.server = server
        self.client = client
        self.source: Source = self.make()

    @abstractmethod
    def make(self) -> Source:
        """The source; it has to start from nothing but settings."""

    @abstractmethod
    async def offer(self, reports: Sequence[Report]) -> None:
        """Make reports available, those offered before included."""

    @abstractmethod
    async def offer_nonsense(self) -> None:
        """Make something available that cannot become an article."""

    @abstractmethod
    async def break_down(self) -> None:
        """Let the outside world fail."""

    async def close(self) -> None:
        """Take the surroundings away."""
        await self.source.close()


class FeedBench(Bench):
    """An RSS feed, with guids."""

    path = "/feed"

    def make(self) -> Source:
        return make_source(
            FeedSettings(id="bench", url=HttpUrl(self.server.url(self.path)), allow_private=True),
            self.client,
        )

    async def offer(self, reports: Sequence[Report]) -> None:
        items = "".join(
            f"<item><guid>{self.server.url(r.path)}</guid><title>{escape(r.title)}</title>"
            f"<description>{escape(r.text)}</description>"
            f"<pubDate>Sat, 01 Mar 2025 10:{r.number:02}:00 GMT</pubDate></item>"
            for r in reports
        )
        self.server.serve(
            self.path, f'<rss version="2.0"><channel><title>N</title>{items}</channel></rss>'
        )

    async def offer_nonsense(self) -> None:
        self.server.serve(
            self.path, "<rss version='2.0'><channel><item><guid>7</guid></item></channel></rss>"
        )

    async def break_down(self) -> None:
        self.server.fail(self.path, "reset")


class FeedWithPagesBench(FeedBench):
    """An RSS feed whose items are read from their pages."""

    def make(self) -> Source:
        url = HttpUrl(self.server.url(self.path))
        return make_source(
            FeedSettings(id="bench", url=url, fetch_pages=True, allow_private=True), self.client
        )

    async def offer(self, reports: Sequence[Report]) -> None:
        for report in reports:
            self.server.serve(report.path, _page(report), "text/html")
        await super().offer([Report(r.number, r.title, "In short.") for r in reports])


class JsonFeedBench(FeedBench):
    """A JSON Feed."""

    async def offer(self, reports: Sequence[Report]) -> None:
        items = [
            {
                "id": str(r.number),
                "title": r.title,
                "content_text": r.text,
                "date_published": f"2025-03-01T10:{r.number:02}:00Z",
            }
            for r in reports
        ]
        self._serve(items)

    async def offer_nonsense(self) -> None:
        self._serve([{"id": "7"}])

    def _serve(self, items: list[dict[str, Any]]) -> None:
        feed = {"version": "https://jsonfeed.org/version/1.1", "title": "N", "items": items}
        self.server.serve(self.path, json.dumps(feed), "application/feed+json")


class PageBench(Bench):
    """A list of pages, some of which are not there yet."""

    def make(self) -> Source:
        urls = tuple(HttpUrl(self.server.url(f"/news/{n}.html")) for n in range(PAGES))
        return make_source(PageSettings(id="bench", urls=urls, allow_private=True), self.client)

    async def offer(self, reports: Sequence[Report]) -> None:
        for report in reports:
            self.server.serve(report.path, _page(report), "text/html")

    async def offer_nonsense(self) -> None:
        self.server.serve("/news/0.html", "<html><body></body></html>", "text/html")

    async def break_down(self) -> None:
        for number in range(PAGES):
            self.server.fail(f"/news/{number}.html", "reset")


class FilesBench(Bench):
    """A folder with a file of JSON lines."""

    def make(self) -> Source:
        return make_source(FilesSettings(id="bench", path=self.folder / "in"), self.client)

    async def offer(self, reports: Sequence[Report]) -> None:
        (self.folder / "in").mkdir(exist_ok=True)
        for report in reports:
            lines = json.dumps(_row(report)) + "\n"
            path = self.folder / "in" / f"{report.number:03}.jsonl"
            if not path.exists() or path.read_text() != lines:
                path.write_text(lines)

    async def offer_nonsense(self) -> None:
        (self.folder / "in").mkdir(exist_ok=True)
        (self.folder / "in" / "zz.jsonl").write_text('{"id": "7"}\nnot json\n')

    async def break_down(self) -> None:
        (self.folder / "in").rename(self.folder / "gone")


class StdinBench(Bench):
    """A pipe with JSON lines."""

    rereads = False

    def make(self) -> Source:
        reading, self._writing = os.pipe()
        self._offered = 0
        return StdinSource(FilesSettings(id="bench", path=Path("-")), reading, wait_s=WAIT_S)

    async def offer(self, reports: Sequence[Report]) -> None:
        new = reports[self._offered :]
        self._offered = len(reports)
        self._write("".join(json.dumps(_row(report)) + "\n" for report in new))

    async def offer_nonsense(self) -> None:
        self._write('{"id": "7"}\n')

    async def break_down(self) -> None:
        await self.close()

    async def close(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1
        await super().close()

    def _write(self, text: str) -> None:
        os.write(self._writing, text.encode())


class IngestBench(Bench):
    """The HTTP server that others push to."""

    rereads = False

    def make(self) -> Source:
        self._offered = 0
        self._posts: list[asyncio.Task[None]] = []
        return IngestSource(IngestSettings(id="bench", port=0), wait_s=WAIT_S)

    async def offer(self, reports: Sequence[Report]) -> None:
        new = reports[self._offered :]
        self._offered = len(reports)
        self._posts.append(asyncio.create_task(self._post([_row(report) for report in new])))

    async def offer_nonsense(self) -> None:
        self._posts.append(asyncio.create_task(self._post([{"id": "7"}])))

    async def break_down(self) -> None:
        await self.source.close()

    async def close(self) -> None:
        await super().close()
        for post in self._posts:
            post.cancel()
        await asyncio.gather(*self._posts, return_exceptions=True)

    async def _post(self, rows: list[dict[str, Any]]) -> None:
        assert isinstance(self.source, IngestSource)
        while not self.source.port:  # noqa: ASYNC110  (it listens from its first poll on)
            await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{self.source.port}/articles"
        async with aiohttp.ClientSession() as session, session.post(url, json=rows) as answer:
            await answer.read()


BENCHES = (
    FeedBench,
    FeedWithPagesBench,
    JsonFeedBench,
    PageBench,
    FilesBench,
    StdinBench,
    IngestBench,
)


def _row(report: Report) -> dict[str, Any]:
    return {
        "id": str(report.number),
        "title": report.title,
        "text": report.text,
        "publisher": "The Norvale Courier",
        "language": "en",
        "published_at": f"2025-03-01T10:{report.number:02}:00Z",
    }


def _page(report: Report) -> str:
    paragraphs = "".join(f"<p>{escape(report.text)} Part {n}.</p>" for n in range(4))
    return (
        f"<html lang='en'><head><title>{escape(report.title)}</title>"
        f"<meta property='article:published_time' content='2025-03-01T10:{report.number:02}:00Z'>"
        f"</head><body><article><h1>{escape(report.title)}</h1>{paragraphs}</article></body></html>"
    )
