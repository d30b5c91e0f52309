"""Creates the declared Kafka topics, and asks a cluster who it is.

Owns the admin side of Kafka: may be repeated and run by several processes at once. Changes
nothing that exists: a Kafka topic that differs from its declaration is only told of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from connectors.publisher import describe
from streams.kafka_topics import PRODUCER_PARTITIONS, KafkaTopic, declared
from streams.settings import KafkaSettings

CONNECT_TIMEOUT_MS = 5_000
REQUEST_TIMEOUT_MS = 10_000


class KafkaAwayError(Exception):
    """The cluster did not do what was asked; the message is one line. Ask again later."""


def wanted_kafka_topics(settings: KafkaSettings) -> tuple[KafkaTopic, ...]:
    """What is declared; on the embedded broker with a partition for every producing role."""
    least = len(PRODUCER_PARTITIONS) if settings.embedded else 1
    return declared(settings.prefix, max(settings.partitions, least))


def create_kafka_topics(settings: KafkaSettings) -> list[str]:
    """Create what is missing and wait until every partition has a leader. Blocks.

    Returns: one line for each difference between what exists and what is declared.

    Raises:
        KafkaAwayError: Kafka cannot be reached or refuses; the line says why.
    """
    wanted = wanted_kafka_topics(settings)
    with _admin(settings) as admin:
        existing = {entry["name"]: entry for entry in admin.describe_topics() or ()}
        missing = [kafka_topic for kafka_topic in wanted if kafka_topic.name not in existing]
        if missing:
            _create(admin, missing, settings)
        admin.wait_for_topics([kafka_topic.name for kafka_topic in wanted])
        present = [kafka_topic for kafka_topic in wanted if kafka_topic.name in existing]
        return _differences(admin, present, existing, settings)


def read_cluster_id(settings: KafkaSettings) -> str:
    """The id of the cluster; another one means that what was published is gone. Blocks.

    Raises:
        KafkaAwayError: Kafka cannot be reached.
    """
    with _admin(settings) as admin:
        return str(admin.describe_cluster()["cluster_id"])


@contextmanager
def _admin(settings: KafkaSettings) -> Iterator[Any]:
    """An admin client for one task; the one door for what Kafka's admin side raises."""
    try:
        admin = KafkaAdminClient(
            **settings.connection().options(),
            client_id="wirebell-admin",
            bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            yield admin
        finally:
            admin.close()
    except (KafkaError, OSError) as error:
        said = f"Kafka at {settings.bootstrap_servers}: {describe(error)}"
        raise KafkaAwayError(said + _possible_cause(settings)) from error


def _possible_cause(settings: KafkaSettings) -> str:
    """A secured broker ends a connection that it refuses; the client only sees that it ended."""
    connection = settings.connection()
    causes = ["the login is wrong"] if connection.uses_sasl else []
    if connection.uses_tls:
        causes += ["a certificate is not accepted"]
    return f" (or {', or '.join(causes)})" if causes else ""


def _create(admin: Any, missing: Sequence[KafkaTopic], settings: KafkaSettings) -> None:
    response = admin.create_topics(
        {
            kafka_topic.name: {
                "num_partitions": kafka_topic.partitions,
                "replication_factor": settings.replication_factor,
                "configs": _configs(kafka_topic, settings),
            }
            for kafka_topic in missing
        },
        raise_errors=False,
    )
    for entry in response["topics"]:
        error = for_code(entry["error_code"])
        # Another process of ours may be creating them at this moment.
        if entry["error_code"] and error is not TopicAlreadyExistsError:
            raise error(f"{entry['name']}: {entry.get('error_message') or error.__name__}")


def _configs(kafka_topic: KafkaTopic, settings: KafkaSettings) -> dict[str, str]:
    if settings.embedded:
        return {}  # it has none, and refuses the request
    # With acks=all, one replica short still confirms; two short does not.
    in_sync = max(1, settings.replication_factor - 1)
    return {"retention.ms": str(kafka_topic.retention_ms), "min.insync.replicas": str(in_sync)}


def _differences(
    admin: Any,
    present: Sequence[KafkaTopic],
    existing: Mapping[str, Any],
    settings: KafkaSettings,
) -> list[str]:
    found = []
    for kafka_topic in present:
        partitions = len(existing[kafka_topic.name]["partitions"])
        if partitions != kafka_topic.partitions:
            found.append(
                f"Kafka topic {kafka_topic.name} has {partitions} partitions,"
                f" {kafka_topic.partitions} are configured"
            )
    if settings.embedded or not present:
        return found
    resources = [ConfigResource(ConfigResourceType.TOPIC, entry.name) for entry in present]
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    for kafka_topic in present:
        actual = configs[kafka_topic.name]
        found += [
            f"Kafka topic {kafka_topic.name} has {name} {actual[name]['value']},"
            f" {value} is declared"
            for name, value in _configs(kafka_topic, settings).items()
            if name in actual and str(actual[name]["value"]) != value
        ]
    return found
