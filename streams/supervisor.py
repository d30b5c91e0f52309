"""One machine's line: what `wirebell up` starts, watches, starts again, and ends.

Owns the order of things: state directory, Redis, broker, Kafka topics, our processes; their
restarts; the broker's memory; the end. Knows nothing of articles or alerts. Lives on the main
thread alone, because Linux ties a child's life to the thread that made it, and because our own
processes are forked from it: it loads what they have in common, once, but neither a model nor
Faust's worker.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

from streams.child import Child, resident_mb
from streams.doorbell import Doorbell
from streams.embedded import EmbeddedBroker, EmbeddedError, EmbeddedRedis, free_port
from streams.embedded import EmbeddedServer as Server
from streams.forked import preload
from streams.settings import Settings
from streams.state_dir import StateDir
from streams.topic_setup import KafkaAwayError, create_kafka_topics

# A signal, the end of a child among them, wakes the supervisor; the rest can wait so long.
TICK_S = 0.5
# How often the broker's memory and the logs are looked at: 1 GB takes minutes to fill.
CARE_S = 5.0
# A worker finishes what is in hand in 4 s and leaves its group in 3 (streams/worker.py); with
# broker and Redis after it, all is over within the 10 s that are promised.
CHILDREN_END_S = 8.0
# A Kafka that is named may be starting at this moment, as in a compose file.
KAFKA_WAIT_S = 60.0
# A new broker for a full one waits this long for the worker; then the old one goes on, until
# it is this many times over its limit.
DRAIN_S, BURST = 120.0, 2.0

# What the worker and at least one other need, and what the others need besides: the worker
# takes longest to start, so it is forked in between.
COMMON = (
    "aiohttp",
    "aiokafka",
    "connectors.publisher",
    "redis.asyncio",
    "streams.delivery",
    "streams.heartbeat",
    "streams.metrics_listener",
)
OTHERS = ("streams.commands.page", "streams.commands.sources")

# One thread does our sums: numpy's libraries keep buffers for each core, and glibc a heap for
# each thread.
FRUGAL = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]


class SupervisorError(Exception):
    """The line cannot be started; the message says why, in a line."""


class Supervisor:
    """Runs one line until told to stop. Runs once, on the main thread.

    `say` gets the lines for the person at the terminal; `backlog` counts the records that
    the worker has yet to read (it may raise for an outage) and is asked only before a broker
    is replaced. `emptied` hears that the embedded broker begins with an empty log, before any of
    our processes begins. `watch` may be set to what the caller wants done with every tick.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        say: Say,
        backlog: Callable[[Supervisor], int],
        emptied: Callable[[Supervisor], None] = lambda supervisor: None,
    ) -> None:
        self._say = say
        self._backlog = backlog
        self._emptied = emptied
        self.watch: Callable[[], None] = lambda: None
        self._stopping = False
        self._stop_signals = 0
        self.state = StateDir(settings.state_dir.absolute())
        port = settings.embedded
        self.redis: EmbeddedRedis | None = None
        self.broker: EmbeddedBroker | None = None
        if "url" not in settings.redis.model_fields_set:
            self.redis = EmbeddedRedis(self.state.path / "redis", port.redis_port)
        if "bootstrap_servers" not in settings.kafka.model_fields_set:
            self.broker = EmbeddedBroker(port.kafka_port)
        self._environment = dict(environment)
        self._children: dict[str, Child] = {}
        self._next_care_at = 0.0
        self._doorbell = Doorbell()
        self.settings = settings
        # Whether an earlier run has left its memory of what has rung.
        self.resumes = (self.state.path / "redis").exists()

    def run(self, started: Callable[[], None]) -> None:
        """Start all, call `started`, watch until SIGINT, SIGTERM or SIGHUP, end all.

        Raises:
            HeldError: another process holds the state directory.
            SupervisorError: something cannot be started; all that was started has ended.
        """
        with self._hearing_signals():
            self._run(started)

    def _run(self, started: Callable[[], None]) -> None:
        try:
            self.state.hold()
            try:
                self._start_all()
                if not self._stopping:
                    started()
                while not self._stopping:
                    self._tick()
                    self._doorbell.wait(TICK_S)
            finally:
                self._end_all()
                self.state.release()
        except (EmbeddedError, KafkaAwayError, OSError) as error:
            raise SupervisorError(str(error)) from error

    @contextlib.contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        handlers = dict.fromkeys(_STOP_SIGNALS, self._on_signal) | {signal.SIGCHLD: _heard}
        before = {number: signal.signal(number, each) for number, each in handlers.items()}
        try:
            with Doorbell() as self._doorbell:
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def servers(self) -> tuple[Server, ...]:
        """What was started of other people's making."""
        return tuple(server for server in (self.redis, self.broker) if server)

    @property
    def children(self) -> Mapping[str, Child]:
        """Our own processes by name."""
        return self._children

    def stop(self) -> None:
        """Ask for the end, as a signal would."""
        self._stopping = True

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._stop_signals += 1
        if self._stop_signals > 1:  # the person at the terminal has lost patience
            for child in self._children.values():
                if child.pid:
                    os.kill(child.pid, signal.SIGKILL)

    def _start_all(self) -> None:
        for server in self.servers:
            server.start()
        self._settle_addresses()
        if self.broker:
            self._emptied(self)
        else:
            self._create_kafka_topics()  # a Kafka that is named may be away: ask before we start
        logs = self.state.path / "logs"
        os.environ.update({name: self._environment[name] for name in FRUGAL})  # read by numpy
        for name in ("worker", "sources", "page"):
            log = logs / f"{name}.log"
            self._children[name] = Child(name, self._environment, log, forks=True)
            preload(COMMON if name == "worker" else OTHERS)
            if not self._stopping:
                self._children[name].start(time.monotonic())
        if self.broker:
            self._create_kafka_topics()  # while they load

    def _settle_addresses(self) -> None:
        """What was started is where it is only now: tell our processes, and the state dir."""
        overlay = {"WIREBELL_STATE_DIR": str(self.state.path)}
        if self.broker:
            servers = self.broker.bootstrap_servers
            overlay["WIREBELL_KAFKA__BOOTSTRAP_SERVERS"] = servers
            overlay["WIREBELL_KAFKA__EMBEDDED"] = "true"
            kafka = self.settings.kafka.model_copy(
                update={"bootstrap_servers": servers, "embedded": True}
            )
            self.settings = self.settings.model_copy(update={"kafka": kafka})
        if self.redis:
            overlay["WIREBELL_REDIS__URL"] = self.redis.url
            redis = type(self.settings.redis).model_validate(
                {**self.settings.redis.model_dump(), "url": self.redis.url}
            )
            self.settings = self.settings.model_copy(update={"redis": redis})
        port = self.settings.page.port or free_port()
        overlay["WIREBELL_PAGE__PORT"] = str(port)
        page = self.settings.page.model_copy(update={"port": port})
        self.settings = self.settings.model_copy(update={"page": page})
        self._environment.update(overlay)
        self.state.note(
            bootstrap_servers=self.broker.bootstrap_servers if self.broker else "",
            redis_url=self.redis.url if self.redis else "",
            page_port=port,
        )

    def _create_kafka_topics(self) -> None:
        deadline = time.monotonic() + KAFKA_WAIT_S
        while not self._stopping:
            try:
                for difference in create_kafka_topics(self.settings.kafka):
                    self._say(f"warning: {difference}")
                return
            except KafkaAwayError as error:
                if time.monotonic() > deadline:
                    raise
                self._say(f"waiting for Kafka: {error}")
                self._pause(2.0)

    def _tick(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if ended := child.notice_end(now):
                self._say(ended)
            if child.is_due(now):
                child.start(now)
        if self.redis and not self.redis.running:
            self._say("the embedded Redis ended; it starts again with what it had written")
            self.redis.start()
        if self.broker and not self.broker.running:
            self._say("the embedded broker ended, and its log with it; all is read again")
            self._replace_broker()
        self.watch()
        if now >= self._next_care_at:
            self._next_care_at = now + CARE_S
            self._take_care()

    def _take_care(self) -> None:
        for child in self._children.values():
            child.cut_log()
        limit_mb = self.settings.embedded.broker_memory_mb
        used_mb = resident_mb(self.broker.pid) if self.broker else 0.0
        if used_mb <= limit_mb:
            return
        self._say(f"the embedded broker holds {used_mb:.0f} MB, over {limit_mb}: a new one")
        self._end_children(["sources"])
        if self._drained():
            self._replace_broker()
        elif used_mb > limit_mb * BURST and not self._stopping:
            self._say("the worker has not read all; what it had not is lost unless read again")
            self._replace_broker()
        elif not self._stopping:
            self._say("the worker has not read all; the old broker goes on")
            self._children["sources"].start(time.monotonic())

    def _drained(self) -> bool:
        """Wait until the worker has read everything; False when it has not in time."""
        deadline = time.monotonic() + DRAIN_S
        while not self._stopping and time.monotonic() < deadline:
            try:
                if self._backlog(self) == 0:
                    return True
            except OSError as error:
                self._say(f"cannot tell what the worker has yet to read: {error}")
            self._pause(1.0)
        return False

    def _replace_broker(self) -> None:
        """An empty broker on the same port, and our processes anew: cursors belong to a
        cluster id, so the sources read again, and Redis keeps it from ringing twice.
        """
        assert self.broker is not None
        self._end_children(list(self._children))
        self.broker.restart()
        self._emptied(self)
        self._create_kafka_topics()
        for child in self._children.values():
            if not self._stopping:
                child.start(time.monotonic())

    def _end_children(self, names: list[str]) -> None:
        children = [self._children[name] for name in names if name in self._children]
        for child in children:
            child.ask_to_end()
        deadline = time.monotonic() + CHILDREN_END_S
        for child in children:
            if not child.wait(deadline - time.monotonic()):
                self._say(f"{child.name} does not end; killed")
                child.kill()

    def _end_all(self) -> None:
        self._end_children(list(self._children))
        for server in reversed(self.servers):
            server.stop()

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < deadline:
            self._doorbell.wait(TICK_S)


def _heard(_number: int, _frame: FrameType | None) -> None:
    """Nothing: that it is handled at all rings the doorbell."""


def children_environment(environment: Mapping[str, str], config: Path) -> dict[str, str]:
    """What every child gets besides the addresses: the configuration, prompt output, and, where
    nobody has said otherwise, no memory for threads that it does not have.
    """
    return {
        **FRUGAL,
        **environment,
        "WIREBELL_CONFIG": str(config.absolute()),
        "PYTHONUNBUFFERED": "1",
    }
