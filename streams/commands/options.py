"""Options that several commands have, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path | None, typer.Option(help="The configuration file.")]
ModelFile = Annotated[
    Path | None, typer.Option(help="A model file; else the model that the line uses.")
]
ReadTwice = Annotated[
    bool | None, typer.Option(help="Read doubtful reports twice, or not; else as configured.")
]
