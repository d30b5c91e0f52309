"""One way to connect to Redis: bounded in time, checked before use, never waiting for good."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

# A Redis that stands still (SIGSTOP, a full disk) must be noticed within a SIGTERM's patience.
TIMEOUT_S, CONNECT_TIMEOUT_S = 3.0, 2.0
# A connection that has idled longer than this is asked before it is used.
CHECK_AFTER_S = 15


def connect_redis(url: str) -> Redis:
    """A client that raises RedisError within seconds when Redis is away. Connects lazily.

    It tries each command once more on a fresh connection, for the connections that a
    restarted Redis has closed; so every command and script must be repeatable.
    """
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_keepalive=True,
        health_check_interval=CHECK_AFTER_S,
        retry=Retry(NoBackoff(), 1),
    )
