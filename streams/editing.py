"""What editors do to stories: merge two, split an article off, mute one. Any process may.

Owns the Redis side (lua/editing.lua, atomic beside the assignment of articles) and what is told
of it. Everything may be repeated: what is done already gives the same alerts again. What a mark
does to the story is chronicle.py's; who may ask, and where the alerts go, the desk's.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from redis.asyncio import Redis

from connectors.records import Alert
from streams.chronicle import tell
from streams.entries import Entry, MarkKind, Member, article_of, standing, standing_at
from streams.keys import Keys
from streams.stories import Keep, Stories
from streams.story import Folded

_SCRIPT: Final = (Path(__file__).parent / "lua" / "editing.lua").read_text(encoding="utf-8")
#: How often a story may change between reading and editing before we give up; each time takes
#: two round trips, and a story has one article a minute at its busiest.
TRIES: Final = 20
#: A kill at these places must lose nothing; the tests kill there.
PLACES: Final = ("read", "edited")


class UnknownStory(LookupError):  # noqa: N818 - says what is not there, for the person who asked
    """There is no such story any more, or no such article in it; the message is the sentence."""


class Editing:
    """Edits the stories of one line. Every method raises RedisError when Redis is away: then
    nothing is half done, and the same call may be repeated.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        window_s: float,
        languages: tuple[str, ...] = ("en",),
        keep: Keep | None = None,
        *,
        clock: Callable[[], float] = time.time,
        reached: Callable[[str], None] = lambda place: None,
    ) -> None:
        """As `Stories`, of the same line: `languages` choose the headline. `clock` is epoch
        seconds; `reached` hears each of PLACES as it is passed.
        """
        self._redis = redis
        self._keys = keys
        self._stories = Stories(redis, keys, window_s, languages, keep)
        self._languages = languages
        self._keep_s = self._stories.keep.stories_s
        self._script = redis.register_script(_SCRIPT)
        self._clock = clock
        self._reached = reached

    async def current(self, story_id: str) -> str:
        """The story that this one is part of now: itself, or the one it was merged into.

        Raises:
            UnknownStory: it is not kept (any more).
        """
        found = await self._stories.current(story_id)
        if found is None:
            raise UnknownStory(f"there is no story {story_id}; it may be older than Redis keeps")
        return found

    async def merge(self, story_id: str, other_story_id: str) -> tuple[Alert, ...]:
        """Make the other story part of the first. Later articles of either join the first.

        Returns the alert of the story that goes on, then of the one that ended; none when
        both were one story anyhow.

        Raises:
            UnknownStory: one of the two is not kept.
        """
        for _ in range(TRIES):
            kept, other = await self.current(story_id), await self.current(other_story_id)
            if kept == other:
                return await self._merged_before(other_story_id)
            headline = (await self._told(kept, await self._stories.entries(kept))).story.headline
            self._reached("read")
            if await self._run("merge", kept, other, headline):
                self._reached("edited")
                return await self._merged_before(other)
        raise TimeoutError(f"story {story_id} changes too fast to be edited")

    async def split(self, story_id: str, article_id: str) -> tuple[Alert, ...]:
        """Split an article off into a story of its own, which later articles like it join.

        Returns the alert of the story that it left, then of the new one (`alerts[-1].story.id`).

        Raises:
            UnknownStory: the story is not kept, the article is not in it, or is all of it.
        """
        for _ in range(TRIES):
            story = await self.current(story_id)
            entries = await self._stories.entries(story)
            members = standing(entries)
            if all(one.facts.article_id != article_id for one in members):
                return await self._split_before(story, entries, article_id)
            if all(one.facts.article_id == article_id for one in members):
                raise UnknownStory("that is the story's only article; it stands alone already")
            told = await self._told(story, entries)
            self._reached("read")
            arguments: tuple[str | int, ...] = (
                len(entries),
                article_id,
                _new_story(story, entries, article_id),
                told.story.headline,
                _countries(members, article_id, leaving=True),
                _countries(members, article_id, leaving=False),
                *_places(entries, article_id),
            )
            if await self._run("split", story, *arguments):
                self._reached("edited")
                entries = await self._stories.entries(story)
                return await self._split_before(story, entries, article_id)
        raise TimeoutError(f"story {story_id} changes too fast to be edited")

    async def mute(self, story_id: str, *, muted: bool) -> tuple[Alert, ...]:
        """Nothing of the story rings any more, or again; articles join it all the same.

        Returns an alert when it is heard again and something has come meanwhile.

        Raises:
            UnknownStory: the story is not kept.
        """
        wanted: MarkKind = "mute" if muted else "unmute"
        for _ in range(TRIES):
            story = await self.current(story_id)
            self._reached("read")
            if not await self._run("mute", story, int(muted)):
                continue
            self._reached("edited")
            entries = await self._stories.entries(story)
            marks = _marks(entries, "mute", "unmute")
            if not marks or _kind(entries[marks[-1]]) != wanted:
                return ()
            return self._alerts((story, entries, marks[-1]))
        raise TimeoutError(f"story {story_id} changes too fast to be edited")

    async def _merged_before(self, absorbed: str) -> tuple[Alert, ...]:
        """The alerts of the merge that ended a story, or the one that this had ended in."""
        entries = await self._stories.entries(absorbed)
        ends = _marks(entries, "into")
        if not ends:
            return ()
        end = entries[ends[-1]].mark
        assert end is not None
        # What it became may have been merged itself since; the last merge is the one asked for.
        later = await self._merged_before(end.story)
        if later:
            return later
        kept = await self._stories.entries(end.story)
        marks = [at for at in _marks(kept, "merge") if _story(kept[at]) == absorbed]
        if not marks:
            return ()
        return self._alerts((end.story, kept, marks[-1]), (absorbed, entries, ends[-1]))

    async def _split_before(
        self, story: str, entries: list[Entry], article_id: str
    ) -> tuple[Alert, ...]:
        left = [
            at
            for at in _marks(entries, "left")
            if (mark := entries[at].mark) is not None and mark.words == article_id
        ]
        if not left:
            raise UnknownStory(f"article {article_id} is not in story {story}")
        new = _story(entries[left[-1]])
        return self._alerts((story, entries, left[-1]), (new, await self._stories.entries(new), 1))

    def _alerts(self, *told: tuple[str, Sequence[Entry], int]) -> tuple[Alert, ...]:
        """The alerts that entries of stories made, by their places."""
        found = []
        for story, entries, at in told:
            mark = entries[at].mark if at < len(entries) else None
            end = at + (mark.number if mark is not None and mark.kind == "merge" else 0)
            steps = list(tell(None, entries[: end + 1], story, self._languages))
            last = steps[-1] if len(steps) > end else None
            if last is not None and last.alert is not None:
                found.append(last.alert)
        return tuple(found)

    async def _told(self, story: str, entries: Sequence[Entry]) -> Folded:
        steps = [step for step in tell(None, entries, story, self._languages) if step is not None]
        if not steps:
            raise UnknownStory(f"there is no story {story}; it may be older than Redis keeps")
        return steps[-1].folded

    async def _run(self, what: str, *arguments: str | int) -> bool:
        at, keep = round(self._clock(), 3), int(self._keep_s) + 1
        called = self._script(keys=[self._keys.tag], args=[what, at, keep, *arguments])
        return bool(await cast(Awaitable[Any], called))


def _marks(entries: Sequence[Entry], *kinds: MarkKind) -> list[int]:
    """Where marks of these kinds stand, but for those that a merge brought along."""
    found, at = [], 0
    while at < len(entries):
        mark = entries[at].mark
        if mark is not None and mark.kind in kinds:
            found.append(at)
        at += 1 + (mark.number if mark is not None and mark.kind == "merge" else 0)
    return found


def _kind(entry: Entry) -> str:
    return "" if entry.mark is None else entry.mark.kind


def _story(entry: Entry) -> str:
    return "" if entry.mark is None else entry.mark.story


def _places(entries: Sequence[Entry], article_id: str) -> list[int]:
    """Where the article stands in the list, since it last left it."""
    return [at for at in standing_at(entries) if article_of(entries[at]) == article_id]


def _new_story(story: str, entries: Sequence[Entry], article_id: str) -> str:
    """The id of the story that an article leaves into: the same however often it is asked."""
    times = sum(
        entry.mark is not None and entry.mark.kind == "left" and entry.mark.words == article_id
        for entry in entries
    )
    said = f"split\0{story}\0{article_id}\0{times}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(said).hexdigest()[:12]


def _countries(members: Sequence[Member], article_id: str, *, leaving: bool) -> str:
    """Countries as lua/stories.lua keeps them, of the article or of all the others."""
    found: dict[str, None] = {}
    for member in members:
        if (member.facts.article_id == article_id) == leaving:
            found.update(dict.fromkeys(place.country for place in member.facts.places[:3]))
    return "".join(f"{country} " for country in list(found)[:20])
