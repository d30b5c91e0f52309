"""The heartbeat of a process: who it is, that it lives, and its metrics, in Redis each second;
each third second while its metrics stand still.

Owns the record and its writing. The event loop of the process itself writes it, so a stuck
loop falls silent. Does not judge silence: streams/health.py does.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.canary import CANARY
from streams.keys import Keys
from streams.metrics import REGISTRY

# A third of what is taken for silence, on a line at rest.
INTERVAL_S, IDLE_INTERVAL_S = 1.0, 3.0
# A beat that Redis does not take in this time is given up; the next one is due anyway.
WRITE_TIMEOUT_S = 2.0
# Ended processes stay listed for a day, so that the page's totals survive their restarts.
KEEP = timedelta(days=1)
# A process that crashes at every start must not fill Redis with its remains.
KEEP_ENDED, ENDED_AFTER = 32, timedelta(minutes=1)

Role = Literal["sources", "worker", "page", "replay"]


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One number of one metric, as Prometheus names it."""

    name: str
    labels: dict[str, str]
    value: float


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A process at one moment. `stopped` is set by its last beat, when it ends by intent;
    `model` is the version of the topic model that a worker uses.
    """

    process: str
    role: str
    pid: int
    host: str
    started_at: datetime
    at: datetime
    rss_bytes: int
    samples: tuple[Sample, ...] = ()
    stopped: bool = False
    model: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Heartbeat)


def decode_heartbeat(raw: bytes | str) -> Heartbeat | None:
    """The heartbeat, or None for what is not one (an older version's, say)."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def encode_heartbeat(heartbeat: Heartbeat) -> bytes:
    """The heartbeat as JSON."""
    return _encoder.encode(heartbeat)


def collect_samples(registry: CollectorRegistry = REGISTRY) -> tuple[Sample, ...]:
    """Every number of a registry but the creation times, which nobody reads, and what the
    canary's own sink does, which is no delivery.
    """
    return tuple(
        Sample(sample.name, dict(sample.labels), sample.value)
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created") and sample.labels.get("sink") != CANARY
    )


async def beat(
    redis: Redis,
    keys: Keys,
    role: str,
    stop: asyncio.Event,
    model: Callable[[], str] = lambda: "",
) -> None:
    """Write this process's heartbeat until `stop`, then once more as stopped.

    Never raises for Redis: while it is away the beats are missed and nothing else happens.
    `model` tells which version of the topic model is in use now.
    """
    started_at = datetime.now(UTC)
    host = socket.gethostname()
    process = f"{role}-{host}-{os.getpid()}-{int(started_at.timestamp() * 1000):x}"
    pruned = False
    samples: tuple[Sample, ...] = ()
    while True:
        stopped = stop.is_set()
        before, samples = samples, collect_samples()
        heartbeat = Heartbeat(
            process=process,
            role=role,
            pid=os.getpid(),
            host=host,
            started_at=started_at,
            at=datetime.now(UTC),
            rss_bytes=read_rss_bytes(),
            samples=samples,
            stopped=stopped,
            model=model(),
        )
        written = await _write(redis, keys, heartbeat)
        if stopped:
            return
        if written and not pruned:
            pruned = await _prune(redis, keys, heartbeat.at)
        await _wait(stop, IDLE_INTERVAL_S if samples == before else INTERVAL_S)


def read_rss_bytes() -> int:
    """The resident memory of this process; 0 where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _write(redis: Redis, keys: Keys, heartbeat: Heartbeat) -> bool:
    try:
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await redis.hset(keys.processes, heartbeat.process, encode_heartbeat(heartbeat))
    except (RedisError, OSError, TimeoutError):
        return False
    return True


async def _prune(redis: Redis, keys: Keys, now: datetime) -> bool:
    """Forget processes that have been silent for a day, and all but the last 32 of those that
    ended; False when Redis went away.
    """
    try:
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            listed = await redis.hgetall(keys.processes)
            old = _forgettable(listed, now)
            if old:
                await redis.hdel(keys.processes, *old)
    except (RedisError, OSError, TimeoutError):
        return False
    return True


def _forgettable(listed: Mapping[Any, Any], now: datetime) -> list[Any]:
    ended: list[tuple[datetime, Any]] = []
    junk = []
    for name, raw in listed.items():
        heartbeat = decode_heartbeat(raw)
        if heartbeat is None or now - heartbeat.at > KEEP:
            junk.append(name)
        elif now - heartbeat.at > ENDED_AFTER:
            ended.append((heartbeat.at, name))
    ended.sort(key=lambda entry: entry[0], reverse=True)
    return junk + [name for _, name in ended[KEEP_ENDED:]]


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
