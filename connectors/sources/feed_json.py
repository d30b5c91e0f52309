"""JSON Feed 1.0 and 1.1 (https://jsonfeed.org/version/1.1)."""

from __future__ import annotations

import html
from typing import Any

from connectors.dates import parse_date
from connectors.sources.feed_document import MAX_ITEMS, FeedDocument, FeedError, absolute
from connectors.sources.items import Item, language_code
from connectors.sources.rows import RowError, decode_json


def read_json_feed(raw: bytes, base_url: str) -> FeedDocument:
    """Read a JSON Feed; fields of a wrong type are taken as missing.

    Raises:
        FeedError: not JSON, or no JSON Feed.
    """
    try:
        document = decode_json(raw)
    except RowError as error:
        raise FeedError(str(error)) from error
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise FeedError("the JSON is no JSON Feed: it has no list of items")
    language = language_code(_string(document, "language"))
    items = [
        _item(value, base_url, language)
        for value in document["items"][:MAX_ITEMS]
        if isinstance(value, dict)
    ]
    return FeedDocument(_string(document, "title"), language, tuple(items))


def _item(value: dict[str, Any], base_url: str, language: str) -> Item:
    guid, url = _string(value, "id"), _string(value, "url") or _string(value, "external_url")
    if not url and guid.lower().startswith(("http://", "https://")):
        url = guid
    plain = _string(value, "content_text")
    text = _string(value, "content_html") or html.escape(plain) or _string(value, "summary")
    dates = (_string(value, "date_published"), _string(value, "date_modified"))
    return Item(
        guid=guid,
        url=absolute(base_url, url),
        title=_string(value, "title"),
        text=text,
        language=_string(value, "language") or language,
        published_at=parse_date(dates[0]) or parse_date(dates[1]),
        is_html=True,
    )


def _string(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) else ""
