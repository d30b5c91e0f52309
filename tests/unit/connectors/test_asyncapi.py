"""The AsyncAPI page says what the code says, and its schemas take what is really sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from connectors.records import Article, encode
from connectors.sinks.notices import Notice, encode_incident
from connectors.sinks.slack_actions import Press
from connectors.sinks.webhook_body import encode_body
from connectors.sinks.webhook_summary import encode_summary
from streams.dead_letters import Origin, encode_dead_letter, make_dead_letter
from streams.feedback import encode_feedback, feedback_of
from streams.kafka_topics import declared
from tests.fakes.alerts import MORNING, make_alert

ROOT = Path(__file__).parents[3]
PAGE: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for inner in node.values():
            yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)


def _records() -> dict[str, bytes]:
    alert = make_alert(revision=2)
    press = Press("p1", "relevant", "s1", 2, "C1", "U1", "ann")
    article = Article(
        id="a1", source_id="s", publisher="P", title="T", fetched_at=datetime.now(UTC)
    )
    notice = Notice(
        incident="i", number=1, state="down", title="t", causes=("c",), since=MORNING, at=MORNING
    )
    letter = make_dead_letter("screen", "undecodable", Origin(), MORNING, raw=b"{")
    return {
        "WebhookBody": encode_body(alert),
        "IncidentBody": encode_incident(notice),
        "SummaryBody": encode_summary([alert, make_alert("s2")], "cap"),
        "Article": encode(article),
        "Alert": encode(alert),
        "Feedback": encode_feedback(feedback_of(press, "slack|C1", alert, MORNING)),
        "DeadLetter": encode_dead_letter(letter),
    }


def test_the_page_is_what_the_code_says() -> None:
    command = [sys.executable, "docs/build_asyncapi.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_reference_leads_somewhere() -> None:
    found = list(_references(PAGE))
    for reference in found:
        node: Any = PAGE
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    assert len(found) > 20


def test_every_kafka_topic_is_described() -> None:
    addresses = {channel["address"] for channel in PAGE["channels"].values()}
    assert {topic.name for topic in declared()} <= addresses


def test_every_time_is_said_to_be_one() -> None:
    """And whoever reads the page makes one of it, not a text."""
    story = PAGE["components"]["schemas"]["Story"]["properties"]
    alert = PAGE["components"]["schemas"]["Alert"]["properties"]
    assert story["first_seen"] == {"type": "string", "format": "date-time"}
    assert {"type": "string", "format": "date-time"} in alert["published_at"]["anyOf"]


@pytest.mark.parametrize("name", PAGE["components"]["messages"])
def test_what_is_sent_is_what_the_page_says(name: str) -> None:
    payload = PAGE["components"]["messages"][name]["payload"]
    schema = {**payload, "components": PAGE["components"]}
    raw = _records()[name]
    if PAGE["components"]["messages"][name].get("contentType") == "application/msgpack":
        raw = msgspec.json.encode(msgspec.msgpack.decode(raw))
    sent = json.loads(raw)
    jsonschema.Draft202012Validator(schema).validate(sent)
    for field in PAGE["components"]["schemas"][name]["required"]:
        broken = {key: value for key, value in sent.items() if key != field}
        assert not jsonschema.Draft202012Validator(schema).is_valid(broken)
