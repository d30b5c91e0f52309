"""`wirebell train`: labelled reports to a model file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from classifiers import artifact, cards, language, language_training, train
from classifiers.examples import ExampleError, read_directory


def command(  # noqa: PLR0917 - each is an option
    data: Annotated[Path, typer.Option(help="Directory with the labelled files.")] = Path(
        "../shared/data/topics"
    ),
    out: Annotated[Path | None, typer.Option(help="Where the model goes; else it ships.")] = None,
    before: Annotated[
        str, typer.Option(help="Learn only from reports dated before this day (ISO 8601).")
    ] = "",
    aim_precision: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.99, help="Thresholds for this precision; else the best F1."),
    ] = None,
    card: Annotated[
        Path | None, typer.Option(help="Measure and write the model card here (a minute).")
    ] = None,
    languages: Annotated[
        bool, typer.Option("--languages", help="Train the language identifier instead.")
    ] = False,
) -> None:
    """Train on every labelled report in a directory and write the model to a file."""
    try:
        told = (
            _train_languages(data, out or language.MODEL_FILE)
            if languages
            else _train_topics(data, out or artifact.SHIPPED, before, aim_precision, card)
        )
    except (ExampleError, OSError, ValueError) as err:
        typer.echo(f"wirebell train: {err}", err=True)
        raise typer.Exit(1) from err
    typer.echo(told)


def _train_topics(
    data: Path, out: Path, before: str, aim_precision: float | None, card: Path | None
) -> str:
    if before:
        date.fromisoformat(before)  # "2023" or a typo would compare, and train on nothing
    examples = read_directory(data)
    if before:
        examples = [example for example in examples if example.date < before]
    trained = train.fit(examples, train.Recipe(aim_precision=aim_precision))
    version = artifact.save(trained, out)
    if card:
        cards.write_card(data, artifact.load(out), card)
    return f"{out}: model {version}, from {len(examples)} reports"


def _train_languages(data: Path, out: Path) -> str:
    samples = language_training.read_samples(data)
    if not samples:
        raise ExampleError(f"{data}: no texts with a language")
    language_training.save(language_training.fit(samples), out)
    return f"{out}: language identifier, from {len(samples)} texts"
