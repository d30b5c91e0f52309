"""Every dependency tried for real, once: what `wirebell check` says after the configuration
itself has passed.

Owns the trying and the words. Rings nothing, publishes nothing, changes nothing; what is
embedded is started for a moment, apart from any state, where no line runs.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError

from connectors.sinks.factory import make_sink
from connectors.sources.factory import make_source
from connectors.sources.settings import (
    AnySource,
    FeedSettings,
    FilesSettings,
    IngestSettings,
    PageSettings,
)
from connectors.web_client import WebClient
from streams.embedded import EmbeddedBroker, EmbeddedError, EmbeddedRedis
from streams.plaintext import plaintext_remarks
from streams.redis_client import connect_redis
from streams.settings import Settings
from streams.state_dir import find_holder
from streams.topic_setup import KafkaAwayError, read_cluster_id

State = Literal["ok", "warning", "fault"]

# No dependency may hold up the answer about the others for longer.
LONGEST_S = 20.0
# Feeds of many hosts, asked side by side; more would only queue in the resolver.
AT_ONCE = 8
# The oldest that the scripts were tried on.
_OLDEST_REDIS = (7, 0)
_FEED_FAULTS = {"unreachable", "refused", "malformed"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. A warning costs something; a fault keeps Wirebell from
    doing what the configuration asks of it.
    """

    subject: str
    state: State
    detail: str = ""


async def check_all(settings: Settings) -> list[Finding]:
    """Try everything that the configuration names. Never raises for the outside world.

    Call it on the main thread; it blocks the event loop while an embedded server starts.
    """
    findings = _check_places(settings) + _check_subscriptions(settings)
    findings += [
        Finding(remark.subject, "warning", remark.detail) for remark in plaintext_remarks(settings)
    ]
    findings += await asyncio.gather(
        _check_kafka(settings), _check_redis(settings), _check_model(settings)
    )
    findings += await asyncio.gather(
        *(_check_sink(settings, sink_id) for sink_id in settings.sinks)
    )
    return findings + await _check_sources(settings)


def _check_places(settings: Settings) -> list[Finding]:
    """The state directory and the page's address: ours, or in use by a line of ours."""
    holder = find_holder(settings.state_dir)
    if holder:
        detail = f"in use by `wirebell up`, process {holder.pid}"
        return [Finding("state directory", "ok", f"{settings.state_dir}: {detail}")]
    findings = [_check_state_dir(settings.state_dir)]
    page = settings.page
    if fault := _listen_fault(page.host, page.port, guarded=bool(page.token.get_secret_value())):
        return [*findings, Finding("page", "fault", fault)]
    return [*findings, Finding("page", "ok", f"{page.host}:{page.port} is free")]


def _check_state_dir(path: Path) -> Finding:
    existing = path.absolute()
    while not existing.exists():
        existing = existing.parent
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding("state directory", "ok", str(path))
    return Finding("state directory", "fault", f"{path} cannot be written")


def _check_subscriptions(settings: Settings) -> list[Finding]:
    if not settings.subscriptions:
        return [Finding("subscriptions", "warning", "there are none: nobody will be told")]
    used = {target.sink for entry in settings.subscriptions for target in entry.deliver}
    findings = [Finding("subscriptions", "ok", f"{len(settings.subscriptions)}")]
    return findings + [
        Finding(f"sink {sink_id}", "warning", "no subscription delivers to it")
        for sink_id in sorted(set(settings.sinks) - used)
    ]


async def _check_kafka(settings: Settings) -> Finding:
    kafka = settings.kafka
    if "bootstrap_servers" in kafka.model_fields_set:
        try:
            cluster = await _bounded(asyncio.to_thread(read_cluster_id, kafka))
        except (KafkaAwayError, TimeoutError) as error:
            return Finding("Kafka", "fault", str(error) or "no answer in time")
        return Finding("Kafka", "ok", f"{kafka.bootstrap_servers}, cluster {cluster}")
    try:
        with EmbeddedBroker():
            return Finding("Kafka", "ok", "embedded, started for a moment")
    except EmbeddedError as error:
        return Finding("Kafka", "fault", str(error))


async def _check_redis(settings: Settings) -> Finding:
    try:
        if "url" in settings.redis.model_fields_set:
            return await _look_at_redis(settings.redis.url.get_secret_value())
        with _redis_for_a_moment() as url:
            seen = await _look_at_redis(url)
            return Finding("Redis", seen.state, "embedded, started for a moment")
    except (RedisError, OSError, TimeoutError, ValueError, EmbeddedError) as error:
        return Finding("Redis", "fault", str(error) or "no answer in time")


@contextmanager
def _redis_for_a_moment() -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="wirebell-check-") as directory,
        EmbeddedRedis(Path(directory)) as server,
    ):
        yield server.url


async def _look_at_redis(url: str) -> Finding:
    client: Redis = connect_redis(url)
    try:
        told: dict[str, Any] = await _bounded(client.info())
    finally:
        await client.aclose()
    version = str(told.get("valkey_version") or told.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_REDIS:
        return Finding("Redis", "fault", f"version {version} is too old, 7.0 is the least")
    lacks = []
    if not told.get("aof_enabled"):
        lacks.append("appendonly is off: what was rung is forgotten in a crash")
    if told.get("maxmemory") and told.get("maxmemory_policy") != "noeviction":
        lacks.append("maxmemory-policy is not noeviction: what was rung may be thrown away")
    return Finding("Redis", "warning" if lacks else "ok", "; ".join(lacks) or f"version {version}")


async def _check_model(settings: Settings) -> Finding:
    from classifiers.array_files import ArtifactError  # numpy only where it is asked for
    from streams.live_model import open_last_model, unlearned_topics

    try:
        model = open_last_model(settings).model
        await asyncio.to_thread(model.open_reader)  # a worker would find out in mid-work
    except (ArtifactError, ValueError, OSError) as error:
        return Finding("model", "fault", str(error))
    lacking = unlearned_topics(settings, model.topics)
    if lacking:
        what = f"has not learned {', '.join(lacking)}: run wirebell train --with-feedback"
        return Finding("model", "warning", f"{model.version} {what}")
    return Finding("model", "ok", f"{model.version}, {len(model.topics)} topics")


async def _check_sink(settings: Settings, sink_id: str) -> Finding:
    try:
        sink = make_sink(sink_id, settings.sinks[sink_id], settings.newsroom.time_zone)
    except ValueError as error:
        return Finding(f"sink {sink_id}", "fault", str(error))
    try:
        fault = await _bounded(sink.check())
    except TimeoutError:
        fault = "no answer in time"
    finally:
        await sink.close()
    return Finding(f"sink {sink_id}", "fault" if fault else "ok", fault)


async def _check_sources(settings: Settings) -> list[Finding]:
    enabled = [source for source in settings.sources if source.enabled]
    if not enabled:
        return [Finding("sources", "warning", "there are none: nothing will be read")]
    running = find_holder(settings.state_dir) is not None
    turns = asyncio.Semaphore(AT_ONCE)
    async with WebClient() as web_client:

        async def check(source: AnySource) -> Finding:
            async with turns:
                return await _check_source(source, web_client, running=running)

        return list(await asyncio.gather(*(check(source) for source in enabled)))


async def _check_source(source: AnySource, web_client: WebClient, *, running: bool) -> Finding:
    subject = f"source {source.id}"
    if isinstance(source, FilesSettings):
        if str(source.path) == "-" or os.access(source.path, os.R_OK):
            return Finding(subject, "ok", str(source.path))
        return Finding(subject, "fault", f"{source.path} is not there, or cannot be read")
    if isinstance(source, IngestSettings):
        fault = _listen_fault(
            source.host,
            0 if running else source.port,
            guarded=bool(source.token.get_secret_value()),
        )
        where = f"{source.host}:{source.port}"
        return Finding(subject, "fault" if fault else "ok", fault or where)
    return await _ask_source(subject, source, web_client)


async def _ask_source(
    subject: str, source: FeedSettings | PageSettings, web_client: WebClient
) -> Finding:
    """One poll from the beginning. A feed that does not answer now may do so tomorrow."""
    if isinstance(source, PageSettings):
        source = source.model_copy(update={"urls": source.urls[:1]})
    try:
        asked = make_source(source, web_client)
    except ValueError as error:
        return Finding(subject, "fault", str(error))
    try:
        poll = await _bounded(asked.poll({}))
    except TimeoutError:
        return Finding(subject, "warning", "no answer in time")
    finally:
        await asked.close()
    if poll.state in _FEED_FAULTS:
        return Finding(subject, "warning", f"{poll.state}: {poll.detail}".rstrip(": "))
    return Finding(subject, "ok", f"{len(poll.articles)} articles")


def _listen_fault(host: str, port: int, *, guarded: bool) -> str:
    """Why nobody should or could listen there; "" when all is well."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return f"cannot listen on {host}:{port}: {error.strerror or error}"
    loopback = str(address[0]).startswith("127.") or address[0] == "::1"
    if not loopback and not guarded:
        return f"{host} can be reached by others: it needs a token"
    return ""


async def _bounded(work: Awaitable[Any]) -> Any:
    async with asyncio.timeout(LONGEST_S):
        return await work
