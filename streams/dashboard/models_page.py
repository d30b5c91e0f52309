"""The versions of the topic model on the page: which is in force, promoting one, rolling back.

A version that the evaluation refused is promoted on the command line only, with a reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from aiohttp import web

from streams.dashboard.access import who_asks
from streams.dashboard.acting import Recorder, json_answer, read_wish, redis_needed
from streams.model_files import ModelFileError, ModelFiles
from streams.models import ModelVersions, RefusedModelError, UnknownModelError
from streams.observations import Observer


class PromoteWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version to bring into force."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class RollBackWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Go back to the version before the one in force."""


def versions_of(observer: Observer) -> ModelVersions:
    """The model versions of the line under watch."""
    settings = observer.settings
    files = ModelFiles(settings.models)
    return ModelVersions(observer.redis, observer.keys, files, settings.model_path)


class ModelPages:
    """The handlers. `changed` is awaited after every change, so that the page shows it."""

    def __init__(
        self, observer: Observer, recorder: Recorder, changed: Callable[[], Awaitable[None]]
    ) -> None:
        self._versions = versions_of(observer)
        self._recorder = recorder
        self._changed = changed

    def add_routes(self, app: web.Application) -> None:
        """Put the handlers under /api."""
        app.router.add_get("/api/models", self.models)
        app.router.add_post("/api/models/promote", self.promote)
        app.router.add_post("/api/models/roll-back", self.roll_back)

    async def models(self, _request: web.Request) -> web.Response:
        """Every version, the newest first."""
        with redis_needed():
            try:
                return json_answer(await self._versions.listed())
            except (ModelFileError, OSError) as error:
                raise web.HTTPServiceUnavailable(text=f"{error}\n") from error

    async def promote(self, request: web.Request) -> web.Response:
        """Bring a version into force; the workers take it within seconds."""
        wish = await read_wish(request, PromoteWish)
        async with self._recorder.action(request, "promote model", wish.version):
            try:
                await self._versions.promote(wish.version, who_asks(request))
            except UnknownModelError as error:
                raise web.HTTPNotFound(text=f"{error}\n") from error
            except (RefusedModelError, ModelFileError) as error:
                raise web.HTTPConflict(text=f"{error}\n") from error
        await self._changed()
        return json_answer({"promoted": wish.version})

    async def roll_back(self, request: web.Request) -> web.Response:
        """Go back to the version before."""
        await read_wish(request, RollBackWish)
        async with self._recorder.action(request, "roll model back", ""):
            try:
                version = await self._versions.roll_back(who_asks(request))
            except UnknownModelError as error:
                raise web.HTTPConflict(text=f"{error}\n") from error
        await self._changed()
        return json_answer({"in_force": version})
