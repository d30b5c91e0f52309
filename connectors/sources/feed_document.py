"""A feed's bytes into what it says: the document, its items, and one clean error.

Owns the choice of the reader: JSON Feed, a strict XML reader for well-formed documents
without a DTD, feedparser for the rest. Does no network I/O and keeps nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from connectors.sources.items import Item

# Well-formed items of the test feeds are read at 20 MB a second, broken ones at 0.5.
MAX_ITEMS = 2_000


class FeedError(ValueError):
    """The bytes are no feed; the message says why in a line."""


@dataclass(frozen=True, slots=True)
class FeedDocument:
    """What a feed says of itself, and its items in the feed's order."""

    title: str
    language: str
    items: tuple[Item, ...]


def absolute(base: str, link: str) -> str:
    """The link resolved against the feed's own URL; "" when it is no link."""
    link = link.strip()
    if not link:
        return ""
    try:
        return urljoin(base, link)
    except ValueError:
        return ""
