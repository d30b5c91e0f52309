"""`wirebell up`: the whole line on this machine, alerts printed in this terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer
from redis import Redis
from redis.exceptions import RedisError

from streams.briefing import Briefing, describe_start
from streams.commands.options import ConfigFile
from streams.keys import Keys
from streams.logs import configure, escape, mask, register_secrets
from streams.settings import SettingsError, find_config, load_settings
from streams.state_dir import HeldError
from streams.supervisor import Supervisor, SupervisorError, children_environment


def command(
    config: ConfigFile = None,
) -> None:
    """Start broker, Redis, sources, a worker and the page; Ctrl-C ends them all.

    Where the configuration names a Kafka or a Redis, that one is used.
    """
    path = config or find_config(os.environ)
    try:
        settings = load_settings(path, join_running=False)
    except SettingsError as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(2) from None
    configure(settings.log_level, "up")
    register_secrets(settings)
    environment = children_environment(os.environ, path)
    supervisor = Supervisor(settings, environment, _say, _backlog, _forget_counts)
    try:
        supervisor.run(lambda: _brief(supervisor, path))
    except (HeldError, SupervisorError) as error:
        _say(str(error))
        raise typer.Exit(1) from None
    if sys.stderr.isatty():
        print(file=sys.stderr)  # the terminal has printed ^C without an end of line
    _say("all has ended")


def _brief(supervisor: Supervisor, path: Path) -> None:
    """Say what has started, and have the rest told as it comes."""
    settings, state = supervisor.settings, supervisor.state
    _say(f"Wirebell has started with {path}")
    for line in describe_start(
        settings,
        embedded=(supervisor.broker is not None, supervisor.redis is not None),
        logs=str(state.path / "logs"),
    ):
        _say(f"  {line}")
    if supervisor.redis and supervisor.resumes:
        _say(f"What rang before stays silent; to begin anew, delete {settings.state_dir}/redis.")
    _say("Alerts follow here. Ctrl-C ends it all.")
    supervisor.watch = Briefing(settings, supervisor.state.since, _say).look


def _backlog(supervisor: Supervisor) -> int:
    from streams.backlog import count_backlog  # aiokafka, for the rare moment it is needed

    return count_backlog(supervisor.settings.kafka)


def _forget_counts(supervisor: Supervisor) -> None:
    """What ended processes have counted: all is read again, and would be counted twice."""
    redis = supervisor.settings.redis
    try:
        with Redis.from_url(
            redis.url.get_secret_value(), socket_timeout=1, socket_connect_timeout=1
        ) as client:
            client.delete(Keys(redis.prefix).processes)
    except RedisError as error:
        _say(f"the page counts what is read again on top: {type(error).__name__}")


def _say(line: str) -> None:
    print(escape(mask(line)), file=sys.stderr, flush=True)
