"""`wirebell dead-letters`: what could not be processed; why; and another try for it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from streams import logs
from streams.commands.options import ConfigFile
from streams.dead_letter_box import Choice, read_dead_letters, replay, way_back
from streams.dead_letters import REASONS, STAGES, DeadLetter
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.replay_marks import ReplayMarks
from streams.settings import Settings, SettingsError, load_settings
from streams.stoppage import Stoppage
from streams.topic_setup import KafkaAwayError

app = typer.Typer(no_args_is_help=True, add_completion=False)

StageOption = Annotated[
    list[str] | None, typer.Option("--stage", help=f"One of {', '.join(STAGES)}.")
]
ReasonOption = Annotated[
    list[str] | None, typer.Option("--reason", help=f"One of {', '.join(REASONS)}.")
]
# A terminal's width of the raw record.
SHOWN_CHARS = 4_000


@app.callback()
def _dead_letters() -> None:
    """List, show and replay dead letters."""


@app.command("list")
def list_letters(
    config: ConfigFile = None, stage: StageOption = None, reason: ReasonOption = None
) -> None:
    """List dead letters, oldest first: id, time, stage, reason, attempts, when it was last
    replayed, origin, detail.
    """
    settings, letters = _read(config, _choice(stage, reason, None))
    replayed = _replayed(settings, letters)
    for letter in letters:
        typer.echo(logs.escape(_line(letter, replayed.get(letter.id))))
    counts = Counter(f"{letter.stage} {letter.reason}" for letter in letters)
    summary = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    typer.echo(f"{len(letters)} dead letters" + (f": {summary}" if summary else ""), err=True)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(help="The id, or how it begins.")],
    config: ConfigFile = None,
) -> None:
    """Show one dead letter with the record as it came, as text, unprintable bytes escaped."""
    settings, letters = _read(config, _choice(None, None, [letter_id]))
    if not letters:
        typer.echo(f"there is no dead letter {letter_id}", err=True)
        raise typer.Exit(1)
    replayed = _replayed(settings, letters)
    for letter in letters:
        typer.echo(logs.escape(_line(letter, replayed.get(letter.id))))
        where = way_back(letter, settings.kafka) or "nowhere, it was not whole in Kafka"
        typer.echo(f"goes back to: {where}")
        typer.echo(f"key: {logs.escape(letter.key.decode('utf-8', 'backslashreplace'))}")
        text = letter.raw.decode("utf-8", "backslashreplace")
        typer.echo(logs.escape(text[:SHOWN_CHARS]))
        if letter.cut or len(text) > SHOWN_CHARS:
            typer.echo(f"... {len(letter.raw)} bytes kept", err=True)


@app.command("replay")
def replay_letters(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids, or how they begin.")] = None,
    *,
    all_letters: Annotated[bool, typer.Option("--all", help="Every one that matches.")] = False,
    again: Annotated[bool, typer.Option(help="Those too that were replayed before.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be done.")] = False,
    config: ConfigFile = None,
    stage: StageOption = None,
    reason: ReasonOption = None,
) -> None:
    """Send dead letters back to the Kafka topics they came from. One that was sent back before
    stays, unless --again asks for it: what is left of it would be another dead letter.
    """
    if not ids and not all_letters:
        typer.echo("name ids, or say --all", err=True)
        raise typer.Exit(2)
    settings, letters = _read(config, _choice(stage, reason, ids))
    replayed = {} if again else _replayed(settings, letters)
    back = []
    for letter in letters:
        where = way_back(letter, settings.kafka)
        said = f"to {where}" if where else "stays: it was not whole in Kafka"
        if where and letter.id in replayed:
            said = f"stays: replayed {_moment(replayed[letter.id])}; --again does it once more"
        elif where:
            back.append(letter)
        typer.echo(logs.escape(f"{letter.id} {letter.stage} {letter.reason} {said}"))
    if not dry_run:
        try:
            count = asyncio.run(_replay(settings, back))
        except KafkaAwayError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        typer.echo(f"{count} replayed, {len(letters) - count} stay", err=True)
    if ids and not letters:
        typer.echo("no dead letter matches", err=True)
        raise typer.Exit(1)


async def _replay(settings: Settings, letters: list[DeadLetter]) -> int:
    """Send them back and mark them, with a bar for a person at a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn())
    async with _open_marks(settings) as marks:
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("replaying", total=len(letters))

            async def done(some: Sequence[DeadLetter]) -> None:
                bar.advance(task, len(some))
                try:
                    await marks.note([letter.id for letter in some])
                except RedisError as error:
                    said = f"not marked as replayed, Redis is away: {error}"
                    typer.echo(logs.escape(said), err=True)

            return await replay(settings.kafka, letters, done)


def _replayed(settings: Settings, letters: Sequence[DeadLetter]) -> Mapping[str, datetime]:
    """When which of them were replayed; what Redis cannot say is not known."""

    async def ask() -> Mapping[str, datetime]:
        async with _open_marks(settings) as marks:
            return await marks.known([letter.id for letter in letters])

    try:
        return asyncio.run(ask())
    except RedisError as error:
        said = f"which were replayed before is not known, Redis is away: {error}"
        typer.echo(logs.escape(said), err=True)
        return {}


@asynccontextmanager
async def _open_marks(settings: Settings) -> AsyncIterator[ReplayMarks]:
    redis = connect_redis(settings.redis.url.get_secret_value())
    try:
        yield ReplayMarks(redis, Keys(settings.redis.prefix))
    finally:
        await redis.aclose()


@app.command("go-on")
def go_on(config: ConfigFile = None) -> None:
    """Let workers go on at once, after one stopped because everything became a dead letter."""
    settings = _settings(config)

    async def run() -> bool:
        redis = connect_redis(settings.redis.url.get_secret_value())
        try:
            return await Stoppage(redis, Keys(settings.redis.prefix)).go_on()
        finally:
            await redis.aclose()

    try:
        waited = asyncio.run(run())
    except RedisError as error:
        typer.echo(logs.escape(f"Redis cannot be asked: {error}"), err=True)
        raise typer.Exit(1) from None
    typer.echo("workers go on" if waited else "no worker waits")


def _choice(stage: list[str] | None, reason: list[str] | None, ids: list[str] | None) -> Choice:
    for given, known in ((stage, STAGES), (reason, REASONS)):
        unknown = [name for name in given or () if name not in known]
        if unknown:
            typer.echo(f"{', '.join(unknown)}: not one of {', '.join(known)}", err=True)
            raise typer.Exit(2)
    return Choice(tuple(stage or ()), tuple(reason or ()), tuple(ids or ()))


def _read(config: Path | None, choice: Choice) -> tuple[Settings, list[DeadLetter]]:
    settings = _settings(config)
    logs.configure("WARNING", "dead-letters")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it means for us we say ourselves
    try:
        return settings, read_dead_letters(settings.kafka, choice)
    except KafkaAwayError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _settings(config: Path | None) -> Settings:
    try:
        return load_settings(config)
    except SettingsError as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(2) from None


def _line(letter: DeadLetter, replayed_at: datetime | None) -> str:
    counted = f"{letter.attempts} attempt{'s' if letter.attempts != 1 else ''}"
    if replayed_at is not None:
        counted += f" replayed {_moment(replayed_at)}"
    return (
        f"{letter.id} {_moment(letter.at)} {letter.stage} {letter.reason} {counted}"
        f" {letter.origin} {letter.detail}"
    )


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
