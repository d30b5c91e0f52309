"""The one console command. Each subcommand is a file in `commands`, imported when called,
so that `wirebell status` never pays for scikit-learn and the supervisor stays small.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

# name: (module in streams.commands, one line for --help)
COMMANDS = {
    "up": ("up", "Start the whole line on this machine and print alerts."),
    "check": ("check", "Validate the configuration and try each dependency."),
    "status": ("status", "Say whether the line is healthy."),
    "sources": ("sources", "Run the sources: poll feeds, take articles in."),
    "worker": ("worker", "Run a worker: screen, join stories, deliver."),
    "page": ("page", "Run the ops page."),
    "kafka-topics": ("kafka_topics", "Create the Kafka topics."),
    "deliveries": ("deliveries", "Show destinations and attempts, turn on, send again."),
    "dead-letters": ("dead_letters", "List, show and replay dead letters."),
    "story": ("story", "Tell how a story came about; merge, split, mute."),
    "classify": ("classify", "Classify a JSONL file."),
    "explain": ("explain", "Say which words decide for a text's topics."),
    "backtest": ("backtest", "Run the decisions over a file of articles; send nothing."),
    "train": ("train", "Train the topic model."),
    "models": ("models", "List versions of the topic model, promote one, roll back."),
    "evaluate": ("evaluate", "Judge the topic model on a labelled file."),
}


class _LazyGroup(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"streams.commands.{COMMANDS[cmd_name][0]}")
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False)
            app.command(name=cmd_name, help=COMMANDS[cmd_name][1])(module.command)
        command = get_command(app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


_app = typer.Typer(
    cls=_LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"wirebell {version('wirebell')}")
        raise typer.Exit


@_app.callback()
def _wirebell(
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """Wirebell: a news alarm for newsrooms."""


def spare_rich() -> None:
    """Load structlog without rich, with which it would draw tracebacks: 5 MB in every process,
    and streams/logs.py draws our lines. typer brings rich, and still finds it for its help.
    """
    sys.modules["rich"] = None  # type: ignore[assignment] # to an import: not installed
    import structlog  # noqa: F401

    del sys.modules["rich"]


def run(name: str) -> None:
    """A subcommand in a process forked for it. Without typer: there are no arguments to read, and
    reading them writes to 2 MB that such a process shares with others.
    """
    command = importlib.import_module(f"streams.commands.{COMMANDS[name][0]}").command
    try:
        command()
    except typer.Exit as end:
        raise SystemExit(end.exit_code) from None


def main() -> None:
    """Entry point of the console command `wirebell`."""
    spare_rich()
    _app()
