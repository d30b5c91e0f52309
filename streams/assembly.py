"""Assembly: the worker of `wirebell worker`, put together from the configuration.

Owns which parts a worker is made of and in what order they start: Kafka's topics first, then
everything else. Decides nothing.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from datetime import datetime

import structlog
from redis.asyncio import Redis

from classifiers import heap
from connectors.records import Article
from streams.app import WorkerApp, make_app
from streams.canary_lane import CanaryLane
from streams.dead_letters import DeadLetter, Stage
from streams.delivery import Deliveries, open_deliveries
from streams.desk import EditorDesk, open_editor_desk
from streams.fetch_pace import PEOPLE, heed_nudges
from streams.heartbeat import beat
from streams.in_hand import InHand, open_in_hand
from streams.kafka_topics import (
    ALERTS,
    ARTICLES,
    DEAD_LETTERS,
    PRODUCER_PARTITIONS,
    WORKER_GROUP,
)
from streams.keys import Keys
from streams.live_model import LiveModel
from streams.live_topics import choices_of
from streams.metrics_listener import serve_metrics
from streams.model_pickup import open_pickup
from streams.outages import StoppedWaiting, outlast
from streams.patience import Patience, Screen
from streams.quality import QualityCounts
from streams.reader_rest import rest_when_idle
from streams.redis_client import connect_redis
from streams.restoring import open_restoring
from streams.screening import Screened, screen
from streams.settings import KafkaSettings, Settings
from streams.settling import TooManyDeadLettersError
from streams.slack_desk import open_desks
from streams.steps import DeliverStep, ScreenStep, Sender
from streams.stoppage import Stoppage
from streams.stories import Stories
from streams.topic_setup import create_kafka_topics
from streams.watchdog import Progress, Watchdog
from streams.worker import Background, Worker, WorkerFailedError, utc_now

_log = structlog.get_logger("wirebell.worker")


async def run_worker(settings: Settings, model: LiveModel, stop: asyncio.Event) -> None:
    """Run a worker until `stop`. Waits for Kafka and Redis as long as they are away. The model
    may still be loading.

    Raises:
        WorkerFailedError: it cannot go on; end the process and start it again.
    """
    if not await _kafka_topics_exist(settings.kafka, stop):
        return
    redis = connect_redis(settings.redis.url.get_secret_value())
    progress = Progress()
    kafka = settings.kafka
    watchdog = Watchdog(
        kafka,
        kafka.prefix + WORKER_GROUP,
        [kafka.prefix + ARTICLES, kafka.prefix + ALERTS],
        progress,
    )
    stoppage = Stoppage(redis, Keys(settings.redis.prefix))
    try:
        if not await stoppage.wait_out(stop):
            return
        watchdog.start()
        await _run(settings, model, redis, progress, stop)
    except WorkerFailedError as failure:
        if isinstance(failure.__cause__, TooManyDeadLettersError):
            await stoppage.note(str(failure))
        raise
    finally:
        watchdog.stop()
        await redis.aclose()


async def _run(
    settings: Settings, model: LiveModel, redis: Redis, progress: Progress, stop: asyncio.Event
) -> None:
    kafka, newsroom, keys = settings.kafka, settings.newsroom, Keys(settings.redis.prefix)
    app = make_app(kafka, WORKER_GROUP)
    sender = _sender(app, kafka)

    async def bury(letters: Sequence[DeadLetter]) -> None:
        await sender.bury(kafka.prefix + DEAD_LETTERS, letters)

    async def bury_one(letter: DeadLetter) -> None:
        await outlast(lambda: bury([letter]), called_off=stop.is_set)

    stories = Stories(redis, keys, newsroom.window_hours * 3600, newsroom.languages)
    deliveries = open_deliveries(settings, redis, keys, bury_one, model.default_threshold)
    canaries = CanaryLane(settings, redis, model, bury_one)
    quality = QualityCounts(redis, keys, model)
    editor = open_editor_desk(redis, keys, newsroom.window_hours * 3600, newsroom.languages)
    editor.reached = lambda _place: deliveries.wake()
    patience = Patience(settings.classifier.reader_patience_s)

    async def tell(kafka_topic: str, key: bytes, value: bytes) -> None:
        await sender.send(kafka.prefix + kafka_topic, [(key, value)])

    desks = open_desks(settings.sinks, editor, stories, lambda: _choices(settings, model))
    worker = Worker(app, bury, progress, ready=model.ready)
    worker.add_step(
        kafka.prefix + ARTICLES,
        ScreenStep(
            _screening(model, patience, canaries),
            canaries.beside_assign(stories.assign),
            sender.send,
            utc_now,
            kafka_topic=kafka.prefix + ALERTS,
            sources=[source.id for source in settings.sources],
            watched=quality.add,
            aside=lambda articles: settings.classifier.reader and patience.weigh(articles),
        ),
        _in_hand(settings, "screen"),
    )
    worker.add_step(
        kafka.prefix + ALERTS,
        DeliverStep(canaries.beside_accept(deliveries.accept)),
        _in_hand(settings, "deliver"),
    )
    warming = asyncio.ensure_future(asyncio.to_thread(_warm_up, model))

    watching = _watching(settings, redis, model, quality, warming)
    at_desk = functools.partial(editor.run, send=tell)
    bringing_back = functools.partial(open_restoring(editor, settings).run, send=tell)
    heard = functools.partial(_hear, app, editor, deliveries)
    hearing = functools.partial(heed_nudges, redis, keys, heard)
    try:
        await worker.run(
            stop,
            [deliveries.run, canaries.run, *watching, hearing, at_desk, bringing_back, *desks],
        )
    finally:
        await asyncio.wait([warming])  # whatever ails it, articles will tell
        await deliveries.close()


def _choices(settings: Settings, model: LiveModel) -> Sequence[tuple[str, str]]:
    """What a report can be about, as configured now; nobody at the desk waits for the model."""
    return model.choices if model.loaded else choices_of(settings.topics)


def _screening(model: LiveModel, patience: Patience, canaries: CanaryLane) -> Screen:
    """Screening with the model of the moment, which reads twice while there is patience for it."""

    def others(articles: Sequence[Article], now: datetime) -> list[Screened]:
        return screen(articles, patience.may_ask(model.current), now)

    return patience.over(canaries.beside_screen(others))


def _watching(
    settings: Settings,
    redis: Redis,
    model: LiveModel,
    quality: QualityCounts,
    warming: asyncio.Future[None],
) -> list[Background]:
    """What a worker tells of itself, and where its model comes from: once it has one."""
    keys = Keys(settings.redis.prefix)

    async def after_warming(background: Background, ending: asyncio.Event) -> None:
        await asyncio.wait([warming])
        await background(ending)

    return [
        functools.partial(after_warming, quality.run),
        functools.partial(after_warming, open_pickup(model, redis, keys, settings).run),
        functools.partial(rest_when_idle, model),
        functools.partial(serve_metrics, settings, "worker"),
        functools.partial(
            beat, redis, keys, "worker", model=lambda: model.version if model.loaded else ""
        ),
    ]


def _hear(app: WorkerApp, editor: EditorDesk, deliveries: Deliveries, what: bytes) -> None:
    """A nudge: people have decided, or records are there."""
    if what == PEOPLE:
        editor.wake()
        deliveries.wake()
    elif app.fetch_pace is not None:
        app.fetch_pace.nudge()


def _warm_up(model: LiveModel) -> None:
    """Have screening load what it needs, the model first, while Kafka lets us wait for our group:
    the first article shall be as fast as the hundredth. A correction is worked out whatever it is
    about.
    """
    now, said = utc_now(), "A bomb exploded at a market in Kharkiv, leaving 12 people dead."
    made_up = Article(
        id="-", source_id="-", publisher="-", title=said, text=said, fetched_at=now,
        status="correction",
    )  # fmt: skip
    screen([made_up], model, now)
    heap.give_back()


def _sender(app: WorkerApp, kafka: KafkaSettings) -> Sender:
    """Where the broker does not tell that alerts are there, we tell ourselves."""
    partition = PRODUCER_PARTITIONS["worker"] if kafka.embedded else None
    if app.fetch_pace is None:
        return Sender(app, partition)
    return Sender(app, partition, app.fetch_pace.nudge)


async def _kafka_topics_exist(kafka: KafkaSettings, stop: asyncio.Event) -> bool:
    """Create what is missing, waiting for Kafka; False when told to stop before that."""

    async def create() -> list[str]:
        return await asyncio.to_thread(create_kafka_topics, kafka)

    try:
        for difference in await outlast(create, called_off=stop.is_set):
            _log.warning("a Kafka topic differs from what is declared", how=difference)
    except StoppedWaiting:
        return False
    return True


def _in_hand(settings: Settings, stage: Stage) -> InHand | None:
    try:
        return open_in_hand(settings.state_dir / "worker", stage)
    except OSError as error:
        _log.warning("a record that kills workers will not be recognised", error=str(error))
        return None
