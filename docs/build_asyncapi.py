"""Makes docs/asyncapi.yaml (AsyncAPI 3.0) from the code: the webhook and the Kafka topics.

python docs/build_asyncapi.py            write it
python docs/build_asyncapi.py --check    say whether it is what the code says
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent.parent))

from connectors.json_schema import schemas
from connectors.records import Alert, Article
from connectors.sinks.notices import IncidentBody
from connectors.sinks.webhook_body import WebhookBody
from connectors.sinks.webhook_summary import SummaryBody
from streams.dead_letters import DeadLetter
from streams.feedback import Feedback
from streams.kafka_topics import ALERTS, ARTICLES, DAY_MS, DEAD_LETTERS, FEEDBACK, declared

PAGE = Path(__file__).parent / "asyncapi.yaml"
_SCHEMA_HEADER = {"schema": {"type": "string", "const": "1", "description": "Schema version."}}
_WEBHOOK_HEADERS = {
    "webhook-id": "The same on every attempt of one revision: drop repeats.",
    "webhook-timestamp": "Seconds, fresh on every attempt; refuse what is older than 5 minutes.",
    "webhook-signature": "v1, and base64 of HMAC-SHA256 over id.timestamp.body; one a secret.",
}
# What a receiver of webhooks is sent.
_BODIES: dict[type, str] = {
    WebhookBody: "A story at a revision, by webhook",
    SummaryBody: "Several stories: beyond the cap of an hour, after quiet hours, or a digest",
    IncidentBody: "How the line itself is, where page.incident_to names the sink",
}
# Kafka topic: record, its key, what it is, and who may want to send or read it.
_KAFKA: dict[str, tuple[type, str, str]] = {
    ARTICLES: (Article, "article id", "Every article that a source has found."),
    ALERTS: (Alert, "story id", "A story at a revision, whole; repeats have the same id."),
    DEAD_LETTERS: (DeadLetter, "dead letter id", "What could not be processed, and why."),
    FEEDBACK: (Feedback, "story id", "What editors decide; repeats have the same id."),
}


def document() -> dict[str, Any]:
    """The whole document."""
    kinds = [*_BODIES, *(kind for kind, _, _ in _KAFKA.values())]
    _, parts = schemas(kinds, "#/components/schemas/{name}")
    channels: dict[str, Any] = {"webhook": _webhook()}
    operations: dict[str, Any] = {"sendWebhook": _operation("send", "webhook")}
    days = {topic.name: topic.retention_ms // DAY_MS for topic in declared()}
    for name, (kind, _, about) in _KAFKA.items():
        channel = name.replace("-", "_")
        channels[channel] = {
            "address": name,
            "servers": [{"$ref": "#/servers/kafka"}],
            "description": f"{about} Kept for {days[name]} days; kafka.prefix stands before it.",
            "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"}},
        }
        operations[f"send_{channel}"] = _operation("send", channel)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Wirebell",
            "version": "1",
            "description": "What Wirebell sends: signed webhooks, and the records on its Kafka "
            "topics. Made from the code by docs/build_asyncapi.py.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "receiver": {
                "host": "newsroom.example",
                "pathname": "/wirebell",
                "protocol": "https",
                "description": "The url of a sink of type webhook.",
            },
            "kafka": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "kafka.bootstrap_servers of the configuration.",
            },
        },
        "channels": channels,
        "operations": operations,
        "components": {"schemas": parts, "messages": _messages()},
    }


def text() -> str:
    """The document as YAML."""
    head = "# Made by `python docs/build_asyncapi.py`; do not edit.\n"
    return head + str(yaml.safe_dump(document(), sort_keys=False, width=100, allow_unicode=True))


def _webhook() -> dict[str, Any]:
    return {
        "address": "/",
        "servers": [{"$ref": "#/servers/receiver"}],
        "description": "One POST for each revision of a story that is wanted, summaries, and "
        "incidents of the line itself where they are wanted.",
        "messages": {
            body.__name__: {"$ref": f"#/components/messages/{body.__name__}"} for body in _BODIES
        },
        "bindings": {"http": {}},
    }


def _operation(action: str, channel: str) -> dict[str, Any]:
    made: dict[str, Any] = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
    if channel == "webhook":
        made["bindings"] = {"http": {"method": "POST", "bindingVersion": "0.3.0"}}
    return made


def _messages() -> dict[str, Any]:
    headers = {
        name: {"type": "string", "description": text} for name, text in _WEBHOOK_HEADERS.items()
    }
    messages: dict[str, Any] = {
        body.__name__: {
            "title": title,
            "headers": {"type": "object", "properties": headers, "required": list(headers)},
            "payload": {"$ref": f"#/components/schemas/{body.__name__}"},
        }
        for body, title in _BODIES.items()
    }
    for kind, key, about in _KAFKA.values():
        # A dead letter holds bytes that may be no text.
        coding = "msgpack" if kind is DeadLetter else "json"
        messages[kind.__name__] = {
            "title": about,
            "contentType": f"application/{coding}",
            "headers": {"type": "object", "properties": _SCHEMA_HEADER},
            "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
            "bindings": {"kafka": {"key": {"type": "string", "description": key}}},
        }
    return messages


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(text(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text():
        sys.exit("docs/asyncapi.yaml is not what the code says: python docs/build_asyncapi.py")
