"""`wirebell story`: how a story came about, article by article."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from redis.exceptions import RedisError

from classifiers.similarity import cosine, fingerprints, shared_words
from connectors.records import Story
from streams.entries import Member
from streams.facts import Facts
from streams.keys import Keys
from streams.logs import escape
from streams.redis_client import connect_redis
from streams.settings import Settings, SettingsError, load_settings
from streams.stories import Stories
from streams.story import Step


def command(
    story: Annotated[str, typer.Argument(help="The story's id, as alerts and backtests show it.")],
    config: Annotated[Path | None, typer.Option(help="Another configuration.")] = None,
) -> None:
    """Print each article of a story: why it joined, and whether that rang."""
    try:
        settings = load_settings(config)
        members, steps = asyncio.run(_fetch(settings, story))
    except SettingsError as error:
        _fail("\n".join(error.faults))
    except (RedisError, ValueError) as error:
        _fail(f"Redis: {error}")
    if not steps:
        _fail(f"there is no story {escape(story)!r}; it may be older than Redis keeps")
    for line in tell(members, steps):
        typer.echo(line)


def tell(members: list[Member], steps: list[Step]) -> Iterator[str]:
    """The lines that tell a story: what it is now, then how each article joined."""
    yield from _now(steps[-1].folded.story)
    earlier: list[Facts] = []
    for member, step in zip(members, steps, strict=True):
        score, facts = member.score, member.facts
        place = "" if not facts.places else f" [{facts.places[0].name}]"
        title = facts.title or facts.summary[:80] or facts.article_id
        at = f"{facts.reported_at:%Y-%m-%d %H:%M}"
        yield escape(f"{at}  {facts.publisher}: {title}{place}")
        yield escape(f"    {_why(score, facts, earlier)}")
        if step.alert is not None:
            told = step.alert
            changes = "; ".join(told.story.changes)
            yield escape(
                f"    revision {told.story.revision}, {told.kind}, {told.priority} "
                f"({told.priority_reason}): {changes}"
            )
        if not facts.copy:
            earlier.append(facts)


def _now(story: Story) -> Iterator[str]:
    topics = ", ".join(f"{topic.label} {topic.probability:.2f}" for topic in story.topics)
    yield escape(f"{story.id}  revision {story.revision}: {story.headline}")
    yield escape(f"  topics: {topics}")
    places = ", ".join(f"{place.name} ({place.country})" for place in story.places)
    yield escape(f"  places: {places or 'none'}")
    tolls = ", ".join(f"{toll.number} {toll.kind} ({toll.publisher})" for toll in story.tolls)
    yield escape(f"  numbers: {tolls or 'none'}")
    yield escape(
        f"  {story.article_count} articles, {len(story.reports)} independent publishers: "
        + ", ".join(report.publisher for report in story.reports)
    )
    yield ""


def _why(score: float, facts: Facts, earlier: list[Facts]) -> str:
    """Why an article is a member, with the words it shares with the nearest one before it."""
    if facts.copy:
        return f"copy of an earlier text (likeness {score:.2f})"
    if not earlier:
        return "began the story"
    if any(one.article_id == facts.article_id for one in earlier):
        return f"the same article again, changed ({facts.status})"
    texts = [(one.title, one.summary) for one in (*earlier, facts)]
    places = [[(p.name, p.country, p.is_country) for p in one.places] for one in (*earlier, facts)]
    spoken = [one.language[:2].lower() for one in (*earlier, facts)]
    *others, mine = fingerprints(texts, places, spoken, [one.tolls for one in (*earlier, facts)])
    nearest = max(range(len(others)), key=lambda at: cosine(mine, others[at]))
    languages = (spoken[-1], spoken[nearest])
    words = ", ".join(shared_words(texts[-1], texts[nearest], languages)) or "only places"
    both = {place.name for place in facts.places} & {p.name for p in earlier[nearest].places}
    shared = f"; places: {', '.join(sorted(both))}" if both else ""
    return f"joined (likeness {score:.2f}) by: {words}{shared}"


async def _fetch(settings: Settings, story_id: str) -> tuple[list[Member], list[Step]]:
    redis = connect_redis(settings.redis.url.get_secret_value())
    try:
        newsroom = settings.newsroom
        stories = Stories(
            redis, Keys(settings.redis.prefix), newsroom.window_hours * 3600, newsroom.languages
        )
        return await stories.members(story_id), await stories.steps(story_id)
    finally:
        await redis.aclose()


def _fail(message: str) -> NoReturn:
    typer.echo(f"wirebell story: {message}", err=True)
    raise typer.Exit(1)
