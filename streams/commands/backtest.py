"""`wirebell backtest`: what a file of articles would have rung, without ringing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from classifiers.model import ArtifactError
from streams.backtest import (
    Account,
    EveryTopic,
    Row,
    batches,
    decide,
    output_kind,
    read_rows,
)
from streams.embedded import EmbeddedError, EmbeddedRedis
from streams.keys import Keys
from streams.live_model import LiveModel, open_last_model
from streams.logs import escape
from streams.material import LABELS
from streams.redis_client import connect_redis
from streams.rehearsal import Rehearsal
from streams.screening import Model, Screened
from streams.settings import Settings, SettingsError, load_settings
from streams.stories import Decision, Stories
from streams.subscriptions import Threshold

LARGEST, SAMPLES = 10, 10
MAX_COMPLAINTS = 20
MAX_RINGS = 50


def command(  # noqa: PLR0917 - typer makes the options from it
    articles: Annotated[Path, typer.Argument(help="JSON lines: id, title, text, date; or .gz.")],
    out: Annotated[Path, typer.Option(help="Where the decisions go, in the order of the input.")],
    config: Annotated[Path | None, typer.Option(help="Another configuration.")] = None,
    window_hours: Annotated[
        float | None, typer.Option(min=1, help="How long a story stays open; else as configured.")
    ] = None,
    all_articles: Annotated[
        bool, typer.Option(help="Join articles without a topic too, to judge the joining alone.")
    ] = False,
    subscription: Annotated[
        str, typer.Option(help="Show what this one would have been told, by its id.")
    ] = "",
) -> None:
    """Run the line's decisions over a file in event time. Sends nothing, keeps nothing."""
    console = Console(stderr=True)
    account = Account()
    try:
        settings = load_settings(config)
        model = LiveModel(open_last_model(settings))
        rehearsal = _rehearsal(settings, subscription, model.default_threshold)
        rows = read_rows(articles, lambda line, why: _complain(console, account, line, why))
        window_s = (window_hours or settings.newsroom.window_hours) * 3600
        screener = EveryTopic(model) if all_articles else model
        with (
            out.open("w", encoding="utf-8") as written,
            _private_redis(settings.redis.url.get_secret_value()) as (url, prefix),
            _progress(console) as progress,
        ):
            run = _run(
                rows,
                screener,
                account,
                url=url,
                prefix=prefix,
                window_s=window_s,
                languages=settings.newsroom.languages,
                progress=progress,
                rehearsal=rehearsal,
            )
            answers = asyncio.run(run)
            written.writelines(answers[row.line] for row in rows)
    except SettingsError as error:
        _fail(console, "\n".join(error.faults))
    except RedisError as error:
        _fail(console, f"Redis: {error}")
    except (ArtifactError, EmbeddedError, OSError, EOFError, ValueError, zlib.error) as error:
        _fail(console, str(error))
    show_summary(Console(), account)
    if rehearsal is not None:
        show_rehearsal(Console(), rehearsal)


async def _run(
    rows: Sequence[Row],
    model: Model,
    account: Account,
    *,
    url: str,
    prefix: str,
    window_s: float,
    languages: tuple[str, ...],
    progress: Progress,
    rehearsal: Rehearsal | None = None,
) -> dict[int, str]:
    """Decide on every row; the output lines by line number of the input."""
    redis = connect_redis(url)
    task = progress.add_task("articles", total=len(rows))
    answers: dict[int, str] = {}
    try:
        stories = Stories(redis, Keys(prefix), window_s, languages)
        for batch in batches(rows):
            for row, screened, decision in await decide(batch, model, stories):
                account.add(row, decision)
                if rehearsal is not None and decision.alert and not decision.repeated:
                    rehearsal.add(decision.alert, row.at)
                answers[row.line] = _answer(row, screened, decision)
            progress.advance(task, len(batch))
        for story_id, _ in account.sizes.most_common(LARGEST):
            steps = await stories.steps(story_id)
            account.stories[story_id] = steps[-1].folded.story
    finally:
        await _clear(redis, prefix)
        await redis.aclose()
    return answers


def _rehearsal(settings: Settings, subscription_id: str, threshold: Threshold) -> Rehearsal | None:
    """The rehearsal of the subscription named; None when none is.

    Raises:
        ValueError: there is no such subscription.
    """
    if not subscription_id:
        return None
    for entry in settings.subscriptions:
        if entry.id == subscription_id:
            return Rehearsal(entry, threshold)
    known = ", ".join(entry.id for entry in settings.subscriptions)
    raise ValueError(f"there is no subscription {subscription_id!r}; known: {known or 'none'}")


def _answer(row: Row, screened: Screened, decision: Decision) -> str:
    answer = {
        "id": row.identity,
        "chosen": list(screened.chosen),
        "story": decision.story_id,
        "decision": output_kind(decision),
    }
    return json.dumps(answer, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def _private_redis(configured: str) -> Iterator[tuple[str, str]]:
    """The URL of a Redis and the prefix of a line of our own: an embedded one, else the
    configured one with a prefix that is thrown away.
    """
    prefix = f"backtest-{secrets.token_hex(6)}"
    with tempfile.TemporaryDirectory(prefix="wirebell-backtest-") as directory:
        embedded = EmbeddedRedis(Path(directory))
        try:
            embedded.start()
        except EmbeddedError:
            yield configured, prefix
            return
        try:
            yield embedded.url, prefix
        finally:
            embedded.stop()


async def _clear(redis: Redis, prefix: str) -> None:
    """Take our keys out again; a Redis that is away by now lets them expire."""
    with contextlib.suppress(RedisError):
        batch = []
        async for key in redis.scan_iter(match=f"{{{prefix}}}:*", count=1000):
            batch.append(key)
            if len(batch) == 1000:
                await redis.unlink(*batch)
                batch = []
        if batch:
            await redis.unlink(*batch)


def show_summary(console: Console, account: Account) -> None:
    """Print what would have rung: counts, alerts a day by topic, largest stories, samples."""
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(account.decisions.items()))
    rung = sum(day["all"] for day in account.alerts.values())
    console.print(
        f"{account.decisions.total()} articles: {counts or 'none'}; {len(account.sizes)} stories, "
        f"{rung} alerts" + (f"; {account.broken} broken rows left out" if account.broken else ""),
        highlight=False,
    )
    if account.alerts:
        console.print(_days(account))
        console.print(_stories("Largest stories", account.sizes.most_common(LARGEST), account))
        console.print(_stories(f"{SAMPLES} samples", _samples(account), account))


def show_rehearsal(console: Console, rehearsal: Rehearsal) -> None:
    """Print what one subscription would have been told, in the order of time."""
    counts = rehearsal.counts()
    held = f", {counts['waits']} held back for the morning or a digest" if counts["waits"] else ""
    over = f", {counts['beyond']} beyond the cap of an hour" if counts["beyond"] else ""
    console.print(
        f"Subscription {rehearsal.subscription.id}: {counts['rings']} rings{held}{over}, "
        f"{counts['grows']} told of growth; {rehearsal.passed} alerts that it does not ask for",
        highlight=False,
    )
    rings = [told for told in rehearsal.told if told.part != "grows"]
    if not rings:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("when", "", "priority"):
        table.add_column(heading, no_wrap=True)
    table.add_column("headline and topics", no_wrap=True, overflow="ellipsis", ratio=1)
    for told in rings[:MAX_RINGS]:
        story = told.alert.story
        topics = ", ".join(topic.label for topic in story.topics[:3])
        headline = Text(escape(f"{story.headline} ({topics})"))
        table.add_row(f"{told.at:%Y-%m-%d %H:%M}", told.part, told.alert.priority, headline)
    console.print(table)
    if len(rings) > MAX_RINGS:
        console.print(f"and {len(rings) - MAX_RINGS} more")


def _days(account: Account) -> Table:
    """Alerts a day: all, of new stories, and by topic (a story may have several)."""
    totals = Counter[str]()
    for day in account.alerts.values():
        totals.update(day)
    topics = [topic for topic, _ in totals.most_common() if topic not in {"all", "new"}]
    table = Table(title="Alerts a day", box=None, pad_edge=False)
    table.add_column("topic")
    for heading in ("a day", "most on one day", "in all"):
        table.add_column(heading, justify="right")
    first, last = min(account.alerts), max(account.alerts)
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    names = {"all": "all alerts", "new": "new stories"}
    for topic in ("all", "new", *topics):
        most = max(day[topic] for day in account.alerts.values())
        name = names.get(topic) or LABELS.get(topic, topic)
        table.add_row(name, f"{totals[topic] / days:.1f}", str(most), str(totals[topic]))
    return table


def _stories(title: str, chosen: Sequence[tuple[str, int]], account: Account) -> Table:
    table = Table(title=title, box=None, pad_edge=False)
    table.add_column("story", no_wrap=True, min_width=12)
    for heading in ("articles", "publishers", "revision"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    table.add_column("headline and topics", no_wrap=True, overflow="ellipsis", ratio=1)
    for story_id, size in chosen:
        story = account.stories[story_id]
        topics = ", ".join(topic.label for topic in story.topics[:3])
        numbers = (str(size), str(len(story.reports)), str(story.revision))
        table.add_row(story_id, *numbers, Text(escape(f"{story.headline} ({topics})")))
    return table


def _samples(account: Account) -> list[tuple[str, int]]:
    """Stories at even steps through the file, so that they show what is usual."""
    told = [story_id for story_id in account.sizes if story_id in account.stories]
    step = max(1, len(told) // SAMPLES)
    return [(story_id, account.sizes[story_id]) for story_id in told[::step][:SAMPLES]]


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _complain(console: Console, account: Account, line: int, why: str) -> None:
    account.broken += 1
    if account.broken <= MAX_COMPLAINTS:
        console.print(Text(escape(f"line {line}: {why}; left out")), soft_wrap=True)
    elif account.broken == MAX_COMPLAINTS + 1:
        console.print("more broken rows follow; they are counted", soft_wrap=True)


def _fail(console: Console, message: str) -> NoReturn:
    console.print(Text(escape(f"wirebell backtest: {message}")), soft_wrap=True)
    raise typer.Exit(1)
