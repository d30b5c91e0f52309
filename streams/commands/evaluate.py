"""`wirebell evaluate`: how good a model is on labelled reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from classifiers import evaluate
from classifiers.examples import Example, ExampleError, read_examples, read_labelled_since
from classifiers.model import ArtifactError, TopicModel
from streams.commands.options import ConfigFile, ModelFile, ReadTwice
from streams.default_model import default_model
from streams.settings import SettingsError


def command(  # noqa: PLR0917 - each is an option
    reports: Annotated[Path, typer.Argument(help="Labelled JSON lines: id, text, topics, lang.")],
    model: ModelFile = None,
    config: ConfigFile = None,
    reader: ReadTwice = None,
    floors: Annotated[
        Path | None, typer.Option(help="JSON: figure -> floor; exit 3 if one is missed.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Labels for a file without: id, tab, topics (commas, or -)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Print precision, recall and F1 by topic and language, calibration and false bells."""
    try:
        found, examples = default_model(model, config, reader=reader), _read(reports, labels)
        loaded = found.model
        _refuse_unknown_topics(reports, examples, loaded)
        judged = evaluate.judge(loaded, examples)
        pinned = json.loads(floors.read_text(encoding="utf-8")) if floors else {}
        faults = evaluate.below_floors(judged, pinned)
    except (ExampleError, ArtifactError, OSError, ValueError, SettingsError) as err:
        typer.echo(f"wirebell evaluate: {err}", err=True)
        raise typer.Exit(1) from err
    except KeyError as err:
        typer.echo(f"wirebell evaluate: {floors}: no figure is called {err.args[0]}", err=True)
        raise typer.Exit(1) from err
    typer.echo(str(found), err=True)
    typer.echo(json.dumps(evaluate.as_dict(judged), indent=2) if as_json else judged.as_text())
    for fault in faults:
        typer.echo(f"wirebell evaluate: {fault}", err=True)
    if faults:
        raise typer.Exit(3)


def _read(reports: Path, labels: Path | None) -> list[Example]:
    if labels is None:
        return read_examples(reports)
    if not reports.is_file():
        raise ExampleError(f"{reports}: no such file")
    return read_labelled_since(reports, labels)


def _refuse_unknown_topics(path: Path, examples: list[Example], model: TopicModel) -> None:
    known = {topic.id for topic in model.topics}
    for example in examples:
        unknown = sorted(example.topics - known)
        if unknown:
            raise ExampleError(f"{path}: report {example.id!r} has an unknown topic {unknown[0]!r}")
