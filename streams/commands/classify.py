"""`wirebell classify`: topics of the reports in a file, in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from classifiers.examples import ExampleError, read_rows
from classifiers.model import ArtifactError, TopicModel, compose
from streams.commands.options import ConfigFile, ModelFile, ReadTwice
from streams.default_model import default_model
from streams.settings import SettingsError

BATCH = 64


def command(
    reports: Annotated[Path, typer.Argument(help="JSON lines: id, text, perhaps title; or .gz.")],
    out: Annotated[Path, typer.Option(help="Where the classified lines go.")],
    model: ModelFile = None,
    config: ConfigFile = None,
    reader: ReadTwice = None,
) -> None:
    """Write id, the probability of every topic, and the chosen topics, for each report."""
    try:
        found = default_model(model, config, reader=reader)
        typer.echo(str(found), err=True)
        _write(found.model, reports, out)
    except (ExampleError, ArtifactError, OSError, SettingsError) as err:
        typer.echo(f"wirebell classify: {err}", err=True)
        raise typer.Exit(1) from err


def _write(model: TopicModel, reports: Path, out: Path) -> None:
    """Write beside and rename at the end, so that a broken row leaves no half of a file."""
    if out.exists() and out.samefile(reports):
        raise ExampleError(f"{out} would be written over what is read")
    beside = out.with_name(f".{out.name}.part")
    try:
        with beside.open("w", encoding="utf-8") as lines:
            for batch in _batches(read_rows(reports)):
                for answer in _classified(model, batch):
                    lines.write(json.dumps(answer, ensure_ascii=False) + "\n")
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _batches(rows: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    waiting = iter(rows)
    while batch := [row for _, row in islice(waiting, BATCH)]:
        yield batch


def _classified(model: TopicModel, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    texts = [compose(_words(row.get("title")), _words(row.get("text"))) for row in rows]
    for row, probabilities in zip(rows, model.predict(texts), strict=True):
        topics = zip(model.topics, probabilities, strict=True)
        yield {
            "id": row.get("id"),
            "topics": {topic.id: round(float(value), 6) for topic, value in topics},
            "chosen": list(model.choose(probabilities)),
        }


def _words(value: object) -> str:
    return value if isinstance(value, str) else ""
