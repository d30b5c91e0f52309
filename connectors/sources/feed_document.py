"""A feed's bytes into what it says: the document, its items, and one clean error.

Shared by the readers of XML and JSON; `feed_reading` chooses between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from connectors.sources.items import Item

# The largest of 474 test feeds has 350; beyond this it is an archive.
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
