"""Screening by a real topic model that is picked up as it changes, before the tiny rooms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from connectors.records import Article
from streams.keys import Keys
from streams.model_files import ModelFiles
from streams.models import ModelVersions
from streams.settings import RedisSettings, Settings

if TYPE_CHECKING:
    from streams.model_pickup import ModelPickup

Screen = Callable[[Sequence[Article], datetime], list[Article]]


def settings_of(prefix: str, base: Path) -> Settings:
    """The settings of a process whose base model is this file; what it learns stands beside it."""
    return Settings(state_dir=base.parent, model_path=base, redis=RedisSettings(prefix=prefix))


def versions_of(redis: Redis, prefix: str, base: Path) -> ModelVersions:
    """The versions of that process's line."""
    settings = settings_of(prefix, base)
    return ModelVersions(redis, Keys(prefix), ModelFiles(settings.models), base)


class LiveScreen:
    """Reads every article with the model in use; what follows is the tiny rooms'."""

    def __init__(
        self, redis: Redis, prefix: str, base: Path, then: Screen, reached: Callable[[str], None]
    ) -> None:
        # Only for processes that ask for it: the others start in a second less.
        from streams.live_model import LiveModel, open_last_model
        from streams.model_pickup import ModelPickup

        settings = settings_of(prefix, base)
        self.live = LiveModel(open_last_model(settings))
        self.pickup: ModelPickup = ModelPickup(
            self.live,
            versions_of(redis, prefix, base),
            ModelFiles(settings.models),
            settings,
            reached,
            look_s=0.05,
        )
        self._then = then

    def screen(self, articles: Sequence[Article], now: datetime) -> list[Article]:
        """Every article gets its topics by one model, whole batches at a time."""
        topics = {topic.id for topic in self.live.topics}
        for row in self.live.predict([article.title for article in articles]):
            assert set(self.live.choose(row)) <= topics
        return self._then(articles, now)
