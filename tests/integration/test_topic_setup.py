"""The declared Kafka topics are created once, may be asked for again, and never changed."""

from __future__ import annotations

import asyncio
import concurrent.futures

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from typer.testing import CliRunner

from streams.cli import _app
from streams.embedded import free_port
from streams.kafka_topics import declared
from streams.settings import KafkaSettings
from streams.topic_setup import KafkaAwayError, create_kafka_topics, read_cluster_id
from tests.lanes import Lane


def _partitions(lane: Lane) -> dict[str, int]:
    admin = KafkaAdminClient(bootstrap_servers=lane.bootstrap_servers)
    found = {entry["name"]: len(entry["partitions"]) for entry in admin.describe_topics()}
    admin.close()
    return {name: count for name, count in found.items() if name.startswith(lane.prefix)}


def test_every_declared_kafka_topic_is_created_and_a_repeat_changes_nothing(kafka: Lane) -> None:
    settings = kafka.settings(partitions=5)
    assert create_kafka_topics(settings) == []
    wanted = {entry.name: 5 for entry in declared(kafka.prefix, 5)}
    assert _partitions(kafka) == wanted
    assert create_kafka_topics(settings) == []
    assert _partitions(kafka) == wanted


def test_several_processes_may_create_at_once(kafka: Lane) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: create_kafka_topics(kafka.settings()), range(4)))
    assert results == [[]] * 4
    assert len(_partitions(kafka)) == 4


def test_a_difference_is_told_and_left_alone(kafka: Lane) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    admin.create_topics([NewTopic(kafka.prefix + "articles", 2, 1)])
    admin.wait_for_topics([kafka.prefix + "articles"])
    admin.close()
    lines = create_kafka_topics(kafka.settings(partitions=6))
    assert f"Kafka topic {kafka.prefix}articles has 2 partitions, 6 are configured" in lines
    assert _partitions(kafka)[kafka.prefix + "articles"] == 2


def test_retention_is_set_where_the_broker_has_it(kafka: Lane) -> None:
    create_kafka_topics(kafka.settings())
    if kafka.embedded:
        return  # it keeps everything until it ends; that no request failed is the point
    name = kafka.prefix + "articles"
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    assert configs["topic"][name]["retention.ms"]["value"] == str(7 * 86_400_000)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "60000"})])
    admin.close()
    lines = create_kafka_topics(kafka.settings())
    assert lines == [f"Kafka topic {name} has retention.ms 60000, 604800000 is declared"]


def test_embedded_broker_has_a_partition_for_every_producing_role(kafka: Lane) -> None:
    create_kafka_topics(kafka.settings(partitions=1))
    expected = 4 if kafka.embedded else 1
    assert set(_partitions(kafka).values()) == {expected}


def test_cluster_id_is_read_and_kafka_away_is_one_clear_line(kafka: Lane) -> None:
    assert read_cluster_id(kafka.settings())
    away = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")
    with pytest.raises(KafkaAwayError, match=away.bootstrap_servers) as caught:
        read_cluster_id(away)
    assert "\n" not in str(caught.value)


async def test_the_command_creates_them(kafka: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in kafka.environment().items():
        monkeypatch.setenv(name, value)
    result = await asyncio.to_thread(
        CliRunner().invoke, _app, ["kafka-topics", "--config", "/dev/null"]
    )
    assert result.exit_code == 0, result.output
    assert f"{kafka.prefix}dead-letters is there" in result.output
    assert len(_partitions(kafka)) == 4
