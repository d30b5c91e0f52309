"""`wirebell models`: the versions of the topic model, and which one is in force."""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from streams.commands.options import ConfigFile
from streams.keys import Keys
from streams.logs import escape
from streams.model_files import ModelFileError, ModelFiles
from streams.model_records import ModelVersion, Score
from streams.models import ModelVersions, RefusedModelError, UnknownModelError
from streams.redis_client import connect_redis
from streams.settings import SettingsError, load_settings

app = typer.Typer(add_completion=False)

_T = TypeVar("_T")
_SETS = {
    "english": "English",
    "other_languages": "others",
    "natural": "natural",
    "feed_items": "feed",
}


@app.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """List the versions with their scores on the pinned evaluation; promote one, roll back."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    found = _with_versions(config, lambda versions: versions.listed())
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    Console(width=None if Console().is_terminal else 160).print(_table(found))


@app.command()
def promote(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help='As the list shows it; or "shipped".')],
    config: ConfigFile = None,
    force: Annotated[
        str, typer.Option(help="Why a refused model is taken all the same; it is recorded.")
    ] = "",
) -> None:
    """Bring a version into force. Running workers take it within seconds."""
    who = getpass.getuser()
    _with_versions(
        config or context.obj, lambda versions: versions.promote(version, who, force.strip())
    )
    typer.echo(f"{escape(version)} is in force; workers take it within seconds")


@app.command("roll-back")
def roll_back(context: typer.Context, config: ConfigFile = None) -> None:
    """Go back to the model that was in force before."""
    who = getpass.getuser()
    version = _with_versions(config or context.obj, lambda versions: versions.roll_back(who))
    typer.echo(f"{version or 'the model that ships'} is in force again")


def _with_versions(config: Path | None, ask: Callable[[ModelVersions], Awaitable[_T]]) -> _T:
    logging.getLogger("redis").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_ask(config, ask))
    except SettingsError as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(2) from None
    except RedisError as error:
        typer.echo(f"wirebell models: Redis is away: {error}", err=True)
        raise typer.Exit(1) from None
    except (UnknownModelError, ModelFileError, OSError) as error:
        typer.echo(f"wirebell models: {escape(str(error))}", err=True)
        raise typer.Exit(1) from None
    except RefusedModelError as error:
        typer.echo(f'wirebell models: {escape(str(error))}; --force "REASON" takes it', err=True)
        raise typer.Exit(3) from None


async def _ask(config: Path | None, ask: Callable[[ModelVersions], Awaitable[_T]]) -> _T:
    settings = load_settings(config)
    redis = connect_redis(settings.redis.url.get_secret_value())
    files = ModelFiles(settings.models)
    try:
        return await ask(
            ModelVersions(redis, Keys(settings.redis.prefix), files, settings.model_path)
        )
    finally:
        await redis.aclose()


def _table(found: list[ModelVersion]) -> Table:
    table = Table("version", "trained", "learned from", box=None, header_style="bold")
    for label in _SETS.values():
        table.add_column(f"F1 {label}", justify="right")
    for column in ("bells", "state", "by", "why"):
        table.add_column(column)
    for each in found:
        trained = f"{each.trained_at:%Y-%m-%d %H:%M} UTC" if each.trained_at else "ships"
        scores = [_score(each.scores.get(name)) for name in _SETS]
        natural = each.scores.get("natural")
        bells = f"{natural.false_bells_per_1000:.0f}" if natural else "-"
        told = (each.version, trained, each.learned_from, *scores, bells, each.state)
        table.add_row(*(escape(cell) for cell in (*told, each.who, each.why)))
    return table


def _score(score: Score | None) -> str:
    return f"{score.macro_f1:.3f}" if score else "-"
