"""`wirebell explain`: why a report rings, or does not."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from classifiers.model import ArtifactError, Evidence
from streams.commands.options import ConfigFile, ModelFile, ReadTwice
from streams.default_model import default_model
from streams.settings import SettingsError


def command(
    text: Annotated[str, typer.Argument(help="The report; a file's path; or - to read it in.")],
    topic: Annotated[
        list[str] | None, typer.Option(help="Explain this topic, chosen or not; may be repeated.")
    ] = None,
    model: ModelFile = None,
    config: ConfigFile = None,
    reader: ReadTwice = None,
) -> None:
    """Print every chosen topic with its probability, the words and the sentence that decided."""
    try:
        found_model = default_model(model, config, reader=reader)
        loaded, report = found_model.model, _report(text)
        reading = loaded.read([report])
        probabilities = reading.probabilities[0]
        by_id = {t.id: float(p) for t, p in zip(loaded.topics, probabilities, strict=True)}
        asked = topic or list(loaded.choose(probabilities))
        found = [loaded.explain(report, topic_id) for topic_id in asked]
    except (ArtifactError, OSError, SettingsError) as err:
        typer.echo(f"wirebell explain: {err}", err=True)
        raise typer.Exit(1) from err
    except KeyError as err:
        typer.echo(f"wirebell explain: {err.args[0]}", err=True)
        raise typer.Exit(2) from err
    typer.echo(f"{found_model}{', read twice' if reading.first else ''}", err=True)
    first = dict(zip(by_id, reading.first.get(0, ()), strict=False))
    if not found:
        best = max(by_id, key=lambda name: by_id[name])
        typer.echo(f"No topic. Nearest: {best}, {by_id[best]:.2f}")
    for evidence in found:
        typer.echo(f"{evidence.topic}  {by_id[evidence.topic]:.2f}{_before(evidence, first)}")
        typer.echo(f"  words:    {', '.join(evidence.words) or '-'}")
        typer.echo(f"  sentence: {evidence.sentence or '-'}")


def _before(evidence: Evidence, first: Mapping[str, float]) -> str:
    """What the words alone gave, where the report was read twice."""
    given = first.get(evidence.topic)
    return "" if given is None else f"  read twice; {given:.2f} by these words alone"


def _report(text: str) -> str:
    if text == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:  # a report longer than a file name may be
        is_file = False
    return path.read_text(encoding="utf-8", errors="replace") if is_file else text
