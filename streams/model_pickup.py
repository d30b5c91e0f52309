"""The pick-up: a running worker takes the model that is in force, and the topics as they are
configured now, without a restart.

Owns asking, fetching and loading, all beside the articles; the swap itself is one assignment
between two batches. May be killed at any of PLACES: the next start begins where this one was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from classifiers.array_files import ArtifactError
from streams.keys import Keys
from streams.live_model import (
    LiveModel,
    OpenedModel,
    open_last_model,
    open_model,
    unlearned_topics,
)
from streams.live_topics import LiveTopics
from streams.model_files import ModelFileError, ModelFiles
from streams.models import ModelVersions, UnknownModelError
from streams.settings import Settings

#: A kill at any of these places must lose nothing; the tests kill there.
PLACES: Final = ("noticed", "fetched", "loaded", "remembered", "swapped")
LOOK_S: Final = 2.0
#: A model that cannot be used is tried again after so long: its file may have been repaired.
AGAIN_S: Final = 60.0

_log = structlog.get_logger("wirebell.model")


@dataclass(slots=True)
class ModelPickup:
    """Keeps one worker's model at the version in force. `reached` hears each place it passes."""

    live: LiveModel
    versions: ModelVersions
    files: ModelFiles
    settings: Settings
    reached: Callable[[str], None] = lambda place: None
    look_s: float = LOOK_S
    clock: Callable[[], float] = time.monotonic
    topics: LiveTopics = field(init=False)
    _held: str | None = field(default=None, init=False)
    _unusable: dict[str, float] = field(default_factory=dict, init=False)
    _topics_wait: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """The topics as configured, from now on."""
        self.topics = LiveTopics(self.settings)

    async def run(self, stop: asyncio.Event) -> None:
        """Look every few seconds until `stop`. Nothing that goes wrong here stops the articles."""
        self._tell_unlearned()
        while not stop.is_set():
            try:
                await self.look()
            except (RedisError, OSError) as error:
                _log.debug("which model is in force is not known now", error=str(error))
            try:
                async with asyncio.timeout(self.look_s):
                    await stop.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Take the topics as configured, and the model in force if it is another one. Where Redis
        knows of none (nothing was promoted, or it was emptied) the model in use stays.

        Raises:
            RedisError: Redis is away.
            OSError: the disk fails.
        """
        await self._heed_topics()
        version = await self.versions.in_force()
        if version is None or version == self._held:
            return
        if not self._held and version == self.live.version:
            self._held = version  # it was taken before the last restart
            return
        if self.clock() < self._unusable.get(version, 0.0):
            return
        self.reached("noticed")
        try:
            opened = await self._open(version)
        except (ArtifactError, ModelFileError, UnknownModelError) as error:
            _log.error("the model in force cannot be used, another goes on", error=str(error))
            self._unusable[version] = self.clock() + AGAIN_S
            return
        self.reached("loaded")
        await asyncio.to_thread(self.files.remember, version)
        self.reached("remembered")
        self.live.swap(opened)
        self._held = version
        self._topics_wait = None
        self.reached("swapped")
        _log.info("another model is in use", version=self.live.version)
        self._tell_unlearned()

    async def _heed_topics(self) -> None:
        """Thresholds, and topics turned off, on or named since: the model in use, opened anew.
        Where it cannot be, they wait for its file to be repaired or for another model.
        """
        if self.topics.stale():
            await asyncio.to_thread(self.topics.read)
        tried = self.topics.tables == self.settings.topics
        if tried and (self._topics_wait is None or self.clock() < self._topics_wait):
            return
        before = self.settings
        self.settings = before.model_copy(update={"topics": self.topics.tables})
        try:
            if self._held is None:
                opened = await asyncio.to_thread(open_last_model, self.settings)
            else:
                opened = await self._open(self._held)
        except (ArtifactError, ModelFileError, UnknownModelError) as error:
            self._topics_wait = self.clock() + AGAIN_S
            _log.error(
                "the model in use cannot be opened again: the topics wait until it can be, or for"
                " the next model",
                error=str(error),
            )
            return
        except (RedisError, OSError):
            self.settings = before  # so that the next look tries again
            raise
        self.live.swap(opened)
        self._topics_wait = None
        _log.info("the topics are as configured now", topics=sorted(self.topics.tables))
        self._tell_unlearned()

    async def _open(self, version: str) -> OpenedModel:
        """The model, loaded in a thread: the articles go on."""
        path = None
        if version:
            await self.versions.content(version)
            path = self.files.path(version)
            self.reached("fetched")
        return await asyncio.to_thread(open_model, self.settings, path)

    def _tell_unlearned(self) -> None:
        for topic in unlearned_topics(self.settings, self.live.topics):
            _log.warning(
                "the model has not learned a topic yet: wirebell train --with-feedback", topic=topic
            )


def open_pickup(live: LiveModel, redis: Redis, keys: Keys, settings: Settings) -> ModelPickup:
    """The pick-up of a worker, as configured."""
    files = ModelFiles(settings.models)
    return ModelPickup(
        live, ModelVersions(redis, keys, files, settings.model_path), files, settings
    )
