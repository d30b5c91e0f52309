"""Kafka behind TLS and a login or a certificate, Redis behind TLS and an ACL: the real line works
there, and wrong credentials are said in words without being repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from connectors.publisher import Publisher
from streams import topic_setup
from streams.connection_settings import KafkaSettings
from streams.kafka_offsets import KafkaOffsets
from streams.kafka_topics import ARTICLES, WORKER_GROUP
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.topic_setup import KafkaAwayError, create_kafka_topics, read_cluster_id
from tests.fakes.worker_line import ROOT, make_article
from tests.kafka.apache import KafkaUnavailableError
from tests.kafka.secured import PASSWORD, STRANGER, USER, SecuredKafka
from tests.lanes import until

CONFIG = """
[sinks.terminal]
type = "console"

[[subscriptions]]
id = "everything"
deliver = [{ sink = "terminal" }]
"""
TEXT = (
    "Saboteurs cut the signal cables of the Northern Railway near Velmora before dawn on"
    " Tuesday and stopped 40 trains, the police said. Investigators found deliberate cuts at"
    " three places and treat it as an act of sabotage."
)
NEWSROOM, ITS_PASSWORD = "newsroom", "not-a-real-redis-password"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    try:
        node = SecuredKafka(tmp_path_factory.mktemp("secured"))
    except KafkaUnavailableError as reason:
        pytest.skip(f"no Apache Kafka: {reason}")
    with node:
        yield node


def login(cluster: SecuredKafka, mechanism: str, password: str = PASSWORD) -> dict[str, str]:
    """The [kafka] table of who logs in with a name and a password."""
    return {
        "bootstrap_servers": cluster.bootstrap_servers,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": mechanism,
        "sasl_username": USER,
        "sasl_password": password,
        "ssl_cafile": str(cluster.authority),
    }


def certificate(cluster: SecuredKafka) -> dict[str, str]:
    """The [kafka] table of who shows a certificate."""
    return {
        "bootstrap_servers": cluster.mutual_servers,
        "security_protocol": "SSL",
        "ssl_cafile": str(cluster.authority),
        "ssl_certfile": str(cluster.client),
    }


@dataclass(frozen=True, slots=True)
class SecuredRedis:
    """A Redis behind TLS whose only useful user may touch one prefix alone."""

    address: str
    authority: Path

    def url(self, password: str = ITS_PASSWORD) -> str:
        return f"rediss://{NEWSROOM}:{password}@{self.address}/0?ssl_ca_certs={self.authority}"


@asynccontextmanager
async def secured_redis(plain_url: str, prefix: str, folder: Path) -> AsyncIterator[SecuredRedis]:
    """A real Valkey with an ACL user, behind a TLS end of ours: it is built without TLS."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(folder / "redis-authority.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.issue_cert("127.0.0.1").configure_cert(context)
    admin = Redis.from_url(plain_url)
    rules = ["reset", "on", f">{ITS_PASSWORD}", f"~{Keys(prefix).tag}*", "+@all", "-@dangerous"]
    await admin.execute_command("ACL", "SETUSER", NEWSROOM, *rules, "+info")
    host, port = plain_url.removeprefix("redis://").partition("/")[0].split(":")

    async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(forward(reader, inner_writer), forward(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield SecuredRedis(address, folder / "redis-authority.pem")
    finally:
        server.close()
        await admin.execute_command("ACL", "DELUSER", NEWSROOM)
        await admin.aclose()


@pytest.mark.parametrize("way", ["SCRAM-SHA-512", "certificate"])
async def test_the_line_works_on_a_secured_cluster(
    way: str,
    cluster: SecuredKafka,
    redis_url: str,
    redis_prefix: str,
    kafka_prefix: str,
    tmp_path: Path,
) -> None:
    table = certificate(cluster) if way == "certificate" else login(cluster, way)
    settings = KafkaSettings(prefix=kafka_prefix, partitions=1, **table)
    await asyncio.to_thread(create_kafka_topics, settings)
    async with secured_redis(redis_url, redis_prefix, tmp_path) as redis:
        environment = {
            f"WIREBELL_KAFKA__{name.upper()}": value
            for name, value in {**table, "prefix": kafka_prefix, "partitions": "1"}.items()
        } | {"WIREBELL_REDIS__URL": redis.url(), "WIREBELL_REDIS__PREFIX": redis_prefix}
        worker = _start(tmp_path, environment)
        try:
            publisher = Publisher(settings.connection(), kafka_prefix + ARTICLES)
            await publisher.publish(
                [make_article(1, "Sabotage halts trains near Velmora", text=TEXT)]
            )
            await publisher.close()
            offsets = KafkaOffsets(settings, kafka_prefix + WORKER_GROUP)
            await until(lambda: "Sabotage halts" in _read(tmp_path / "out"), 40, "an alert")
            seen = await offsets.read([kafka_prefix + ARTICLES])
            await offsets.close()
            assert [partition.end for partition in seen] == [1]
        finally:
            worker.terminate()
            assert await asyncio.to_thread(worker.wait, 15) == 0
    said = _read(tmp_path / "err")
    assert "Traceback" not in said
    assert not [secret for secret in (PASSWORD, ITS_PASSWORD) if secret in said]


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is seen as a connection that ends, again and again until patience does."""
    monkeypatch.setattr(topic_setup, "CONNECT_TIMEOUT_MS", 1_000)


def test_a_login_opens_and_a_wrong_password_is_said_and_not_repeated(
    cluster: SecuredKafka, short_patience: None
) -> None:
    assert read_cluster_id(KafkaSettings(**login(cluster, "PLAIN")))
    with pytest.raises(KafkaAwayError) as refused:
        read_cluster_id(KafkaSettings(**login(cluster, "PLAIN", STRANGER)))
    assert "the login is wrong" in str(refused.value)
    assert STRANGER not in str(refused.value)


def test_a_broker_of_an_unknown_authority_is_not_trusted(
    cluster: SecuredKafka, short_patience: None, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    table = {**login(cluster, "PLAIN"), "ssl_cafile": str(stranger)}
    with pytest.raises(KafkaAwayError):
        read_cluster_id(KafkaSettings(**table))


def test_without_a_certificate_the_listener_that_asks_for_one_is_closed(
    cluster: SecuredKafka, short_patience: None
) -> None:
    table = {**certificate(cluster), "ssl_certfile": ""}
    with pytest.raises(KafkaAwayError):
        read_cluster_id(KafkaSettings(**table))


def test_without_tls_a_secured_cluster_answers_nothing(
    cluster: SecuredKafka, short_patience: None
) -> None:
    with pytest.raises(KafkaAwayError):
        read_cluster_id(KafkaSettings(bootstrap_servers=cluster.bootstrap_servers))


async def test_redis_lets_its_user_touch_one_prefix_alone(
    redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    async with secured_redis(redis_url, redis_prefix, tmp_path) as redis:
        client = connect_redis(redis.url())
        await client.set(Keys(redis_prefix).tag + "mine", "1")
        with pytest.raises(NoPermissionError):
            await client.set("somebody-elses", "1")
        with pytest.raises(NoPermissionError):
            await client.execute_command("FLUSHALL")
        await client.aclose()
        stranger = connect_redis(redis.url(STRANGER))
        with pytest.raises(AuthenticationError):
            await stranger.ping()
        await stranger.aclose()


async def test_a_redis_of_an_unknown_authority_is_not_trusted(
    redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    async with secured_redis(redis_url, redis_prefix, tmp_path) as redis:
        trustme.CA().cert_pem.write_to_path(str(redis.authority))
        client = connect_redis(redis.url())
        with pytest.raises(RedisError, match="certificate verify failed"):
            await client.ping()
        await client.aclose()


def _start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    config = folder / "wirebell.toml"
    config.write_text(CONFIG, encoding="utf-8")
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "streams", "worker", "--config", str(config)],
            cwd=ROOT,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
