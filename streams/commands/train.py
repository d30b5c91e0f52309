"""`wirebell train`: labelled reports to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from classifiers import artifact, train
from classifiers.examples import ExampleError, read_directory


def command(
    data: Annotated[Path, typer.Option(help="Directory with the labelled files.")] = Path(
        "../shared/data/topics"
    ),
    out: Annotated[Path, typer.Option(help="Where the model file goes.")] = artifact.SHIPPED,
) -> None:
    """Train a model on every labelled report in a directory and write it to a file."""
    try:
        examples = read_directory(data)
        trained = train.fit(examples, train.Recipe())
        version = artifact.save(trained, out)
    except (ExampleError, OSError) as err:
        typer.echo(f"wirebell train: {err}", err=True)
        raise typer.Exit(1) from err
    typer.echo(f"{out}: model {version}, from {len(examples)} reports")
