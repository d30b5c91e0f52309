"""`wirebell deliveries`: how each destination stands, what was tried, and another try."""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from redis.exceptions import RedisError

from streams.commands.options import ConfigFile
from streams.keys import Keys
from streams.ledger import KEPT_ATTEMPTS, Attempt, DestinationState, Ledger
from streams.logs import escape
from streams.redis_client import connect_redis
from streams.settings import SettingsError, load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False)

Destination = Annotated[str, typer.Argument(help="As `list` shows it: 'sink|target'.")]
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_T = TypeVar("_T")


@app.callback()
def _deliveries() -> None:
    """Show destinations and attempts, turn on, send again."""


@app.command("list")
def list_destinations(config: ConfigFile = None) -> None:
    """List destinations: what waits, what is under way, when last told, failing or off. The id
    comes first, quoted as a shell wants it for the other commands.
    """
    for state in _with_ledger(config, lambda ledger: ledger.destinations()):
        typer.echo(escape(_destination_line(state)))


@app.command("log")
def log_attempts(
    config: ConfigFile = None,
    limit: Annotated[int, typer.Option(min=1, max=KEPT_ATTEMPTS, help="How many.")] = 50,
    destination: Annotated[str, typer.Option(help="Only of one: 'sink|target'.")] = "",
    story: Annotated[str, typer.Option(help="Only of one story's id.")] = "",
) -> None:
    """List the last attempts, oldest first."""
    among = KEPT_ATTEMPTS if destination or story else limit
    kept = _with_ledger(config, lambda ledger: ledger.attempts(among))
    meant = [
        each
        for each in kept
        if destination in ("", f"{each.sink}|{each.target}") and story in ("", each.story_id)
    ]
    for attempt in reversed(meant[:limit]):
        typer.echo(escape(_attempt_line(attempt)))


@app.command("turn-on")
def turn_on(destination: Destination, config: ConfigFile = None) -> None:
    """Turn a destination on again; what it missed is sent, each story as it stands."""
    if not _with_ledger(config, lambda ledger: ledger.turn_on(destination)):
        typer.echo(f"{escape(destination)} is not turned off", err=True)
        raise typer.Exit(1)
    typer.echo(f"{escape(destination)} is on")


@app.command()
def resend(
    destination: Destination,
    config: ConfigFile = None,
    story: Annotated[str, typer.Option(help="One story's id.")] = "",
    since: Annotated[str, typer.Option(help="All told since: 30m, 12h, 2d.")] = "",
) -> None:
    """Send again, with the same ids: one story, or all that were told since a time."""
    if bool(story) == bool(since):
        raise typer.BadParameter("give either --story or --since")
    span = _span(since) if since else None

    async def send(ledger: Ledger) -> int:
        chosen = [story]
        if span is not None:
            chosen = await ledger.told_since(destination, ledger.clock() - span.total_seconds())
        return sum([await ledger.resend(destination, story_id) for story_id in chosen])

    number = _with_ledger(config, send)
    typer.echo(f"{number} to be sent again")
    if not number:
        raise typer.Exit(1)


def _with_ledger(config: Path | None, ask: Callable[[Ledger], Awaitable[_T]]) -> _T:
    """Ask the configured ledger; a fault outside is one line, not a traceback."""
    logging.getLogger("redis").setLevel(logging.CRITICAL)
    try:
        settings = load_settings(config)
    except SettingsError as error:
        typer.echo("\n".join(error.faults), err=True)
        raise typer.Exit(64) from None

    async def run() -> _T:
        redis = connect_redis(settings.redis.url.get_secret_value())
        try:
            return await ask(Ledger(redis, Keys(settings.redis.prefix)))
        finally:
            await redis.aclose()

    try:
        return asyncio.run(run())
    except RedisError as error:
        typer.echo(escape(f"Redis cannot be asked: {error}"), err=True)
        raise typer.Exit(1) from None


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if found is None:
        raise typer.BadParameter("write 30m, 12h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _destination_line(state: DestinationState) -> str:
    told = _moment(state.told_at) if state.told_at else "never"
    place = shlex.quote(state.id)
    parts = [place, f"waiting {state.waiting}", f"under way {state.in_flight}", f"told {told}"]
    if state.failing_since:
        parts.append(f"failing since {_moment(state.failing_since)}")
    if state.off:
        parts.append(f"OFF: {state.off}")
    return "  ".join(parts)


def _attempt_line(attempt: Attempt) -> str:
    parts = [
        _moment(attempt.at.timestamp()),
        shlex.quote(f"{attempt.sink}|{attempt.target}"),
        f"{attempt.story_id}:{attempt.revision}",
        f"attempt {attempt.attempt}",
        attempt.outcome,
        attempt.detail,
    ]
    if attempt.next_at:
        parts.append(f"again {_moment(attempt.next_at.timestamp())}")
    return "  ".join(part for part in parts if part)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
