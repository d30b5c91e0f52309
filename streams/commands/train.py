"""`wirebell train`: labelled reports, or what editors have said, to a model."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from classifiers import (
    artifact,
    cards,
    course,
    language,
    language_training,
    reader,
    teaching,
    train,
)
from classifiers.course import CourseError
from classifiers.examples import ExampleError, read_directory
from classifiers.lessons import lessons_of
from classifiers.own_topics import OwnTopicError
from classifiers.reader import Reader
from classifiers.topics import TOPICS
from streams.commands.options import ConfigFile
from streams.logs import escape
from streams.model_files import SHIPPED_RECORD, ModelFileError
from streams.model_records import ModelRecord
from streams.models import learned_from
from streams.newsroom_training import (
    NothingToLearnError,
    Training,
    scores_of,
    second_reading,
    train_newsroom,
)
from streams.redis_client import connect_redis
from streams.settings import Settings, SettingsError, load_settings

_DATA = Path("../shared/data/topics")


def command(  # noqa: PLR0917 - each is an option
    with_feedback: Annotated[
        bool,
        typer.Option(
            "--with-feedback",
            help="Learn the editors' verdicts and the newsroom's own topics; needs no data.",
        ),
    ] = False,
    promote: Annotated[
        bool, typer.Option(help="Bring the model into force if it is no worse.")
    ] = True,
    config: ConfigFile = None,
    data: Annotated[Path, typer.Option(help="Directory with the labelled files.")] = _DATA,
    out: Annotated[Path | None, typer.Option(help="Where the model goes; else it ships.")] = None,
    before: Annotated[
        str, typer.Option(help="Learn only from reports dated before this day (ISO 8601).")
    ] = "",
    aim_precision: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.99, help="Thresholds for this precision; else the best F1."),
    ] = None,
    earlier_reader: Annotated[
        Path | None,
        typer.Option(
            help="A slow reader that learned only what is before 2023, to judge on what is after."
        ),
    ] = None,
    card: Annotated[
        Path | None, typer.Option(help="Measure and write the model card here (a minute).")
    ] = None,
    languages: Annotated[
        bool, typer.Option("--languages", help="Train the language identifier instead.")
    ] = False,
) -> None:
    """Train from what editors have said (--with-feedback), or on every labelled report in a
    directory: that makes the model that ships.
    """
    if with_feedback:
        _train_newsroom(config, promote=promote)
        return
    try:
        if languages:
            told = _train_languages(data, out or language.MODEL_FILE)
        elif out is None and not before:
            recipe = train.Recipe(aim_precision=aim_precision)
            told = _train_shipped(data, recipe, card, earlier_reader)
        else:
            told = _train_topics(data, out or artifact.SHIPPED, before, aim_precision, card)
    except (ExampleError, OSError, ValueError) as err:
        typer.echo(f"wirebell train: {err}", err=True)
        if isinstance(err, ExampleError) and data == _DATA:
            typer.echo("A newsroom trains with --with-feedback, which needs no data.", err=True)
        raise typer.Exit(1) from err
    typer.echo(told)


def _train_newsroom(config: Path | None, *, promote: bool) -> None:
    for library in ("kafka", "redis"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        training = asyncio.run(_learn(load_settings(config), promote=promote))
    except SettingsError as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(2) from None
    except OwnTopicError as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(2) from None
    except RedisError as error:
        typer.echo(f"wirebell train: Redis is away: {error}", err=True)
        raise typer.Exit(1) from None
    except (NothingToLearnError, CourseError, ModelFileError, OSError, ValueError) as error:
        typer.echo(f"wirebell train: {error}", err=True)
        raise typer.Exit(1) from None
    for line in told(training):
        typer.echo(escape(line))
    if training.record.refusals:
        raise typer.Exit(3)


async def _learn(settings: Settings, *, promote: bool) -> Training:
    redis = connect_redis(settings.redis.url.get_secret_value())
    lessons = course.load()
    try:
        with _bar(teaching.steps(lessons)) as done:
            who = getpass.getuser()
            return await train_newsroom(settings, redis, who, lessons, promote=promote, done=done)
    finally:
        await redis.aclose()


@contextlib.contextmanager
def _bar(steps: int) -> Iterator[Callable[[], None]]:
    """A bar for a person at a terminal; gives what to call after each step."""
    console = Console(stderr=True)
    columns = (TextColumn("training"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=steps)
        yield lambda: bar.advance(task)


def told(training: Training) -> list[str]:
    """What came of it, in words."""
    record, heard = training.record, training.heard
    lines = [*training.told, f"model {record.version} learned {learned_from(record)}"]
    lines += [f"left out: {why}" for why in heard.left_out]
    lines.append(f"compared with {record.against or 'the model that ships'}:")
    lines += [f"  {change}" for change in record.changes]
    if record.refusals:
        lines.append("refused:")
        lines += [f"  {refusal}" for refusal in record.refusals]
        lines.append(
            f"the model before stays in force; wirebell models promote {record.version} --force "
            '"REASON" takes it all the same'
        )
    elif training.promoted:
        lines.append("promoted: no worse on any of them; workers take it within seconds")
    else:
        lines.append(f"ready: wirebell models promote {record.version}")
    return lines


def _train_shipped(
    data: Path, recipe: train.Recipe, card: Path | None, earlier: Path | None
) -> str:
    """Train the model that ships, and write the course beside it."""
    shipped = reader.shipped()
    lessons = course.build(data, recipe, shipped, Reader.load(earlier) if earlier else None)
    second = second_reading(Settings())
    with _bar(teaching.steps(lessons)) as done:
        made = teaching.retrain(lessons, [], done=done, second=second)
    version = artifact.save(made.trained, artifact.SHIPPED)
    course.save(replace(lessons, said=made.said), course.SHIPPED)
    record = ModelRecord(
        version=version, trained_at=None, trained_by="", scores=scores_of(made.judged)
    )
    SHIPPED_RECORD.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    if card:
        cards.write_card(data, artifact.load(artifact.SHIPPED), card)
    return f"{artifact.SHIPPED}: model {version}, from {lessons.facts['reports']} reports"


def _train_topics(
    data: Path, out: Path, before: str, aim_precision: float | None, card: Path | None
) -> str:
    if before:
        date.fromisoformat(before)  # "2023" or a typo would compare, and train on nothing
    examples = read_directory(data)
    if before:
        examples = [example for example in examples if example.date < before]
    recipe = train.Recipe(aim_precision=aim_precision)
    rows, facts = lessons_of(examples, recipe.bits, TOPICS), train.facts_of(examples, recipe)
    with _bar(recipe.folds) as done:
        trained = train.fit_lessons(rows, recipe, TOPICS, facts, done)
    version = artifact.save(trained, out)
    if card:
        cards.write_card(data, artifact.load(out), card)
    return f"{out}: model {version}, from {len(examples)} reports"


def _train_languages(data: Path, out: Path) -> str:
    samples = language_training.read_samples(data)
    if not samples:
        raise ExampleError(f"{data}: no texts with a language")
    language_training.save(language_training.fit(samples), out)
    return f"{out}: language identifier, from {len(samples)} texts"
