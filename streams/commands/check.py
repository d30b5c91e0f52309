"""`wirebell check`: is the configuration sound, and does everything it names answer?"""

from __future__ import annotations

import asyncio
import logging
import os

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.checks import Finding, check_all
from streams.commands.options import ConfigFile
from streams.logs import configure, escape, mask, register_secrets
from streams.settings import SettingsError, find_config, load_settings

# What a table is laid out for where no terminal says how wide it is.
_FILE_WIDTH = 160
_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}


def command(
    config: ConfigFile = None,
) -> None:
    """Validate the configuration whole, then try each dependency. Rings nobody.

    Exit code 0: all is well, warnings at most; 1: a dependency fails; 2: the configuration
    itself is at fault.
    """
    path = config or find_config(os.environ)
    try:
        settings = load_settings(path)
    except SettingsError as error:
        typer.echo(f"{len(error.faults)} faults in the configuration:", err=True)
        for fault in error.faults:
            typer.echo(f"  {escape(mask(fault))}", err=True)
        raise typer.Exit(2) from None
    configure("ERROR", "check")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the table says what it means
    register_secrets(settings)
    typer.echo(f"{path} is sound. Trying what it names:")
    findings = asyncio.run(check_all(settings))
    _show(findings)
    if any(finding.state == "fault" for finding in findings):
        raise typer.Exit(1)


def _show(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        table.add_row(
            Text(finding.state, style=_STYLES[finding.state]),
            Text(escape(mask(finding.subject))),
            Text(escape(mask(finding.detail))),
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_FILE_WIDTH)
    console.print(table)
    counts = {state: sum(finding.state == state for finding in findings) for state in _STYLES}
    typer.echo(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['fault']} faults")
