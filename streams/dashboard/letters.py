"""Dead letters from the page: looked into, searched, and sent back, after a count if wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from aiohttp import web
from redis.exceptions import RedisError

from streams.dashboard.acting import Recorder, json_answer, read_wish
from streams.dead_letter_box import Choice, read_dead_letters, replay, way_back
from streams.dead_letters import DeadLetter
from streams.logs import escape
from streams.replay_marks import ReplayMarks
from streams.settings import KafkaSettings
from streams.topic_setup import KafkaAwayError

# The newest letters of a group; the terminal command shows all.
SHOWN_LETTERS, SHOWN_RAW_CHARS = 100, 2_000


class LetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter as the page shows it; `raw` is its beginning, unprintable signs escaped, and
    `replayed_at` is when it last went back.
    """

    id: str
    at: datetime
    stage: str
    reason: str
    detail: str
    origin: str
    attempts: int
    raw: str
    returns: bool
    replayed_at: datetime | None


class LettersView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest letters that were found, and how many there are."""

    found: int
    letters: list[LetterView]


class ReplayWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which letters to replay: those of a stage and reason (empty: any) in which `search`
    occurs, or the ones with these ids. Those that were replayed before stay, unless they are
    wanted `again`. A dry run only counts them.
    """

    stage: str = ""
    reason: str = ""
    search: str = ""
    ids: list[str] = []
    again: bool = False
    dry_run: bool = False


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many were chosen, how many of them went back (would go back in a dry run), and how many
    stayed because they did so before.
    """

    chosen: int
    returned: int
    before: int
    dry_run: bool


class Letters:
    """The handlers, for one line's dead letters."""

    def __init__(self, kafka: KafkaSettings, marks: ReplayMarks, recorder: Recorder) -> None:
        self._kafka = kafka
        self._marks = marks
        self._recorder = recorder

    def add_routes(self, app: web.Application) -> None:
        """Put the handlers under /api."""
        app.router.add_get("/api/dead-letters", self.letters)
        app.router.add_post("/api/dead-letters/replay", self.replay)

    async def letters(self, request: web.Request) -> web.Response:
        """The newest dead letters of a stage and a reason, with the words that are searched."""
        stage, reason, words = (request.query.get(name, "") for name in ("stage", "reason", "q"))
        found = await self._find(ReplayWish(stage=stage, reason=reason, search=words))
        newest = found[-SHOWN_LETTERS:]
        replayed = await self._known(newest)
        shown = [self._show(letter, replayed.get(letter.id)) for letter in reversed(newest)]
        return json_answer(LettersView(found=len(found), letters=shown))

    async def replay(self, request: web.Request) -> web.Response:
        """Send letters back to the Kafka topic that they came from."""
        wish = await read_wish(request, ReplayWish)
        if wish.dry_run:
            return json_answer(await self._replay(wish))
        asked = ", ".join(filter(None, (wish.stage, wish.reason, wish.search, *wish.ids)))
        async with self._recorder.action(request, "replay dead letters", asked or "all"):
            return json_answer(await self._replay(wish))

    async def _replay(self, wish: ReplayWish) -> Replayed:
        letters = await self._find(wish)
        able = [letter for letter in letters if way_back(letter, self._kafka)]
        replayed = {} if wish.again else await self._known(able)
        returning = [letter for letter in able if letter.id not in replayed]
        if not wish.dry_run:
            try:
                await replay(self._kafka, returning, self._mark)
            except KafkaAwayError as error:
                raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
        return Replayed(
            chosen=len(letters),
            returned=len(returning),
            before=len(able) - len(returning),
            dry_run=wish.dry_run,
        )

    async def _known(self, letters: Sequence[DeadLetter]) -> Mapping[str, datetime]:
        """When which of them were replayed: those that Redis tells of."""
        with contextlib.suppress(RedisError, OSError):
            return await self._marks.known([letter.id for letter in letters])
        return {}

    async def _mark(self, letters: Sequence[DeadLetter]) -> None:
        """They are in Kafka: an action is not refused for want of the mark."""
        with contextlib.suppress(RedisError, OSError):
            await self._marks.note([letter.id for letter in letters])

    async def _find(self, wish: ReplayWish) -> list[DeadLetter]:
        choice = Choice(
            (wish.stage,) if wish.stage else (),
            (wish.reason,) if wish.reason else (),
            tuple(wish.ids),
        )
        try:
            letters = await asyncio.to_thread(read_dead_letters, self._kafka, choice)
        except KafkaAwayError as error:
            raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
        words = wish.search.casefold().split()
        return [letter for letter in letters if _holds(letter, words)]

    def _show(self, letter: DeadLetter, replayed_at: datetime | None) -> LetterView:
        return LetterView(
            id=letter.id,
            at=letter.at,
            stage=letter.stage,
            reason=letter.reason,
            detail=letter.detail,
            origin=str(letter.origin),
            attempts=letter.attempts,
            raw=escape(_text(letter)[:SHOWN_RAW_CHARS]),
            returns=bool(way_back(letter, self._kafka)),
            replayed_at=replayed_at,
        )


def _holds(letter: DeadLetter, words: list[str]) -> bool:
    """Whether every word occurs somewhere in a letter."""
    if not words:
        return True
    said = f"{letter.id} {letter.detail} {letter.origin} {_text(letter)}".casefold()
    return all(word in said for word in words)


def _text(letter: DeadLetter) -> str:
    return letter.raw.decode("utf-8", "backslashreplace")
