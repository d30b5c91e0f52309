"""The publisher: what it returned from is in Kafka, and no fault of Kafka's ends it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import kafka.errors
import pytest
from kafka.errors import KafkaError

from connectors.kafka_connection import KafkaConnection
from connectors.publisher import _RECORD_FAULTS, Message, Publisher, PublishError
from connectors.records import Article, RecordError, decode_article
from streams.embedded import free_port
from streams.topic_setup import create_kafka_topics
from tests.kafka.apache import ApacheKafka
from tests.lanes import Lane, read_kafka_topic, until

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _articles(count: int, start: int = 0) -> list[Article]:
    return [
        Article(
            id=f"article-{number:05}",
            source_id="wire",
            publisher="The Wire",
            title=f"Report number {number}",
            fetched_at=NOW,
        )
        for number in range(start, start + count)
    ]


@pytest.fixture
async def publisher(kafka: Lane) -> AsyncIterator[Publisher]:
    await asyncio.to_thread(create_kafka_topics, kafka.settings())
    publisher = Publisher(
        kafka.settings().connection(),
        kafka.prefix + "articles",
        partition=0 if kafka.embedded else None,
    )
    yield publisher
    await publisher.close()


def _read(lane: Lane) -> dict[str, Article]:
    records = read_kafka_topic(lane, lane.prefix + "articles")
    return {record.key.decode(): decode_article(record.value) for record in records}


async def test_published_articles_are_all_there_with_key_and_schema(
    kafka: Lane, publisher: Publisher
) -> None:
    articles = _articles(1_000)
    await asyncio.gather(*(publisher.publish(articles[i : i + 50]) for i in range(0, 1_000, 50)))
    records = await asyncio.to_thread(read_kafka_topic, kafka, kafka.prefix + "articles")
    assert {record.key.decode(): decode_article(record.value) for record in records} == {
        article.id: article for article in articles
    }
    assert len(records) == 1_000
    assert all(list(record.headers) == [("schema", b"1")] for record in records)
    partitions = {record.partition for record in records}
    assert partitions == ({0} if kafka.embedded else {0, 1, 2, 3})


async def test_an_article_over_the_limit_is_refused_before_anything_is_published(
    kafka: Lane, publisher: Publisher
) -> None:
    huge = _articles(1)[0].__class__(
        id="huge", source_id="w", publisher="p", title="t", fetched_at=NOW, text="x" * 1_000_000
    )
    with pytest.raises(RecordError, match="limit"):
        await publisher.publish([*_articles(2), huge])
    assert await asyncio.to_thread(_read, kafka) == {}


async def test_a_message_kafka_refuses_is_named_and_the_others_are_confirmed(
    kafka: Lane, publisher: Publisher
) -> None:
    kafka_topic = kafka.prefix + "articles"
    values = [b"first", b"x" * 2_000_000, b"third"]
    with pytest.raises(PublishError) as caught:
        await publisher.send([Message(kafka_topic, b"k", value, (), 0) for value in values])
    assert not caught.value.retryable
    assert [refusal.index for refusal in caught.value.refusals] == [1]
    records = await asyncio.to_thread(read_kafka_topic, kafka, kafka_topic)
    assert [record.value for record in records] == [b"first", b"third"]


async def test_after_the_embedded_broker_is_killed_it_publishes_again(
    embedded_kafka: Lane,
) -> None:
    lane, server = embedded_kafka, embedded_kafka.server
    assert server is not None
    await asyncio.to_thread(create_kafka_topics, lane.settings())
    publisher = Publisher(lane.settings().connection(), lane.prefix + "articles", 0)
    await publisher.publish(_articles(200))
    server.kill()  # its log goes with it
    server.start()
    await _publish_again(lane, publisher)
    await publisher.close()


async def test_after_a_wiped_node_of_apache_kafka_it_publishes_again(
    tmp_path_factory: pytest.TempPathFactory, apache_kafka: ApacheKafka | None, kafka_prefix: str
) -> None:
    if apache_kafka is None:
        pytest.skip("the cluster that KAFKA_BOOTSTRAP_SERVERS names is not ours to wipe")
    with ApacheKafka(tmp_path_factory.mktemp("wiped") / "node") as node:
        lane = Lane("apache", node.bootstrap_servers, kafka_prefix, node)
        await asyncio.to_thread(create_kafka_topics, lane.settings())
        publisher = Publisher(lane.settings().connection(), kafka_prefix + "articles")
        await publisher.publish(_articles(200))
        node.kill()
        node.wipe()
        node.start()
        await _publish_again(lane, publisher)
        await publisher.close()


async def _publish_again(lane: Lane, publisher: Publisher) -> None:
    """As a caller does: repeat the same batch until it is confirmed."""
    await asyncio.to_thread(create_kafka_topics, lane.settings())
    articles = _articles(100, start=1_000)
    await _until_confirmed(lambda: publisher.publish(articles))
    found = await asyncio.to_thread(_read, lane)
    assert found == {article.id: article for article in articles}
    await publisher.publish(_articles(1, start=2_000))


async def _until_confirmed(publish: Callable[[], Awaitable[None]]) -> int:
    failures = 0
    async with asyncio.timeout(60):
        while True:
            try:
                await publish()
            except PublishError as error:
                assert error.retryable
                failures += 1
                await asyncio.sleep(0.1)
            else:
                return failures


async def test_kafka_away_is_a_retryable_error_and_leaves_no_thread(kafka_prefix: str) -> None:
    before = threading.active_count()
    publisher = Publisher(KafkaConnection(f"127.0.0.1:{free_port()}"), kafka_prefix + "articles")
    with pytest.raises(PublishError) as caught:
        await publisher.publish(_articles(1))
    assert caught.value.retryable
    await publisher.close()
    await publisher.close()
    await until(lambda: threading.active_count() <= before)


async def test_closing_while_kafka_is_gone_takes_two_seconds_at_most_and_leaves_no_thread(
    embedded_kafka: Lane,
) -> None:
    lane, server = embedded_kafka, embedded_kafka.server
    assert server is not None
    await asyncio.to_thread(create_kafka_topics, lane.settings())
    before = threading.active_count()
    publisher = Publisher(lane.settings().connection(), lane.prefix + "articles", 0)
    await publisher.publish(_articles(1))
    server.kill()
    waiting = asyncio.create_task(publisher.publish(_articles(1)))
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await publisher.close()
    with pytest.raises(PublishError):
        await waiting
    await until(lambda: threading.active_count() <= before)


async def test_a_kafka_topic_that_does_not_exist_is_retryable_and_is_not_created(
    kafka: Lane, publisher: Publisher
) -> None:
    if kafka.embedded:
        return  # it creates every Kafka topic that it is asked for
    with pytest.raises(PublishError) as caught:
        await publisher.publish_raw(kafka.prefix + "unknown", b"k", b"v")
    assert caught.value.retryable


def test_only_faults_of_the_record_itself_are_permanent() -> None:
    """A new error of the library that is about a record must be looked at here."""
    about_records = {
        name
        for name, error in inspect.getmembers(kafka.errors, inspect.isclass)
        if issubclass(error, KafkaError)
        and ("Record" in name or "TooLarge" in name)
        and not name.startswith(("Offset", "Telemetry"))
    }
    permanent = {error.__name__ for error in _RECORD_FAULTS}
    # A corrupt record was damaged on its way; the state of a record is about share groups.
    others = {"CorruptRecordError", "CorruptRecordException", "InvalidRecordStateError"}
    assert about_records - permanent == others


def test_the_password_is_not_in_the_repr_and_reaches_the_client() -> None:
    connection = KafkaConnection(
        "a:9092,b:9092", "SASL_PLAINTEXT", "SCRAM-SHA-512", "me", "hidden-word"
    )
    assert "hidden-word" not in repr(connection)
    assert connection.options() == {
        "bootstrap_servers": ["a:9092", "b:9092"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "hidden-word",
    }
