"""The topic model that a command uses when nobody names one: the one that the line uses.

Owns finding it: what Redis says is in force, else what was last in force here, else the base;
and saying which. Blocks, and never waits long for Redis.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from classifiers.array_files import ArtifactError
from classifiers.model import TopicModel
from streams.keys import Keys
from streams.live_model import open_model
from streams.model_files import ModelFileError, ModelFiles
from streams.models import ModelVersions, UnknownModelError
from streams.redis_client import connect_redis
from streams.settings import Settings, load_settings

REDIS_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class DefaultModel:
    """A model with the line's own thresholds, and why it is this one."""

    model: TopicModel
    why: str

    def __str__(self) -> str:
        """For people."""
        return f"model {self.model.version}, {self.why}"


def default_model(
    named: Path | None, config: Path | None = None, *, reader: bool | None = None
) -> DefaultModel:
    """The model of a file that is named, with its own thresholds; else the line's. `reader` turns
    the slow reader on or off, whatever is configured.

    Raises:
        SettingsError: the configuration cannot be used.
        ArtifactError: the file is not a model of ours.
        OSError: a file cannot be read.
    """
    if named is not None:
        found = TopicModel.load(named, slow=reader is not False)
        return DefaultModel(found, f"from {named}")
    settings = load_settings(config)
    if reader is not None:
        asked = settings.classifier.model_copy(update={"reader": reader})
        settings = settings.model_copy(update={"classifier": asked})
    # What rings for whoever asks for no other threshold; not what some subscription asks for.
    settings = settings.model_copy(update={"subscriptions": ()})
    files = ModelFiles(settings.models)
    version, why = _in_force(settings, files)
    if version:
        try:
            return DefaultModel(open_model(settings, files.path(version), late=False).model, why)
        except (ArtifactError, OSError) as error:
            base = open_model(settings, late=False).model
            return DefaultModel(base, f"because {version}, {why}, cannot be used: {error}")
    return DefaultModel(open_model(settings, late=False).model, why)


def _in_force(settings: Settings, files: ModelFiles) -> tuple[str, str]:
    """The version in force, "" for the base, its file fetched; and how that is known."""
    base = f"from {settings.model_path}" if settings.model_path else "which ships"
    logging.getLogger("redis").setLevel(logging.CRITICAL)
    with suppress(RedisError, OSError, TimeoutError, UnknownModelError, ModelFileError):
        version = asyncio.run(_asked(settings, files))
        if version is not None:
            return version, "in force on this line" if version else f"{base}: in force on this line"
    version = files.remembered()
    if version and files.read(version) is not None:
        return version, "last in force here; Redis was not asked or does not know"
    return "", f"{base}: nothing else was in force here"


async def _asked(settings: Settings, files: ModelFiles) -> str | None:
    redis = connect_redis(settings.redis.url.get_secret_value())
    try:
        async with asyncio.timeout(REDIS_TIMEOUT_S):
            keys = Keys(settings.redis.prefix)
            versions = ModelVersions(redis, keys, files, settings.model_path)
            version = await versions.in_force()
            if version:
                await versions.content(version)
            return version
    finally:
        await redis.aclose()
