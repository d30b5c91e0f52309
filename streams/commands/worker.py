"""`wirebell worker`: a worker process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from concurrent.futures import Future

import structlog
import typer

from classifiers.array_files import ArtifactError
from streams.assembly import run_worker
from streams.commands.configured import begin
from streams.commands.options import ConfigFile
from streams.library_logs import calm_library_logs
from streams.live_model import LiveModel, OpenedModel, open_last_model
from streams.settings import Settings
from streams.worker import WorkerFailedError

_log = structlog.get_logger("wirebell.worker")


def command(
    config: ConfigFile = None,
) -> None:
    """Run a worker until SIGTERM or Ctrl-C: screen, join stories, deliver."""
    settings = begin(config, "worker")
    calm_library_logs()
    loading: Future[OpenedModel] = Future()
    threading.Thread(target=_load, args=(settings, loading), name="model", daemon=True).start()
    code = run(settings, LiveModel(loading))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _load(settings: Settings, loading: Future[OpenedModel]) -> None:
    """Load the model while Kafka lets us wait. A model that cannot be used ends the process here,
    before anybody takes it for the fault of an article.
    """
    try:
        loading.set_result(open_last_model(settings))
    except (ArtifactError, OSError) as error:
        typer.echo(f"the topic model cannot be used: {error}", err=True)
        os._exit(2)
    except BaseException as error:  # noqa: BLE001 - whatever it is, there is no worker without it
        _log.critical("the topic model cannot be loaded", error=repr(error))
        os._exit(1)


def run(settings: Settings, model: LiveModel) -> int:
    """Run a worker in an event loop of its own; the process's exit code.

    The loop is not closed: Faust's tasks and threads may hang on a broker that is gone. All
    is committed or will be repeated, so the process ends without waiting for them.
    """
    use_uvloop()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_until_signal(settings, model))
    except WorkerFailedError as error:
        _log.critical("the worker has failed; it must be started again", reason=str(error))
        return 1
    return 0


def use_uvloop() -> None:
    """Have this process's event loops, those of Faust's threads too, be uvloop's where it is
    installed: the same loop, cheaper.
    """
    try:
        import uvloop
    except ImportError:
        return
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


async def _until_signal(settings: Settings, model: LiveModel) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run_worker(settings, model, stop)
