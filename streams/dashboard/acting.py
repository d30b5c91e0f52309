"""What every action from the page has in common: it is really meant, it is noted, and an outage
is said as one.

Whether somebody may act at all is access.py's.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import structlog
from aiohttp import web
from redis.exceptions import RedisError

from streams.action_log import Action, ActionLog
from streams.dashboard.access import who_asks
from streams.fetch_pace import PEOPLE, nudge

HEADER = "X-Wirebell"
_log = structlog.get_logger(__name__)

Wish = TypeVar("Wish", bound=msgspec.Struct)


async def read_wish(request: web.Request, kind: type[Wish]) -> Wish:
    """The request's body, from our own page or from a program: a form on another site can
    send neither the header nor this content type without asking first, and is not answered.
    """
    if request.headers.get(HEADER) != "act" or request.content_type != "application/json":
        raise web.HTTPForbidden(text=f"acting needs JSON and the header {HEADER}: act\n")
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise web.HTTPUnprocessableEntity(text=f"{error}\n") from error


def json_answer(value: object) -> web.Response:
    """A value as JSON that no cache keeps."""
    return web.Response(
        body=msgspec.json.encode(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


@contextlib.contextmanager
def redis_needed() -> Iterator[None]:
    """Say 503 where Redis is away."""
    try:
        yield
    except RedisError as error:
        raise web.HTTPServiceUnavailable(text="Redis is away\n") from error


@dataclass(frozen=True, slots=True)
class Recorder:
    """Notes every action, those that came to nothing too, in the log and for the page."""

    log: ActionLog

    @contextlib.asynccontextmanager
    async def action(self, request: web.Request, what: str, about: str) -> AsyncIterator[None]:
        """Around the action itself. An action is not refused for want of the list: the
        process's log has it.
        """
        who = who_asks(request)
        _log.warning("a person acted", action=what, who=who, about=about)
        failed = ""
        try:
            with redis_needed():
                yield
            await nudge(self.log.redis, self.log.keys, PEOPLE)
        except web.HTTPException as refused:
            failed = (refused.text or refused.reason).strip()
            raise
        finally:
            noted = Action(at=datetime.now(UTC), who=who, what=what, about=about, failed=failed)
            with contextlib.suppress(RedisError, OSError):
                await self.log.add(noted)
