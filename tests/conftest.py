"""Fixtures that every test may ask for; what they stand on is in `lanes.py`."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from classifiers.topics import LABELS
from streams.embedded import EmbeddedBroker, EmbeddedRedis
from tests.kafka.apache import ApacheKafka, KafkaUnavailableError
from tests.lanes import SHARED, Lane


@pytest.fixture(autouse=True)
def _labels_as_they_ship() -> Iterator[None]:
    """A process knows the labels of its newsroom's own topics; the next test is another one."""
    known = dict(LABELS)
    yield
    LABELS.clear()
    LABELS.update(known)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test data beside the repository; skips where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"no test data at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis for the whole run; tests keep apart by `redis_prefix`."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def redis_prefix() -> str:
    """A prefix for Redis keys that no other test has."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def kafka_prefix() -> str:
    """A prefix for Kafka topics and groups that no other test has."""
    return f"test-{secrets.token_hex(6)}-"


@pytest.fixture
def embedded_kafka(kafka_prefix: str) -> Iterator[Lane]:
    """A fresh embedded broker: it starts in 20 ms, and takes its log with it."""
    with EmbeddedBroker() as broker:
        yield Lane("embedded", broker.bootstrap_servers, kafka_prefix, broker)


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.kafka),
        pytest.param("apache", marks=pytest.mark.kafka),
    ]
)
def kafka(request: pytest.FixtureRequest, kafka_prefix: str) -> Iterator[Lane]:
    """A running Kafka, once for each lane, with nothing under this test's prefix."""
    if request.param == "embedded":
        yield request.getfixturevalue("embedded_kafka")
        return
    node: ApacheKafka | None = request.getfixturevalue("apache_kafka")
    if node is not None:
        node.start()  # a test before this one may have killed it
    servers = node.bootstrap_servers if node else os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    yield Lane("apache", servers, kafka_prefix, node)
    if node is None or node.running:
        _delete_kafka_topics(servers, kafka_prefix)


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka | None]:
    """One node of Apache Kafka for the whole run; None when a cluster is named instead."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield None
        return
    try:
        node = ApacheKafka(tmp_path_factory.mktemp("kafka") / "node")
    except KafkaUnavailableError as reason:
        pytest.skip(f"no Apache Kafka: {reason}")
    with node:
        yield node


def _delete_kafka_topics(bootstrap_servers: str, prefix: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        names = [name for name in admin.list_topics() if name.startswith(prefix)]
        if names:
            with contextlib.suppress(KafkaError):  # the next run has another prefix
                admin.delete_topics(names)
    finally:
        admin.close()
