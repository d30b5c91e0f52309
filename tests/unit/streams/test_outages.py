"""Who is away, and who is at fault: the judgement that decides between waiting and burying."""

from __future__ import annotations

import pytest
from aiokafka import errors as kafka_errors
from faust.exceptions import ProducerSendError
from redis import exceptions as redis_errors

from connectors.publisher import PublishError, Refusal
from streams.outages import StoppedWaiting, outlast, who_is_away
from streams.topic_setup import KafkaAwayError

AWAY = [
    (redis_errors.ConnectionError("Error 111"), "redis"),
    (redis_errors.TimeoutError("Timeout reading"), "redis"),
    (redis_errors.BusyLoadingError("LOADING"), "redis"),
    (redis_errors.ReadOnlyError("You can't write against a read only replica."), "redis"),
    (redis_errors.OutOfMemoryError("command not allowed"), "redis"),
    (redis_errors.AuthenticationError("invalid password"), "redis"),
    (redis_errors.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "redis"),
    (redis_errors.ResponseError("BUSY Redis is busy running a script"), "redis"),
    (redis_errors.ClusterDownError("CLUSTERDOWN"), "redis"),
    (kafka_errors.KafkaTimeoutError(), "kafka"),
    (kafka_errors.KafkaConnectionError(), "kafka"),
    (kafka_errors.NotEnoughReplicasError(), "kafka"),
    (kafka_errors.TopicAuthorizationFailedError(), "kafka"),
    (kafka_errors.UnknownTopicOrPartitionError(), "kafka"),
    (PublishError("not confirmed"), "kafka"),
    (KafkaAwayError("cannot be reached"), "kafka"),
    (TimeoutError(), "network"),
    (ConnectionResetError(), "network"),
]
AT_FAULT = [
    KeyError("x"),
    ValueError("x"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
    OSError("disk full"),
    redis_errors.ResponseError("WRONGTYPE Operation against a key"),
    redis_errors.DataError("Invalid input of type"),
    kafka_errors.MessageSizeTooLargeError(),
    PublishError("refused", [Refusal(0, "too large")]),
]


@pytest.mark.parametrize(("error", "who"), AWAY, ids=lambda value: type(value).__name__)
def test_what_passes_by_itself_is_an_outage(error: Exception, who: str) -> None:
    assert who_is_away(error) == who


@pytest.mark.parametrize("error", AT_FAULT, ids=lambda value: type(value).__name__)
def test_what_waiting_will_not_mend_is_a_fault(error: Exception) -> None:
    assert who_is_away(error) == ""


def test_what_fausts_producer_wraps_is_judged_by_what_is_inside() -> None:
    for inside, who in [
        (kafka_errors.KafkaTimeoutError(), "kafka"),
        (kafka_errors.MessageSizeTooLargeError(), ""),
    ]:
        wrapped = ProducerSendError("Error while sending")
        wrapped.__cause__ = inside
        assert who_is_away(wrapped) == who


async def test_outlast_repeats_until_the_outage_is_over() -> None:
    heard: list[str] = []
    failures: list[Exception] = [redis_errors.ConnectionError("a"), TimeoutError()]

    async def step() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    assert await outlast(step, lambda: False, heard.append) == "done"
    assert heard == ["redis", "network"]


async def test_outlast_lets_a_fault_through_at_once() -> None:
    async def step() -> None:
        raise KeyError("fault")

    with pytest.raises(KeyError):
        await outlast(step, lambda: False)


async def test_outlast_stops_waiting_when_called_off() -> None:
    async def step() -> None:
        raise redis_errors.ConnectionError("gone")

    with pytest.raises(StoppedWaiting):
        await outlast(step, lambda: True)
