"""What others could read on the way is said, and nothing else is."""

from __future__ import annotations

import pytest

from streams.plaintext import plaintext_remarks
from streams.settings import Settings

WEBHOOK = {"type": "webhook", "secret": "whsec_bm90LWEtcmVhbC1zZWNyZXQtYXQtYWxs"}
SLACK = {"type": "slack", "token": "xoxb-not-a-real-token"}


def subjects(**tables: object) -> list[str]:
    return [remark.subject for remark in plaintext_remarks(Settings.model_validate(tables))]


def test_a_line_on_one_machine_is_left_alone() -> None:
    assert subjects() == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]"])
def test_loopback_is_left_alone_however_it_is_written(host: str) -> None:
    tables = {
        "kafka": {"bootstrap_servers": f"{host}:9092"},
        "redis": {"url": f"redis://:not-real@{host}:6379/0"},
        "sinks": {"hook": {**WEBHOOK, "url": f"http://{host}:8000/", "allow_private": True}},
    }
    assert subjects(**tables) == []


def test_every_plain_connection_to_another_machine_is_named() -> None:
    tables = {
        "kafka": {"bootstrap_servers": "127.0.0.1:9092, kafka.example.org:9092"},
        "redis": {"url": "redis://:not-real@redis.example.org:6379/0"},
        "page": {"host": "0.0.0.0", "token": "not-a-real-token"},
        "sinks": {
            "hook": {**WEBHOOK, "url": "http://example.org/alerts"},
            "desk": {**SLACK, "api_url": "http://slack.example.org/api/"},
        },
    }
    assert subjects(**tables) == ["Kafka", "Redis", "sink hook", "sink desk", "page"]


def test_every_token_and_password_of_a_door_or_a_source_is_named() -> None:
    tables = {
        "page": {"host": "127.0.0.1", "token": "not-a-real-token"},
        "metrics": {"host": "0.0.0.0"},
        "sources": (
            {"id": "push", "type": "ingest", "host": "::", "token": "not-a-real-token"},
            {"id": "paid", "type": "feed", "url": "http://me:not-real@feeds.example.org/rss"},
            {"id": "open", "type": "feed", "url": "http://feeds.example.org/rss"},
        ),
    }
    named = subjects(**tables)
    assert sorted(named) == ["metrics", "source paid", "source push"]


@pytest.mark.parametrize("query", ["ssl_cert_reqs=none", "ssl_check_hostname=False"])
def test_a_redis_whose_certificate_nobody_checks_is_named(query: str) -> None:
    url = f"rediss://:not-real@redis.example.org:6379/0?{query}"
    (remark,) = plaintext_remarks(Settings.model_validate({"redis": {"url": url}}))
    assert "not checked" in remark.detail and "not-real" not in remark.detail


def test_a_password_on_the_way_is_told_and_not_shown() -> None:
    tables = {
        "kafka": {
            "bootstrap_servers": "kafka.example.org:9092",
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_username": "wirebell",
            "sasl_password": "not-a-real-password",
        },
        "redis": {"url": "redis://:not-a-real-password@redis.example.org/0"},
    }
    said = [remark.detail for remark in plaintext_remarks(Settings.model_validate(tables))]
    assert all("the password are readable" in each for each in said)
    assert not any("not-a-real-password" in each for each in said)


def test_encrypted_connections_and_private_networks_are_left_alone() -> None:
    tables = {
        "kafka": {"bootstrap_servers": "kafka.example.org:9093", "security_protocol": "SSL"},
        "redis": {"url": "rediss://redis.example.org:6379/0"},
        "sinks": {"hook": {**WEBHOOK, "url": "https://example.org/alerts"}, "desk": SLACK},
    }
    assert subjects(**tables) == []
    inside = {
        "kafka": {"bootstrap_servers": "kafka:9092", "private_network": True},
        "redis": {"url": "redis://redis:6379/0", "private_network": True},
    }
    assert subjects(**inside) == []
