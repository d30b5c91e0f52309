"""The JSON Schema of everything that a webhook is sent, made from the types.

python -m connectors.sinks.webhook_schema > docs/webhook.schema.json
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from connectors.json_schema import schemas
from connectors.sinks.notices import IncidentBody
from connectors.sinks.webhook_body import WebhookBody
from connectors.sinks.webhook_summary import SummaryBody


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a body: one story, a summary of several, or an incident."""
    bodies, parts = schemas([WebhookBody, SummaryBody, IncidentBody], "#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "oneOf": bodies,
        "$defs": parts,
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n")
