"""An RSS, Atom or JSON feed: what is new or changed in it since the last poll.

Owns the cursor: ETag, Last-Modified, and a mark of every item that was seen. With
`fetch_pages` it reads the article behind a few items a poll, and asks to come again soon.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from connectors.extraction import ExtractionError, Page, extract_page
from connectors.records import Article
from connectors.sources.feed_document import FeedDocument, FeedError
from connectors.sources.feed_reading import read_feed
from connectors.sources.items import Item, Origin, make_article, rejected
from connectors.sources.settings import FeedSettings
from connectors.sources.source import Cursor, Poll, Rejected
from connectors.sources.web_poll import failed_poll, host_of
from connectors.web_client import Response, WebClient
from connectors.web_errors import WebError

# Pages read in one poll, one after the other, and the pause before the next few: with the
# poller's own spacing a publisher sees about one request every three seconds from us.
PAGES_A_POLL = 4
PAGES_PAUSE_S = 12.0
# Marks kept beyond the items the feed holds now, for feeds that swing between two caches.
_KEPT_MARKS = 400
_MARK_CHARS = 16


class FeedSource:
    """One feed. The cursor: "etag", "modified", "seen" (16 characters an item)."""

    def __init__(self, settings: FeedSettings, web_client: WebClient) -> None:
        self._settings = settings
        self._url = str(settings.url)
        self._web = web_client
        self._origin = Origin(
            settings.id, settings.publisher or host_of(self._url), settings.language
        )

    @property
    def id(self) -> str:
        """The id from the configuration."""
        return self._settings.id

    @property
    def host(self) -> str:
        """The feed's host."""
        return urlsplit(self._url).hostname or ""

    async def poll(self, cursor: Cursor) -> Poll:
        """Fetch the feed if it changed and return what is new in it."""
        try:
            response = await self._web.get(
                self._url,
                etag=cursor.get("etag", ""),
                last_modified=cursor.get("modified", ""),
                allow_private=self._settings.allow_private,
            )
        except WebError as error:
            return failed_poll(error, cursor)
        if response.status == 304:
            return Poll("not_modified", cursor=cursor, http_status=304)
        try:
            document = await asyncio.to_thread(
                read_feed, response.body, response.url, response.charset
            )
        except FeedError as error:
            return Poll("malformed", cursor=cursor, http_status=200, detail=str(error))
        return await self._new_items(document, response, cursor)

    async def confirmed(self, poll: Poll) -> None:
        """Nobody waits on a feed."""

    async def close(self) -> None:
        """The web client is shared and closed by who made it."""

    async def _new_items(self, document: FeedDocument, response: Response, cursor: Cursor) -> Poll:
        seen = _marks(cursor.get("seen", ""))
        now = datetime.now(UTC)
        articles: list[Article] = []
        refused: list[Rejected] = []
        marks: list[str] = []
        waiting = 0
        pages = self._pages_a_poll() if self._settings.fetch_pages else 0
        for place, item in _distinct(document.items):
            found = (
                item if isinstance(item, Rejected) else make_article(item, self._origin, now, place)
            )
            mark = _mark(found)
            if mark in seen:
                marks.append(mark)
                continue
            if isinstance(found, Rejected):
                refused.append(found)
            elif self._settings.fetch_pages and found.url:
                if pages == 0:
                    waiting += 1
                    continue
                pages -= 1
                assert isinstance(item, Item)
                articles.append(await self._with_page(item, found, now))
            else:
                articles.append(found)
            marks.append(mark)
        now_here = set(marks)
        old = [mark for mark in cursor.get("seen", "").split() if mark not in now_here]
        new_cursor = {"seen": " ".join([*marks, *old[:_KEPT_MARKS]])}
        if not waiting:
            # With pages still to read the feed must come whole again, so no validators then.
            new_cursor |= {"etag": response.etag, "modified": response.last_modified}
        return Poll(
            "ok" if articles else "empty",
            articles=tuple(articles),
            rejected=tuple(refused),
            cursor={key: value for key, value in new_cursor.items() if value},
            next_poll_s=PAGES_PAUSE_S if waiting else None,
            http_status=200,
            detail=f"{waiting} pages still to read" if waiting else "",
        )

    def _pages_a_poll(self) -> int:
        delay_s = self._web.crawl_delay_s(self._url)
        return max(1, min(PAGES_A_POLL, int(PAGES_PAUSE_S / delay_s))) if delay_s else PAGES_A_POLL

    async def _with_page(self, item: Item, article: Article, now: datetime) -> Article:
        """The article with its page's text; without it when the page cannot be had."""
        try:
            response = await self._web.get(
                article.url,
                # The opt-out is for the feed's own host, not for wherever it points.
                allow_private=self._settings.allow_private
                and urlsplit(article.url).hostname == self.host,
            )
            page = await asyncio.to_thread(
                extract_page, response.body, response.url, response.charset
            )
        except (WebError, ExtractionError):
            return article
        made = make_article(_merged(item, page), self._origin, now, article.url)
        return made if isinstance(made, Article) else article


def _merged(item: Item, page: Page) -> Item:
    """The feed's word on id and date, the page's on the text when it has more of it."""
    if len(page.text) <= len(item.text) and not item.is_html:
        return item
    return replace(
        item,
        text=page.text,
        is_html=False,
        title=item.title or page.title,
        language=item.language or page.language,
        published_at=item.published_at or page.published_at,
    )


def _distinct(items: tuple[Item, ...]) -> list[tuple[str, Item | Rejected]]:
    """The items with their places. A guid that two different reports share is no id of
    either: the URL is added to it. What is no different report is a duplicate.
    """
    first: dict[str, Item] = {}
    distinct: list[tuple[str, Item | Rejected]] = []
    for number, item in enumerate(items, 1):
        place = f"item {number}"
        before = first.setdefault(item.guid, item) if item.guid else item
        if before is item:
            distinct.append((place, item))
        elif item.url and item.url != before.url:
            distinct.append((place, replace(item, guid=f"{item.guid} {item.url}")))
        elif replace(item, published_at=None) != replace(before, published_at=None):
            distinct.append((place, rejected("its id is that of an item above", place, item)))
    return distinct


def _mark(found: Article | Rejected) -> str:
    if isinstance(found, Rejected):
        content = f"{found.reason}\n{found.raw!r}"
    else:
        content = f"{found.id}\n{found.title}\n{found.text}\n{found.status}"
    return hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:_MARK_CHARS]


def _marks(text: str) -> set[str]:
    return set(text.split())
