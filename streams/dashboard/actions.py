"""What a person can do from the page: look into dead letters, replay them, turn a receiver
on again, send a story again, pause a source or have it asked now.

Every action is logged with who asked. Reading is free; acting needs the page's own header,
which a form or link on another site cannot send.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import structlog
from aiohttp import web
from redis.exceptions import RedisError

from streams.dashboard.access import who_asks
from streams.dashboard.watch import Watch
from streams.dead_letter_box import Choice, read_dead_letters, replay, way_back
from streams.dead_letters import DeadLetter
from streams.ledger import Attempt, Ledger
from streams.logs import escape
from streams.source_wishes import Pause, SourceWishes
from streams.topic_setup import KafkaAwayError

HEADER = "X-Wirebell"
# The newest letters of a group; the terminal command shows all.
SHOWN_LETTERS, SHOWN_RAW_CHARS = 100, 2_000
# The ledger keeps so many attempts.
ALL_ATTEMPTS = 2_000
_log = structlog.get_logger(__name__)

Wish = TypeVar("Wish", bound=msgspec.Struct)


class LetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter as the page shows it; `raw` is its beginning, unprintable signs escaped."""

    id: str
    at: datetime
    stage: str
    reason: str
    detail: str
    origin: str
    attempts: int
    raw: str
    returns: bool


class ReplayWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which letters to replay; a dry run only counts them."""

    stage: str
    reason: str
    ids: list[str] = []
    dry_run: bool = False


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many were chosen, and how many of them went back (would go back in a dry run)."""

    chosen: int
    returned: int
    dry_run: bool


class TurnOnWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The destination to tell again, by its id."""

    destination: str


class ResendWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A story to tell a destination again, by their ids."""

    destination: str
    story: str


class SourceWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source to be paused, resumed or asked now."""

    source: str


class Actions:
    """The handlers, for one line under watch."""

    def __init__(self, watch: Watch) -> None:
        self._kafka = watch.observer.settings.kafka
        self._ledger = Ledger(watch.observer.redis, watch.observer.keys)
        self._wishes = SourceWishes(watch.observer.redis, watch.observer.keys)
        self._sources = {one.id for one in watch.observer.settings.sources if one.enabled}

    def add_routes(self, app: web.Application) -> None:
        """Put the handlers under /api."""
        app.router.add_get("/api/dead-letters", self.letters)
        app.router.add_post("/api/dead-letters/replay", self.replay)
        app.router.add_post("/api/destinations/turn-on", self.turn_on)
        app.router.add_post("/api/deliveries/resend", self.resend)
        app.router.add_post("/api/sources/pause", self.pause)
        app.router.add_post("/api/sources/resume", self.resume)
        app.router.add_post("/api/sources/poll-now", self.poll_now)
        app.router.add_get("/api/stories/{story}/deliveries", self.deliveries)

    async def letters(self, request: web.Request) -> web.Response:
        """The newest dead letters of a stage and a reason."""
        choice = _choice(request.query.get("stage", ""), request.query.get("reason", ""))
        letters = (await self._read(choice))[-SHOWN_LETTERS:]
        return _json([self._show(letter) for letter in reversed(letters)])

    async def replay(self, request: web.Request) -> web.Response:
        """Send letters back to the Kafka topic that they came from."""
        wish = await _wish(request, ReplayWish)
        letters = await self._read(_choice(wish.stage, wish.reason, wish.ids))
        returning = [letter for letter in letters if way_back(letter, self._kafka)]
        if not wish.dry_run:
            _log_action(request, "replay", stage=wish.stage, reason=wish.reason, ids=wish.ids)
            try:
                await replay(self._kafka, returning)
            except KafkaAwayError as error:
                raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
        return _json(Replayed(chosen=len(letters), returned=len(returning), dry_run=wish.dry_run))

    async def turn_on(self, request: web.Request) -> web.Response:
        """Tell a destination again that was turned off; what it missed is due."""
        wish = await _wish(request, TurnOnWish)
        _log_action(request, "turn on", destination=wish.destination)
        try:
            was_off = await self._ledger.turn_on(wish.destination)
        except RedisError as error:
            raise web.HTTPServiceUnavailable(text="Redis is away\n") from error
        if not was_off:
            raise web.HTTPConflict(text="it was not turned off\n")
        return _json({"turned_on": wish.destination})

    async def resend(self, request: web.Request) -> web.Response:
        """Tell a destination a story again, as it stands: a webhook with the same id, Slack
        by an edit.
        """
        wish = await _wish(request, ResendWish)
        _log_action(request, "resend", destination=wish.destination, story=wish.story)
        try:
            known = await self._ledger.resend(wish.destination, wish.story)
        except RedisError as error:
            raise web.HTTPServiceUnavailable(text="Redis is away\n") from error
        if not known:
            raise web.HTTPNotFound(text="the ledger no longer knows this story\n")
        return _json({"resent": wish.story})

    async def pause(self, request: web.Request) -> web.Response:
        """Ask a source no more until it is resumed; a restart does not forget it."""
        source_id = await self._source(request, "pause")
        pause = Pause(at=datetime.now(UTC), who=who_asks(request))
        try:
            await self._wishes.pause(source_id, pause)
        except RedisError as error:
            raise web.HTTPServiceUnavailable(text="Redis is away\n") from error
        return _json({"paused": source_id})

    async def resume(self, request: web.Request) -> web.Response:
        """Ask a paused source again."""
        source_id = await self._source(request, "resume")
        try:
            was_paused = await self._wishes.resume(source_id)
        except RedisError as error:
            raise web.HTTPServiceUnavailable(text="Redis is away\n") from error
        if not was_paused:
            raise web.HTTPConflict(text="it was not paused\n")
        return _json({"resumed": source_id})

    async def poll_now(self, request: web.Request) -> web.Response:
        """Ask a source as soon as its host allows."""
        source_id = await self._source(request, "poll now")
        try:
            await self._wishes.poll_now(source_id)
        except RedisError as error:
            raise web.HTTPServiceUnavailable(text="Redis is away\n") from error
        return _json({"asked": source_id})

    async def _source(self, request: web.Request, action: str) -> str:
        """The source that is meant, logged; 404 for one that the configuration has not."""
        wish = await _wish(request, SourceWish)
        if wish.source not in self._sources:
            raise web.HTTPNotFound(text="there is no such source, or it is not enabled\n")
        _log_action(request, action, source=wish.source)
        return wish.source

    async def deliveries(self, request: web.Request) -> web.Response:
        """Who was told what of a story, when, oldest first, as far as the log reaches."""
        story_id = request.match_info["story"]
        try:
            attempts = await self._ledger.attempts(ALL_ATTEMPTS)
        except RedisError as error:
            raise web.HTTPServiceUnavailable(text="Redis is away\n") from error
        ours: list[Attempt] = [one for one in attempts if one.story_id == story_id]
        return _json(ours[::-1])

    async def _read(self, choice: Choice) -> list[DeadLetter]:
        try:
            return await asyncio.to_thread(read_dead_letters, self._kafka, choice)
        except KafkaAwayError as error:
            raise web.HTTPServiceUnavailable(text=f"{error}\n") from error

    def _show(self, letter: DeadLetter) -> LetterView:
        raw = letter.raw[:SHOWN_RAW_CHARS].decode("utf-8", "backslashreplace")
        return LetterView(
            id=letter.id,
            at=letter.at,
            stage=letter.stage,
            reason=letter.reason,
            detail=letter.detail,
            origin=str(letter.origin),
            attempts=letter.attempts,
            raw=escape(raw),
            returns=bool(way_back(letter, self._kafka)),
        )


async def _wish(request: web.Request, kind: type[Wish]) -> Wish:
    """The request's body, from our own page or from a program: a form on another site can
    send neither the header nor this content type without asking first, and is not answered.
    """
    if request.headers.get(HEADER) != "act" or request.content_type != "application/json":
        raise web.HTTPForbidden(text=f"acting needs JSON and the header {HEADER}: act\n")
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise web.HTTPUnprocessableEntity(text=f"{error}\n") from error


def _choice(stage: str, reason: str, ids: list[str] | None = None) -> Choice:
    return Choice((stage,) if stage else (), (reason,) if reason else (), tuple(ids or ()))


def _log_action(request: web.Request, action: str, **what: object) -> None:
    _log.warning("a person acted", action=action, who=who_asks(request), **what)


def _json(value: object) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
