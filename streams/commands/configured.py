"""How a process of the line begins: its configuration read, its log set up, secrets masked."""

from __future__ import annotations

from pathlib import Path

import structlog
import typer

from streams import logs
from streams.plaintext import plaintext_remarks
from streams.settings import Settings, SettingsError, load_settings

_log = structlog.get_logger(__name__)


def begin(config: Path | None, process: str) -> Settings:
    """Read the configuration and set up the log of `process`.

    Raises:
        typer.Exit: with code 2, every fault said on stderr.
    """
    try:
        settings = load_settings(config)
    except SettingsError as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(2) from None
    logs.configure(settings.log_level, process)
    logs.register_secrets(settings)
    for remark in plaintext_remarks(settings):
        _log.warning("not encrypted", what=remark.subject, detail=remark.detail)
    return settings
