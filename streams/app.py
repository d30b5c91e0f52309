"""Faust wiring: an app set so that it loses nothing, and the agents that hand batches over.

Owns Faust's settings and the two places where Faust itself has to be bent (the fetch wait,
the acknowledging). Does not know what is done with a batch: `streams/worker.py` says.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import faust
from faust.tables.manager import TableManager
from faust.types.auth import SASLMechanism

from streams.fetch_pace import AT_BROKER_MS, FetchPace
from streams.producer import BATCH_BYTES
from streams.settings import KafkaSettings
from streams.slices import Slices
from streams.transport import EagerTransport, SliceTransport

# Apache Kafka answers a fetch when there is data; the embedded broker only when its wait ends,
# so the worker waits by itself (streams/fetch_pace.py), or 25 ms where Faust's own way is gone.
# A partition whose buffer was full is fetched only when the fetch under way has ended: 500 ms
# would be felt there.
FETCH_WAIT_MS, EMBEDDED_FETCH_WAIT_MS = 200, 25
# The embedded broker lets the first member wait for half the session.
EMBEDDED_SESSION_S = 6.0
# At 80 % full Faust drops every partition and sleeps a second; 4,096 costs a third.
BUFFER_RECORDS = 16_384
# What a kill repeats is bounded by one interval, or this many records.
COMMIT_INTERVAL_S, COMMIT_EVERY = 1.0, 1_000
POLL_RECORDS = 1_000
# A worker that waits for Redis takes nothing from its buffer, and must not be thrown out for
# it; one that hangs is the watchdog's to end.
MAX_POLL_INTERVAL_S = 86_400.0
# How long one send may wait for its confirmation before it is repeated.
REQUEST_TIMEOUT_S = 10.0
# A dead letter holds up to 1,000,000 bytes of the record; brokers take 1,048,588.
MAX_REQUEST_BYTES = 1_048_000

# Our subclasses log every start and stop under this module's name.
logging.getLogger(__name__).setLevel(logging.WARNING)

Agent = Callable[[Any], Awaitable[None]]


def make_app(kafka: KafkaSettings, group: str) -> WorkerApp:
    """A Faust app that does not start by itself, has no web server, no tables, no leader.

    `group` is the consumer group, without the settings' prefix.
    """
    session_s = min(kafka.session_timeout_s, EMBEDDED_SESSION_S if kafka.embedded else 300)
    app = WorkerApp(
        kafka.prefix + group,
        broker=[f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(kafka),
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 4,
        broker_request_timeout=max(40.0, session_s + 5),
        broker_rebalance_timeout=max(30.0, session_s),
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_commit_every=COMMIT_EVERY,
        broker_max_poll_records=POLL_RECORDS,
        broker_max_poll_interval=MAX_POLL_INTERVAL_S,
        consumer_auto_offset_reset="earliest",
        processing_guarantee="at_least_once",
        producer_acks=-1,
        producer_request_timeout=REQUEST_TIMEOUT_S,
        producer_max_request_size=MAX_REQUEST_BYTES,
        producer_max_batch_size=BATCH_BYTES,
        stream_buffer_maxsize=BUFFER_RECORDS,
        stream_wait_empty=True,
        store="memory://",
        TableManager=NoTables,
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
    )
    app.whole_slices = kafka.whole_slices
    app.fetch_wait_ms = FETCH_WAIT_MS
    if kafka.embedded:
        app.fetch_wait_ms = AT_BROKER_MS if kafka.whole_slices else EMBEDDED_FETCH_WAIT_MS
        app.fetch_pace = FetchPace() if kafka.whole_slices else None
    return app


def add_agent(app: WorkerApp, kafka_topic: str, agent: Agent, name: str) -> None:
    """Have `agent` called once with the stream of a Kafka topic, raw bytes, never acknowledged
    by Faust: its iterator acknowledges even a record whose agent raised.

    `agent` must not return before the app stops, and nothing may escape it.
    """
    if app.whole_slices:
        app.slices[kafka_topic] = Slices(app)
    topic = app.topic(kafka_topic, key_type=bytes, value_type=bytes)

    async def run(stream: Any) -> None:
        await agent(stream.noack())

    app.agent(topic, name=name, concurrency=1)(run)


class NoTables(TableManager):
    """Faust waits a second at its start, before it joins the group, for tables to be declared."""

    async def on_start(self) -> None:
        """The rest of what it does there."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class WorkerApp(faust.App):
    """Uses that transport, whatever the broker's address says."""

    fetch_wait_ms: int = FETCH_WAIT_MS
    whole_slices: bool = False
    fetch_pace: FetchPace | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # What waits for each agent, by Kafka topic, where slices are handed on whole.
        self.slices: dict[str, Slices] = {}

    def _create_directories(self) -> None:
        """None: without tables there is nothing to keep, and the folder we stand in is not ours."""

    def _new_transport(self) -> EagerTransport | SliceTransport:
        kind = SliceTransport if self.whole_slices else EagerTransport
        return kind(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> EagerTransport:
        return EagerTransport(self.conf.broker_producer, self)


def _credentials(kafka: KafkaSettings) -> Any:
    connection = kafka.connection()
    context = connection.tls() if connection.uses_tls else None
    if not connection.uses_sasl:
        return context and faust.SSLCredentials(context)
    return faust.SASLCredentials(
        username=kafka.sasl_username,
        password=kafka.sasl_password.get_secret_value(),
        ssl_context=context,
        mechanism=SASLMechanism(kafka.sasl_mechanism),
    )
