"""`wirebell story`: how a story came about, and what an editor can do to it."""

from __future__ import annotations

import asyncio
import getpass
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError
from typer.core import TyperGroup

from connectors.records import Story
from connectors.sinks.slack_actions import Choice
from streams import logs
from streams.commands.options import ConfigFile
from streams.corrections import again, corrections_in_kafka, structural
from streams.desk import CannotTakeError, EditorDesk, open_editor_desk
from streams.feedback import encode_feedback
from streams.feedback_store import FeedbackStore
from streams.keys import Keys
from streams.logs import escape
from streams.redis_client import connect_redis
from streams.retelling import retell
from streams.settings import Settings, SettingsError, load_settings
from streams.stories import Stories
from streams.topic_setup import KafkaAwayError

#: A person waits: who is away so long is said to be. A history is read to its end.
PATIENCE_S, PATIENCE_WITH_KAFKA_S = 10.0, 300.0
_T = TypeVar("_T")


class _OrStory(TyperGroup):
    """`wirebell story ID` is `wirebell story show ID`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=_OrStory, no_args_is_help=True, add_completion=False)
Who = Annotated[str, typer.Option(help="Who decides; else who is logged in here.")]
StoryId = Annotated[str, typer.Argument(help="The story's id, as alerts and backtests show it.")]


@app.callback()
def _story() -> None:
    """Tell how a story came about; merge, split and mute stories."""


@app.command()
def show(story: StoryId, config: ConfigFile = None) -> None:
    """Tell how a story came about: each article, why it joined, and whether that rang."""

    async def tell(line: _Line) -> list[str]:
        return list(retell(await line.stories.entries(story), story, line.languages))

    lines = _with_line(config, tell)
    if not lines:
        _fail(f"there is no story {escape(story)!r}; it may be older than Redis keeps")
    for line in lines:
        typer.echo(escape(line))


@app.command("list")
def list_stories(
    config: ConfigFile = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 20,
) -> None:
    """List the stories that are open, the one last seen first."""
    stories = _with_line(config, lambda line: line.stories.recent(limit))
    for story in stories:
        typer.echo(escape(_line_of(story)))
    if not stories:
        typer.echo("no story is open")


@app.command()
def merge(
    keep: Annotated[str, typer.Argument(help="The story that goes on.")],
    other: Annotated[str, typer.Argument(help="The story that becomes part of it.")],
    config: ConfigFile = None,
    who: Who = "",
) -> None:
    """Make one story of two: what comes of either joins the first from now on."""
    _decide(config, who, "merge", keep, other_story_id=other)
    now = _current(config, keep)
    typer.echo(escape(f"{other} is part of {now.id} now: {_line_of(now)}"))


@app.command()
def split(
    story: StoryId,
    article: Annotated[str, typer.Argument(help="The article that leaves, as `story ID` shows.")],
    config: ConfigFile = None,
    who: Who = "",
) -> None:
    """Split an article off into a story of its own, which later articles like it join."""
    _decide(config, who, "split", story, article_id=article)
    now = _current(config, story)
    typer.echo(escape(f"{article} has left {now.id}: {_line_of(now)}"))
    began = [mark.story for mark in _with_line(config, lambda line: line.marks(now.id, article))]
    if began:
        new = _current(config, began[-1])
        typer.echo(escape(f"its own story is {new.id}: {_line_of(new)}"))


@app.command()
def mute(story: StoryId, config: ConfigFile = None, who: Who = "") -> None:
    """Nothing of the story rings any more, anywhere; articles still join it."""
    _decide(config, who, "mute", story)
    typer.echo(escape(f"muted: {_line_of(_current(config, story))}"))


@app.command()
def unmute(story: StoryId, config: ConfigFile = None, who: Who = "") -> None:
    """The story rings again, and tells what came while it was muted."""
    _decide(config, who, "unmute", story)
    typer.echo(escape(f"rings again: {_line_of(_current(config, story))}"))


@app.command("replay-corrections")
def replay_corrections(
    config: ConfigFile = None,
    days: Annotated[float, typer.Option(min=0, help="Of how many last days.")] = 7,
) -> None:
    """Do again, from Kafka topic feedback, what editors did to stories: after Redis was emptied
    and the sources have been read anew. What is done already stays as it is.
    """

    async def replay(line: _Line) -> list[str]:
        since = datetime.now(UTC) - timedelta(days=days)
        kept = await asyncio.to_thread(corrections_in_kafka, line.settings.kafka, since)
        return [await again(line.desk, one) for one in kept]

    outcomes = _with_line(config, replay, PATIENCE_WITH_KAFKA_S)
    for outcome in outcomes:
        typer.echo(escape(outcome))
    typer.echo(f"{len(outcomes)} corrections were there to be done again")


@app.command("corrections")
def list_corrections(config: ConfigFile = None) -> None:
    """Print what editors did to stories, a record a line, as `backtest --corrections` reads."""
    start = datetime.fromtimestamp(0, UTC)
    for correction in structural(_with_line(config, lambda line: line.kept.since(start))):
        typer.echo(encode_feedback(correction))


class _Line:
    """A line's Redis, opened for one command."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        window_s = settings.newsroom.window_hours * 3600
        keys = Keys(settings.redis.prefix)
        self.settings = settings
        self.languages = settings.newsroom.languages
        self.kept = FeedbackStore(redis, keys)
        self.stories = Stories(redis, keys, window_s, self.languages)
        self.desk: EditorDesk = open_editor_desk(redis, keys, window_s, self.languages)

    async def marks(self, story: str, article: str) -> list[Any]:
        """The marks by which an article left a story, oldest first."""
        marks = [entry.mark for entry in await self.stories.entries(story)]
        return [mark for mark in marks if mark and mark.kind == "left" and mark.words == article]

    async def current(self, story_id: str) -> Story | None:
        """The story that this one is part of now, at its latest revision."""
        steps = await self.stories.steps(await self.stories.current(story_id) or story_id)
        return steps[-1].folded.story if steps else None


def _decide(
    config: Path | None,
    who: str,
    verdict: Choice,
    story: str,
    *,
    other_story_id: str = "",
    article_id: str = "",
) -> None:
    name = who or getpass.getuser()

    async def decide(line: _Line) -> None:
        made = await line.desk.feedback(
            verdict,
            story,
            who=name,
            via="command",
            other_story_id=other_story_id,
            article_id=article_id,
        )
        await line.desk.take(made)

    _with_line(config, decide)


def _current(config: Path | None, story_id: str) -> Story:
    story = _with_line(config, lambda line: line.current(story_id))
    if story is None:
        _fail(f"there is no story {escape(story_id)!r}; it may be older than Redis keeps")
    return story


def _line_of(story: Story) -> str:
    flags = [flag for flag, on in (("muted", story.muted), ("withdrawn", story.withdrawn)) if on]
    about = ", ".join(topic.label for topic in story.topics[:2])
    return "  ".join(
        part
        for part in (
            story.id,
            f"{story.last_seen:%Y-%m-%d %H:%M} UTC",
            _counted(story.article_count, "article"),
            _counted(len(story.reports), "publisher"),
            f"revision {story.revision}",
            *flags,
            f"{story.headline} ({about})",
        )
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _with_line(
    config: Path | None, ask: Callable[[_Line], Awaitable[_T]], patience_s: float = PATIENCE_S
) -> _T:
    """Ask the configured line; a fault outside is one line, not a traceback."""
    logs.configure("WARNING", "story")
    logging.getLogger("redis").setLevel(logging.CRITICAL)
    try:
        settings = load_settings(config)
    except SettingsError as error:
        _fail("\n".join(error.faults))

    async def run() -> _T:
        redis = connect_redis(settings.redis.url.get_secret_value())
        try:
            async with asyncio.timeout(patience_s):
                return await ask(_Line(settings, redis))
        finally:
            await redis.aclose()

    try:
        return asyncio.run(run())
    except CannotTakeError as error:
        _fail(str(error))
    except (RedisError, ValueError) as error:
        _fail(f"Redis: {error}")
    except TimeoutError:
        _fail(f"Redis does not answer within {patience_s:.0f} s; nothing is known to be done")
    except KafkaAwayError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(f"wirebell story: {message}", err=True)
    raise typer.Exit(1)
