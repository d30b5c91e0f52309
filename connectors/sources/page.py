"""Article pages by their addresses: each read once, and again when it changes.

Owns the round over the addresses, a few a poll, and what is remembered of each.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from connectors.extraction import ExtractionError, Page, extract_page
from connectors.records import Article
from connectors.sources.items import Item, Origin, make_article, rejected
from connectors.sources.settings import PageSettings
from connectors.sources.source import Cursor, Poll, Rejected
from connectors.sources.web_poll import failed_poll, host_of
from connectors.web_client import Response, WebClient
from connectors.web_errors import WebError

# Pages of one poll and the pause before the next few of a round: see `feed`.
PAGES_A_POLL = 4
PAGES_PAUSE_S = 12.0


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of a page: its validators and the mark of its text."""

    etag: str = ""
    modified: str = ""
    mark: str = ""


class PageSource:
    """A list of pages. The cursor: "next" (index in the round) and a record for each page."""

    def __init__(self, settings: PageSettings, web_client: WebClient) -> None:
        self._settings = settings
        self._urls = tuple(str(url) for url in settings.urls)
        self._web = web_client

    @property
    def id(self) -> str:
        """The id from the configuration."""
        return self._settings.id

    @property
    def host(self) -> str:
        """The host of the first page."""
        return urlsplit(self._urls[0]).hostname or ""

    async def poll(self, cursor: Cursor) -> Poll:
        """Read the next few pages of the round; one that fails is tried in the next round."""
        start = int(cursor.get("next", "0")) % len(self._urls)
        urls = self._urls[start : start + PAGES_A_POLL]
        keys = {_key(url) for url in self._urls}
        kept = {key: value for key, value in cursor.items() if key in keys}
        articles: list[Article] = []
        refused: list[Rejected] = []
        errors: list[WebError] = []
        for url in urls:
            known = _load(kept.get(_key(url), ""))
            try:
                response = await self._web.get(
                    url,
                    etag=known.etag,
                    last_modified=known.modified,
                    allow_private=self._settings.allow_private,
                )
            except WebError as error:
                errors.append(error)
                continue
            if response.status == 304:
                continue
            found, mark = await self._read(url, response)
            if mark != known.mark:
                (articles if isinstance(found, Article) else refused).append(found)  # type: ignore[arg-type]
            kept[_key(url)] = _dump(_Known(response.etag, response.last_modified, mark))
        following = start + len(urls)
        more = following < len(self._urls)
        kept["next"] = str(following if more else 0)
        pause_s = PAGES_PAUSE_S if more else None
        # Dead addresses must not hold the round up; a host that is down or busy must.
        failing = [error for error in errors if error.may_pass or not more]
        if failing and not articles and not refused:
            return replace(failed_poll(failing[0], kept), next_poll_s=pause_s)
        return Poll(
            "ok" if articles else "empty" if refused or errors else "not_modified",
            articles=tuple(articles),
            rejected=tuple(refused),
            cursor=kept,
            next_poll_s=pause_s,
            detail=str(errors[0]) if errors else refused[0].reason if refused else "",
        )

    async def confirmed(self, poll: Poll) -> None:
        """Nobody waits on a page."""

    async def close(self) -> None:
        """The web client is shared and closed by who made it."""

    async def _read(self, url: str, response: Response) -> tuple[Article | Rejected, str]:
        """The article of a fetched page, and the mark by which a change is seen."""
        origin = Origin(
            self._settings.id,
            self._settings.publisher or host_of(url),
            self._settings.language,
        )
        try:
            page = await asyncio.to_thread(
                extract_page, response.body, response.url, response.charset
            )
        except ExtractionError as error:
            digest = hashlib.sha256(response.body).hexdigest()[:16]
            return rejected(str(error), host_of(url), response.body), digest
        found = make_article(_item(page, response.url), origin, datetime.now(UTC), host_of(url))
        content = f"{page.title}\n{page.text}".encode("utf-8", "replace")
        return found, hashlib.sha256(content).hexdigest()[:16]


def _item(page: Page, url: str) -> Item:
    # A page may name another host's page as its canonical one; it does not speak for that.
    own = host_of(page.url) == host_of(url)
    return Item(
        url=page.url if own else url,
        title=page.title,
        text=page.text,
        language=page.language,
        published_at=page.published_at,
    )


def _key(url: str) -> str:
    return f"page:{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def _load(text: str) -> _Known:
    parts = text.split("\n")
    return _Known(*parts) if len(parts) == 3 else _Known()


def _dump(known: _Known) -> str:
    return "\n".join((known.etag, known.modified, known.mark))
