"""The JSON Schema of everything that a webhook is sent, made from the types.

python -m connectors.sinks.webhook_schema > docs/webhook.schema.json
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from connectors.sinks.webhook_body import WebhookBody
from connectors.sinks.webhook_summary import SummaryBody


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a body: one story, or a summary of several."""
    bodies, parts = msgspec.json.schema_components([WebhookBody, SummaryBody])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "oneOf": list(bodies),
        "$defs": parts,
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n")
