"""`wirebell dead-letters`: what could not be processed; why; and another try for it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
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
from streams.settings import KafkaSettings, Settings, SettingsError, load_settings
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
    """List dead letters, oldest first: id, time, stage, reason, attempts, origin, detail."""
    _, letters = _read(config, _choice(stage, reason, None))
    for letter in letters:
        typer.echo(logs.escape(_line(letter)))
    counts = Counter(f"{letter.stage} {letter.reason}" for letter in letters)
    summary = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    typer.echo(f"{len(letters)} dead letters" + (f": {summary}" if summary else ""), err=True)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(help="The id, or how it begins.")],
    config: ConfigFile = None,
) -> None:
    """Show one dead letter with the record as it came, as text, unprintable bytes escaped."""
    kafka, letters = _read(config, _choice(None, None, [letter_id]))
    if not letters:
        typer.echo(f"there is no dead letter {letter_id}", err=True)
        raise typer.Exit(1)
    for letter in letters:
        typer.echo(logs.escape(_line(letter)))
        typer.echo(
            f"goes back to: {way_back(letter, kafka) or 'nowhere, it was not whole in Kafka'}"
        )
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
    dry_run: Annotated[bool, typer.Option(help="Only say what would be done.")] = False,
    config: ConfigFile = None,
    stage: StageOption = None,
    reason: ReasonOption = None,
) -> None:
    """Send dead letters back to the Kafka topics they came from. May be repeated: what was
    settled meanwhile is recognised.
    """
    if not ids and not all_letters:
        typer.echo("name ids, or say --all", err=True)
        raise typer.Exit(2)
    kafka, letters = _read(config, _choice(stage, reason, ids))
    back = [letter for letter in letters if way_back(letter, kafka)]
    for letter in letters:
        where = way_back(letter, kafka)
        said = f"to {where}" if where else "stays: it was not whole in Kafka"
        typer.echo(logs.escape(f"{letter.id} {letter.stage} {letter.reason} {said}"))
    if not dry_run:
        try:
            count = asyncio.run(_replay(kafka, back))
        except KafkaAwayError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        typer.echo(f"{count} replayed, {len(letters) - count} stay", err=True)
    if ids and not letters:
        typer.echo("no dead letter matches", err=True)
        raise typer.Exit(1)


async def _replay(kafka: KafkaSettings, letters: list[DeadLetter]) -> int:
    """Send them back, with a bar for a person at a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("replaying", total=len(letters))
        return await replay(kafka, letters, lambda count: bar.advance(task, count))


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


def _read(config: Path | None, choice: Choice) -> tuple[KafkaSettings, list[DeadLetter]]:
    settings = _settings(config)
    logs.configure("WARNING", "dead-letters")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it means for us we say ourselves
    try:
        return settings.kafka, read_dead_letters(settings.kafka, choice)
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


def _line(letter: DeadLetter) -> str:
    at = letter.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    counted = f"{letter.attempts} attempt{'s' if letter.attempts != 1 else ''}"
    return (
        f"{letter.id} {at} {letter.stage} {letter.reason} {counted} {letter.origin} {letter.detail}"
    )
