"""Outages: what will pass by itself if we wait, told apart from faults that will not.

Owns the judgement of an exception and the waiting. The rule is guarantee 4 of the design:
if Redis or Kafka is away we wait, we never guess, so an outage is never given up on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError
from faust.exceptions import ProducerSendError
from kafka.errors import KafkaError as ClientKafkaError
from redis import exceptions as redis_errors

from streams.topic_setup import KafkaAwayError

T = TypeVar("T")

FIRST_DELAY_S, LONGEST_DELAY_S = 0.05, 2.0
# How soon a waiting step hears that it shall stop.
SLICE_S = 0.1
# The first line comes at once, the next after this many seconds of the same outage.
TELL_EVERY_S = 30.0

# Replies of a Redis that is there and cannot serve now, without an exception of their own.
_REDIS_NOT_NOW = (
    "MISCONF",
    "LOADING",
    "BUSY",
    "MASTERDOWN",
    "NOREPLICAS",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "UNBLOCKED",
    "READONLY",
    "OOM",
    "NOAUTH",
    "NOPERM",
    "WRONGPASS",
    "max number of clients reached",
)
_REDIS_OUTAGES = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.BusyLoadingError,
    redis_errors.ReadOnlyError,
    redis_errors.OutOfMemoryError,
    redis_errors.NoPermissionError,
    redis_errors.TryAgainError,
    redis_errors.ClusterError,
)

_log = structlog.get_logger("wirebell.outages")


class StoppedWaiting(Exception):  # noqa: N818 - not an error: the caller asked for it
    """An outage had not passed when the wait was called off; nothing is known of the step."""


def who_is_away(error: BaseException) -> str:
    """Who is away and will come back ("redis", "kafka", "network"), or "" for a fault.

    A Redis that refuses us (password, read-only, out of memory) counts as away: an operator
    will mend it, and no article is to blame.
    """
    if isinstance(error, ProducerSendError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, _REDIS_OUTAGES):
        return "redis"
    if isinstance(error, redis_errors.ResponseError):
        return "redis" if str(error).startswith(_REDIS_NOT_NOW) else ""
    if isinstance(error, (MessageSizeTooLargeError, RecordTooLargeError)):
        return ""
    if isinstance(error, (KafkaError, ClientKafkaError, ProducerSendError, KafkaAwayError)):
        return "kafka"
    if getattr(error, "retryable", False) is True:
        return "kafka"
    return "network" if isinstance(error, (ConnectionError, TimeoutError)) else ""


async def outlast(
    step: Callable[[], Awaitable[T]],
    called_off: Callable[[], bool],
    on_wait: Callable[[str], None] = lambda who: None,
) -> T:
    """Repeat `step` until no outage stops it; its result. Other exceptions pass through.

    `step` must be repeatable as a whole. `on_wait` hears before each wait who is away.

    Raises:
        StoppedWaiting: `called_off` turned true during an outage.
    """
    delay_s, waited_s, told_s = FIRST_DELAY_S, 0.0, 0.0
    while True:
        try:
            result = await step()
        except Exception as error:
            who = who_is_away(error)
            if not who:
                raise
            if waited_s == 0 or waited_s - told_s >= TELL_EVERY_S:
                told_s = waited_s
                _log.warning(f"{who} is away, waiting", waited_s=round(waited_s), error=str(error))
            on_wait(who)
            await _pause(delay_s * random.uniform(0.8, 1.2), called_off)  # noqa: S311
            waited_s += delay_s
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)
        else:
            if waited_s:
                _log.info("the outage is over", waited_s=round(waited_s, 1))
            return result


async def _pause(seconds: float, called_off: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0:
        if called_off():
            break
        await asyncio.sleep(min(SLICE_S, left))
    if called_off():
        raise StoppedWaiting
