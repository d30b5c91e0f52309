"""`wirebell page`: the ops page, a process of its own."""

from __future__ import annotations

import asyncio
import logging
import signal
from datetime import timedelta

import structlog
import typer
from aiohttp import web

from connectors.listener import Listener
from connectors.publisher import Publisher
from connectors.sinks.notifiers import make_notifier
from streams.canary_watch import CanaryWatch
from streams.commands.configured import begin
from streams.commands.options import ConfigFile
from streams.dashboard.server import make_server
from streams.dashboard.watch import Watch
from streams.heartbeat import beat
from streams.incident_desk import IncidentDesk
from streams.kafka_offsets import KafkaOffsets
from streams.kafka_topics import ARTICLES, WORKER_GROUP, producer_partition
from streams.keys import Keys
from streams.observations import Observer
from streams.redis_client import connect_redis
from streams.settings import Settings, Target

# Viewers hold their event stream open for good; they are cut off when the page stops.
SHUTDOWN_S = 0.5
_log = structlog.get_logger(__name__)


def command(
    config: ConfigFile = None,
) -> None:
    """Run the ops page until SIGTERM or Ctrl-C."""
    settings = begin(config, "page")
    # It tells of every failed reconnection; the watch tells once that Kafka is away.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(run(settings))
    except OSError as error:
        place = f"{settings.page.host}:{settings.page.port}"
        typer.echo(f"the page cannot listen on {place}: {error.strerror or error}", err=True)
        raise typer.Exit(1) from None


async def run(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Serve and watch until `stop` (SIGTERM or SIGINT sets it).

    Raises:
        OSError: the address is taken or not ours.
    """
    stop = stop or asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    redis = connect_redis(settings.redis.url.get_secret_value())
    keys = Keys(settings.redis.prefix)
    offsets = KafkaOffsets(settings.kafka, settings.kafka.prefix + WORKER_GROUP)
    watch = Watch(Observer(settings, redis, keys, offsets))
    tokens = (settings.page.token, settings.page.act_token)
    server = make_server(watch, *(token.get_secret_value() for token in tokens))
    runner = Listener(server, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.page.host, settings.page.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        _log.info("the page is at", url=f"http://{host}:{port}/")
        async with asyncio.TaskGroup() as group:
            group.create_task(watch.run(stop))
            if settings.page.canary:
                group.create_task(_canaries(watch.observer).run(stop))
            if settings.page.incident_to is not None:
                group.create_task(_incidents(watch, settings.page.incident_to).run(stop))
            group.create_task(beat(redis, keys, "page", stop))
    finally:
        await runner.cleanup()
        await redis.aclose()


def _incidents(watch: Watch, target: Target) -> IncidentDesk:
    """What tells those who run the line of its verdict."""
    observer = watch.observer
    settings = observer.settings
    return IncidentDesk(
        observer.redis,
        observer.keys,
        make_notifier(settings.sinks[target.sink], target.to, settings.newsroom.time_zone),
        lambda: watch.verdict,
        timedelta(seconds=settings.page.incident_after_s),
    )


def _canaries(observer: Observer) -> CanaryWatch:
    """Canaries for the line that is watched; the first when a worker has come up."""
    kafka = observer.settings.kafka
    publisher = Publisher(
        kafka.connection(),
        kafka.prefix + ARTICLES,
        producer_partition("page", embedded=kafka.embedded),
    )

    def ready() -> bool:
        return bool(observer.partitions) and any(
            beat.role == "worker" and not beat.stopped for beat in observer.heartbeats
        )

    canaries = CanaryWatch(observer.redis, observer.keys, publisher, ready)
    observer.canaries = canaries.rounds
    return canaries
