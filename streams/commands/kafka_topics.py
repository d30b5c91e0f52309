"""`wirebell kafka-topics`: create the declared Kafka topics before anything else starts."""

from __future__ import annotations

import logging
import time
from typing import Annotated

import typer

from streams.commands.options import ConfigFile
from streams.settings import SettingsError, load_settings
from streams.topic_setup import KafkaAwayError, create_kafka_topics, wanted_kafka_topics

RETRY_S = 1.0


def command(
    config: ConfigFile = None,
    wait_s: Annotated[float, typer.Option(help="Seconds to wait for Kafka.")] = 60,
) -> None:
    """Create the Kafka topics; says what exists and differs. May be repeated."""
    try:
        settings = load_settings(config).kafka
    except SettingsError as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(2) from None
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # our own line says what it means
    deadline = time.monotonic() + wait_s
    while True:
        try:
            differences = create_kafka_topics(settings)
            break
        except KafkaAwayError as error:
            if time.monotonic() >= deadline:
                typer.echo(str(error), err=True)
                raise typer.Exit(1) from None
            time.sleep(RETRY_S)
    for line in differences:
        typer.echo(f"warning: {line}", err=True)
    for kafka_topic in wanted_kafka_topics(settings):
        typer.echo(f"{kafka_topic.name} is there")
