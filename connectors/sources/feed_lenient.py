"""Feeds that are no well-formed XML, by feedparser.

Owns the caps in front of feedparser and the repair of what it gets wrong: dates are read
again from their strings (it takes BST for UTC), and a guid that is a URL becomes the link
that it leaves empty.
"""

from __future__ import annotations

import io
import re
from datetime import datetime
from typing import Any

import feedparser

from connectors.dates import parse_date
from connectors.sources.feed_document import MAX_ITEMS, FeedDocument, FeedError, absolute
from connectors.sources.items import Item, language_code

# 1 MB takes it 1 to 3 s; a feed that is broken and larger is refused.
MAX_LENIENT_BYTES = 1_000_000
# Any entity of the document's own: no feed needs one, every XML bomb does.
_ENTITY_DECLARATION = re.compile(rb"<!\s*ENTITY|<\x00!\x00\s*E\x00N\x00T|\x00<\x00!\x00E", re.I)
_DATE_FIELDS = ("published", "created", "updated")


def read_lenient(raw: bytes, base_url: str, charset: str = "") -> FeedDocument:
    """Read whatever feedparser can make of the bytes.

    Raises:
        FeedError: too large, declares entities, or no feed.
    """
    if len(raw) > MAX_LENIENT_BYTES:
        raise FeedError(f"not well-formed XML, and over {MAX_LENIENT_BYTES} bytes")
    if _ENTITY_DECLARATION.search(raw):
        raise FeedError("it declares entities of its own, as XML bombs do")
    headers = {"content-location": base_url}
    if charset:
        headers["content-type"] = f"application/xml; charset={charset}"
    try:
        # A stream, because feedparser would open bytes that look like a file's name.
        parsed = feedparser.parse(
            io.BytesIO(raw),
            response_headers=headers,
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise FeedError("not readable as a feed") from error
    if not parsed.entries and not parsed.get("version"):
        raise FeedError("not well-formed XML, and nothing in it is a feed")
    feed = parsed.feed
    language = language_code(str(feed.get("language") or ""))
    items = tuple(_item(entry, base_url, language) for entry in parsed.entries[:MAX_ITEMS])
    return FeedDocument(str(feed.get("title") or ""), language, items)


def _item(entry: Any, base_url: str, language: str) -> Item:
    guid = str(entry.get("id") or "")
    url = str(entry.get("link") or "")
    if not url and guid.lower().startswith(("http://", "https://")):
        url = guid
    contents = [str(part.get("value") or "") for part in entry.get("content") or ()]
    body, summary = max(contents, key=len, default=""), str(entry.get("summary") or "")
    return Item(
        guid=guid,
        url=absolute(base_url, url),
        title=str(entry.get("title") or ""),
        text=body if len(body) > len(summary) else summary,
        language=str((entry.get("title_detail") or {}).get("language") or "") or language,
        published_at=_date(entry, language),
        is_html=True,
    )


def _date(entry: Any, language: str) -> datetime | None:
    for name in _DATE_FIELDS:
        moment = parse_date(str(entry.get(name) or ""), language)
        if moment is not None:
            return moment
    return None
