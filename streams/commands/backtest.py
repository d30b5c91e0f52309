"""`wirebell backtest`: what a file of articles would have rung, without ringing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
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
from streams.backtest_summary import LARGEST, show_corrections, show_rehearsal, show_summary
from streams.commands.options import ConfigFile
from streams.correction_labels import judge_corrections
from streams.corrections import corrections_in_file, structural
from streams.embedded import EmbeddedError, EmbeddedRedis
from streams.feedback import Feedback
from streams.feedback_store import FeedbackStore
from streams.keys import Keys
from streams.live_model import LiveModel, open_last_model
from streams.logs import escape
from streams.redis_client import connect_redis
from streams.rehearsal import Rehearsal
from streams.screening import Model, Screened
from streams.settings import Settings, SettingsError, load_settings
from streams.stories import Decision, Stories
from streams.subscriptions import Threshold

MAX_COMPLAINTS = 20


def command(  # noqa: PLR0917 - typer makes the options from it
    articles: Annotated[Path, typer.Argument(help="JSON lines: id, title, text, date; or .gz.")],
    out: Annotated[Path, typer.Option(help="Where the decisions go, in the order of the input.")],
    config: ConfigFile = None,
    window_hours: Annotated[
        float | None, typer.Option(min=1, help="How long a story stays open; else as configured.")
    ] = None,
    all_articles: Annotated[
        bool, typer.Option(help="Join articles without a topic too, to judge the joining alone.")
    ] = False,
    subscription: Annotated[
        str, typer.Option(help="Show what this one would have been told, by its id.")
    ] = "",
    corrections: Annotated[
        str,
        typer.Option(
            help="Judge by what editors merged and split: a file of Kafka topic feedback (JSON"
            ' lines), or "kept": what the configured Redis keeps.'
        ),
    ] = "",
) -> None:
    """Run the line's decisions over a file in event time. Sends nothing, keeps nothing."""
    console = Console(stderr=True)
    account = Account()
    try:
        settings = load_settings(config)
        model = LiveModel(open_last_model(settings))
        rehearsal = _rehearsal(settings, subscription, model.default_threshold)
        corrected = _corrections(settings, corrections)
        account.joined = [] if corrections else None
        rows = read_rows(articles, lambda line, why: _complain(console, account, line, why))
        window_s = (window_hours or settings.newsroom.window_hours) * 3600
        screener = EveryTopic(model) if all_articles else model
        run = _Run(screener, account, window_s, settings.newsroom.languages, rehearsal)
        with out.open("w", encoding="utf-8") as written:
            answers = run.whole(rows, settings.redis.url.get_secret_value(), console)
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
    if account.joined is not None:
        show_corrections(Console(), judge_corrections(corrected, account.joined))


@dataclass(frozen=True, slots=True)
class _Run:
    """One backtest: who screens, who counts, and how stories are kept."""

    model: Model
    account: Account
    window_s: float
    languages: tuple[str, ...]
    rehearsal: Rehearsal | None

    def whole(self, rows: Sequence[Row], redis_url: str, console: Console) -> dict[int, str]:
        """Decide on every row; the output lines by line number of the input."""
        with _private_redis(redis_url) as (url, prefix), _progress(console) as progress:
            return asyncio.run(self._decided(rows, url, prefix, progress))

    async def _decided(
        self, rows: Sequence[Row], url: str, prefix: str, progress: Progress
    ) -> dict[int, str]:
        redis = connect_redis(url)
        task = progress.add_task("articles", total=len(rows))
        answers: dict[int, str] = {}
        account = self.account
        try:
            stories = Stories(redis, Keys(prefix), self.window_s, self.languages)
            for batch in batches(rows):
                for row, screened, decision in await decide(batch, self.model, stories):
                    account.add(row, screened, decision)
                    if self.rehearsal is not None and decision.alert and not decision.repeated:
                        self.rehearsal.add(decision.alert, row.at)
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


def _corrections(settings: Settings, named: str) -> list[Feedback]:
    """What editors did to stories, from a file or as the configured Redis keeps it."""
    if named != "kept":
        return corrections_in_file(Path(named)) if named else []

    async def read() -> list[Feedback]:
        redis = connect_redis(settings.redis.url.get_secret_value())
        try:
            store = FeedbackStore(redis, Keys(settings.redis.prefix))
            return structural(await store.since(datetime.fromtimestamp(0, UTC)))
        finally:
            await redis.aclose()

    return asyncio.run(read())


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
