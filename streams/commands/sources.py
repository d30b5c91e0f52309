"""`wirebell sources`: poll the sources and take articles in, a process of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import NoReturn

from streams.commands.configured import begin
from streams.commands.options import ConfigFile
from streams.settings import Settings
from streams.source_process import SourceProcess


def command(
    config: ConfigFile = None,
) -> None:
    """Run the sources until SIGTERM or Ctrl-C."""
    settings = begin(config, "sources")
    # It tells of every attempt to reach a Kafka that is away; the publisher says what it means.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    asyncio.run(_run(settings))  # does not return


async def _run(settings: Settings) -> NoReturn:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await SourceProcess(settings).run(stop)
    # All is closed. Threads that still wait for a resolver would hold up an ordinary end for
    # as long as it takes them, well beyond the two seconds that a stop may take.
    logging.shutdown()
    os._exit(0)
