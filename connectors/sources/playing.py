"""How found items are played as articles: how many at once, how far apart, at what time.

Shared by `files` and `stdin`. Never waits: the pause is a wish that the poller keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from connectors.records import Article
from connectors.sources.file_reading import Fault, Found
from connectors.sources.items import Origin, make_article, rejected
from connectors.sources.settings import FilesSettings
from connectors.sources.source import Rejected

# Articles of one poll: enough for the producer's batches, little to repeat after a crash.
BATCH = 500
# At a pace, a poll holds what is due in about this time.
_PACED_BATCH_S = 0.25


class Playing:
    """The pace and the stamp that a `files` source was configured with."""

    def __init__(self, settings: FilesSettings) -> None:
        self._pace = settings.per_second
        self._restamp = settings.restamp
        self._origin = Origin(settings.id, settings.publisher or settings.id, settings.language)

    @property
    def batch_size(self) -> int:
        """Items a poll may hold."""
        return max(1, min(BATCH, int(self._pace * _PACED_BATCH_S))) if self._pace else BATCH

    def pause_s(self, articles: int) -> float:
        """Seconds after which the next batch is due, once `articles` were played."""
        return articles / self._pace if self._pace else 0.0

    def make(self, rows: Sequence[Found], name: str) -> tuple[list[Article], list[Rejected]]:
        """The articles of found items, and what could not become one with its place."""
        now = datetime.now(UTC)
        articles: list[Article] = []
        refused: list[Rejected] = []
        for where, found in rows:
            place = f"{name} {where}".strip()
            if isinstance(found, Fault):
                refused.append(rejected(found.reason, place, found.raw))
                continue
            item = replace(found, published_at=now) if self._restamp else found
            made = make_article(item, self._origin, now, place)
            if isinstance(made, Article):
                articles.append(made)
            else:
                refused.append(made)
        return articles, refused
